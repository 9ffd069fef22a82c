"""The same flows on a Dask scheduler with two worker processes: equal results, also when a worker is killed."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.errors import BadInput
from campaign.settings import Settings
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.training import training
from tasks.manifest import read_manifest
from tasks.task_runner import count_workers
from tasks.training.study import COUNTED

DAY = date(2026, 11, 22)


@dataclass
class Cluster:
    """A scheduler, and workers of which each test finds two. On one machine they stand for two machines: what they
    share is the store, Postgres and MLflow."""

    address: str
    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        environment |= {"CAMPAIGN_STORE": f"file://{self.folder}/elsewhere"}  # the flow's is the one that counts
        with (self.folder / "dask.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *command], env=environment, stdout=log, stderr=log, cwd=self.folder
            )

    def fill(self) -> None:
        """Two workers, in the place of those that were killed too."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        options = ["--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder)]
        while len(self.workers) < 2:
            self.workers.append(self.start("worker", self.address, *options))
        deadline = time.monotonic() + 60
        while count_workers() != 2 and time.monotonic() < deadline:
            time.sleep(0.1)

    def kill_a_worker(self, condition: Callable[[], bool]) -> threading.Thread:
        """Kill one of the workers as soon as the condition holds."""

        def wait_and_kill() -> None:
            deadline = time.monotonic() + 240
            while not condition() and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(self.workers[-1].pid, signal.SIGKILL)

        thread = threading.Thread(target=wait_and_kill)
        thread.start()
        return thread


@pytest.fixture(scope="module")
def home(trained: Path, postgres: str) -> Iterator[Path]:
    """A home with a champion, whose searches are in a database that all reach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMPAIGN_OPTUNA_URL", postgres)
        patch.delenv("CAMPAIGN_DATASET", raising=False)
        yield trained


@pytest.fixture(scope="module")
def scheduler(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = Cluster(f"tcp://127.0.0.1:{port}", tmp_path_factory.mktemp("dask"))
    scheduler = cluster.start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    try:
        yield cluster
    finally:
        for process in (*cluster.workers, scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(scheduler: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("CAMPAIGN_DASK_SCHEDULER", scheduler.address)
    scheduler.fill()
    return scheduler


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A day in two files of six row groups each, with flaws, and ids that come twice; a piece is a row group."""
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", 5_000)
    monkeypatch.setattr("tasks.scoring.pieces.PIECES_A_TASK", 2)
    monkeypatch.setenv("CAMPAIGN_STORE", f"file://{tmp_path}/store")
    monkeypatch.setenv("CAMPAIGN_METRICS_URL", f"sqlite:///{tmp_path}/metrics.db")
    store = Store(Settings().store)
    first, second = (
        pa.Table.from_batches(synthetic.campaigns(30_000, seed=number, prefix=f"{number}_", flaws=0.01))
        for number in (1, 2)
    )
    for number, table in enumerate([first, pa.concat_tables([second.slice(0, 28_000), first.slice(7_000, 2_000)])]):
        with store.writing(f"incoming/day={DAY}/{number}.parquet") as sink:
            pq.write_table(table, sink, row_group_size=5_000)
    return store


def digests(store: Store) -> dict[str, str]:
    entries = [*store.entries("predictions"), *store.entries("quarantine")]
    return {
        entry.path: hashlib.sha256(store.read(entry.path)).hexdigest()
        for entry in entries
        if entry.path.endswith("parquet")
    }


def score_again(store: Store, flow) -> dict[str, str]:
    for folder in ("predictions", "quarantine"):
        for entry in store.entries(folder):
            store.delete(entry.path)
    [scored] = flow(day=DAY)
    assert scored.rows.read == 60_000
    return digests(store)


def test_a_search_on_the_cluster_wants_a_database_that_all_reach(cluster, monkeypatch):
    monkeypatch.delenv("CAMPAIGN_OPTUNA_URL")
    with pytest.raises(BadInput, match="CAMPAIGN_OPTUNA_URL"):
        training(trials=4, seed=99)


def test_a_day_scored_on_the_cluster_has_the_bytes_of_one_scored_here_though_a_worker_is_killed(
    day, cluster, monkeypatch
):
    first_part = lambda: any("part-" in entry.path for entry in day.entries("predictions"))  # noqa: E731
    killing = cluster.kill_a_worker(first_part)
    cluster_digests = score_again(day, batch_scoring)
    killing.join()
    assert cluster.workers[-1].wait(10) == -signal.SIGKILL
    cluster_manifest = read_manifest(day, DAY)
    monkeypatch.delenv("CAMPAIGN_DASK_SCHEDULER")
    assert score_again(day, batch_scoring) == cluster_digests
    assert len(cluster_manifest.parts) == 12
    assert cluster_manifest.rows == read_manifest(day, DAY).rows
    assert cluster_manifest.rows.quarantined > 2_000  # those of the first file that come again in the second


@pytest.fixture
def storage(home: Path) -> Iterator[optuna.storages.RDBStorage]:
    """The studies' database, opened once: a storage for each look would use up the connections that Postgres gives."""
    storage = optuna.storages.RDBStorage(Settings().optuna_url)
    yield storage
    storage.engine.dispose()


def test_a_search_on_the_cluster_makes_as_many_trials_as_were_asked_for_though_a_worker_is_killed(storage, cluster):
    def finished_trials() -> list[optuna.trial.FrozenTrial]:
        try:
            [name] = [name for name in optuna.get_all_study_names(storage) if "-published-7-" in name]
        except ValueError:  # it has not begun
            return []
        return optuna.load_study(study_name=name, storage=storage).get_trials(states=COUNTED)

    def workers() -> set[str]:
        return {trial.user_attrs["worker"].rpartition(":")[2] for trial in finished_trials()}

    killing = cluster.kill_a_worker(lambda: len(workers()) == 2)
    verdict = training(trials=10, seed=7)
    killing.join()
    assert cluster.workers[-1].wait(10) == -signal.SIGKILL
    trials = finished_trials()
    assert len(trials) == 10
    assert len({tuple(trial.params.values()) for trial in trials}) == 10
    assert verdict.version
    assert workers() == {str(process.pid) for process in cluster.workers}
