"""Hold each scored day against what its model knew; call for retraining when the world has moved."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import deployment

from campaign.settings import Settings
from campaign.store import Store
from campaign.written_day import WrittenDay
from tasks.days import results_of, run_name, scheduled_day
from tasks.memory_limit import limit_run
from tasks.monitoring.captured import captured_days_due, find_captured_days, monitor_captured_day
from tasks.monitoring.judge import full_windows, judge_waiting_days
from tasks.monitoring.monitor import find_scored_days, monitor_day, scored_days_due
from tasks.monitoring.monitored_day import MonitoredDay
from tasks.monitoring.retention import delete_expired, has_expired_files
from tasks.monitoring.retention_call import call_for_retention
from tasks.monitoring.retraining_call import Call, call_for_retraining, has_reasons
from tasks.monitoring.shadow_quality import find_shadow_days, monitor_shadow_day, shadow_days_due
from tasks.monitoring.verdict_call import call_for_verdict
from tasks.shadow_record import is_verdict_due
from tasks.training.shadow_verdict import judge_challenger


@dataclass(frozen=True)
class Monitoring:
    """The days that were monitored, and whether retraining was called for."""

    days: list[MonitoredDay]
    call: Call


def is_anything_due(day: date | None, from_day: date | None, to_day: date | None) -> bool:
    """Whether a run has something to do; found out without Prefect's server and MLflow, which take seconds to start.

    A version that has expired waits for the next run.
    """
    settings = Settings()
    return bool(
        scored_days_due(day, from_day, to_day)
        or captured_days_due(day, from_day, to_day)
        or shadow_days_due(day, from_day, to_day)
        or full_windows(settings)
        or (settings.shadow and is_verdict_due())
        or has_expired_files(Store(settings.store), settings, scheduled_day())
        or has_reasons()
    )


@flow(name="monitoring", flow_run_name=run_name, on_running=[limit_run])
def monitoring(
    day: WrittenDay | None = None,
    from_day: WrittenDay | None = None,
    to_day: WrittenDay | None = None,
    reports: bool = True,
) -> Monitoring:
    """Monitor the days whose predictions or outcomes are new or changed, or those that are named.

    Args:
        day: one day, looked at again.
        from_day: first day of a span, likewise.
        to_day: last day of the span.
        reports: publish Evidently's report of each day; without, drift is measured by the same distances, much quicker.
    """
    days = find_scored_days(day, from_day, to_day)
    monitored = [monitor_day(day, reports, return_state=True) for day in days]
    judged = judge_waiting_days(return_state=True)
    called = call_for_retraining(return_state=True)
    captured_days = find_captured_days(day, from_day, to_day)
    captured = [monitor_captured_day(day, return_state=True) for day in captured_days]
    has_shadow = Settings().shadow
    shadow_days = find_shadow_days(day, from_day, to_day) if has_shadow else []
    shadowed = [monitor_shadow_day(day, return_state=True) for day in shadow_days]
    states: list[State[Any]] = [*monitored, judged, called, *captured, *shadowed]
    if deployment.id:
        # Its worker may neither delete nor promote, that of the flows that it calls for may. A call that fails is made
        # again by the next run.
        call_for_retention(return_state=True)
        if has_shadow:
            call_for_verdict(return_state=True)
    else:
        states.append(delete_expired(return_state=True))
        if has_shadow and is_verdict_due():
            states.append(judge_challenger(return_state=True))
    results_of(states)  # raises what failed, now that all else is done
    return Monitoring(results_of(monitored), called.result())
