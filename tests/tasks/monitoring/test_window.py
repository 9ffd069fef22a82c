"""Which days a small one is judged with, on manifests and files written by hand."""

import io
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.schema import ID
from campaign.settings import Settings
from campaign.store import Store
from tasks.manifest import Manifest, Part, Rows
from tasks.monitoring.window import Window, read_window
from tests.published import SCHEMA

DAY = date(2026, 11, 22)


@pytest.fixture
def store(own_home: Path, tmp_path: Path) -> Store:
    return Store(tmp_path.as_uri())


def put_day(store: Store, days_ago: int, rows: int, version: str = "1", bad: int = 0) -> Manifest:
    """A scored day, whose predictions say how long ago it was; so many rows counted as bad."""
    day = DAY - timedelta(days=days_ago)
    table = pa.Table.from_batches(synthetic.campaigns(rows, seed=days_ago + 1, prefix=f"{day}-"))
    predictions = pa.table({ID: table[ID], "probability": [days_ago / 1_000] * rows})
    parts = {}
    for name, written in (("incoming", table), ("predictions", predictions)):
        file = io.BytesIO()
        pq.write_table(written, file)
        published = store.publish(f"{name}/day={day}/a.parquet", file.getvalue())
        parts[name] = [Part(published.uri, published.sha256, rows)]
    counts = Rows(rows, rows - bad, bad)
    manifest = Manifest(str(day), "m", version, parts["incoming"], parts["predictions"], [], counts, "", 0)
    manifest.publish(store)
    return manifest


def window_of(store: Store, manifest: Manifest) -> Window:
    return read_window(store, manifest, SCHEMA, Settings())


def test_a_day_that_has_enough_is_judged_alone_and_no_other_is_looked_for(store, monkeypatch):
    put_day(store, 1, 500)
    manifest = put_day(store, 0, 1_000)
    monkeypatch.setattr(Store, "days", lambda *_: pytest.fail("listed"))
    window = window_of(store, manifest)
    assert (window.days, window.prediction_days, window.rows, len(window.sample)) == (1, 1, 1_000, 1_000)


def test_a_small_day_takes_the_nearest_days_until_there_are_enough(store):
    for days_ago in (1, 2, 3):
        put_day(store, days_ago, 400)
    window = window_of(store, put_day(store, 0, 300))
    assert (window.days, window.rows) == (3, 1_100)
    assert sorted(set(window.sample["probability"])) == [0.0, 0.001, 0.002]


def test_predictions_of_other_versions_are_left_out_and_their_inputs_are_not(store):
    for days_ago, version in ((1, "1"), (2, "2"), (3, "2")):
        put_day(store, days_ago, 400, version)
    window = window_of(store, put_day(store, 0, 400, "2"))
    assert (window.days, window.prediction_days) == (3, 3)
    assert sorted(set(window.sample["probability"])) == [0.0, 0.002, 0.003]


def test_days_more_than_a_year_ago_are_not_taken(store):
    put_day(store, 365, 400)
    put_day(store, 366, 400)
    window = window_of(store, put_day(store, 0, 400))
    assert (window.days, window.rows) == (2, 800)


def test_a_day_whose_campaigns_were_deleted_or_lack_a_column_is_passed_over(store):
    put_day(store, 1, 400)
    store.delete(f"incoming/day={DAY - timedelta(days=1)}/a.parquet")
    lacking = put_day(store, 2, 400)
    with store.writing(store.path_of(lacking.inputs[0].uri)) as sink:
        pq.write_table(pa.table({ID: ["a"]}), sink)
    put_day(store, 3, 800)
    window = window_of(store, put_day(store, 0, 400))
    assert (window.days, window.rows) == (2, 1_200)


def test_more_predictions_than_inputs_lose_none(store):
    manifest = put_day(store, 0, 1_100)
    few = replace(manifest, rows=Rows(1_100, 1_100, 0))
    with store.writing(store.path_of(manifest.inputs[0].uri)) as sink:
        pq.write_table(pa.Table.from_batches(synthetic.campaigns(600)), sink)
    window = window_of(store, few)
    assert len(window.sample) == 1_100
    assert window.sample["probability"].notna().sum() == 1_100


@pytest.mark.parametrize(("rows", "bad", "days"), [(1_000, 1, (1, 2)), (999, 0, (2, 2)), (1_001, 1, (1, 1))])
def test_inputs_are_enough_by_the_rows_read_and_predictions_by_those_scored(store, rows, bad, days):
    put_day(store, 1, 400)
    window = window_of(store, put_day(store, 0, rows, bad=bad))
    assert (window.days, window.prediction_days) == days
    assert window.rows == rows + 400 * (days[0] - 1)
