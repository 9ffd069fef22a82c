"""Recover the runs that a killed worker left behind or that wait in a work pool that their deployment has left, and
record the state of the schedules.

Nothing on a Prefect server looks for a worker that is gone: its run stays Running and holds the deployment's slot. So
every ten seconds this reads the runs of deployments and their last heartbeat. One that is silent is marked Crashed,
which frees its slot, and one that crashed is scheduled again, at most twice. Automations were tried for this and
failed: they re-ran completed runs and rescheduled live ones after the API had been away.
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

from infra.prefect.moved_runs import replace_moved_runs
from infra.prefect.schedules import record_schedules

HEARTBEAT = "prefect.flow-run.heartbeat"  # every PREFECT_FLOWS_HEARTBEAT_FREQUENCY, 30 s in the stack
WATCHED = [StateType.RUNNING, StateType.PENDING, StateType.CRASHED]
SILENT_AFTER, STUCK_AFTER, SETTLED_AFTER = timedelta(seconds=90), timedelta(seconds=180), timedelta(seconds=15)
IGNORED_AFTER = timedelta(days=1)  # a crash older than this is left as it is
MAX_STARTS = 3  # the first, and two more
INTERVAL, OUTAGE_PAUSE = 10.0, 45.0  # seconds; a live run sends a heartbeat within 30 s of an outage
RECORD_EVERY = 6  # intervals
ALIVE_FILE = Path("/tmp/watchdog-alive")

logger = logging.getLogger("watchdog")


def next_state(run: FlowRun, heartbeat: datetime | None, now: datetime) -> State | None:
    """The state that a run should be put into, or None if it should stay as it is."""
    assert run.state is not None
    since = run.state.timestamp
    last_sign = max(since, heartbeat or since)
    if run.state.is_running() and now - last_sign > SILENT_AFTER:
        return Crashed(message=f"Not heard of for {(now - last_sign).seconds} s: its worker is gone.")
    if run.state.is_pending() and now - since > STUCK_AFTER:
        return Crashed(message=f"Pending for {(now - since).seconds} s: its worker is gone.")
    # A heartbeat after the crash means that the process lives and only the server thought otherwise.
    if run.state.is_crashed() and SETTLED_AFTER < now - since < IGNORED_AFTER and last_sign == since:
        if run.run_count < MAX_STARTS:
            return AwaitingRetry(message=f"Taken up again after a crash, start {run.run_count + 1} of {MAX_STARTS}.")
        return Failed(message=f"Crashed at each of {MAX_STARTS} starts: {run.state.message}")
    return None


def last_heartbeat(client: SyncPrefectClient, run: FlowRun) -> datetime | None:
    """When the server last received a heartbeat of the run, by the server's clock."""
    heartbeats = EventFilter(
        event=EventNameFilter(name=[HEARTBEAT]), resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"])
    )
    events = client.read_events(heartbeats, limit=1).events
    return events[0].received if events else None


def will_start(client: SyncPrefectClient, run: FlowRun, now: datetime) -> bool:
    """Whether the run is still to begin: it waits, a worker has just taken it, or it will be taken up after a crash."""
    assert run.state is not None
    if run.state.is_scheduled() or run.state.is_pending():
        return True
    state = next_state(run, last_heartbeat(client, run), now)
    return state is not None and state.is_scheduled()


def recover_runs(client: SyncPrefectClient, now: datetime) -> list[FlowRun]:
    """Put each run of a deployment that has lost its worker into its next state; gives the runs that were changed."""
    run_filter = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=WATCHED)),
    )
    changed = []
    for run in client.read_flow_runs(flow_run_filter=run_filter):
        state = next_state(run, last_heartbeat(client, run), now)
        if state is not None:
            # Not by force: a run that has ended in between stays as it ended.
            client.set_flow_run_state(run.id, state)
            logger.warning("%s is %s: %s", run.name, state.name, state.message)
            changed.append(run)
    return changed


def watch() -> None:
    """Check every ten seconds; after an outage of the API wait until live runs had time to send a heartbeat."""
    quiet_until = 0.0
    for check in count():
        try:
            with get_client(sync_client=True) as client:
                client.api_version()  # an outage must be noticed before any run is changed
                if time.monotonic() >= quiet_until:
                    # First the runs that have moved, before one that has crashed waits for a worker of its pool again.
                    replace_moved_runs(client, datetime.now(UTC), will_start)
                    recover_runs(client, datetime.now(UTC))
                    if check % RECORD_EVERY == 0:
                        record_schedules(client, datetime.now(UTC))
            ALIVE_FILE.touch()
        except (httpx.HTTPError, PrefectHTTPStatusError, SQLAlchemyError) as error:
            logger.warning("Waiting: %s", str(error).splitlines()[0] if str(error) else type(error).__name__)
            quiet_until = time.monotonic() + OUTAGE_PAUSE
        time.sleep(INTERVAL)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    watch()
