"""Days of few campaigns on an embedded home: judged with those before, when outcomes are whole, and never twice."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from campaign.schema import ID, LABEL
from campaign.schema_file import served_model
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.monitoring import monitoring
from flows.traffic import traffic
from flows.training import training
from tasks.metrics_database import database, metrics
from tasks.model_versions import make_champion
from tasks.monitoring import judge, monitor
from tests.flows.conftest import register_again

ROWS = 400
DAYS = [datetime.now(UTC).date() - timedelta(days=5 - number) for number in range(5)]


def drop_outcomes(store: Store, day: date, share: float = 1.0, word: float | None = None) -> None:
    """Outcomes of the first campaigns of a day; with `word`, all have it."""
    campaigns = pd.read_parquet(store.at(f"incoming/day={day}/campaigns.parquet"))
    outcomes = pd.DataFrame({ID: campaigns[ID], LABEL: (campaigns["RaisedAmount"] >= campaigns["GoalAmount"]) * 1.0})
    outcomes = outcomes.head(int(share * len(outcomes)))
    if word is not None:
        outcomes[LABEL] = word
    path = Path(store.at(f"outcomes/day={day}/outcomes.parquet").removeprefix("file://"))
    path.parent.mkdir(parents=True, exist_ok=True)
    outcomes.to_parquet(path, index=False)


def rows_of(day: date) -> dict[tuple[str, str], Any]:
    with database().connect() as connection:
        rows = connection.execute(sa.select(metrics).where(metrics.c.day == day, metrics.c.source == "batch"))
        return {(row.metric, row.column_name): row for row in rows}


def state_of(day: date) -> str:
    return str(rows_of(day)["day_state", ""].status)


def test_a_small_day_is_judged_with_those_before_it(store):
    for day in DAYS[:4]:
        traffic(day, ROWS)
    batch_scoring()
    assert [(day.state, day.days) for day in monitoring(reports=False).days] == [
        ("not judged", 1), ("not judged", 2), ("ok", 3), ("ok", 3),
    ]  # fmt: skip
    assert rows_of(DAYS[1])["prediction_drift", ""].status == "too few rows"
    assert rows_of(DAYS[3])["sample_rows", ""].value == 3 * ROWS


def test_inputs_are_judged_across_versions_and_predictions_are_not(store, trained):
    for day in DAYS[:3]:
        traffic(day, ROWS)
    batch_scoring()
    make_champion(served_model(), register_again(), "for the sake of it")
    traffic(DAYS[3], ROWS)
    batch_scoring()
    monitoring(reports=False)
    rows = rows_of(DAYS[3])
    assert rows["days_judged", ""].value == 3
    assert rows["column_drift", "GoalAmount"].value is not None
    assert (rows["days_judged", "probability"].value, rows["prediction_drift", ""].value) == (1, None)
    assert state_of(DAYS[3]) == "not judged"


def test_outcomes_that_trickle_in_are_judged_when_they_are_whole_and_once(store):
    for day in DAYS[:3]:
        traffic(day, ROWS)
    batch_scoring()
    monitoring(reports=False)
    drift = rows_of(DAYS[2])["column_drift", "GoalAmount"]
    for day in DAYS[:3]:
        drop_outcomes(store, day, share=0.5)
    monitoring(reports=False)
    rows = rows_of(DAYS[2])
    assert 0.49 < rows["outcomes_share", ""].value < 0.51
    assert rows["days_judged", "outcomes"].value == 3  # the figure stands …
    assert ("judged_roc_auc", "") not in rows  # … and calls for nothing
    assert rows["column_drift", "GoalAmount"].computed_at > drift.computed_at
    for day in DAYS[:2]:
        drop_outcomes(store, day)
    monitoring(reports=False)
    judged = rows_of(DAYS[1])
    assert (judged["judged_roc_auc", ""].status, judged["days_judged", "decay"].value) == ("ok", 2)
    drop_outcomes(store, DAYS[2])
    monitoring(reports=False)
    assert ("judged_roc_auc", "") not in rows_of(DAYS[2])  # four hundred new outcomes are too few
    assert rows_of(DAYS[1])["judged_roc_auc", ""].computed_at == judged["judged_roc_auc", ""].computed_at


def test_a_moved_base_rate_is_decay_of_the_window_it_shows_in(store):
    for day in DAYS[:2]:
        traffic(day, ROWS)
    batch_scoring()
    for day in DAYS[:2]:
        drop_outcomes(store, day, word=0.0)
    call = monitoring(reports=False).call
    assert (state_of(DAYS[0]), state_of(DAYS[1])) == ("not judged", "decayed")
    assert call.status == "called"
    assert [reason[: reason.index(" 0.0%")] for reason in call.reasons] == [
        f"of the campaigns of the 2 days up to {DAYS[1]}"
    ]


def test_drift_is_not_measured_again_when_only_outcomes_came(store, monkeypatch):
    traffic(DAYS[0], 1_200)
    batch_scoring()
    before = monitoring(reports=False).days[0]
    monkeypatch.setattr(monitor, "measure_inputs", lambda *_: pytest.fail("measured again"))
    drop_outcomes(store, DAYS[0])
    after = monitoring(reports=False).days[0]
    assert after.roc_auc > 0.9
    assert (after.prediction_drift, after.report) == (before.prediction_drift, before.report)


def test_outcomes_of_a_day_older_than_the_lookback_are_taken(store):
    old = datetime.now(UTC).date() - timedelta(days=100)
    traffic(old, 1_200)
    batch_scoring(day=old)
    monitoring(day=old, reports=False)
    assert monitoring(reports=False).days == []
    drop_outcomes(store, old)
    assert [(day.day, day.roc_auc > 0.9) for day in monitoring(reports=False).days] == [(str(old), True)]


def test_a_day_that_never_gets_whole_is_judged_when_no_more_comes(store, monkeypatch):
    traffic(DAYS[0], 1_200)
    batch_scoring()
    drop_outcomes(store, DAYS[0], share=0.6)
    monitoring(reports=False)
    assert ("judged_roc_auc", "") not in rows_of(DAYS[0])
    monkeypatch.setattr(judge, "scheduled_day", lambda: datetime.now(UTC).date() + timedelta(days=14))
    monitoring(reports=False)
    assert rows_of(DAYS[0])["judged_roc_auc", ""].status == "ok"


def test_a_day_that_the_version_learnt_from_is_marked_and_calls_for_nothing(store):
    traffic(DAYS[0], 1_200, drift=3.0, outcomes=True)
    batch_scoring()
    training(trials=2)
    number = str(max(int(row.version) for row in _versions()))
    make_champion(served_model(), number, "it has learnt from that day")
    batch_scoring(day=DAYS[0])
    assert [day.state for day in monitoring(reports=False).days] == ["learnt"]
    rows = rows_of(DAYS[0])
    assert rows["outcomes", ""].value == 0
    assert rows["learnt_rows", ""].value == rows["rows_scored", ""].value
    assert ("realised_roc_auc", "") not in rows
    assert monitoring(reports=False).call.status == "not needed"


def _versions() -> list[Any]:
    from tasks.mlflow_run import mlflow_client

    return list(mlflow_client().search_model_versions(f"name = '{served_model()}'"))
