"""The stack as its users reach it: make, Compose, Prefect's API and command line, S3, SQL as Grafana's role, MLflow."""

import csv
import io
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.exceptions import PrefectHTTPStatusError

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".campaign" / "e2e"
BIN = ROOT / ".venv" / "bin"


class Failure(Exception):
    """What a user would have noticed."""


def check(claim: bool, message: object) -> None:
    """Raises `Failure` with the message unless the claim holds."""
    if not claim:
        raise Failure(str(message))


def until(question: Callable[[], Any], seconds: float, expected: str) -> Any:
    """Ask until an answer is true, and give it. Raises `Failure` when none is in time."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        check(time.monotonic() < deadline, f"not within {seconds:.0f} s: {expected}")
        time.sleep(0.5)
    return answer


@dataclass
class Stack:
    """A stack of the tests' own: its project, secrets and Prefect profile, apart from those of the clone."""

    offline: bool
    env: dict[str, str] = field(init=False)
    expected: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # parts of an unbroken run, by version

    def __post_init__(self) -> None:
        files = ["docker-compose.yml", "tests/e2e/compose.yaml"]
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "CAMPAIGN_"))
        }
        self.env = inherited | {
            "COMPOSE_PROJECT_NAME": "campaign-e2e",
            "COMPOSE_FILE": os.pathsep.join(files),
            "COMPOSE_PROFILES": "prometheus" if self.offline else "grafana",
            "CAMPAIGN_HOME": str(HOME),
            "ENV_FILE": str(HOME / "env"),
            "COMPOSE_ENV_FILES": str(HOME / "env"),
            "PREFECT_PROFILES_PATH": str(HOME / "prefect" / "profiles.toml"),
            "ALERT_WEBHOOK_URL": "http://webhook:8080",
        }

    def command(
        self, *words: str, seconds: float = 900, input: bytes | None = None, ok: bool = True, at: Path = ROOT
    ) -> str:
        """What a command prints. Raises `Failure` with its last lines when it fails."""
        ended = subprocess.run(words, cwd=at, env=self.env, capture_output=True, timeout=seconds, input=input)
        output = ended.stdout.decode(errors="replace")
        if ok and ended.returncode:
            lines = (output + ended.stderr.decode(errors="replace")).strip().splitlines()
            raise Failure(f"{' '.join(words)}: exit {ended.returncode}\n" + "\n".join(lines[-15:]))
        return output

    def make(self, *words: str) -> str:
        return self.command("make", *words)

    def compose(self, *words: str, **options: Any) -> str:
        return self.command("docker", "compose", *words, **options)

    def prefect(self, *words: str) -> str:
        return self.command(str(BIN / "prefect"), *words)

    @cached_property
    def secrets(self) -> dict[str, str]:
        lines = (HOME / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    # Prefect

    def api(self) -> SyncPrefectClient:
        """A client of the stack's Prefect API, as `with stack.api() as client`."""
        return SyncPrefectClient(
            "http://127.0.0.1:4200/api", auth_string=f"admin:{self.secrets['PREFECT_PASSWORD']}", server_type="server"
        )

    def start(self, deployment: str, **parameters: Any) -> UUID:
        """Ask for a run, as a user does, on the command line."""
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}={value}")]
        since = datetime.now(UTC)
        self.prefect("deployment", "run", deployment, *words)
        runs = until(lambda: self.runs(deployment, since), 60, f"a run of {deployment}")
        return runs[0].id

    def runs(self, deployment: str, since: datetime) -> list[FlowRun]:
        """Runs of a deployment that were made since then and do not lie in the future, the oldest first."""
        with self.api() as client:
            deployment_id = client.read_deployment_by_name(deployment).id
            runs = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id]))
            )
        soon = datetime.now(UTC)
        started = [run for run in runs if run.created >= since and (run.expected_start_time or soon) <= soon]
        return sorted(started, key=lambda run: run.created)

    def run_of(self, run: UUID) -> FlowRun:
        with self.api() as client:
            flow_run: FlowRun = client.read_flow_run(run)
            return flow_run

    def finished(self, run: UUID, seconds: float = 600, state: str = "Completed") -> FlowRun:
        """The run, once it has ended. Raises `Failure` unless it ended so."""

        def ended() -> FlowRun | None:
            try:
                flow_run = self.run_of(run)
            except (httpx.HTTPError, PrefectHTTPStatusError):  # the server is away, as some steps want it
                return None
            # The watchdog starts a crashed run again, so it has not ended.
            return flow_run if flow_run.state.is_final() and flow_run.state.name != "Crashed" else None

        flow_run = until(ended, seconds, f"the end of run {run}")
        check(flow_run.state.name == state, f"{flow_run.name} ended {flow_run.state.name}: {flow_run.state.message}")
        return flow_run

    def ran(self, deployment: str, **parameters: Any) -> FlowRun:
        return self.finished(self.start(deployment, **parameters))

    def task_runs(self, run: UUID, name: str) -> list[TaskRun]:
        """The task runs of that name in a run."""
        with self.api() as client:
            task_runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
        return [task_run for task_run in task_runs if task_run.name == name]

    def running(self, run: UUID) -> None:
        """Wait until a run is under way."""
        until(lambda: self.run_of(run).state.is_running(), 120, f"run {run} to start")

    # Object storage

    @cached_property
    def s3(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url="http://127.0.0.1:7070",
            region_name="us-east-1",
            aws_access_key_id=self.secrets["S3_ACCESS_KEY"],
            aws_secret_access_key=self.secrets["S3_SECRET_KEY"],
        )

    def keys(self, prefix: str = "") -> dict[str, str]:
        """Objects of the bucket `campaign` and their ETags."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="campaign", Prefix=prefix)
        return {entry["Key"]: entry["ETag"] for page in pages for entry in page.get("Contents", [])}

    def object(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket="campaign", Key=key)["Body"].read())

    def table(self, key: str) -> pa.Table:
        return pq.read_table(io.BytesIO(self.object(key)))

    # The metrics database and the registry

    def sql(self, query: str) -> list[dict[str, str]]:
        """Rows as Grafana's role sees them."""
        output = self.compose(
            "exec", "-T", "-e", f"PGPASSWORD={self.secrets['GRAFANA_DB_PASSWORD']}", "postgres",
            "psql", "-h", "127.0.0.1", "-U", "grafana", "-d", "metrics", "--csv", "-c", query,
        )  # fmt: skip
        return list(csv.DictReader(io.StringIO(output)))

    def registry(self) -> Any:
        """MLflow's client, as a person who may do everything there."""
        from mlflow import MlflowClient

        self.log_in_to_mlflow("admin")
        return MlflowClient("http://127.0.0.1:5000", "http://127.0.0.1:5000")

    def log_in_to_mlflow(self, user: str) -> None:
        os.environ["MLFLOW_TRACKING_USERNAME"] = user
        os.environ["MLFLOW_TRACKING_PASSWORD"] = self.secrets[f"MLFLOW_{user.upper()}_PASSWORD"]

    def champion(self) -> str:
        return str(self.registry().get_model_version_by_alias("campaign-success", "champion").version)

    def manifest(self, day: date) -> dict[str, Any]:
        import json

        manifest: dict[str, Any] = json.loads(self.object(f"predictions/day={day}/manifest.json"))
        return manifest
