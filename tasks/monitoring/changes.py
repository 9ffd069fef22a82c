"""Which days have to be looked at again, because what is stored of them differs from what was last looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from campaign.store import Entry, Store
from tasks.day_files import readable_files, readable_files_by_day
from tasks.metrics_database import database, in_utc, monitored, now


@dataclass(frozen=True)
class Fingerprint:
    """Digests of a day's predictions (or answers) and of the listing of its outcomes."""

    predictions: str
    outcomes: str

    @classmethod
    def of(cls, predictions: bytes, outcomes: Iterable[Entry]) -> Fingerprint:
        return cls(_digest(predictions), digest_of_files(outcomes))

    @classmethod
    def parse(cls, stored: str) -> Fingerprint:
        """Versions before kept one digest of both, which equals no other: the day is looked at once more."""
        predictions, _, outcomes = stored.partition(":")
        return cls(predictions, outcomes)

    def __str__(self) -> str:
        return f"{self.predictions}:{self.outcomes}"


def digest_of_files(entries: Iterable[Entry]) -> str:
    """Changes when a file does, comes or goes."""
    return _digest("\n".join(f"{entry.path} {entry.size} {entry.changed.isoformat()}" for entry in entries).encode())


def fingerprint_of(store: Store, day: date, predictions: bytes) -> Fingerprint:
    return Fingerprint.of(predictions, readable_files(store, "outcomes", day))


def changed_days(
    store: Store, source: str, days: Iterable[date], recent: Iterable[date], predictions_of: Callable[[date], bytes]
) -> list[date]:
    """Of the days of a source, the recent ones of which anything changed, and any whose outcomes did.

    Outcomes are listed for all days at once, and predictions of older days are not read.
    """
    existing, recent, changed = set(days), set(recent), []
    outcomes = readable_files_by_day(store, "outcomes")
    with database().connect() as connection:
        rows = connection.execute(sa.select(monitored).where(monitored.c.source == source)).all()
    stored = {row.day: row for row in rows}
    for day in sorted(existing & (recent | outcomes.keys() | stored.keys())):
        before, entries = stored.get(day), outcomes.get(day, [])
        if day in recent:
            current = Fingerprint.of(predictions_of(day), entries)
            if before is None or Fingerprint.parse(before.fingerprint) != current:
                changed.append(day)
        elif _have_outcomes_changed(before, entries):
            changed.append(day)
    return changed


def stored_fingerprint(connection: sa.Connection, source: str, day: date) -> Fingerprint | None:
    """Of what was last looked at."""
    wanted = sa.select(monitored.c.fingerprint).where(monitored.c.day == day, monitored.c.source == source)
    found = connection.execute(wanted).scalar()
    return None if found is None else Fingerprint.parse(found)


def write_fingerprint(connection: sa.Connection, source: str, day: date, fingerprint: Fingerprint) -> None:
    connection.execute(sa.delete(monitored).where(monitored.c.day == day, monitored.c.source == source))
    row = {"day": day, "source": source, "fingerprint": str(fingerprint), "monitored_at": now()}
    connection.execute(sa.insert(monitored).values(row))


def _have_outcomes_changed(before: sa.Row[Any] | None, entries: list[Entry]) -> bool:
    """Of a day older than the lookback: one that was never looked at is not new."""
    if before is None:
        return bool(entries)
    known = Fingerprint.parse(before.fingerprint).outcomes
    if known:
        return known != digest_of_files(entries)
    return any(entry.changed > in_utc(before.monitored_at) for entry in entries)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
