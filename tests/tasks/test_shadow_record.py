from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from tasks import shadow_record
from tasks.metrics_database import database, metrics
from tasks.shadow_record import (
    PROMOTED,
    WAITING,
    ShadowVerdict,
    is_verdict_due,
    read_verdict,
    record_verdict,
)

FIRST, NEXT = date(2026, 11, 22), date(2026, 11, 23)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
VERDICT = ShadowVerdict("3", WAITING, "312 realised campaigns")


@pytest.fixture
def clock(own_home, monkeypatch) -> list[datetime]:
    """The moment that the next verdict is recorded at."""
    moments = [NOON]
    monkeypatch.setattr(shadow_record, "now", lambda: moments[-1])
    return moments


def measure(day: date, moment: datetime, source: str = "shadow", outcomes: float = 9.0) -> None:
    key = {"day": day, "source": source, "model_version": "3", "metric": "outcomes", "column_name": ""}
    with database().begin() as connection:
        connection.execute(sa.insert(metrics).values(**key, value=outcomes, status="ok", computed_at=moment))


def test_a_verdict_is_due_when_outcomes_were_measured_since_the_last(clock):
    assert not is_verdict_due()
    measure(FIRST, NOON, source="batch")
    measure(FIRST, NOON, outcomes=0.0)
    assert not is_verdict_due()
    measure(NEXT, NOON - timedelta(hours=1))
    assert is_verdict_due()
    record_verdict(VERDICT)
    assert not is_verdict_due()
    measure(NEXT + timedelta(days=1), NOON)  # the verdict has seen it
    assert not is_verdict_due()
    measure(NEXT + timedelta(days=2), NOON + timedelta(hours=1))
    assert is_verdict_due()


def test_the_last_verdict_stands_at_the_newest_day(clock):
    record_verdict(VERDICT)
    assert read_verdict() is None  # there is no day in the shadow
    measure(FIRST, NOON)
    for moment, verdict in enumerate((VERDICT, ShadowVerdict("3", PROMOTED, "better"))):
        clock.append(NOON + timedelta(hours=moment))
        record_verdict(verdict)
        assert read_verdict() == verdict
    with database().connect() as connection:
        [row] = connection.execute(sa.select(metrics).where(metrics.c.metric == "verdict")).all()
    assert (row.day, row.source, row.model_version, row.value, row.status) == (FIRST, "shadow", "3", 1.0, PROMOTED)
    assert str(read_verdict()) == "version 3, promoted: better"


def test_without_a_challenger_the_verdict_stands_beside_what_was_measured(clock):
    """A row of no version would be one that dashboards offer."""
    measure(FIRST, NOON)
    record_verdict(ShadowVerdict("", WAITING, "there is no challenger"))
    assert read_verdict().version == "3"


def test_a_verdict_of_a_newer_day_stands_beside_earlier_ones_and_is_the_last(clock):
    for hours, day in enumerate((NEXT, FIRST, NEXT + timedelta(days=1))):
        measure(day, NOON)
        clock.append(NOON + timedelta(hours=hours))
        record_verdict(ShadowVerdict("3", WAITING, f"after {hours} hours"))
    with database().connect() as connection:
        rows = connection.execute(sa.select(metrics).where(metrics.c.metric == "verdict")).all()
    assert {row.day: row.method for row in rows} == {NEXT: "after 1 hours", NEXT + timedelta(days=1): "after 2 hours"}
    assert read_verdict().reason == "after 2 hours"
