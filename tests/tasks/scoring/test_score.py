from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from campaign.store import Store
from tasks.manifest import Manifest, Part, Rows, manifest_path
from tasks.metrics_database import database, scored
from tasks.scoring.score import (
    days_to_score,
    input_files,
    is_current,
    record,
    recorded_days,
    reusable_manifest,
    sweep_superseded,
)

DAY = date(2026, 11, 22)


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
    store.publish(f"incoming/day={DAY}/a.parquet", b"others of the same size")
    assert not is_current(manifest, input_files(store, DAY), store)


@pytest.mark.parametrize(("version", "reused"), [("1", True), ("2", False)])
def test_a_day_is_not_scored_again_by_the_version_that_did_it(store, manifest, version, reused):
    assert (reusable_manifest(store, DAY, input_files(store, DAY), version) is not None) is reused


def test_superseded_parts_go_after_their_grace_and_what_is_listed_stays(store, manifest):
    store.publish(f"predictions/day={DAY}/part-old.parquet", b"old")
    store.publish(f"quarantine/day={DAY}/part-old.parquet", b"old")
    sweep_superseded(store, manifest, timedelta(hours=1))
    assert store.exists(f"predictions/day={DAY}/part-old.parquet")
    sweep_superseded(store, manifest, timedelta(0))
    kept = {entry.path for entry in store.entries("predictions")}
    assert kept == {manifest_path(DAY), f"predictions/day={DAY}/part-new.parquet"}
    assert store.entries("quarantine") == []


def test_a_day_has_one_row_in_the_metrics_database_that_of_its_last_scoring(store, manifest):
    record(manifest)
    record(replace(manifest, model_version="2", predicted_success=7))
    with database().connect() as connection:
        [row] = connection.execute(sa.select(scored)).all()
    assert (row.day, row.model_version, row.rows_scored, row.predicted_success) == (DAY, "2", 9, 7)
    assert recorded_days() == {DAY}


def test_a_day_is_scored_when_its_inputs_are_new_or_its_row_is_lacking(store, manifest):
    assert days_to_score(store, [DAY]) == [DAY]  # a run that was killed before it wrote the row
    record(manifest)
    assert days_to_score(store, [DAY]) == []
    store.publish(f"incoming/day={DAY}/b.parquet", b"more")
    assert days_to_score(store, [DAY]) == [DAY]
