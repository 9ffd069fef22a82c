"""What Prefect itself costs a training of the demo's size: `make bench-overhead`.

The same tasks as a flow under a Prefect server that stands already, and called as plain functions one after the other.
"""

import logging
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from benchmarks import measure, world
from benchmarks.measure import Target

WITH, WITHOUT, EMPTY, MOST = "as a flow", "as plain functions", "a flow that does nothing", 0.1


@contextmanager
def standing_server(folder: Path) -> Iterator[tuple[str, float]]:
    """A Prefect server of the benchmark's own: its API, and the seconds that it took to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api, began = f"http://127.0.0.1:{port}/api", time.perf_counter()
    (folder / "prefect").mkdir(exist_ok=True)
    environment = os.environ | {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": api}
    words = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"{api}/health", timeout=1).close()
                break
            except OSError:
                if server.poll() is not None or time.perf_counter() - began > 120:
                    sys.exit("Prefect's server does not start")
                time.sleep(0.1)
        yield api, time.perf_counter() - began
    finally:
        server.terminate()
        server.wait()


def without_prefect() -> None:
    """Make every task a plain function: no run, no state, no log and no artifact reaches a server."""
    from prefect import Task, unmapped

    import flows.training

    modules = [module for name, module in sys.modules.items() if name.startswith("tasks.")]
    for module in [*modules, flows.training]:
        for name, value in vars(module).copy().items():
            if isinstance(value, Task):
                setattr(module, name, _Plain(value.fn, unmapped))
            elif name == "get_run_logger":
                setattr(module, name, lambda: logging.getLogger("plain"))
            elif name.endswith("_artifact"):
                setattr(module, name, lambda *given, **named: uuid4())


class _Plain:
    """A task's function, which `map` calls once for each."""

    def __init__(self, function: Any, unmapped: type) -> None:
        self._function, self._unmapped = function, unmapped

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self._function(*given, **named)

    def map(self, each: list[Any], *others: Any) -> Any:
        found = [self._function(one, *(other.value for other in others)) for one in each]
        return SimpleNamespace(result=lambda: found)


def train(name: str, folder: Path, rows: int, trials: int) -> None:
    from flows.environment import prepare

    prepare()
    from prefect import flow

    from flows.training import training

    if name == EMPTY:
        nothing = flow(name="nothing")(lambda: True)
        nothing()
        measure.tell(lambda: {"promoted": nothing()})
        return
    run = training
    if name == WITHOUT:
        without_prefect()
        run = training.fn
    for size, its_trials in ((1_000, 1), (rows, trials)):
        os.environ["CAMPAIGN_HOME"] = str(folder / f"home-{os.getpid()}-{size}")
        dataset = str(world.file_of(folder, size))

        def work(dataset: str = dataset, its_trials: int = its_trials) -> dict[str, Any]:
            return {"promoted": run(dataset=dataset, trials=its_trials).promoted}

        if size == rows:
            measure.tell(work)
        else:
            work()


def main() -> None:
    given = measure.arguments(__doc__, rows=40_000, trials=12, rounds=3)
    with world.folder_of(given.folder) as folder:
        if given.contender:
            train(given.contender, folder, given.rows, given.trials)
            return
        for rows in (1_000, given.rows):
            world.file_of(folder, rows)
        words = ["--folder", str(folder), "--rows", str(given.rows), "--trials", str(given.trials)]
        with standing_server(folder) as (api, start):
            environment = {"PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "ERROR"}
            timed = measure.race(
                "benchmarks.overhead", dict.fromkeys((WITH, WITHOUT, EMPTY), words), given.rounds, environment
            )
    share = 1 - timed[WITHOUT].seconds / timed[WITH].seconds
    targets = [
        Target(
            "Prefect's own overhead in a demo-size training", f"< {MOST:.0%}",
            f"{share:.1%}: {timed[WITH].seconds:.1f} s against {timed[WITHOUT].seconds:.1f} s; of it "
            f"{timed[EMPTY].seconds:.1f} s are what Prefect takes for a flow that does nothing "
            f"(a server of its own, where none stands, takes {start:.1f} s to start)",
            share < MOST,
        )
    ]  # fmt: skip
    measure.keep("overhead", targets, {"overhead": [measure.row(one, rows=given.rows) for one in timed.values()]})


if __name__ == "__main__":
    main()
