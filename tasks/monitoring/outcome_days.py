"""What has come of each day's outcomes, and which days are judged together: each outcome counts in one judgement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from campaign.settings import Settings
from tasks.metrics_database import outcome_days
from tasks.monitoring.decay import is_enough


@dataclass(frozen=True)
class OutcomeDay:
    """`share`: of the scored campaigns, those for which an outcome row has come. `last_change`: when it last grew.

    `judged_until`: the last day of the window in which it was judged, None if it was not.
    """

    day: date
    model_version: str
    outcomes: int
    expected_successes: float
    share: float
    last_change: date
    judged_until: date | None = None

    def is_whole(self, today: date, settings: Settings) -> bool:
        """Whether enough outcomes have come, or none has for so long that no more are waited for."""
        waited = today - self.last_change >= timedelta(days=settings.outcomes_wait_days)
        return self.outcomes > 0 and (self.share >= settings.outcomes_share or waited)


def next_windows(days: Iterable[OutcomeDay], today: date, settings: Settings) -> list[list[OutcomeDay]]:
    """Days of one version, oldest first, put together until each window has enough outcomes not judged before."""
    windows, open_window = [], list[OutcomeDay]()
    for day in days:
        if day.judged_until is None and day.is_whole(today, settings):
            open_window.append(day)
            outcomes = sum(member.outcomes for member in open_window)
            if is_enough(outcomes, sum(member.expected_successes for member in open_window), settings):
                windows.append(open_window)
                open_window = []
    return windows


def days_back_until(days: Iterable[OutcomeDay], day: date, outcomes: int, settings: Settings) -> list[OutcomeDay]:
    """The days before one, the nearest first, until so many outcomes are together with `outcomes` of its own."""
    earliest, taken = day - timedelta(days=settings.judged_days), []
    for earlier in sorted(days, key=lambda other: other.day, reverse=True):
        if outcomes >= settings.decay_min_outcomes:
            break
        if earliest <= earlier.day < day and earlier.outcomes:
            taken.append(earlier)
            outcomes += earlier.outcomes
    return taken


def read_outcome_days(connection: sa.Connection, version: str | None = None) -> list[OutcomeDay]:
    """Those that a version scored, or all, oldest first."""
    wanted = sa.select(outcome_days).order_by(outcome_days.c.day)
    if version is not None:
        wanted = wanted.where(outcome_days.c.model_version == version)
    return [OutcomeDay(**row._mapping) for row in connection.execute(wanted)]


def write_outcome_day(connection: sa.Connection, day: OutcomeDay) -> None:
    """Put it in place of what stands for that day."""
    connection.execute(sa.delete(outcome_days).where(outcome_days.c.day == day.day))
    connection.execute(sa.insert(outcome_days).values(**vars(day)))
