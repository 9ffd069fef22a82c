import logging
from collections.abc import Iterator
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from campaign.model import ScoringModel
from campaign.store import Store
from tasks.metrics_database import database, metrics, now
from tasks.monitoring.captured import CAPTURED
from tasks.monitoring.metric_rows import (
    BELOW_BAR,
    DECAYED,
    DRIFTED,
    LEARNT,
    NOT_TRUSTED,
    OK,
    QUALITY_HOLDS,
    TOO_FEW_ROWS,
)
from tasks.monitoring.monitor import BATCH
from tasks.monitoring.retraining_call import (
    AWAITING,
    CALLED,
    CALLED_BEFORE,
    NOT_NEEDED,
    Call,
    call_for_retraining,
    count_outcomes,
    record_status,
    retraining_call,
)
from tests.published import SCHEMA

FIRST = date(2026, 11, 1)
LABELS = {"2026-11-01": 500}


@pytest.fixture(params=["sqlite", "postgres"])
def connection(request, tmp_path) -> Iterator[sa.Connection]:
    """A metrics database; what a test writes is rolled back."""
    sqlite = f"sqlite:///{tmp_path}/metrics.db"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres")
    with database(url).connect() as connected:
        yield connected


def champion(version: str = "test-1", days: dict[str, int] | None = None) -> ScoringModel:
    return ScoringModel("model", version, SCHEMA, None, None, {"days": days or {}})


def monitored(
    connection: sa.Connection, statuses: str, version: str = "test-1", metric: str = "day_drifted", source: str = BATCH
) -> None:
    """One day a letter, the oldest first: d drifted, x decayed, else well."""
    for number, letter in enumerate(statuses):
        status = {"d": DRIFTED, "x": DECAYED}.get(letter, OK)
        row = {"day": FIRST + timedelta(number), "source": source, "model_version": version, "metric": metric}
        row |= {"value": 0.7, "threshold": 0.9, "status": status, "computed_at": now()}
        connection.execute(sa.insert(metrics).values(row))


@pytest.mark.parametrize(
    ("days", "status"),
    [
        ("", NOT_NEEDED),
        ("d", NOT_NEEDED),
        ("...", NOT_NEEDED),
        ("..d", NOT_NEEDED),
        ("dd.", NOT_NEEDED),  # it has passed
        ("dd..d", NOT_NEEDED),  # the last three alone count
        (".dd", CALLED),
        ("d.d", CALLED),
        ("dd", CALLED),
        ("ddd", CALLED),
    ],
)
def test_two_of_the_last_three_days_and_the_newest_call(connection, days, status):
    monitored(connection, days)
    call = retraining_call(connection, champion(), lambda: LABELS)
    assert call.status == status
    assert bool(call.reasons) == (status != NOT_NEEDED)


def test_one_decayed_day_calls(connection):
    monitored(connection, "x", metric="judged_roc_auc")
    call = retraining_call(connection, champion(), lambda: LABELS)
    assert call.status == CALLED
    assert call.reasons == ["ROC-AUC of 2026-11-01 is 0.700, below 0.900"]


def test_a_reason_says_how_many_days_it_is_of(connection):
    monitored(connection, ".x", metric="judged_success_rate")
    row = {"day": FIRST + timedelta(1), "source": BATCH, "model_version": "test-1", "metric": "days_judged"}
    row |= {"column_name": "decay", "value": 40.0, "status": OK, "computed_at": now()}
    connection.execute(sa.insert(metrics).values(row))
    call = retraining_call(connection, champion(), lambda: LABELS)
    assert call.reasons == [
        "of the campaigns of the 40 days up to 2026-11-02 70.0% succeeded, where 90.0% were foretold"
    ]


def test_a_day_that_the_champion_had_learnt_from_calls_for_nothing(connection):
    monitored(connection, "dd")
    row = {"day": FIRST, "source": BATCH, "model_version": "test-1", "metric": "day_state", "status": LEARNT}
    connection.execute(sa.insert(metrics).values(row | {"computed_at": now()}))
    assert retraining_call(connection, champion(), lambda: LABELS).status == NOT_NEEDED


def put_metric(connection: sa.Connection, number: int, metric: str, status: str, **values: float) -> None:
    """One more figure of a monitored day."""
    row = {"day": FIRST + timedelta(number), "source": BATCH, "model_version": "test-1", "metric": metric}
    connection.execute(sa.insert(metrics).values(row | values | {"status": status, "computed_at": now()}))


@pytest.mark.parametrize(
    ("days", "harmless", "status"),
    [
        ("ddd", [2], NOT_NEEDED),  # the newest
        ("ddd", [0], CALLED),
        ("ddd", [0, 1], NOT_NEEDED),
        ("dddd", [0], CALLED),
    ],
)
def test_drift_that_outcomes_have_shown_to_be_harmless_calls_for_nothing(connection, days, harmless, status):
    monitored(connection, days)
    for number in range(len(days)):
        put_metric(connection, number, "day_state", QUALITY_HOLDS if number in harmless else DRIFTED)
    assert retraining_call(connection, champion(), lambda: LABELS).status == status


@pytest.mark.parametrize(
    ("estimate", "status", "doubt"),
    [
        (OK, NOT_NEEDED, ""),
        (BELOW_BAR, CALLED, " (ROC-AUC is estimated to be 0.600, below 0.700)"),
        (NOT_TRUSTED, CALLED, " (67% of its rows hold what training never saw)"),
        (TOO_FEW_ROWS, CALLED, ""),
        (None, CALLED, ""),  # monitored before there were estimates
    ],
)
def test_before_outcomes_come_drift_calls_unless_quality_may_be_expected_to_hold(connection, estimate, status, doubt):
    monitored(connection, ".dd")
    if estimate:
        put_metric(connection, 2, "estimated_roc_auc", estimate, value=0.6, threshold=0.7)
        put_metric(connection, 2, "unseen_rows_share", OK, value=0.67)
    call = retraining_call(connection, champion(), lambda: LABELS)
    assert call.status == status
    expected = [f"2026-11-03 is drifted, and 2 of the last 3 days are{doubt}"]
    assert call.reasons == (expected if status == CALLED else [])


def test_an_estimate_of_another_day_or_version_denies_nothing(connection):
    monitored(connection, ".dd")
    put_metric(connection, 1, "estimated_roc_auc", OK, value=0.8, threshold=0.7)
    assert retraining_call(connection, champion(), lambda: LABELS).status == CALLED


def test_an_estimate_below_the_bar_calls_for_nothing_without_drift(connection):
    monitored(connection, "...")
    put_metric(connection, 2, "estimated_roc_auc", BELOW_BAR, value=0.6, threshold=0.7)
    assert retraining_call(connection, champion(), lambda: LABELS).status == NOT_NEEDED


def test_labels_are_not_counted_without_a_reason(connection):
    monitored(connection, "..")
    assert retraining_call(connection, champion(), lambda: pytest.fail("counted")).status == NOT_NEEDED


def test_days_that_an_older_version_scored_do_not_count(connection):
    monitored(connection, "ddd", version="test-0")
    monitored(connection, "xxx", version="test-0", metric="judged_roc_auc")
    monitored(connection, "..d")
    assert retraining_call(connection, champion(), lambda: LABELS).status == NOT_NEEDED


def test_what_visitors_of_the_web_service_ask_calls_for_nothing(connection):
    monitored(connection, "ddd", source=CAPTURED)
    monitored(connection, "xxx", metric="judged_roc_auc", source=CAPTURED)
    assert retraining_call(connection, champion(), lambda: LABELS).status == NOT_NEEDED


@pytest.mark.parametrize("status", [CALLED, NOT_NEEDED, AWAITING, CALLED_BEFORE])
def test_the_event_that_starts_the_training_is_sent_by_the_run_that_calls_and_by_no_other(
    own_home, monkeypatch, status
):
    sent, reasons = [], [] if status == NOT_NEEDED else ["it decayed"]
    module = "tasks.monitoring.retraining_call"
    for name, instead in {
        "find_champion": lambda model: model,
        "load_version": lambda version: champion(),
        "retraining_call": lambda *_: Call(status, reasons),
        "served_model": lambda: "m",
        "emit_event": lambda *given, **named: sent.append((*given, named)),
        "get_run_logger": lambda: logging.getLogger("retraining"),
        "create_markdown_artifact": lambda *_: None,
    }.items():
        monkeypatch.setattr(f"{module}.{name}", instead)
    assert call_for_retraining.fn().status == status
    event = (
        "campaign.retraining.needed",
        {"prefect.resource.id": "campaign.model.m"},
        {"payload": {"reasons": reasons}},
    )
    assert sent == ([event] if status == CALLED else [])


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({}, AWAITING),
        ({"2026-11-01": 500}, AWAITING),
        ({"2026-11-01": 501}, CALLED),
        ({"2026-11-01": 500, "2026-11-02": 1}, CALLED),
    ],
)
def test_a_cause_waits_for_labels_that_the_champion_has_not_seen(connection, counts, status):
    monitored(connection, "dd")
    call = retraining_call(connection, champion(days=LABELS), lambda: counts)
    assert call.status == status
    assert call.reasons


def test_a_cause_calls_once(connection):
    monitored(connection, "dd")
    assert retraining_call(connection, champion(), lambda: LABELS).status == CALLED
    again = retraining_call(connection, champion(), lambda: LABELS)
    assert again.status == CALLED_BEFORE
    assert again.reasons


def test_new_labels_or_a_new_champion_call_again(connection):
    monitored(connection, "dd")
    monitored(connection, "dd", version="test-2")
    calls = [
        retraining_call(connection, champion(), lambda: LABELS),
        retraining_call(connection, champion(), lambda: LABELS | {"2026-11-02": 5}),
        retraining_call(connection, champion("test-2"), lambda: LABELS),
    ]
    assert [call.status for call in calls] == [CALLED] * 3


@pytest.mark.parametrize(("days", "value"), [("dd", 1.0), ("..", 0.0)])
def test_the_status_stands_once_beside_the_newest_day(connection, days, value):
    monitored(connection, days)
    call = retraining_call(connection, champion(), lambda: LABELS)
    for _ in range(2):
        record_status(connection, "test-1", call)
    wanted = sa.select(metrics).where(metrics.c.metric == "retraining", metrics.c.model_version == "test-1")
    [row] = connection.execute(wanted).all()
    assert (row.day, row.value, row.status) == (FIRST + timedelta(1), value, call.status)


def test_outcomes_are_counted_for_days_with_campaigns(tmp_path):
    store = Store(tmp_path.as_uri())
    table = pa.table({"CampaignID": ["a", "b"], "IsSuccessful": [0, 1]})
    for path in ("incoming/day=2026-11-01/a", "outcomes/day=2026-11-01/a", "outcomes/day=2026-11-01/b",
                 "outcomes/day=2026-11-02/a", "incoming/day=2026-11-03/a"):  # fmt: skip
        with store.writing(f"{path}.parquet") as sink:
            pq.write_table(table, sink)
    assert count_outcomes(store, champion(), {}) == {"2026-11-01": 4}
    assert count_outcomes(store, champion(), {"2026-11-01": 3}) == {"2026-11-01": 1}
