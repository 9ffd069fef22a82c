"""Deploy what prefect.yaml says, and keep what people have changed on the server.

A schedule in the file counts for a deployment's first deploy only, for `prefect deploy` would reset one that a person
edited and start one that a person paused. RESET_SCHEDULES=1 takes the file's.
"""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from campaign.errors import BadInput
from campaign.schema_file import NAME, parse_schema
from campaign.settings import Settings
from campaign.store import Store
from infra.prefect.alerts import set_alerts
from infra.prefect.moved_runs import replace_moved_runs
from infra.prefect.watchdog import will_start
from tasks.metrics_database import database
from tasks.synthetic_days import write_training_data

BASE_ROWS = 100_000
HOME = Path("/campaign-home")  # as docker-compose.yml mounts it
DEPLOYMENTS_FILE = Path("prefect.yaml")


def flow_name(entrypoint: str) -> str:
    """flows/batch_scoring.py:batch_scoring is the flow batch-scoring."""
    return entrypoint.rpartition(":")[2].replace("_", "-")


def keep_manual_changes(client: SyncPrefectClient, wanted: dict[str, Any]) -> dict[str, Any]:
    """A deployment as the file has it, but with the schedules and the pause of the existing one."""
    try:
        existing = client.read_deployment_by_name(f"{flow_name(wanted['entrypoint'])}/{wanted['name']}")
    except ObjectNotFound:
        return wanted
    without_schedules = {name: value for name, value in wanted.items() if name != "schedules"}
    return without_schedules | {"paused": existing.paused}


def make_work_pools(client: SyncPrefectClient, deployments: list[dict[str, Any]]) -> None:
    """Make each work pool that a deployment names, unless it exists."""
    existing = {pool.name for pool in client.read_work_pools()}
    for name in sorted({deployment["work_pool"]["name"] for deployment in deployments} - existing):
        # By the command line, which knows the job template of the type.
        subprocess.run(["prefect", "--no-prompt", "work-pool", "create", name, "--type", "process"], check=True)


def deploy(reset: bool) -> None:
    """Make the work pools unless they exist, then the deployments and the alerts."""
    specification = yaml.safe_load(DEPLOYMENTS_FILE.read_text())
    with get_client(sync_client=True) as client:
        make_work_pools(client, specification["deployments"])
        if not reset:
            specification["deployments"] = [
                keep_manual_changes(client, deployment) for deployment in specification["deployments"]
            ]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(specification))
        subprocess.run(["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)], check=True)
    with get_client(sync_client=True) as client:
        # The watchdog does so too, but it begins when the workers begin, and they may be quicker.
        replace_moved_runs(client, datetime.now(UTC), will_start)
        set_alerts(client, os.environ.get("ALERT_WEBHOOK_URL", ""))


def publish_schema() -> None:
    """Put the home's campaign.toml where CAMPAIGN_SCHEMA, in the stack's store, says that every service reads it.

    Raises `BadInput` for a schema that is wrong, one of another model than the stack serves, and none at all.
    """
    settings, own = Settings(), HOME / NAME
    store = Store(settings.store)
    if not settings.schema_uri.startswith(f"{store.uri}/"):
        return
    path = store.path_of(settings.schema_uri)
    if not own.is_file() or not own.read_text().strip():  # the stack mounts an empty one for a home without
        if not store.exists(path):
            raise BadInput(
                f"CAMPAIGN_SCHEMA is {settings.schema_uri}, where nothing is, and the home has no {NAME}.",
                "Make one: `campaign init FILE`; then `make up`.",
            )
        return
    schema = parse_schema(own.read_text())
    if store.exists(path):
        existing = parse_schema(store.read(path).decode(), settings.schema_uri)
        if existing == schema:
            return
        if existing.name != schema.name:
            raise BadInput(
                f"This stack serves {existing.name}, and a stack serves one model; {own.name} is of {schema.name}.",
                f"Give {schema.name} a stack of its own, or name it {existing.name}.",
            )
    print(f"Put {own.name} of {schema.name} into {store.publish(path, own.read_bytes()).uri}")


def make_training_data() -> None:
    """Write synthetic training data if the store has none, and neither other data nor a schema of its own is named."""
    settings = Settings()
    store = Store(settings.store)
    if not (settings.dataset or settings.schema_uri or store.exists("base/campaigns.parquet")):
        print(f"Made {write_training_data(store, BASE_ROWS).uri}: {BASE_ROWS:,} synthetic campaigns")


if __name__ == "__main__":
    database()  # its tables, for Grafana asks before the first flow has run
    publish_schema()
    make_training_data()
    deploy(reset=bool(os.environ.get("RESET_SCHEDULES")))
