"""The page of a search, in a browser without a network."""

import shutil
from pathlib import Path

import optuna
import pytest
from playwright.sync_api import sync_playwright

from tasks.training.search_space import suggest
from tasks.training.study_page import counted_from_one, study_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def study_of(trials: int) -> optuna.Study:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(trials):
        trial = study.ask()
        params = suggest(trial, knows_time=True)
        study.tell(trial, params["max_features"] + params["min_samples_leaf"] / 100)
    return study


def test_one_trial_is_no_search_and_two_are():
    assert study_page(study_of(1)) is None
    assert "How good each trial is" in str(study_page(study_of(2)))


def test_trials_are_counted_from_one():
    history = counted_from_one(optuna.visualization.plot_optimization_history(study_of(3)))
    assert list(history.data[0].x) == [1, 2, 3]


@pytest.mark.outer
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine (apt install chromium)")
def test_every_plot_has_marks_without_a_network(tmp_path: Path):
    page_of_study = study_page(study_of(8))
    assert page_of_study is not None
    (tmp_path / "study.html").write_text(page_of_study)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(offline=True)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "study.html").as_uri())
        history, parallel, importances = page.locator(".js-plotly-plot").all()
        assert page.locator("h2").all_inner_texts() == [
            "How good each trial is", "Which parameters go together", "What it hangs on",
        ]  # fmt: skip
        assert history.locator(".scatterlayer .point").count() >= 8
        assert parallel.locator(".scatterlayer .js-line").count() >= 8
        assert importances.locator(".barlayer .point").count() >= 4
        browser.close()
    assert asked == [(tmp_path / "study.html").as_uri()]
