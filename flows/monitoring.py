"""Hold each scored day against what its model knew; call for retraining when the world has moved."""

from dataclasses import dataclass
from datetime import date

from prefect import flow

from tasks.days import results
from tasks.monitoring.captured import find_captured_days, monitor_captured_day
from tasks.monitoring.monitor import MonitoredDay, find_scored_days, monitor_day
from tasks.monitoring.retention import delete_expired
from tasks.monitoring.retraining_call import Call, call_for_retraining


@dataclass(frozen=True)
class Monitoring:
    """The days that were looked at, and whether retraining was called for."""

    days: list[MonitoredDay]
    call: Call


@flow(name="monitoring")
def monitoring(day: date | None = None, from_day: date | None = None, to_day: date | None = None) -> Monitoring:
    """Monitor the days whose predictions or outcomes are new or changed, or those that are named.

    Args:
        day: one day, looked at again.
        from_day: first day of a span, likewise.
        to_day: last day of the span.
    """
    days = find_scored_days(day, from_day, to_day)
    looked_at = results([monitor_day(one, return_state=True) for one in days])
    call = call_for_retraining()
    results([monitor_captured_day(one, return_state=True) for one in find_captured_days(day, from_day, to_day)])
    delete_expired()
    return Monitoring(looked_at, call)
