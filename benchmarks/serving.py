"""Requests per second of the web service beside what it replaces: `python -m benchmarks.serving [--seconds S]`.

Each contender runs alone, on the same cores, with the load generator on the last core, and gets the same campaign
over 1, 16 and 64 connections on loopback. The web service captures what it answers, as in the field.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks import serving_contenders as contenders
from benchmarks.serving_contenders import BARE, CAMPAIGN, ECHO, MLFLOW, REPLACED, ROOT, WEB
from benchmarks.serving_rivals import microseconds_a_row, write_models

CONNECTIONS = (1, 16, 64)
TIMES_FASTER, P99_FRACTION, SHARE_OF_ECHO, MICROSECONDS = 40, 1 / 30, 0.7, 50


@dataclass(frozen=True)
class Measured:
    """Seconds, but for `rate` (requests/s) and `memory` (bytes)."""

    name: str
    workers: int
    connections: int
    rate: float
    p50: float
    p99: float
    cpu: float
    memory: int


def measure(name: str, workers: int, connections: int, port: int, pid: int, seconds: float) -> Measured:
    path, body = contenders.asked_of(name)
    load = [sys.executable, str(ROOT / "benchmarks" / "serving_load.py"), str(port), path, str(connections)]

    def ask(lasting: float) -> dict[str, float]:
        last = sorted(os.sched_getaffinity(0))[-1]
        ended = subprocess.run(
            [*load, str(lasting)], input=body, stdout=subprocess.PIPE, check=True, timeout=lasting + 60,
            preexec_fn=lambda: os.sched_setaffinity(0, [last]),
        )  # fmt: skip
        answers: dict[str, float] = json.loads(ended.stdout)
        if answers["failed"]:
            sys.exit(f"{name}: {answers['failed']:.0f} requests failed")
        return answers

    ask(min(1.0, seconds))
    pids = contenders.family(pid)
    before = contenders.cpu_seconds(pids)
    found = ask(seconds)
    cpu = (contenders.cpu_seconds(pids) - before) / found["requests"]
    return Measured(name, workers, connections, found["rate"], found["p50"], found["p99"], cpu, contenders.memory(pids))


def measured(folder: Path, workers: int, rounds: int, seconds: float) -> list[Measured]:
    """Every contender at every number of connections; in several rounds, for a machine is never alone."""
    results = []
    for number in range(rounds):
        for name in (WEB, ECHO, BARE, REPLACED, MLFLOW):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            print(f"{name}, {workers} worker(s), round {number + 1} of {rounds} …", file=sys.stderr)
            with contenders.serving(name, port, workers, folder) as pid:
                results += [measure(name, workers, one, port, pid, seconds) for one in CONNECTIONS]
    return results


def best(results: list[Measured], name: str, workers: int, connections: int) -> Measured:
    """The round with the most requests: noise only ever takes away."""
    runs = [one for one in results if (one.name, one.workers, one.connections) == (name, workers, connections)]
    return max(runs, key=lambda one: one.rate)


def table_of(results: list[Measured]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "workers", "connections", "requests/s", "p50 ms", "p99 ms", "CPU µs a request", "memory MiB"):
        table.add_column(name, justify="right" if name else "left")
    for name, workers, connections in dict.fromkeys((one.name, one.workers, one.connections) for one in results):
        one = best(results, name, workers, connections)
        table.add_row(
            name, str(workers), str(connections), f"{one.rate:,.0f}", f"{one.p50 * 1e3:.2f}", f"{one.p99 * 1e3:.2f}",
            f"{one.cpu * 1e6:,.0f}", f"{one.memory / 2**20:,.0f}",
        )  # fmt: skip
    return table


def verdicts(results: list[Measured], row: float) -> list[str]:
    """What was aimed at, and what was measured: at 16 connections, with one worker."""
    web, replaced, echo, bare = (best(results, name, 1, 16) for name in (WEB, REPLACED, ECHO, BARE))
    claims = [
        (web.rate / replaced.rate, TIMES_FASTER, "times the replaced service's requests/s"),
        (replaced.p99 / web.p99, 1 / P99_FRACTION, "times shorter p99 than the replaced service's"),
        (web.rate / echo.rate, SHARE_OF_ECHO, "of what the same framework does with a constant"),
        (MICROSECONDS / row, 1, f"times within {MICROSECONDS} µs for scoring a row ({row:.1f} µs)"),
    ]
    said = [f"{'yes' if value >= aim else 'NO '}  {value:.2f} {what} (aim: {aim:.2g})" for value, aim, what in claims]
    return [*said, f"     {web.rate / bare.rate:.2f} of what the server does with a constant and no framework"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="of all contenders (default: %(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="(default: 1 and 2)")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="campaign-serving-") as folder:
        write_models(Path(folder))
        row = microseconds_a_row(Path(folder) / "bundle", CAMPAIGN)
        results = [one for n in given.workers for one in measured(Path(folder), n, given.rounds, given.seconds)]
    Console(width=120).print(table_of(results))
    if 1 in given.workers:
        print("\n".join(verdicts(results, row)))


if __name__ == "__main__":
    main()
