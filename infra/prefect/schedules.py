"""The state of each deployment's schedule, in the metrics database, where Grafana alerts on it."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import emit_event

from tasks.metrics_database import database, schedules

STALLED_EVENT = "campaign.schedule.stalled"
STALLED_AFTER = timedelta(minutes=5)  # the server makes the runs of a new or changed schedule within a minute
UPCOMING = [StateType.SCHEDULED]
ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED]


def record_schedules(client: SyncPrefectClient, now: datetime) -> None:
    """Write a row per deployment, and emit an event for an active schedule without an upcoming run for five minutes."""
    flows = {flow.id: flow.name for flow in client.read_flows()}
    with database().begin() as connection:
        previous = {row.deployment: row for row in connection.execute(sa.select(schedules))}
        connection.execute(sa.delete(schedules))
        for deployment in client.read_deployments():
            name = f"{flows[deployment.flow_id]}/{deployment.name}"
            active = not deployment.paused and any(schedule.active for schedule in deployment.schedules)
            upcoming = _first_run(client, deployment, UPCOMING, FlowRunSort.EXPECTED_START_TIME_ASC)
            last = _first_run(client, deployment, ENDED, FlowRunSort.END_TIME_DESC)
            stalled_since = None
            if active and upcoming is None:
                stalled_since = (previous[name].stalled_since if name in previous else None) or now
                if now - stalled_since > STALLED_AFTER:
                    emit_event(
                        STALLED_EVENT,
                        {"prefect.resource.id": f"campaign.schedule.{name}", "prefect.resource.name": name},
                        payload={"message": f"{name} has an active schedule and no upcoming run."},
                    )
            connection.execute(
                sa.insert(schedules).values(
                    deployment=name,
                    active=active,
                    next_run=upcoming.expected_start_time if upcoming else None,
                    stalled_since=stalled_since,
                    last_state=last.state_name if last else None,
                    last_ended=last.end_time if last else None,
                    checked_at=now,
                )
            )


def _first_run(
    client: SyncPrefectClient, deployment: DeploymentResponse, states: list[StateType], sort: FlowRunSort
) -> FlowRun | None:
    """The first run of a deployment in one of the states."""
    run_filter = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)),
    )
    runs = client.read_flow_runs(flow_run_filter=run_filter, sort=sort, limit=1)
    return runs[0] if runs else None
