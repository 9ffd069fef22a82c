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

WITH_PREFECT, WITHOUT_PREFECT, EMPTY_FLOW, MAX_SHARE = (
    "as a flow",
    "as plain functions",
    "a flow that does nothing",
    0.1,
)


@contextmanager
def start_prefect_server(folder: Path) -> Iterator[tuple[str, float]]:
    """A Prefect server of the benchmark's own: its API, and the seconds that it took to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api, began = f"http://127.0.0.1:{port}/api", time.perf_counter()
    (folder / "prefect").mkdir(exist_ok=True)
    environment = os.environ | {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": api}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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


def remove_prefect() -> None:
    """Make every task a plain function: no run, no state, no log and no artifact reaches a server."""
    from prefect import Task, unmapped

    import flows.training

    modules = [module for name, module in sys.modules.items() if name.startswith("tasks.")]
    for module in [*modules, flows.training]:
        for name, value in vars(module).copy().items():
            if isinstance(value, Task):
                setattr(module, name, _PlainTask(value.fn, unmapped))
            elif name == "get_run_logger":
                setattr(module, name, lambda: logging.getLogger("plain"))
            elif name.endswith("_artifact"):
                setattr(module, name, lambda *args, **kwargs: uuid4())


class _PlainTask:
    """A task's function, which `map` calls once for each value."""

    def __init__(self, function: Any, unmapped: type) -> None:
        self._function, self._unmapped = function, unmapped

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def map(self, values: list[Any], *unmapped: Any) -> Any:
        results = [self._function(value, *(argument.value for argument in unmapped)) for value in values]
        return SimpleNamespace(result=lambda: results)


def time_training(name: str, folder: Path, rows: int, trials: int) -> None:
    from flows.environment import make_home, prepare

    prepare()
    make_home()
    from prefect import flow

    from flows.training import training

    if name == EMPTY_FLOW:
        empty_flow = flow(name="nothing")(lambda: True)
        empty_flow()
        measure.report_result(lambda: {"promoted": empty_flow()})
        return
    run: Any = training
    if name == WITHOUT_PREFECT:
        remove_prefect()
        run = training.fn
    for size, trial_count in ((1_000, 1), (rows, trials)):
        os.environ["CAMPAIGN_HOME"] = str(folder / f"home-{os.getpid()}-{size}")
        dataset = str(world.make_campaigns_file(folder, size))

        def work(dataset: str = dataset, trial_count: int = trial_count) -> dict[str, Any]:
            return {"promoted": run(dataset=dataset, trials=trial_count).promoted}

        if size == rows:
            measure.report_result(work)
        else:
            work()


def main() -> None:
    args = measure.parse_arguments(__doc__, rows=40_000, trials=12, rounds=3)
    with world.open_folder(args.folder) as folder:
        if args.contender:
            time_training(args.contender, folder, args.rows, args.trials)
            return
        for rows in (1_000, args.rows):
            world.make_campaigns_file(folder, rows)
        arguments = ["--folder", str(folder), "--rows", str(args.rows), "--trials", str(args.trials)]
        with start_prefect_server(folder) as (api, start):
            environment = {"PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "ERROR"}
            timed = measure.run_contenders(
                "benchmarks.overhead",
                dict.fromkeys((WITH_PREFECT, WITHOUT_PREFECT, EMPTY_FLOW), arguments),
                args.rounds,
                environment,
            )
    share = 1 - timed[WITHOUT_PREFECT].seconds / timed[WITH_PREFECT].seconds
    targets = [
        Target(
            "Prefect's own overhead in a demo-size training", f"< {MAX_SHARE:.0%}",
            f"{share:.1%}: {timed[WITH_PREFECT].seconds:.1f} s against {timed[WITHOUT_PREFECT].seconds:.1f} s; of it "
            f"{timed[EMPTY_FLOW].seconds:.1f} s are what Prefect takes for a flow that does nothing "
            f"(a server of its own, where none stands, takes {start:.1f} s to start)",
            share < MAX_SHARE,
        )
    ]  # fmt: skip
    rows = [measure.table_row(contender, rows=args.rows) for contender in timed.values()]
    measure.save_results("overhead", targets, {"overhead": rows})


if __name__ == "__main__":
    main()
