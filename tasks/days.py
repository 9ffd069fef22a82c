"""Which days a run is about, and how it ends when some of them fail."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from campaign.errors import BadInput, CampaignError
from campaign.settings import Settings
from campaign.store import Store, day_of
from campaign.written_day import read_day

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
        if from_day is not None or to_day is not None:
            raise BadInput("--day is one day, and --from and --to are a span.", "Say one or the other.")
        if day not in existing:
            remedy = (
                "Put Parquet or CSV files there"
                if folder == "incoming"
                else f"Score the day first: `campaign score --day {day}`"
            )
            when = f"{day} is in the future: there" if day > scheduled_day() else "There"
            misnamed = "".join(f" {wrong}" for wrong in misnamed_folders(store, folder))
            raise BadInput(
                f"{when} is nothing in {store.at(folder)}/day={day}.{misnamed}", f"{remedy} ({_span(existing)})."
            )
        return [day], True
    if from_day is not None or to_day is not None:
        first, last = from_day or date.min, to_day or date.max
        if first > last:
            raise BadInput(f"--from {first} is after --to {last}.", "Exchange them.")
        return [day for day in existing if first <= day <= last], True
    last = scheduled_day()
    first = last - timedelta(days=Settings().lookback_days)
    return [day for day in existing if first <= day <= last], False


def misnamed_folders(store: Store, folder: str) -> list[str]:
    """A sentence on each folder that seems to be meant for a day, and is called otherwise than days are."""
    sentences = []
    for name in store.folders(folder):
        if day_of(name) is None and name.startswith("day="):
            try:
                meant = f", like day={read_day(name.removeprefix('day='))}"
            except ValueError:
                meant = ""
            sentences.append(f"{folder}/{name} is looked at by no run: call it year first{meant}.")
    return sentences


def results_of(states: Iterable[State[Result]]) -> list[Result]:
    """The results of one task run per day. Raises what failed, after every day has had its turn."""
    states = list(states)
    failed = [state for state in states if not state.is_completed()]
    results: list[Any] = [state.result() for state in states if state.is_completed()]
    if failed:
        errors: list[Any] = [state.result(raise_on_failure=False) for state in failed]
        if len(errors) > 1 and all(isinstance(error, CampaignError) for error in errors):
            raise together(errors)
        failed[0].result()
    return results


def together(errors: list[CampaignError]) -> CampaignError:
    """Several errors as one: each cause and each remedy said once."""
    causes, remedies = (dict.fromkeys(words) for words in zip(*((e.cause, e.remedy) for e in errors), strict=True))
    return type(errors[0])("\n".join(causes), "\n".join(remedies))


def _span(days: list[date]) -> str:
    return f"there are days from {days[0]} to {days[-1]}" if days else "there is no day yet"
