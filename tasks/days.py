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


def run_name() -> str:
    """What a run is called: its flow, and the day that it is about, or on which it was due."""
    parameters = flow_run.parameters or {}
    first, last = parameters.get("from_day"), parameters.get("to_day")
    span = f"{first or '…'} to {last or '…'}" if first or last else ""
    return f"{flow_run.flow_name} {parameters.get('day') or span or scheduled_day()}"


def scheduled_day() -> date:
    """The day of the run's scheduled start, in UTC: a late run means the same days as one in time."""
    start: datetime | None = flow_run.scheduled_start_time
    return (start or datetime.now(UTC)).astimezone(UTC).date()


def select_days(
    store: Store, folder: str, day: date | None, from_day: date | None, to_day: date | None
) -> tuple[list[date], bool]:
    """The days of a folder that a run looks at, and whether they were asked for by name.

    Given none, those of the last `CAMPAIGN_LOOKBACK_DAYS`. Raises `BadInput` for a named day that has nothing.
    """
    existing = store.days(folder)
    if day is not None:
        if day not in existing:
            remedy = (
                "Put Parquet or CSV files there"
                if folder == "incoming"
                else "Score the day first: `campaign score --day`"
            )
            raise BadInput(f"There is nothing in {store.at(folder)}/day={day}.", f"{remedy} ({_span(existing)}).")
        return [day], True
    if from_day is not None or to_day is not None:
        first, last = from_day or date.min, to_day or date.max
        if first > last:
            raise BadInput(f"--from {first} is after --to {last}.", "Exchange them.")
        return [day for day in existing if first <= day <= last], True
    last = scheduled_day()
    first = last - timedelta(days=Settings().lookback_days)
    return [day for day in existing if first <= day <= last], False


def results_of(states: Iterable[State[Result]]) -> list[Result]:
    """The results of one task run per day. Raises the first error, after every day has had its turn."""
    states = list(states)
    failed = [state for state in states if not state.is_completed()]
    results: list[Any] = [state.result() for state in states if state.is_completed()]
    if failed:
        failed[0].result()
    return results


def _span(days: list[date]) -> str:
    return f"there are days from {days[0]} to {days[-1]}" if days else "there is no day yet"
