"""Which days a run is about, and how it ends when some of them fail."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from campaign.errors import BadInput
from campaign.settings import Settings
from campaign.store import Store

Result = TypeVar("Result")


def scheduled_day() -> date:
    """The day of the run's scheduled start, in UTC: a late run means the same days as one in time."""
    start: datetime | None = flow_run.scheduled_start_time
    return (start or datetime.now(UTC)).astimezone(UTC).date()


def days_in_question(
    store: Store, folder: str, day: date | None, from_day: date | None, to_day: date | None
) -> tuple[list[date], bool]:
    """The days of a folder that a run looks at, and whether they were asked for by name.

    Given none, those of the last `CAMPAIGN_LOOKBACK_DAYS`. Raises `BadInput` for a named day that has nothing.
    """
    there = store.days(folder)
    if day is not None:
        if day not in there:
            remedy = (
                "Put Parquet files there" if folder == "incoming" else "Score the day first: `campaign score --day`"
            )
            raise BadInput(f"There is nothing in {store.at(folder)}/day={day}.", f"{remedy} ({_span(there)}).")
        return [day], True
    if from_day is not None or to_day is not None:
        first, last = from_day or date.min, to_day or date.max
        if first > last:
            raise BadInput(f"--from {first} is after --to {last}.", "Exchange them.")
        return [one for one in there if first <= one <= last], True
    last = scheduled_day()
    first = last - timedelta(days=Settings().lookback_days)
    return [one for one in there if first <= one <= last], False


def results(states: Iterable[State[Result]]) -> list[Result]:
    """The results of one run a day. Raises the first error, after every day has had its turn."""
    states = list(states)
    errors = [state for state in states if not state.is_completed()]
    done: list[Any] = [state.result() for state in states if state.is_completed()]
    if errors:
        errors[0].result()
    return done


def _span(days: list[date]) -> str:
    return f"there are days from {days[0]} to {days[-1]}" if days else "there is no day yet"
