import logging
from contextlib import nullcontext
from itertools import pairwise
from types import SimpleNamespace

import optuna
import pytest

from campaign.errors import BadInput
from campaign.settings import Settings
from tasks.mlflow_run import Run, find_or_create_experiment, mlflow_client
from tasks.training import search as search_module
from tasks.training.search import _best_trials, _refuse_sqlite, log_missing, search, search_share
from tasks.training.study import COUNTED, shares_of


def finished(study: optuna.Study, value: float, stopped: bool = False) -> None:
    trial = study.ask({"min_samples_leaf": optuna.distributions.IntDistribution(1, 9)})
    sizes = [
        {"trees": 1, "roc_auc": 0.5, "log_loss": 2 * value, "cost": 3.0},
        {"trees": 4, "roc_auc": 1 - value, "log_loss": value, "cost": 9.0},
    ]
    trial.set_user_attr(
        "grown", {"sizes": [] if stopped else sizes, "cpu_seconds": 1.5, "cpu_seconds_saved": 0.5, "stopped": stopped}
    )
    study.tell(trial, None if stopped else value, optuna.trial.TrialState.PRUNED if stopped else None)


@pytest.fixture
def study() -> optuna.Study:
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=1))
    for value in (0.3, 0.1, 0.2):
        finished(study, value)
    finished(study, 0.5, stopped=True)
    return study


def test_every_counted_trial_is_a_nested_run_once_also_those_of_a_search_that_was_killed(own_home, study):
    own_home.mkdir()
    client = mlflow_client()
    experiment = find_or_create_experiment(client, "m")
    run = Run(client.create_run(experiment).info.run_id, "study", "m")
    for _ in range(2):
        log_missing(client, experiment, run, study.get_trials(states=COUNTED))
    nested = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run.run_id}'")
    assert sorted(trial.info.run_name for trial in nested) == ["trial-001", "trial-002", "trial-003", "trial-004"]
    by_name = {trial.info.run_name: trial.data for trial in nested}
    assert by_name["trial-002"].metrics["validation_roc_auc"] == 0.9
    assert by_name["trial-002"].metrics["validation_log_loss"] == 0.1
    assert by_name["trial-002"].params["min_samples_leaf"] == str(study.trials[1].params["min_samples_leaf"])
    assert by_name["trial-004"].tags["state"] == "PRUNED"
    assert [m.step for m in client.get_metric_history(nested[0].info.run_id, "prefix_roc_auc")] in ([1, 4], [])


def test_the_best_trials_come_first_and_pruned_ones_not_at_all(study):
    assert [trial["log_loss"] for trial in _best_trials(study.trials)] == [0.1, 0.2, 0.3]


def test_a_search_of_several_workers_does_not_share_a_file(own_home):
    _refuse_sqlite(Settings().optuna_url, workers=1)
    _refuse_sqlite("postgresql://optuna", workers=3)
    with pytest.raises(BadInput, match=r"3 workers, and its study is in SQLite .*CAMPAIGN_OPTUNA_URL"):
        _refuse_sqlite(Settings().optuna_url, workers=3)


def test_every_worker_of_a_cluster_draws_other_points_and_searches_the_same_forests(own_home, monkeypatch):
    drawn, grown = [], []
    examples = SimpleNamespace(knows_time=False)
    named = {
        "load_examples": lambda store, path: examples,
        "open_study": lambda name, url, seed, knows_time: drawn.append(seed),
        "run_trials": lambda study, examples, share, trials, seed, report: grown.append((share.number, trials, seed)),
        "mlflow_client": lambda: None,
        "find_or_create_experiment": lambda client, model: "1",
        "get_run_logger": lambda: logging.getLogger("search"),
    }
    for name, instead in named.items():
        monkeypatch.setattr(f"tasks.training.search.{name}", instead)
    run = Run("run", "study", "m")
    for share in shares_of(0, 15, 3, 400):
        search_share.fn(share, own_home.as_uri(), "search/study.npz", run, 15, 7, None, 0.0)
    # The sampler's seed grows with the trials that the study has: shares that begin later must not meet earlier ones.
    assert min(b - a for a, b in pairwise(sorted(drawn))) >= 1000
    assert grown == [(0, 15, 7), (1, 15, 7), (2, 15, 7)]


@pytest.mark.parametrize(("trials", "percent"), [(4, 100), (8, 50), (3, 100)])
def test_a_search_that_is_taken_up_shows_how_far_it_is(own_home, study, monkeypatch, trials, percent):
    """Another training of the same data may have made more trials than this one is to make."""
    begun: list[tuple] = []
    examples = SimpleNamespace(knows_time=False, by_time=False, fitted=SimpleNamespace(y=[0, 1]))
    named = {
        "examples_of": lambda parts: examples,
        "open_study": lambda name, url, seed, knows_time: study,
        "mlflow_client": lambda: None,
        "find_or_create_experiment": lambda client, model: "1",
        "log_missing": lambda client, experiment, run, trials: None,
        "create_progress_artifact": lambda *progress: begun.append(progress),
        "shares_of": lambda existing, total, workers, most: [],
        "reporting_to": lambda run: nullcontext(),
        "study_page": lambda study: None,
        "create_table_artifact": lambda *table: None,
        "get_run_logger": lambda: logging.getLogger("search"),
    }
    for name, instead in named.items():
        monkeypatch.setattr(search_module, name, instead)
    searched = search.fn(SimpleNamespace(labels=lambda part: [0, 1]), Run("run", "study", "m"), trials, 7)
    assert begun == [(percent, "search-progress", "Study study")]
    assert (searched.trials, searched.reused, searched.rows) == (4, 4, 2)
    assert (searched.cpu_seconds, searched.cpu_seconds_saved) == (6.0, 2.0)
