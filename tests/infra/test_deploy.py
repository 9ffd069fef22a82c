"""What prefect.yaml says, on a real Prefect API; the schema of a home, put where the stack's services read it."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from campaign.errors import BadInput
from campaign.store import Store
from infra.prefect import deploy
from tasks.monitoring import retention_call, retraining_call, verdict_call

POOLS = {
    "training/weekly": "training",
    "batch-scoring/daily": "campaign",
    "monitoring/daily": "campaign",
    "retention/daily": "training",
    "shadow-verdict/daily": "training",
    "traffic/daily": "traffic",
}
OWN = """
[model]
name = "projects"
[outcome]
column = "state"
success = ["successful"]
failure = ["failed"]
[[column]]
name = "goal"
type = "number"
known = "at launch"
"""


@pytest.fixture
def store(own_home, tmp_path, monkeypatch) -> Store:
    """An empty store, in which CAMPAIGN_SCHEMA names an object, and a home that is mounted."""
    store = Store((tmp_path / "store").as_uri())
    monkeypatch.setenv("CAMPAIGN_STORE", store.uri)
    monkeypatch.setenv("CAMPAIGN_SCHEMA", f"{store.uri}/base/schema.toml")
    monkeypatch.setattr(deploy, "HOME", tmp_path / "mounted")
    (tmp_path / "mounted").mkdir()
    return store


def write(schema: str) -> None:
    (deploy.HOME / "campaign.toml").write_text(schema)


def test_the_homes_schema_is_where_services_read_it_and_changes_with_it(store, capsys):
    write(OWN)
    deploy.publish_schema()
    assert store.read("base/schema.toml").decode() == OWN
    capsys.readouterr()
    deploy.publish_schema()
    assert capsys.readouterr().out == ""  # nothing changed
    write(OWN.replace('name = "goal"', 'name = "amount"'))
    deploy.publish_schema()
    assert b"amount" in store.read("base/schema.toml")


def test_what_is_there_stays_where_the_home_has_no_schema(store):
    store.publish("base/schema.toml", OWN.encode())
    deploy.publish_schema()
    assert store.read("base/schema.toml").decode() == OWN


def test_another_model_is_refused(store):
    store.publish("base/schema.toml", OWN.encode())
    write(OWN.replace("projects", "mailings"))
    with pytest.raises(BadInput, match="This stack serves projects"):
        deploy.publish_schema()
    assert store.read("base/schema.toml").decode() == OWN


@pytest.mark.parametrize(("schema", "message"), [("", "the home has no campaign.toml"), ("[model]\n", "campaign.toml")])
def test_no_schema_and_a_wrong_one_are_said(store, schema, message):
    if schema:
        write(schema)
    with pytest.raises(BadInput, match=message):
        deploy.publish_schema()
    assert not store.exists("base/schema.toml")


def test_a_stack_of_the_published_schema_needs_none(store, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_SCHEMA", "")
    write(OWN)
    deploy.publish_schema()
    assert store.entries("") == []


@pytest.fixture(scope="module")
def server(prefect_api: None) -> Iterator[SyncPrefectClient]:
    """A server of an earlier version: one work pool, with a limit that a person has set, and a training that waits."""
    with pytest.MonkeyPatch.context() as patch, get_client(sync_client=True) as client:
        patch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        client.create_work_pool(WorkPoolCreate(name="campaign", type="process"))
        client.update_work_pool("campaign", WorkPoolUpdate(concurrency_limit=3))
        weekly = client.create_deployment(
            client.create_flow_from_name("training"), "weekly", entrypoint="flows/training.py:training",
            work_pool_name="campaign",
        )  # fmt: skip
        client.create_flow_run_from_deployment(weekly, parameters={"seed": 7}, name="waiting")
        deploy.deploy(reset=False)
        yield client
        for name in POOLS:
            client.delete_deployment(client.read_deployment_by_name(name).id)
        for pool in client.read_work_pools():
            client.delete_work_pool(pool.name)


def test_each_deployment_is_in_its_work_pool_and_a_pool_that_exists_stays_as_it_is(server):
    assert {name: server.read_deployment_by_name(name).work_pool_name for name in POOLS} == POOLS
    pools = {pool.name: pool for pool in server.read_work_pools()}
    assert {name: pools[name].type for name in POOLS.values()} == dict.fromkeys(POOLS.values(), "process")
    assert pools["campaign"].concurrency_limit == 3


def test_a_run_that_waits_goes_where_its_deployment_went(server):
    waiting = FlowRunFilter(name=FlowRunFilterName(any_=["waiting"]))
    runs = {run.state.name: run for run in server.read_flow_runs(flow_run_filter=waiting)}
    assert {state: run.work_pool_name for state, run in runs.items()} == {
        "Cancelled": "campaign",
        "Scheduled": "training",
    }
    assert runs["Scheduled"].parameters["seed"] == 7


def test_what_people_changed_survives_the_next_deploy(server):
    scoring, traffic = (server.read_deployment_by_name(name) for name in ("batch-scoring/daily", "traffic/daily"))
    server.update_deployment(scoring.id, DeploymentUpdate(paused=True))
    server.update_deployment(traffic.id, DeploymentUpdate(paused=False))
    server.delete_deployment_schedule(scoring.id, scoring.schedules[0].id)
    deploy.deploy(reset=False)
    scoring, traffic = (server.read_deployment_by_name(name) for name in ("batch-scoring/daily", "traffic/daily"))
    assert (scoring.paused, scoring.schedules) == (True, [])
    assert not traffic.paused
    assert len(traffic.schedules) == 1


@pytest.mark.parametrize(
    ("name", "event", "payload", "parameters"),
    [
        ("training/weekly", retraining_call.EVENT, {"reasons": ["a storm"]}, {"trials": 30, "reasons": ["a storm"]}),
        ("retention/daily", retention_call.EVENT, {"expired": {"reports": 3}}, {}),
        ("shadow-verdict/daily", verdict_call.EVENT, {}, {}),
    ],
)
def test_a_storm_of_ten_events_starts_one_run(server, name, event, payload, parameters):
    deployment_id = server.read_deployment_by_name(name).id
    of_the_deployment = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id]))

    def started() -> list[FlowRun]:
        runs = server.read_flow_runs(flow_run_filter=of_the_deployment)
        return [run for run in runs if run.created_by and run.created_by.type == "AUTOMATION"]

    for _ in range(10):
        emit_event(event, {"prefect.resource.id": "campaign.model.campaign-success"}, payload=payload)
    for _ in range(60):
        if started():
            break
        time.sleep(0.5)
    time.sleep(3)  # a second run would come as fast as the first
    assert [(run.work_pool_name, run.parameters) for run in started()] == [("training", parameters)]
