from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from campaign.store import Store
from tasks.metrics_database import database, monitored
from tasks.monitoring.changes import changed_days, fingerprint_of, stored_fingerprint, write_fingerprint

OLD, RECENT = date(2020, 1, 1), date(2026, 11, 22)


@pytest.fixture
def store(own_home, tmp_path) -> Store:
    """A recent and an old scored day, both with outcomes."""
    store = Store(tmp_path.as_uri())
    for day in (OLD, RECENT):
        store.publish(f"predictions/day={day}/manifest.json", b"1")
        store.publish(f"outcomes/day={day}/a.parquet", b"1")
    return store


def predictions_of(store: Store, day: date) -> bytes:
    return store.read(f"predictions/day={day}/manifest.json")


def changed(store: Store) -> list[date]:
    return changed_days(store, "batch", [OLD, RECENT], [RECENT], lambda day: predictions_of(store, day))


def look_at(store: Store, *days: date) -> None:
    with database().begin() as connection:
        for day in days:
            write_fingerprint(connection, "batch", day, fingerprint_of(store, day, predictions_of(store, day)))


def test_days_that_were_looked_at_are_looked_at_again_when_something_changes(store):
    assert changed(store) == [OLD, RECENT]
    look_at(store, OLD, RECENT)
    assert changed(store) == []
    store.publish(f"outcomes/day={RECENT}/notes.txt", b"not outcomes")
    assert changed(store) == []
    store.publish(f"outcomes/day={RECENT}/b.parquet", b"2")
    assert changed(store) == [RECENT]
    look_at(store, RECENT)
    store.publish(f"predictions/day={RECENT}/manifest.json", b"2")
    assert changed(store) == [RECENT]


def test_outcomes_are_taken_however_old_their_day_is_and_predictions_are_not(store):
    look_at(store, OLD, RECENT)
    store.publish(f"predictions/day={OLD}/manifest.json", b"2")
    assert changed(store) == []
    store.publish(f"outcomes/day={OLD}/late.csv", b"2")
    assert changed(store) == [OLD]


def test_what_changed_can_be_told(store):
    look_at(store, RECENT)
    with database().connect() as connection:
        before = stored_fingerprint(connection, "batch", RECENT)
        assert stored_fingerprint(connection, "captured", RECENT) is None
    store.publish(f"outcomes/day={RECENT}/b.parquet", b"2")
    after = fingerprint_of(store, RECENT, predictions_of(store, RECENT))
    assert (before.predictions == after.predictions, before.outcomes == after.outcomes) == (True, False)


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize(("hours", "days"), [(-1, [OLD, RECENT]), (1, [RECENT])])
def test_days_monitored_by_a_version_before_are_looked_at_once_more_if_they_are_recent(store, hours, days):
    """That version kept one digest of predictions and outcomes together."""
    moment = datetime.now(UTC) + timedelta(hours=hours)
    with database().begin() as connection:
        for day in (OLD, RECENT):
            row = {"day": day, "source": "batch", "fingerprint": "ab12", "monitored_at": moment}
            connection.execute(sa.insert(monitored).values(row))
    assert changed(store) == days
