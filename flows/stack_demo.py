"""The demo's days played through the stack's deployments, where a worker runs: `make stack-demo`."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from campaign.errors import CampaignError
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.demo import DAYS, World, console, days_table, step
from tasks.metrics_database import database, metrics, now
from tasks.model_versions import find_champion
from tasks.monitoring.retraining_call import CALLED

ROWS, TRIALS = 5_000, 15


def run(deployment: str, **parameters: Any) -> None:
    """Run a deployment, and wait until a worker has finished it."""
    created: FlowRun = run_deployment(deployment, parameters=parameters, poll_interval=2, _sync=True)  # type: ignore
    wait_for(created)


def wait_for(flow_run: FlowRun) -> None:
    """Wait for a run. Raises `CampaignError` when it did not complete."""
    with get_client(sync_client=True) as client:
        while (state := client.read_flow_run(flow_run.id).state) is None or not state.is_final():
            time.sleep(2)
    if not state.is_completed():
        raise CampaignError(
            f"{flow_run.name} is {state.name}: {state.message}",
            f"Read its log at http://localhost:4200/runs/flow-run/{flow_run.id}.",
        )


def run_of_the_automation(since: Any) -> FlowRun:
    """The training that the retraining event has started."""
    newer = FlowRunFilter(expected_start_time=FlowRunFilterExpectedStartTime(after_=since))
    training = FlowFilter(name=FlowFilterName(any_=["training"]))  # the retention is started by an event too
    with get_client(sync_client=True) as client:
        for _ in range(60):
            for flow_run in client.read_flow_runs(flow_filter=training, flow_run_filter=newer):
                if flow_run.created_by and flow_run.created_by.type == "AUTOMATION":
                    return flow_run
            time.sleep(2)
    raise CampaignError(
        "Retraining was called for, but no run came.",
        "Look at the automation of training/weekly: http://localhost:4200/automations",
    )


def status_of_call() -> str:
    """What the newest monitoring said about retraining."""
    newest = sa.select(metrics.c.status).where(metrics.c.metric == "retraining").order_by(metrics.c.computed_at.desc())
    with database().connect() as connection:
        return str(connection.execute(newest.limit(1)).scalar())


def play() -> None:
    """Seven days, the last two drifted, then an eighth that no model has seen."""
    store, model = Store(Settings().store), served_model()
    world = World([datetime.now(UTC).date() - timedelta(days=DAYS + 1 - n) for n in range(DAYS + 1)], ROWS)
    days = world.days[:DAYS]
    span = {"from_day": days[0], "to_day": days[-1]}
    with step(f"traffic/daily: {DAYS} days of {ROWS:,} campaigns, the last two drifted"):
        for day in days:
            if day not in store.days("incoming"):
                run("traffic/daily", day=day, rows=ROWS, drift=world.drift(day))
    with step("training/weekly: the first champion") as lines:
        if find_champion(model) is None:
            run("training/weekly", trials=TRIALS)
        lines.append(f"version {find_champion(model).number} is champion")  # type: ignore[union-attr]
    with step("batch-scoring/daily: what is new"):
        run("batch-scoring/daily", **span)
    with step("monitoring/daily: before any outcome is known") as lines:
        run("monitoring/daily")
        lines.append(f"retraining: {status_of_call()}")
    with step("traffic/daily: outcomes arrive"):
        for day in days:
            if day not in store.days("outcomes"):
                run("traffic/daily", day=day, rows=ROWS, drift=world.drift(day), campaigns=False, outcomes=True)
    since = now()
    with step("monitoring/daily: with outcomes") as lines:
        run("monitoring/daily")
        lines.append(f"retraining: {(status := status_of_call())}")
    if status == CALLED:
        with step("training/weekly: started by the event itself") as lines:
            wait_for(run_of_the_automation(since))
            lines.append(f"version {find_champion(model).number} is champion")  # type: ignore[union-attr]
    with step(f"{world.unseen}, a drifted day that no model has seen"):
        run("traffic/daily", day=world.unseen, rows=ROWS, drift=world.drift(days[-1]), outcomes=True)
        run("batch-scoring/daily", day=world.unseen)
        run("monitoring/daily", day=world.unseen)
    console.print()
    console.print(days_table(store, world.days))
    console.print("Runs      http://localhost:4200\nModels    http://localhost:5000\nGrafana   http://localhost:3000")


if __name__ == "__main__":
    try:
        play()
    except CampaignError as error:
        raise SystemExit(f"{error.cause}\n{error.remedy}") from error
