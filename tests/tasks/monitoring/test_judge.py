"""The verdict on days that are judged together, and what else stands beside them."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.encoding import Encoder
from campaign.model import REFERENCE, ScoringModel
from campaign.schema import ID, LABEL
from campaign.settings import Settings
from campaign.store import Store
from campaign.warm_up import smallest_forest
from tasks.manifest import Manifest, Part, Rows
from tasks.metrics_database import database
from tasks.monitoring.judge import full_windows, judge_window
from tasks.monitoring.metric_rows import DRIFTED, OK, QUALITY_HOLDS, MetricRow, read_metrics, write_metrics
from tasks.monitoring.monitor import BATCH
from tasks.monitoring.outcome_days import OutcomeDay, read_outcome_days, write_outcome_day
from tasks.monitoring.quality import OF_DECAY, OF_OUTCOMES, ScoringVersion
from tests.published import KNOWN_CATEGORIES, SCHEMA

FIRST = date(2026, 11, 1)
ROWS = 300


@pytest.fixture
def store(own_home, tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("CAMPAIGN_METRICS_URL", f"sqlite:///{tmp_path}/metrics.db")
    return Store(tmp_path.as_uri())


@pytest.fixture
def version(tmp_path) -> ScoringVersion:
    pd.DataFrame({"probability": [0.5]}).to_parquet(tmp_path / REFERENCE)
    about = {"metrics": {"roc_auc": 0.7}}
    encoder = Encoder(SCHEMA.features, KNOWN_CATEGORIES)
    return ScoringVersion(ScoringModel("m", "1", SCHEMA, encoder, smallest_forest(), about), tmp_path)


@pytest.fixture
def window(store) -> list[OutcomeDay]:
    """Two scored days whose outcomes came true as foretold, with what monitoring has written of them: both drifted, and
    the second has a verdict from before."""
    days = []
    for number in range(2):
        day = FIRST + timedelta(days=number)
        probability = np.linspace(0.05, 0.95, ROWS)
        label = (np.random.default_rng(number).random(ROWS) < probability).astype(int)
        names = [f"{day}-{row}" for row in range(ROWS)]
        with store.writing(f"predictions/day={day}/part.parquet") as sink:
            pq.write_table(pa.table({ID: names, "probability": probability}), sink)
        with store.writing(f"outcomes/day={day}/o.parquet") as outcomes:
            pq.write_table(pa.table({ID: names, LABEL: label}), outcomes)
        part = Part(store.at(f"predictions/day={day}/part.parquet"), sink.sha256, ROWS)
        Manifest(str(day), "m", "1", [], [part], [], Rows(ROWS, ROWS, 0), "", 0).publish(store)
        days.append(OutcomeDay(day, "1", ROWS, float(probability.sum()), 1.0, day))
    measured = [
        MetricRow("rows_read", ROWS), MetricRow("day_drifted", 1.0, DRIFTED), MetricRow("day_state", None, DRIFTED),
        MetricRow("days_judged", 1.0, OK, OF_OUTCOMES),
    ]  # fmt: skip
    before = [MetricRow("judged_roc_auc", 0.5, "decayed"), MetricRow("days_judged", 1.0, OK, OF_DECAY)]
    with database().begin() as connection:
        write_metrics(connection, FIRST, BATCH, {"1": measured})
        write_metrics(connection, FIRST + timedelta(days=1), BATCH, {"1": [*measured, *before]})
        for day in days:
            write_outcome_day(connection, day)
    return days


def stored(day: OutcomeDay) -> dict[tuple[str, str], tuple[float | None, str]]:
    with database().connect() as connection:
        rows = read_metrics(connection, day.day, BATCH, "1")
    found = {(row.metric, row.column_name): (row.value, row.status) for row in rows}
    assert len(found) == len(rows)  # nothing stands there twice
    return found


def test_a_verdict_takes_the_place_of_the_one_before_beside_the_newest_day_and_all_else_stays(store, version, window):
    for _ in range(2):
        assert judge_window(store, window, version, Settings()) == QUALITY_HOLDS
        first, last = map(stored, window)
        assert last["judged_roc_auc", ""] == (pytest.approx(0.8, abs=0.05), OK)
        assert last["judged_success_rate", ""] == (pytest.approx(0.5, abs=0.05), OK)
        assert last["days_judged", OF_DECAY] == (2.0, OK)
        for day in (first, last):
            assert day["rows_read", ""] == (ROWS, OK)
            assert day["days_judged", OF_OUTCOMES] == (1.0, OK)
            assert day["day_drifted", ""] == (1.0, DRIFTED)
            assert day["day_state", ""] == (None, QUALITY_HOLDS)
        assert ("judged_roc_auc", "") not in first


def test_days_that_were_judged_wait_no_more(store, version, window, monkeypatch):
    monkeypatch.setattr("tasks.monitoring.judge.scheduled_day", lambda: FIRST + timedelta(days=2))
    assert full_windows(Settings()) == {"1": [window]}
    judge_window(store, window, version, Settings())
    with database().connect() as connection:
        assert {day.judged_until for day in read_outcome_days(connection)} == {window[-1].day}
    assert full_windows(Settings()) == {}
