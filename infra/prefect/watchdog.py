"""Take up the runs that a killed worker left behind, and note how the schedules stand.

Nothing on a Prefect server looks for a worker that is gone: its run stays Running and holds the deployment's slot. So
every ten seconds this reads the runs of deployments and their last heartbeat. One that is silent is marked Crashed,
which frees its slot, and one that crashed is scheduled again, at most twice. Automations were tried for this and found
wanting: they re-ran completed runs and rescheduled live ones after the API had been away.
"""

import logging
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import AwaitingRetry, Crashed, Failed
from sqlalchemy.exc import SQLAlchemyError

from infra.prefect.schedules import note_schedules

HEARTBEAT = "prefect.flow-run.heartbeat"  # every PREFECT_FLOWS_HEARTBEAT_FREQUENCY, 30 s in the stack
WATCHED = [StateType.RUNNING, StateType.PENDING, StateType.CRASHED]
SILENT, STUCK, SETTLED = timedelta(seconds=90), timedelta(seconds=180), timedelta(seconds=15)
FORGOTTEN = timedelta(days=1)  # a crash older than this is history
STARTS = 3  # the first, and two more
PAUSE, AFTER_OUTAGE = 10.0, 45.0  # seconds; a live run is heard again within 30 s of an outage
NOTED_EVERY = 6  # looks
ALIVE = Path("/tmp/watchdog-alive")

logger = logging.getLogger("watchdog")


def ruling(run: FlowRun, heartbeat: datetime | None, now: datetime) -> State | None:
    """The state that a run should be in instead of its own, if it should."""
    assert run.state is not None
    since = run.state.timestamp
    heard = max(since, heartbeat or since)
    if run.state.is_running() and now - heard > SILENT:
        return Crashed(message=f"Not heard of for {(now - heard).seconds} s: its worker is gone.")
    if run.state.is_pending() and now - since > STUCK:
        return Crashed(message=f"Pending for {(now - since).seconds} s: its worker is gone.")
    # A heartbeat after the crash means that the process lives and only the server thought otherwise.
    if run.state.is_crashed() and SETTLED < now - since < FORGOTTEN and heard == since:
        if run.run_count < STARTS:
            return AwaitingRetry(message=f"Taken up again after a crash, start {run.run_count + 1} of {STARTS}.")
        return Failed(message=f"Crashed at each of {STARTS} starts: {run.state.message}")
    return None


def last_heartbeat(client: SyncPrefectClient, run: FlowRun) -> datetime | None:
    """When the server last received one, by its own clock."""
    heard = EventFilter(
        event=EventNameFilter(name=[HEARTBEAT]), resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"])
    )
    found = client.read_events(heard, limit=1).events
    return found[0].received if found else None


def take_up(client: SyncPrefectClient, now: datetime) -> list[FlowRun]:
    """Rule on each run of a deployment that may have lost its worker; gives those that were put into another state."""
    deployed = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=WATCHED)),
    )
    changed = []
    for run in client.read_flow_runs(flow_run_filter=deployed):
        state = ruling(run, last_heartbeat(client, run), now)
        if state is not None:
            # Not by force: a run that has ended in between stays as it ended.
            client.set_flow_run_state(run.id, state)
            logger.warning("%s is %s: %s", run.name, state.name, state.message)
            changed.append(run)
    return changed


def watch() -> None:
    """Look every ten seconds; after an outage of the API wait until live runs had time to be heard again."""
    quiet_until = 0.0
    for look in count():
        try:
            with get_client(sync_client=True) as client:
                client.api_version()  # an outage must be noticed before anyone is judged
                if time.monotonic() >= quiet_until:
                    take_up(client, datetime.now(UTC))
                    if look % NOTED_EVERY == 0:
                        note_schedules(client, datetime.now(UTC))
            ALIVE.touch()
        except (httpx.HTTPError, PrefectHTTPStatusError, SQLAlchemyError) as error:
            logger.warning("Waiting: %s", str(error).splitlines()[0] if str(error) else type(error).__name__)
            quiet_until = time.monotonic() + AFTER_OUTAGE
        time.sleep(PAUSE)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    watch()
