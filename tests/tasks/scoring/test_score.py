import logging
import os
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from campaign.errors import BadInput, StoreError
from campaign.store import Store
from tasks.manifest import Manifest, Part, Rows, manifest_path
from tasks.metrics_database import database, scored
from tasks.model_versions import Version
from tasks.scoring import score
from tasks.scoring.score import (
    days_due,
    days_to_score,
    input_files,
    is_current,
    record,
    recorded_days,
    reusable_manifest,
    score_day,
    sweep_superseded,
    usable_manifest,
)

DAY, EARLIER = date(2026, 11, 22), date(2026, 11, 21)
CHAMPION = Version("m", "1", "run", {}, datetime(2026, 11, 1))


@pytest.fixture
def store(tmp_path, own_home, monkeypatch) -> Store:
    monkeypatch.setenv("CAMPAIGN_METRICS_URL", f"sqlite:///{tmp_path}/metrics.db")
    return Store((tmp_path / "store").as_uri())


@pytest.fixture
def manifest(store) -> Manifest:
    """Of one input that was scored by version 1."""
    store.publish(f"incoming/day={DAY}/a.parquet", b"campaigns")
    store.publish(f"predictions/day={DAY}/part-new.parquet", b"predictions")
    [entry] = input_files(store, DAY)
    given = Part(store.at(entry.path), "", 9, entry.size, entry.changed.isoformat())
    part = Part(store.at(f"predictions/day={DAY}/part-new.parquet"), "", 9)
    made = Manifest(str(DAY), "m", "1", [given], [part], [], Rows(9, 9, 0), "2026-11-23T01:00:00+00:00", 4)
    made.publish(store)
    return made


def recorded() -> list[tuple]:
    """The rows in `scored`, times without their zone, which SQLite does not keep."""
    with database().connect() as connection:
        rows = connection.execute(sa.select(scored).order_by(scored.c.day)).all()
    return [(*row[:-1], row.scored_at.replace(tzinfo=None)) for row in rows]


def test_what_is_neither_parquet_nor_csv_is_no_campaigns(store, manifest):
    store.publish(f"incoming/day={DAY}/readme.txt", b"hello")
    assert [entry.path for entry in input_files(store, DAY)] == [f"incoming/day={DAY}/a.parquet"]


def test_a_manifest_is_current_until_an_input_comes_changes_or_goes(store, manifest):
    assert is_current(manifest, input_files(store, DAY), store)
    assert not is_current(None, input_files(store, DAY), store)
    assert not is_current(manifest, [], store)
    store.publish(f"incoming/day={DAY}/b.parquet", b"more")
    assert not is_current(manifest, input_files(store, DAY), store)
    store.delete(f"incoming/day={DAY}/b.parquet")


@pytest.mark.parametrize(
    ("content", "later", "current"),
    [(b"campaigns", 0, True), (b"other one", 10**9, False), (b"more of them", 0, False)],
)
def test_an_input_that_is_replaced_is_another_by_its_time_or_its_size(
    store, manifest, tmp_path, content, later, current
):
    file = tmp_path / f"store/incoming/day={DAY}/a.parquet"
    changed = file.stat().st_mtime_ns + later
    store.publish(f"incoming/day={DAY}/a.parquet", content)
    os.utime(file, ns=(changed, changed))
    assert is_current(manifest, input_files(store, DAY), store) is current


@pytest.mark.parametrize(("version", "reused"), [("1", True), ("2", False)])
def test_a_day_is_not_scored_again_by_the_version_that_did_it(store, manifest, version, reused):
    assert (reusable_manifest(store, DAY, input_files(store, DAY), version) is not None) is reused


def test_superseded_parts_go_after_their_grace_and_what_is_listed_stays(store, manifest):
    store.publish(f"predictions/day={DAY}/part-old.parquet", b"old")
    store.publish(f"quarantine/day={DAY}/part-old.parquet", b"old")
    store.publish(f"quarantine/day={DAY}/part-new.parquet", b"bad rows")
    manifest = replace(manifest, quarantine=[Part(store.at(f"quarantine/day={DAY}/part-new.parquet"), "", 1)])
    sweep_superseded(store, manifest, timedelta(hours=1))
    assert store.exists(f"predictions/day={DAY}/part-old.parquet")
    sweep_superseded(store, manifest, timedelta(0))
    kept = {entry.path for entry in store.entries("predictions")}
    assert kept == {manifest_path(DAY), f"predictions/day={DAY}/part-new.parquet"}
    assert [entry.path for entry in store.entries("quarantine")] == [f"quarantine/day={DAY}/part-new.parquet"]


def test_a_day_has_one_row_in_the_metrics_database_that_of_its_last_scoring(store, manifest):
    record(manifest)
    again = replace(manifest, model_version="2", rows=Rows(12, 9, 3), predicted_success=7)
    record(again)
    assert recorded() == [(DAY, "2", 12, 9, 3, 7, datetime(2026, 11, 23, 1))]
    record(replace(again, day=str(EARLIER)))
    assert recorded_days() == {DAY, EARLIER}


def test_a_day_is_scored_when_its_inputs_are_new_or_its_row_is_lacking(store, manifest):
    assert days_to_score(store, [DAY]) == [DAY]  # a run that was killed before it wrote the row
    record(manifest)
    assert days_to_score(store, [DAY]) == []
    store.publish(f"incoming/day={DAY}/b.parquet", b"more")
    assert days_to_score(store, [DAY]) == [DAY]


@pytest.fixture
def scoring(store, tmp_path, monkeypatch) -> list[str]:
    """The task without Prefect and MLflow: which version is asked to score, and leaves the manifest of its own."""
    asked: list[str] = []

    def score_inputs(store, day, entries, model, pieces):
        asked.append(model)
        made = replace(usable_manifest(store, day), model_version=model, rows=Rows(9, 8, 1), predicted_success=5)
        made.publish(store)
        return made

    monkeypatch.setenv("CAMPAIGN_STORE", store.uri)
    monkeypatch.setenv("CAMPAIGN_SWEEP_GRACE_HOURS", "1")
    monkeypatch.setattr(score, "get_run_logger", lambda: logging.getLogger("score"))
    monkeypatch.setattr(score, "load_champion", lambda version, model, run_id: version)
    monkeypatch.setattr(score, "score_inputs", score_inputs)
    return asked


def test_a_day_of_which_a_run_was_killed_behind_the_manifest_is_not_scored_again_but_recorded(manifest, scoring):
    day = score_day.fn(DAY, CHAMPION)
    assert (day.reused, day.rows, day.successful, day.unsuccessful) == (True, Rows(9, 9, 0), 4, 5)
    assert scoring == []
    assert [row[:2] for row in recorded()] == [(DAY, "1")]


def test_a_day_that_is_asked_for_by_name_is_scored_by_the_champion_of_now(store, manifest, scoring, monkeypatch):
    monkeypatch.setattr("tasks.days.scheduled_day", lambda: date(2026, 11, 23))
    record(manifest)
    assert days_due(None, None, None) == []  # a new champion does not rewrite history
    assert days_due(DAY, None, None) == days_due(None, DAY, DAY) == [DAY]
    day = score_day.fn(DAY, replace(CHAMPION, number="2"))
    assert (day.reused, day.model_version, day.rows, day.successful) == (False, "2", Rows(9, 8, 1), 5)
    assert day.unsuccessful == 3  # the bad row is no failure
    assert scoring == ["2"]
    assert [row[:2] for row in recorded()] == [(DAY, "2")]


@pytest.mark.parametrize(("minutes", "stays"), [(59, True), (61, False)])
def test_scoring_sweeps_what_is_superseded_for_as_long_as_is_set(store, manifest, scoring, tmp_path, minutes, stays):
    store.publish(f"predictions/day={DAY}/part-old.parquet", b"old")
    changed = (datetime.now() - timedelta(minutes=minutes)).timestamp()
    os.utime(tmp_path / f"store/predictions/day={DAY}/part-old.parquet", (changed, changed))
    score_day.fn(DAY, CHAMPION)
    assert store.exists(f"predictions/day={DAY}/part-old.parquet") is stays


def test_the_champion_of_a_run_is_read_once(monkeypatch):
    read = []
    monkeypatch.setattr(score, "load_version", lambda version: read.append(version) or version.number)
    score.load_champion.cache_clear()
    asked = ["1", "1", "2", "1", "2"]  # two, while a run that began with the former champion goes on
    assert [score.load_champion(number, "m", "run") for number in asked] == asked
    score.load_champion.cache_clear()
    assert [(version.model, version.number, version.run_id) for version in read] == [
        ("m", "1", "run"),
        ("m", "2", "run"),
    ]


def test_a_day_without_a_file_of_campaigns_is_refused_with_what_it_holds(store, scoring):
    store.publish(f"incoming/day={EARLIER}/notes.docx", b"")
    with pytest.raises(BadInput, match=r"holds no file of campaigns \(it holds notes\.docx\)"):
        score_day.fn(EARLIER, CHAMPION)


def test_a_store_that_is_away_is_not_taken_for_a_day_that_nobody_scored(store, manifest, monkeypatch):
    """A damaged manifest is: its day is scored again."""
    store.publish(manifest_path(DAY), b"{")
    assert usable_manifest(store, DAY) is None
    monkeypatch.setattr(store, "read", unreachable)
    with pytest.raises(StoreError):
        usable_manifest(store, DAY)


def unreachable(path: str) -> bytes:
    raise StoreError("The store is away.", "Wait.")


@pytest.mark.parametrize(("champion", "reused"), [("1", True), ("2", False)])
def test_the_challenger_scores_alone_only_where_the_champion_had_nothing_to_do(
    manifest, scoring, monkeypatch, champion, reused
):
    published = []

    def publish_shadow(store, entries, manifest, challenger, pieces):
        published.append((challenger.number, pieces))
        return True

    monkeypatch.setattr(score, "publish_shadow", publish_shadow)
    challenger = replace(CHAMPION, number="3")
    day = score_day.fn(DAY, replace(CHAMPION, number=champion), challenger=challenger)
    assert (day.reused, day.shadow) == (reused, "3")
    assert published == [("3", None if reused else [])]


def test_a_day_that_the_challenger_could_not_score_has_no_shadow(manifest, scoring, monkeypatch):
    monkeypatch.setattr(score, "publish_shadow", lambda *given: False)
    assert score_day.fn(DAY, CHAMPION, challenger=replace(CHAMPION, number="3")).shadow == ""
    assert score_day.fn(DAY, CHAMPION).shadow == ""
