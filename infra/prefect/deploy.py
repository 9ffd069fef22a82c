"""Bring the server to what prefect.yaml says, and leave what people changed there.

A schedule in the file counts for a deployment's first deploy only, for `prefect deploy` would reset one that a person
edited and start one that a person paused. RESET_SCHEDULES=1 takes the file's.
"""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from campaign.settings import Settings
from campaign.store import Store
from infra.prefect.alerts import set_alerts
from tasks.drop import drop_base
from tasks.metrics_db import database

POOL = "campaign"
BASE_ROWS = 100_000
FILE = Path("prefect.yaml")


def flow_name(entrypoint: str) -> str:
    """flows/batch_scoring.py:batch_scoring is the flow batch-scoring."""
    return entrypoint.rpartition(":")[2].replace("_", "-")


def kept_by_people(client: SyncPrefectClient, wanted: dict[str, Any]) -> dict[str, Any]:
    """A deployment as the file has it, but for the schedules and the pause of one that is there."""
    try:
        there = client.read_deployment_by_name(f"{flow_name(wanted['entrypoint'])}/{wanted['name']}")
    except ObjectNotFound:
        return wanted
    kept = {name: value for name, value in wanted.items() if name != "schedules"}
    return kept | {"paused": there.paused}


def deploy(reset: bool) -> None:
    """Make the work pool if it is not there, then the deployments."""
    described = yaml.safe_load(FILE.read_text())
    with get_client(sync_client=True) as client:
        if not reset:
            described["deployments"] = [kept_by_people(client, one) for one in described["deployments"]]
    pool = ["prefect", "--no-prompt", "work-pool"]
    if subprocess.run([*pool, "inspect", POOL], capture_output=True).returncode:
        subprocess.run([*pool, "create", POOL, "--type", "process"], check=True)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(described))
        subprocess.run(["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)], check=True)
    with get_client(sync_client=True) as client:
        set_alerts(client, os.environ.get("ALERT_WEBHOOK_URL", ""))


def make_base() -> None:
    """Training data to begin with, if the store has none."""
    settings = Settings()
    store = Store(settings.store)
    if settings.dataset == store.at("base/campaigns.parquet") and not store.exists("base/campaigns.parquet"):
        print(f"Made {drop_base(store, BASE_ROWS).uri}: {BASE_ROWS:,} synthetic campaigns")


if __name__ == "__main__":
    database()  # its tables, for Grafana asks before the first flow has run
    make_base()
    deploy(reset=bool(os.environ.get("RESET_SCHEDULES")))
