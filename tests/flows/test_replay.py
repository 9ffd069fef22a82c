"""A history in which the world turns round, replayed: what the loop would have done, and when."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from campaign.errors import BadInput
from campaign.schema_file import read_schema
from campaign.store import Store
from flows.cli import app
from flows.replay import command, courses
from flows.replay.courses import Plan, home_at
from flows.replay.courses import replay as play_all
from flows.replay.page import render
from flows.replay.results import read_replayed
from flows.replay.table import results_table
from flows.terminal import print_table
from tasks.manifest import read_manifest
from tasks.model_versions import list_versions
from tasks.replay import FOLDER
from tasks.replay.forget import forget_replays
from tasks.replay.history import read_history
from tasks.replay.periods import periods_of
from tests.made_up_history import make_projects, write_projects

TURNED, FROM, FUTURE = date(2024, 5, 16), date(2024, 5, 1), "2024-09-01"
MARK, MARKED_NUMBER = "MARK-OF-THE-FUTURE", 987654321.0


class Killed(BaseException):
    """Stands for the end of the process."""


def killing(after: Callable[[str, int], bool], run_at: Callable) -> Callable:
    """`run_at`, which is killed when a run has ended for which `after` says so."""
    counts: dict[str, int] = {}

    def run(moment, flow, **parameters):
        result = run_at(moment, flow, **parameters)
        counts[flow.name] = counts.get(flow.name, 0) + 1
        if after(flow.name, counts[flow.name]):
            raise Killed
        return result

    return run


def own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("CAMPAIGN_", "MLFLOW_"))}


def plan_of(folder: Path, projects: pd.DataFrame, first: date = FROM, most: int | None = None) -> Plan:
    folder.mkdir(parents=True)
    data, path = write_projects(folder, projects)
    schema = read_schema(str(path))
    (folder / "campaign.toml").write_text(path.read_text())
    history = read_history(str(data), schema)
    return Plan(folder, schema, history, periods_of(history, first, "month")[:most], trials=1)


def mark_the_future(projects: pd.DataFrame) -> pd.DataFrame:
    """What is launched after the replay, and what became of those that end after it, stands out anywhere."""
    later = (projects["launched"] >= FUTURE).to_numpy()
    projects.loc[later, ["ID", "kind"]] = [[f"{MARK}-{row}", MARK] for row in range(later.sum())]
    projects.loc[later, "goal"] = MARKED_NUMBER
    projects.loc[projects["deadline"] >= FUTURE, ["state", "pledged"]] = [MARK, MARKED_NUMBER]
    return projects


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The real home, in which a replay is."""
    return tmp_path_factory.mktemp("real") / "home"


@pytest.fixture(scope="module")
def played(prefect_api, home):
    """Killed three times: after the first training, after a called one, and while never is played; then to its end.

    What is known later than its last period is marked.
    """
    plan = plan_of(home / FOLDER / "abc", mark_the_future(make_projects(260, 20, turned_from=TURNED)), most=4)
    shown: list[tuple[str, str]] = []

    def show(rule, period):
        shown.append((rule, period.period))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMPAIGN_HOME", str(home))
        patch.setenv("CAMPAIGN_STORE", "s3://elsewhere")
        before = own_environment()
        run_at = courses.run_at
        for after in (
            lambda name, count: name == "training",
            lambda name, count: name == "training",
            lambda name, count: name == "batch-scoring" and "never" in os.environ["CAMPAIGN_HOME"],
        ):
            patch.setattr(courses, "run_at", killing(after, run_at))
            with pytest.raises(Killed):
                play_all(plan, ["called", "never"], show)
            assert own_environment() == before
        patch.setattr(courses, "run_at", run_at)
        homes = play_all(plan, ["called", "never"], show)
        yield plan, homes, read_replayed(plan, homes), shown


def test_retraining_is_called_for_once_outcomes_show_that_the_world_turned(played):
    _, _, replayed, _ = played
    called, never = replayed.courses
    quiet = [period for period in called.played[1:] if period.period < "2024-06"]
    assert all(period.trained is None for period in quiet)
    first = next(period for period in called.played[1:] if period.trained)
    assert first.trained.promoted
    assert any("succeeded" in reason or "ROC-AUC" in reason for reason in first.trained.called_for)
    assert never.trainings == []
    assert [period.period for period in never.played[1:]] == ["2024-05", "2024-06", "2024-07", "2024-08"]


def test_the_retrained_course_does_better_and_the_advice_says_by_how_much(played):
    _, _, replayed, _ = played
    gain = replayed.courses[0].gain
    assert gain.is_better
    kept, fell = gain.roc_auc_of
    assert kept > fell + 0.03
    assert f"kept ROC-AUC {kept:.3f} where the first model fell to {fell:.3f}" in replayed.advice


def test_who_was_killed_goes_on_where_it_was(played):
    plan, homes, replayed, shown = played
    assert len(shown) == len(set(shown))  # no period was played to its end twice
    assert [period for rule, period in shown if rule == "called"] == ["", *map(str, plan.periods)]
    with home_at(homes["called"]):
        versions = list_versions("projects")
    assert len(versions) == 1 + len(replayed.courses[0].trainings)  # nor was a training
    assert not [*homes["called"].glob("before.json")]


def test_courses_are_one_until_they_part(played):
    _, homes, replayed, _ = played
    called, never = replayed.courses
    parted = next(number for number, period in enumerate(called.played) if number and period.trained)
    assert called.played[:parted] == never.played[:parted]
    assert homes["never"] != homes["called"]
    assert len(replayed.distinct) == 2


def test_every_day_was_scored_by_the_champion_of_its_time(played):
    plan, homes, replayed, _ = played
    called = replayed.courses[0]
    for number, period in enumerate(plan.periods):
        promoted = [
            before.trained.version
            for before in called.played[: number + 1]
            if before.trained and before.trained.promoted
        ]
        with home_at(homes["called"]) as store:
            versions = {read_manifest(store, str(day)).model_version for day in store.days("predictions")
                        if period.first <= day < period.end}  # fmt: skip
        assert versions == {promoted[-1]}


def test_the_real_home_is_left_alone(played, home):
    assert [path.name for path in home.iterdir()] == [FOLDER]


def test_table_and_page_show_each_period_and_the_page_needs_nothing_else(played, capsys):
    _, _, replayed, _ = played
    print_table(results_table(replayed))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    page = render(replayed)
    for period in ("2024-05", "2024-06", "2024-07"):
        assert period in page
        assert any(period in line for line in lines)
    assert replayed.advice in page
    assert not re.search(r"<script|\bsrc=|href=\"(?!#)|url\((?!#)", page)
    assert "prefers-color-scheme: dark" in page


def test_what_somebody_called_a_column_does_not_become_part_of_the_page(played):
    _, _, replayed, _ = played
    page = render(type(replayed)(**{**vars(replayed), "title": "<script>alert(1)</script>"}))
    assert "<script" not in page


def test_nothing_of_the_future_is_in_any_file(played):
    """Models, references, encodings, calibrations, thresholds, audits, predictions, metrics: all that is left."""
    plan, _, _, _ = played
    paths = [path for path in plan.folder.rglob("*") if path.is_file() and path.name != "projects.csv"]
    for path in paths:
        if path.suffix == ".parquet":
            values = [str(value) for column in pq.read_table(path).columns for value in column.to_pylist()]
            assert not any(MARK in value or value.startswith("987654321") for value in values), path
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                for name in arrays:
                    assert not (np.isfinite(arrays[name]) & (np.abs(arrays[name]) > 1e8)).any(), (path, name)
        else:
            content = path.read_bytes()
            assert MARK.encode() not in content, path
            assert b"987654321" not in content, path
    assert len([path for path in paths if path.name == "model.json" and "mlartifacts" in path.parts]) >= 3


def test_a_campaign_that_is_forgotten_is_in_no_replay(prefect_api, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_HOME", str(tmp_path))
    monkeypatch.delenv("CAMPAIGN_STORE", raising=False)
    plan = plan_of(tmp_path / FOLDER / "abc", make_projects(60, 5), date(2024, 2, 1))
    store = Store((plan.folder / "called/store").as_uri())
    courses.write_beginning(store, plan.history, plan.periods[0])
    (plan.folder / "replay.html").write_text("figures")
    assert forget_replays("nobody") == []
    assert (plan.folder / "called").exists()
    assert forget_replays(plan.history.ids[0].as_py()) == [plan.folder]
    assert not (plan.folder / "called").exists()
    assert (plan.folder / "replay.html").exists()


def test_where_nothing_calls_never_is_the_same_course(played, tmp_path):
    plan, _, _, _ = played
    short = replace(plan, folder=tmp_path / "replay", periods=plan.periods[:1])
    shutil.copytree(plan.folder / "start", short.folder / "start")
    shutil.copy(plan.folder / "campaign.toml", short.folder)
    homes = play_all(short, ["called", "never"], lambda *_: None)
    assert homes["never"] == homes["called"]
    replayed = read_replayed(short, homes)
    assert len(replayed.distinct) == 1
    assert replayed.advice.startswith("Nothing called for retraining")


def test_the_folder_is_of_file_schema_and_options(tmp_path, own_home):
    data, path = write_projects(tmp_path, make_projects(20, 5))
    schema = read_schema(str(path))
    folder = command.replay_folder(str(data), schema, {"every": "month"})
    assert folder.parent == own_home / FOLDER
    assert command.replay_folder(str(data), schema, {"every": "month"}) == folder
    assert command.replay_folder(str(data), schema, {"every": "week"}) != folder
    data.write_text(data.read_text() + "\n")
    assert command.replay_folder(str(data), schema, {"every": "month"}) != folder


def test_the_command_refuses_what_it_cannot_play_in_a_sentence(own_home, tmp_path, monkeypatch):
    for name in ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_SERVER_DATABASE_CONNECTION_URL",
                 "PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"):  # fmt: skip
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back afterwards
    data, path = write_projects(tmp_path, make_projects(20, 5))
    result = CliRunner().invoke(app, ["replay", str(data), "--every", "hour"])
    assert result.exit_code == 2
    assert "hour is none of month, week, day" in re.sub(r"[\s│]+", " ", result.output)
    with pytest.raises(BadInput, match="names no launch and no end"):
        CliRunner().invoke(app, ["replay", str(data)], catch_exceptions=False)
    with pytest.raises(BadInput, match="no --retrain sometimes"):
        CliRunner().invoke(
            app, ["replay", str(data), "--schema", str(path), "--retrain", "sometimes"], catch_exceptions=False
        )
