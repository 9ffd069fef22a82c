"""Who deletes what has expired: a home's monitoring itself, a stack's asks the flow retention to."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter
from prefect.flow_engine import run_flow
from typer.testing import CliRunner

from campaign.settings import Settings
from campaign.store import Store
from flows import cli
from flows.monitoring import is_anything_due, monitoring
from flows.retention import retention
from tasks.monitoring import retention_call
from tasks.monitoring.retention_call import EVENT

OLD = "reports/day=2020-01-01/drift.html"


@pytest.fixture
def old(own_home: Path, prefect_api: None) -> Store:
    """A home whose one file is a report that has expired."""
    store = Store(Settings().store)
    store.publish(OLD, b"report")
    return store


def run_deployment_of(flow: Any, monkeypatch: pytest.MonkeyPatch) -> FlowRun:
    """Run a flow as a worker runs its deployment, to its end."""
    monkeypatch.setattr("tasks.memory_limit.limit_memory", lambda: None)  # this process goes on
    with get_client(sync_client=True) as client:
        deployment_id = client.create_deployment(client.create_flow(flow), "daily", entrypoint="flows/x.py:x")
        run = client.create_flow_run_from_deployment(deployment_id)
        try:
            run_flow(flow, flow_run=run)
            return client.read_flow_run(run.id)
        finally:
            client.delete_deployment(deployment_id)


def calls(since: datetime, wanted: int) -> list[tuple[str, dict[str, Any]]]:
    """Resource and payload of the calls that the server has received; waits a while for as many as are wanted."""
    with get_client(sync_client=True) as client:
        for _ in range(20):
            until_now = EventOccurredFilter(since=since)
            events = EventFilter(event=EventNameFilter(name=[EVENT]), occurred=until_now)
            received = client.read_events(events, limit=50).events
            if len(received) >= wanted > 0:
                break
            time.sleep(0.25)
    return [(event.resource.id, event.payload) for event in received]


def test_monitoring_of_a_deployment_calls_for_retention_and_deletes_nothing(old, monkeypatch):
    began = datetime.now(UTC)
    assert run_deployment_of(monitoring, monkeypatch).state.is_completed()
    assert old.exists(OLD)
    assert calls(began, 1) == [("campaign.model.campaign-success", {"expired": {"reports": 1}})]


def test_where_nothing_has_expired_nobody_calls(old, monkeypatch):
    old.delete(OLD)
    began = datetime.now(UTC)
    assert run_deployment_of(monitoring, monkeypatch).state.is_completed()
    assert calls(began, 0) == []


def test_a_call_that_fails_leaves_the_run_completed(old, monkeypatch):
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no events today")

    monkeypatch.setattr(retention_call, "emit_event", fail)
    assert run_deployment_of(monitoring, monkeypatch).state.is_completed()
    assert old.exists(OLD)


def test_a_run_of_retention_deletes(old, monkeypatch):
    assert run_deployment_of(retention, monkeypatch).state.is_completed()
    assert not old.exists(OLD)
    assert retention() == {}


def test_campaign_monitor_of_a_home_deletes_itself(old, monkeypatch):
    monkeypatch.setattr(cli, "prepare", lambda: None)
    assert is_anything_due(None, None, None)
    CliRunner().invoke(cli.app, ["monitor"], catch_exceptions=False)
    assert not old.exists(OLD)
    assert not is_anything_due(None, None, None)
