"""Hold each scored day against what its model knew; call for retraining when the world has moved."""

from dataclasses import dataclass
from datetime import date

from prefect import flow

from tasks.days import results_of
from tasks.monitoring.captured import find_captured_days, monitor_captured_day
from tasks.monitoring.judge import judge_waiting_days
from tasks.monitoring.monitor import MonitoredDay, find_scored_days, monitor_day
from tasks.monitoring.retention import delete_expired
from tasks.monitoring.retraining_call import Call, call_for_retraining


@dataclass(frozen=True)
class Monitoring:
    """The days that were monitored, and whether retraining was called for."""

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
    monitored = results_of([monitor_day(day, return_state=True) for day in days])
    judge_waiting_days()
    call = call_for_retraining()
    captured_days = find_captured_days(day, from_day, to_day)
    results_of([monitor_captured_day(day, return_state=True) for day in captured_days])
    delete_expired()
    return Monitoring(monitored, call)
