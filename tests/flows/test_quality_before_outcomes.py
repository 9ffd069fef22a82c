"""What is said of quality before outcomes come, while they come, and of drift that they show to be harmless."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from campaign.schema import ID, LABEL
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.monitoring import monitoring
from flows.traffic import traffic
from tasks.metrics_database import database, metrics
from tasks.monitoring.retraining_call import Call

ROWS, SMALL = 1_200, 400
DAYS = [datetime.now(UTC).date() - timedelta(days=5 - number) for number in range(5)]
IRRELEVANT = ["NumBackers", "SocialMediaPresence"]  # two of twelve columns, and the outcome depends on neither


def shift(store: Store, day: date, factor: float) -> None:
    """The world changes in what has nothing to do with success."""
    path = store.at(f"incoming/day={day}/campaigns.parquet").removeprefix("file://")
    campaigns = pd.read_parquet(path)
    campaigns[IRRELEVANT] *= factor
    campaigns.to_parquet(path, index=False)


def score_days(store: Store, days: list[date], rows: int = ROWS, factor: float = 1.0) -> None:
    for day in days:
        traffic(day, rows)
        shift(store, day, factor)
    batch_scoring()


def drop_outcomes(store: Store, day: date, which: Callable[[pd.DataFrame], pd.Series] | None = None) -> None:
    """Of all campaigns of a day, or of some; in no particular order."""
    campaigns = pd.read_parquet(store.at(f"incoming/day={day}/campaigns.parquet"))
    outcomes = pd.DataFrame({ID: campaigns[ID], LABEL: (campaigns["RaisedAmount"] >= campaigns["GoalAmount"]) * 1.0})
    if which is not None:
        outcomes = outcomes[which(outcomes)]
    file = pd.DataFrame(outcomes).to_csv(index=False).encode()
    store.publish(f"outcomes/day={day}/outcomes.csv", file)


def rows_of(day: date) -> dict[str, Any]:
    with database().connect() as connection:
        wanted = sa.select(metrics).where(
            metrics.c.day == day, metrics.c.source == "batch", metrics.c.column_name == ""
        )
        return {row.metric: row for row in connection.execute(wanted)}


def states_and_call(days: list[date]) -> tuple[list[str], Call]:
    call = monitoring(reports=False).call
    return [rows_of(day)["day_state"].status for day in days], call


def test_quality_is_estimated_the_same_night_and_comes_true(store):
    score_days(store, DAYS[:1])
    [day] = monitoring(reports=False).days
    assert day.quality.startswith(f"ROC-AUC -, estimated {day.estimated_roc_auc:.4f} (99.9% interval ")
    estimates = {name: row.value for name, row in rows_of(DAYS[0]).items() if name.startswith("estimated_")}
    assert {*estimates} == {"estimated_roc_auc", "estimated_log_loss", "estimated_accuracy"}
    drop_outcomes(store, DAYS[0])
    monitoring(reports=False)
    rows = rows_of(DAYS[0])
    for name, estimate in estimates.items():
        assert rows[name].value == estimate  # outcomes leave it as it was said
        # A small forest in a world without luck is surer than it dares to say.
        assert rows[name.replace("estimated", "realised")].value == pytest.approx(estimate, abs=0.06)


def test_a_world_outside_training_is_seen_the_same_night_and_its_estimate_not_trusted(store):
    for day, drift in zip(DAYS[:3], (1.0, 3.0, 3.0), strict=True):
        traffic(day, ROWS, drift)
    batch_scoring()
    states, call = states_and_call(DAYS[:3])
    assert states == ["ok", "drifted", "drifted"]
    assert [rows_of(day)["estimated_roc_auc"].status for day in DAYS[:3]] == ["ok", "not trusted", "not trusted"]
    assert call.status == "awaiting_outcomes"
    [reason] = call.reasons
    assert reason.startswith(f"{DAYS[2]} is drifted, and 2 of the last 3 days are (6")
    assert reason.endswith("% of its rows hold what training never saw)")


def test_drift_within_what_training_saw_calls_for_nothing_while_quality_is_expected_to_hold(store):
    score_days(store, DAYS[:2], factor=0.5)
    states, call = states_and_call(DAYS[:2])
    assert (states, call.status) == (["drifted"] * 2, "not needed")


def test_drift_that_outcomes_show_to_be_harmless_alarms_nobody(store):
    score_days(store, DAYS[:2], factor=3.0)
    states, call = states_and_call(DAYS[:2])
    assert (states, call.status) == (["drifted"] * 2, "awaiting_outcomes")
    for day in DAYS[:2]:
        drop_outcomes(store, day)
    states, call = states_and_call(DAYS[:2])
    assert (states, call.status) == (["drifted, quality holds"] * 2, "not needed")


def test_of_small_days_each_drifted_one_of_a_window_is_shown_to_be_harmless(store):
    score_days(store, DAYS[:4], rows=SMALL, factor=3.0)
    monitoring(reports=False)
    for day in DAYS[2:4]:
        drop_outcomes(store, day)
    states, call = states_and_call(DAYS[:4])
    assert states == ["not judged", "not judged", "drifted, quality holds", "drifted, quality holds"]
    assert "judged_roc_auc" not in rows_of(DAYS[2])  # it stands beside the window's last day
    assert call.status == "not needed"
    drop_outcomes(store, DAYS[2], lambda outcomes: outcomes.index >= 3)
    assert states_and_call(DAYS[2:3])[0] == ["drifted, quality holds"]  # though outcomes were corrected since


def test_where_failures_end_sooner_a_day_is_not_judged_by_them(store):
    score_days(store, DAYS[:1])
    drop_outcomes(store, DAYS[0], lambda outcomes: outcomes[LABEL] == 0)
    monitored = monitoring(reports=False)
    rows = rows_of(DAYS[0])
    assert 0.4 < rows["outcomes_share"].value < 0.6
    assert rows["realised_success_rate"].value == 0.0  # the figure stands …
    assert (rows["day_state"].status, monitored.call.status) == ("ok", "not needed")  # … and calls for nothing
    drop_outcomes(store, DAYS[0], lambda outcomes: (outcomes[LABEL] == 0) | (outcomes.index % 3 == 0))
    [day] = monitoring(reports=False).days
    assert f" by {day.outcomes_share:.0%} of the outcomes, estimated " in day.quality
    assert "judged_roc_auc" not in rows_of(DAYS[0])
    drop_outcomes(store, DAYS[0])
    [day] = monitoring(reports=False).days
    assert " of the outcomes" not in day.quality
    rows = rows_of(DAYS[0])
    assert (rows["judged_success_rate"].status, rows["day_state"].status) == ("ok", "ok")
