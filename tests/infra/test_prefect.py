"""What runs beside the Prefect server: the watchdog, the schedules' state, the alerts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Cancelled, Completed, Crashed, Pending, Running, Scheduled

from infra.prefect.alerts import ALERTS, set_alerts
from infra.prefect.schedules import record_schedules
from infra.prefect.watchdog import next_state, recover_runs
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
