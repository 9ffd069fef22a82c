"""The contenders of `benchmarks/serving.py` as processes: how each is started, its request, its CPU time and memory."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.serving_rivals import FOLDER
from campaign.schema_file import published

ROOT = Path(__file__).parents[1]
WEB, REPLACED, MLFLOW, ECHO, BARE = (
    "this service",
    "replaced",
    "mlflow models serve",
    "echo (FastAPI)",
    "echo (no FastAPI)",
)
CAMPAIGN = {
    "goalamount": 20_000, "raisedamount": 20_400, "durationdays": 30, "numbackers": 400, "category": "Film",
    "launchmonth": "June", "country": "UK", "currency": "GBP", "ownerexperience": 3, "videoincluded": "Yes",
    "socialmediapresence": 12_000, "numupdates": 9,
}  # fmt: skip
NAMES = [column.name for column in published().features]
FRAME = {"dataframe_records": [dict(zip(NAMES, CAMPAIGN.values(), strict=True))]}
TICKS = os.sysconf("SC_CLK_TCK")


def start_command(name: str, port: int, workers: int, folder: Path) -> list[str]:
    """How a contender is started."""
    options = ["--port", str(port), "--workers", str(workers)]
    if name == WEB:
        return ["-m", "deployments.web_service", *options]
    if name == MLFLOW:
        return ["-m", "mlflow", "models", "serve", "-m", str(folder / "mlflow"), "--env-manager", "local", *options]
    app = {REPLACED: "replaced", ECHO: "echo", BARE: "bare"}[name]
    server = ["--factory", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return ["-m", "uvicorn", f"benchmarks.serving_rivals:{app}", *server, *options]


@contextmanager
def start_contender(name: str, port: int, workers: int, folder: Path) -> Iterator[int]:
    """Start a contender; gives its process id, once it answers."""
    cores = sorted(os.sched_getaffinity(0))
    environment = os.environ | {
        FOLDER: str(folder), "CAMPAIGN_BUNDLE": str(folder / "bundle"), "CAMPAIGN_HOME": str(folder / "home"),
        "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    for variable in ("MLFLOW_TRACKING_URI", "CAMPAIGN_STORE", "CAMPAIGN_API_KEYS"):
        environment.pop(variable, None)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *start_command(name, port, workers, folder)],
            cwd=folder, env=environment, stdout=log, stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, cores[:workers]),
        )  # fmt: skip
    try:
        wait_for(name, port, server, folder)
        yield server.pid
    finally:
        for pid in process_tree(server.pid)[::-1]:
            with suppress(ProcessLookupError):
                os.kill(pid, 15)
        server.wait()


def make_request(name: str) -> tuple[str, bytes]:
    """Path and body of a contender's request."""
    return (
        ("/invocations", json.dumps(FRAME).encode()) if name == MLFLOW else ("/predict", json.dumps(CAMPAIGN).encode())
    )


def wait_for(name: str, port: int, server: subprocess.Popen[bytes], folder: Path) -> None:
    path, body = make_request(name)
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"content-type": "application/json"})
    for _ in range(1200):
        try:
            urllib.request.urlopen(request, timeout=5).close()
            return
        except OSError:
            if server.poll() is not None:
                break
            threading.Event().wait(0.1)
    sys.exit(f"{name} does not answer:\n{(folder / 'log').read_text()[-2000:]}")


def process_tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = [
        int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()
    ]
    return [pid, *(descendant for child in children for descendant in process_tree(child))]


def cpu_seconds(pids: list[int]) -> float:
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICKS


def memory_bytes(pids: list[int]) -> int:
    """Proportional set size: what processes share is counted once."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in pids]
    return sum(int(line.split()[1]) * 1024 for lines in rollups for line in lines if line.startswith("Pss:"))
