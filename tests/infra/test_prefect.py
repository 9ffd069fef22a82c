"""What runs beside the Prefect server: the watchdog, the schedules' state, the alerts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import AwaitingRetry, Cancelled, Completed, Crashed, Failed, Late, Pending, Running, Scheduled

from infra.prefect.alerts import ALERTS, set_alerts
from infra.prefect.moved_runs import replace_moved_runs
from infra.prefect.schedules import record_schedules
from infra.prefect.watchdog import next_state, recover_runs, will_start
from tasks.metrics_database import database, schedules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def run_in(state: Any, seconds: float, starts: int = 1) -> FlowRun:
    state.timestamp = ago(seconds)
    return FlowRun(flow_id=UUID(int=1), state=state, state_type=state.type, run_count=starts)


@pytest.mark.parametrize(
    ("run", "heartbeat", "expected"),
    [
        (run_in(Running(), 30), None, None),
        (run_in(Running(), 3600), ago(89), None),
        (run_in(Running(), 3600), ago(91), StateType.CRASHED),
        (run_in(Running(), 91), None, StateType.CRASHED),
        (run_in(Pending(), 179), None, None),
        (run_in(Pending(), 181), None, StateType.CRASHED),
        (run_in(Crashed(), 14), None, None),
        (run_in(Crashed(), 16), ago(100), StateType.SCHEDULED),
        (run_in(Crashed(), 16, starts=2), None, StateType.SCHEDULED),
        (run_in(Crashed(), 16, starts=3), None, StateType.FAILED),
        (run_in(Crashed(), 60), ago(20), None),  # its process lives
        (run_in(Crashed(), 2 * 86_400), None, None),
        (run_in(Completed(), 3600), None, None),
        (run_in(Cancelled(), 3600), None, None),
        (run_in(Scheduled(), 3600), None, None),
    ],
)
def test_a_run_is_taken_up_again_only_when_its_worker_is_gone(run, heartbeat, expected) -> None:
    state = next_state(run, heartbeat, NOW)
    assert (state and state.type) == expected


@flow(name="watched")
def watched() -> None:
    """A flow to deploy."""


@pytest.fixture
def client(prefect_api: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def deployment(client: SyncPrefectClient) -> Iterator[UUID]:
    flow_id = client.create_flow(watched)
    deployment_id = client.create_deployment(flow_id, "nightly", entrypoint="watched.py:watched")
    yield deployment_id
    client.delete_deployment(deployment_id)


def test_a_lost_run_crashes_runs_again_and_fails_at_last(client: SyncPrefectClient, deployment: UUID) -> None:
    run = client.create_flow_run_from_deployment(deployment)
    now = datetime.now(UTC)
    states = []
    for start in range(3):
        client.set_flow_run_state(run.id, Pending())
        client.set_flow_run_state(run.id, Running())
        for _ in range(2):  # silent, then settled
            now += timedelta(minutes=10)
            recover_runs(client, now)
            states.append(client.read_flow_run(run.id).state.name)
        assert client.read_flow_run(run.id).run_count == start + 1
    assert states == ["Crashed", "AwaitingRetry", "Crashed", "AwaitingRetry", "Crashed", "Failed"]
    recover_runs(client, now + timedelta(minutes=10))
    assert client.read_flow_run(run.id).state.name == "Failed"


def test_a_run_that_has_ended_stays_as_it_ended(client: SyncPrefectClient, deployment: UUID, monkeypatch) -> None:
    run = client.create_flow_run_from_deployment(deployment)
    client.set_flow_run_state(run.id, Pending())
    client.set_flow_run_state(run.id, Running())
    stale = client.read_flow_run(run.id)
    client.set_flow_run_state(run.id, Completed())
    monkeypatch.setattr(SyncPrefectClient, "read_flow_runs", lambda *_, **__: [stale])
    recover_runs(client, datetime.now(UTC) + timedelta(minutes=10))
    assert client.read_flow_run(run.id).state.name == "Completed"


@flow(name="moved")
def moved(trials: int = 30, reasons: list[str] | None = None) -> None:
    """A flow whose deployment moves."""


def deploy_in(client: SyncPrefectClient, pool: str, schema: Any = None) -> UUID:
    return client.create_deployment(
        client.create_flow(moved),
        "weekly",
        entrypoint="moved.py:moved",
        work_pool_name=pool,
        enforce_parameter_schema=schema is not None,
        parameter_openapi_schema=schema,
    )


@pytest.fixture
def in_campaign(client: SyncPrefectClient) -> Iterator[UUID]:
    """A deployment in the work pool `campaign`, and another pool to which it can move."""
    for pool in ("campaign", "training"):
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    deployment_id = deploy_in(client, "campaign")
    yield deployment_id
    for run in runs_of(client, deployment_id):
        client.delete_flow_run(run.id)
    client.delete_deployment(deployment_id)
    for pool in ("campaign", "training"):
        client.delete_work_pool(pool)


def runs_of(client: SyncPrefectClient, deployment: UUID) -> list[FlowRun]:
    of_the_deployment = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
    return client.read_flow_runs(flow_run_filter=of_the_deployment)


def made_run(client: SyncPrefectClient, deployment: UUID, *states: Any) -> FlowRun:
    """A run that has been through these states."""
    run = client.create_flow_run_from_deployment(deployment, parameters={"trials": 7, "reasons": ["drift"]}, name="old")
    for state in states:
        assert client.set_flow_run_state(run.id, state, force=state.name == "Late").state.name == state.name
    return client.read_flow_run(run.id)


@pytest.mark.parametrize(
    "states",
    [
        (),
        (Late(),),
        (Pending(),),
        (Pending(), Running(), Crashed()),
        (Pending(), Running(), Crashed(), AwaitingRetry()),
    ],
    ids=["scheduled", "late", "pending", "crashed", "awaiting retry"],
)
def test_a_run_that_waits_in_the_pool_its_deployment_left_is_replaced_once(client, in_campaign, states):
    run = made_run(client, in_campaign, *states)
    now = datetime.now(UTC) + timedelta(minutes=1)  # a crash has settled by then
    assert replace_moved_runs(client, now, will_start) == []
    deploy_in(client, "training")
    [successor] = replace_moved_runs(client, now, will_start)
    successor, old = client.read_flow_run(successor.id), client.read_flow_run(run.id)
    assert (successor.work_pool_name, successor.state.name, successor.name) == ("training", "Scheduled", "old")
    assert successor.parameters == {"trials": 7, "reasons": ["drift"]}
    assert successor.expected_start_time == now
    assert old.state.name == "Cancelled"
    assert old.state.message == "Its deployment has moved to work pool training: run old goes on with it."
    assert replace_moved_runs(client, now, will_start) == []
    assert recover_runs(client, now) == []
    assert {run.id for run in runs_of(client, in_campaign)} == {old.id, successor.id}


def test_a_run_that_is_due_later_stays_due_then(client, in_campaign):
    due = datetime.now(UTC) + timedelta(days=3)
    client.create_flow_run_from_deployment(in_campaign, state=Scheduled(scheduled_time=due))
    deploy_in(client, "training")
    [successor] = replace_moved_runs(client, datetime.now(UTC), will_start)
    assert successor.expected_start_time == due


def test_a_cancellation_that_failed_is_made_up_for_without_a_second_run(client, in_campaign, monkeypatch):
    run = made_run(client, in_campaign)
    deploy_in(client, "training")
    with monkeypatch.context() as patch:
        patch.setattr(SyncPrefectClient, "set_flow_run_state", lambda *_, **__: None)
        [first] = replace_moved_runs(client, datetime.now(UTC), will_start)
    [again] = replace_moved_runs(client, datetime.now(UTC), will_start)
    assert again.id == first.id
    assert client.read_flow_run(run.id).state.name == "Cancelled"
    assert len(runs_of(client, in_campaign)) == 2


@pytest.mark.parametrize(
    "states",
    [
        (Pending(), Running()),
        (Pending(), Running(), Completed()),
        (Pending(), Running(), Failed()),
        (Cancelled(),),
    ],
    ids=["running", "completed", "failed", "cancelled"],
)
def test_a_run_that_is_under_way_or_over_stays_where_it_is(client, in_campaign, states):
    run = made_run(client, in_campaign, *states)
    deploy_in(client, "training")
    assert replace_moved_runs(client, datetime.now(UTC), will_start) == []
    assert client.read_flow_run(run.id).state.name == states[-1].name


def test_a_run_whose_worker_is_gone_crashes_first_and_is_replaced_then(client, in_campaign):
    run = made_run(client, in_campaign, Pending(), Running())
    deploy_in(client, "training")
    silent = datetime.now(UTC) + timedelta(minutes=2)
    assert replace_moved_runs(client, silent, will_start) == []
    recover_runs(client, silent)
    assert client.read_flow_run(run.id).state.name == "Crashed"
    [successor] = replace_moved_runs(client, silent + timedelta(minutes=2), will_start)
    assert (successor.work_pool_name, client.read_flow_run(run.id).state.name) == ("training", "Cancelled")


def test_a_crash_after_the_last_start_is_not_replaced(client, in_campaign):
    run = made_run(client, in_campaign, *[Pending(), Running(), Crashed()] * 3)
    assert run.run_count == 3
    deploy_in(client, "training")
    assert replace_moved_runs(client, datetime.now(UTC) + timedelta(minutes=1), will_start) == []


def test_parameters_that_the_flow_no_longer_has_keep_no_other_run_from_being_replaced(client, in_campaign):
    run = made_run(client, in_campaign)
    other = client.create_flow_run_from_deployment(in_campaign)
    deploy_in(client, "training", {"type": "object", "properties": {}, "additionalProperties": False})
    [successor] = replace_moved_runs(client, datetime.now(UTC), will_start)
    assert client.read_flow_run(other.id).state.message.endswith(f"run {successor.name} goes on with it.")
    assert client.read_flow_run(run.id).state.name == "Scheduled"


def test_an_outage_is_not_taken_for_a_refusal(client, in_campaign, monkeypatch):
    made_run(client, in_campaign)
    deploy_in(client, "training")

    def away(*_: Any, **__: Any) -> None:
        request = httpx.Request("POST", "http://prefect")
        raise PrefectHTTPStatusError("away", request=request, response=httpx.Response(503, request=request))

    monkeypatch.setattr(SyncPrefectClient, "create_flow_run_from_deployment", away)
    with pytest.raises(PrefectHTTPStatusError):
        replace_moved_runs(client, datetime.now(UTC), will_start)


@pytest.fixture
def metrics(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMPAIGN_METRICS_URL", postgres)
    with database().begin() as connection:
        connection.execute(sa.delete(schedules))


def schedule_row(name: str = "watched/nightly") -> Any:
    with database().connect() as connection:
        return connection.execute(sa.select(schedules).where(schedules.c.deployment == name)).one()


def test_the_schedules_table_says_what_is_next_and_how_the_last_run_ended(
    client: SyncPrefectClient, deployment: UUID, metrics: None
) -> None:
    record_schedules(client, NOW)
    assert (schedule_row().active, schedule_row().next_run, schedule_row().last_state) == (False, None, None)
    client.create_deployment_schedules(deployment, [(CronSchedule(cron="0 1 * * *", timezone="UTC"), True)])
    record_schedules(client, NOW)
    assert schedule_row().active
    assert schedule_row().stalled_since is not None
    run = client.create_flow_run_from_deployment(
        deployment, state=Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=1))
    )
    record_schedules(client, NOW + timedelta(minutes=1))
    assert schedule_row().next_run is not None
    assert schedule_row().stalled_since is None
    client.set_flow_run_state(run.id, Completed(), force=True)
    record_schedules(client, NOW + timedelta(minutes=2))
    assert schedule_row().last_state == "Completed"


@pytest.mark.parametrize("ended", [Completed, Failed, Crashed])
def test_how_the_last_run_ended_is_shown_whether_well_or_not(client, deployment, metrics, ended):
    runs = [client.create_flow_run_from_deployment(deployment) for _ in range(3)]
    client.set_flow_run_state(runs[0].id, Failed() if ended is Completed else Completed(), force=True)
    for state in (Running(), ended()):
        client.set_flow_run_state(runs[1].id, state, force=True)
    client.set_flow_run_state(runs[2].id, Running(), force=True)
    last = client.read_flow_run(runs[1].id)
    assert last.start_time < last.end_time
    record_schedules(client, NOW)
    assert (schedule_row().last_state, schedule_row().last_ended) == (ended().name, last.end_time)


def test_each_deployment_has_its_own_runs(client, deployment, in_campaign, metrics):
    due = datetime.now(UTC) + timedelta(days=1)
    client.create_flow_run_from_deployment(in_campaign, state=Scheduled(scheduled_time=due))
    ended = client.create_flow_run_from_deployment(in_campaign)
    client.set_flow_run_state(ended.id, Failed(), force=True)
    record_schedules(client, NOW)
    assert (schedule_row().last_state, schedule_row().next_run) == (None, None)
    assert (schedule_row("moved/weekly").last_state, schedule_row("moved/weekly").next_run) == ("Failed", due)


@pytest.mark.parametrize(("paused", "is_active"), [("the deployment", True), ("its schedule", False)])
def test_what_people_have_paused_does_not_stand_still(client, deployment, metrics, monkeypatch, paused, is_active):
    stalled: list[str] = []
    monkeypatch.setattr("infra.prefect.schedules.emit_event", lambda event, resource, **_: stalled.append(event))
    client.create_deployment_schedules(deployment, [(CronSchedule(cron="0 1 * * *", timezone="UTC"), is_active)])
    if paused == "the deployment":
        client.pause_deployment(deployment)
    for minutes in (0, 6):
        record_schedules(client, NOW + timedelta(minutes=minutes))
        assert (schedule_row().active, schedule_row().stalled_since) == (False, None)
    assert stalled == []


def test_since_when_a_schedule_stands_still_is_kept_and_is_past_when_it_is_resumed(client, deployment, metrics):
    client.create_deployment_schedules(deployment, [(CronSchedule(cron="0 1 * * *", timezone="UTC"), True)])
    for minutes in (0, 4):
        record_schedules(client, NOW + timedelta(minutes=minutes))
        assert schedule_row().stalled_since == NOW
        assert schedule_row().checked_at == NOW + timedelta(minutes=minutes)
    due = datetime.now(UTC) + timedelta(days=1)
    for days in (1, 0):
        state = Scheduled(scheduled_time=due + timedelta(days=days))
        client.create_flow_run_from_deployment(deployment, state=state)
    record_schedules(client, NOW + timedelta(minutes=5))
    assert (schedule_row().stalled_since, schedule_row().next_run) == (None, due)


def test_an_active_schedule_without_a_run_is_told_of_after_five_minutes(
    client: SyncPrefectClient, deployment: UUID, metrics, monkeypatch
) -> None:
    stalled: list[str] = []
    monkeypatch.setattr(
        "infra.prefect.schedules.emit_event",
        lambda event, resource, **_: stalled.append(resource["prefect.resource.name"]),
    )
    client.create_deployment_schedules(deployment, [(CronSchedule(cron="0 1 * * *", timezone="UTC"), True)])
    monkeypatch.setattr(SyncPrefectClient, "read_flow_runs", lambda *_, **__: [])
    for minutes in (0, 4):
        record_schedules(client, NOW + timedelta(minutes=minutes))
    assert "watched/nightly" not in stalled
    record_schedules(client, NOW + timedelta(minutes=6))
    assert "watched/nightly" in stalled


def test_alerts_are_made_once_kept_as_people_left_them_and_gone_without_a_url(
    client: SyncPrefectClient, monkeypatch
) -> None:
    def automations() -> dict[str, Any]:
        return {name: client.read_automations_by_name(name) for name in ALERTS}

    set_alerts(client, "http://localhost:9/first")
    first = automations()
    assert all(len(listed) == 1 for listed in first.values())
    client.pause_automation(first["tell when a run has failed"][0].id)
    with monkeypatch.context() as patch:
        patch.setattr(SyncPrefectClient, "update_automation", lambda *_: pytest.fail("its open windows are lost"))
        set_alerts(client, "http://localhost:9/second")
    second = automations()
    assert {name: [automation.id for automation in listed] for name, listed in second.items()} == {
        name: [automation.id for automation in listed] for name, listed in first.items()
    }
    assert not second["tell when a run has failed"][0].enabled
    monkeypatch.setitem(ALERTS, "tell when a run has failed", (ALERTS["tell when a run has failed"][0], "Other words."))
    set_alerts(client, "http://localhost:9/second")
    changed = automations()["tell when a run has failed"]
    assert "Other words." in changed[0].actions[0].payload
    assert not changed[0].enabled
    set_alerts(client, "")
    assert not any(automations().values())
