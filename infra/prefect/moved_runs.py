"""Hand the runs of a deployment that has moved to another work pool over to that pool.

A run stays in the work pool that its deployment had when the run was made. After an upgrade that moves the deployment,
a worker without the keys of its flow would take it.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Cancelled, Scheduled

WAITING = [StateType.SCHEDULED, StateType.PENDING, StateType.CRASHED]
CONFLICT = 409  # how the API refuses parameters that the flow no longer has

logger = logging.getLogger("watchdog")


def replace_moved_runs(
    client: SyncPrefectClient, now: datetime, will_start: Callable[[SyncPrefectClient, FlowRun, datetime], bool]
) -> list[FlowRun]:
    """Replace each run that will start, but in a work pool that its deployment has left; gives the new runs."""
    successors = []
    for deployment, listed in moved_runs(client):
        try:
            run = client.read_flow_run(listed.id)  # a worker may have begun with it in between
            if will_start(client, run, now):
                successors.append(replace(client, run, deployment, now))
        except ObjectNotFound:  # a person has deleted it
            continue
        except PrefectHTTPStatusError as error:
            if error.response.status_code != CONFLICT:
                raise
            logger.warning("%s stays in work pool %s: %s", listed.name, listed.work_pool_name, error.response.text)
    return successors


def moved_runs(client: SyncPrefectClient) -> Iterator[tuple[DeploymentResponse, FlowRun]]:
    """The runs that are not under way, and not in the work pool of their deployment."""
    pools = {pool.name for pool in client.read_work_pools()}
    for deployment in client.read_deployments():
        others = sorted(pools - {deployment.work_pool_name})
        if deployment.work_pool_name is None or not others:
            continue
        run_filter = FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=WAITING)),
        )
        for run in client.read_flow_runs(
            flow_run_filter=run_filter,
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=others)),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,  # crashed runs of long ago come last
        ):
            yield deployment, run


def replace(client: SyncPrefectClient, run: FlowRun, deployment: DeploymentResponse, now: datetime) -> FlowRun:
    """Make the same run in the work pool of its deployment, then cancel it; done again, it finds the run it made."""
    successor = client.create_flow_run_from_deployment(
        deployment.id,
        parameters=run.parameters,
        state=Scheduled(scheduled_time=max(run.expected_start_time or now, now)),
        name=run.name,
        tags=run.tags,
        job_variables=run.job_variables,
        idempotency_key=f"moved-{run.id}",
    )
    message = (
        f"Its deployment has moved to work pool {deployment.work_pool_name}: run {successor.name} goes on with it."
    )
    client.set_flow_run_state(run.id, Cancelled(message=message))
    logger.warning("%s is Cancelled: %s", run.name, message)
    return successor
