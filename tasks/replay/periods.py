"""The periods of a replay: months, weeks or days, each with the moment at its end, when the flows run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

import numpy as np

from campaign.errors import BadInput
from campaign.written_day import read_day
from tasks.replay.history import History, days_of

Every = Literal["month", "week", "day"]
EVERY = get_args(Every)
FIRST_SHARE = 0.6  # of launches, before a replay begins if nothing else is said
MONTH = re.compile(r"(\d{4})-(\d{1,2})")


@dataclass(frozen=True)
class Period:
    """From the beginning of `first` to the beginning of `end`, which is no day of it, in UTC."""

    first: date
    end: date

    @property
    def moment(self) -> datetime:
        """When it is over, and its campaigns are scored."""
        return midnight(self.end)

    @property
    def days(self) -> int:
        return (self.end - self.first).days

    def __str__(self) -> str:
        whole_month = self.first.day == 1 and self.end == _next(self.first, "month")
        return f"{self.first:%Y-%m}" if whole_month else str(self.first)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def read_first_day(given: str) -> date:
    """Of 2016-01 or 2016-01-15. Raises `BadInput`."""
    try:
        month = MONTH.fullmatch(given)
        return date(int(month[1]), int(month[2]), 1) if month else date.fromisoformat(str(read_day(given)))
    except ValueError as error:
        raise BadInput(f"--from is {given!r}, which is no month and no day.", "Say 2016-01 or 2016-01-15.") from error


def first_day(history: History, every: Every) -> date:
    """The beginning of the period in which the first 60 % of launches are over."""
    moment = float(np.quantile(history.launched, FIRST_SHARE, method="lower"))
    return _start(datetime.fromtimestamp(moment, UTC).date(), every)


def periods_of(history: History, first: date, every: Every) -> list[Period]:
    """From a day to the last launch, as the calendar cuts them. Raises `BadInput` where nothing was launched then."""
    last = days_of(history.launched[-1:])[0].astype(date)
    if first > last:
        raise BadInput(
            f"Nothing was launched from {first} on: the last launch was on {last}.", "Say an earlier --from."
        )
    periods, start = [], first
    while start <= last:
        end = _next(start, every)
        periods.append(Period(start, end))
        start = end
    return periods


def _start(day: date, every: Every) -> date:
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every == "week" else day


def _next(day: date, every: Every) -> date:
    """The beginning of the period after that of a day."""
    if every == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return _start(day, every) + timedelta(days=7 if every == "week" else 1)
