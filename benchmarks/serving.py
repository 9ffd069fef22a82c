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
SPEEDUP, P99_FRACTION, SHARE_OF_ECHO, MAX_MICROSECONDS = 40, 1 / 30, 0.7, 50


@dataclass(frozen=True)
class Measurement:
    """Seconds, but for `rate` (requests/s) and `memory` (bytes)."""

    name: str
    workers: int
    connections: int
    rate: float
    p50: float
    p99: float
    cpu: float
    memory: int


def measure_contender(name: str, workers: int, connections: int, port: int, pid: int, seconds: float) -> Measurement:
    path, body = contenders.make_request(name)
    load_command = [sys.executable, str(ROOT / "benchmarks" / "serving_load.py"), str(port), path, str(connections)]

    def run_load(duration: float) -> dict[str, float]:
        last_core = sorted(os.sched_getaffinity(0))[-1]
        ended = subprocess.run(
            [*load_command, str(duration)], input=body, stdout=subprocess.PIPE, check=True, timeout=duration + 60,
            preexec_fn=lambda: os.sched_setaffinity(0, [last_core]),
        )  # fmt: skip
        result: dict[str, float] = json.loads(ended.stdout)
        if result["failed"]:
            sys.exit(f"{name}: {result['failed']:.0f} requests failed")
        return result

    run_load(min(1.0, seconds))
    pids = contenders.process_tree(pid)
    before = contenders.cpu_seconds(pids)
    load_result = run_load(seconds)
    cpu = (contenders.cpu_seconds(pids) - before) / load_result["requests"]
    rate, p50, p99 = load_result["rate"], load_result["p50"], load_result["p99"]
    return Measurement(name, workers, connections, rate, p50, p99, cpu, contenders.memory_bytes(pids))


def measure_all(folder: Path, workers: int, rounds: int, seconds: float) -> list[Measurement]:
    """Every contender at every number of connections; in several rounds, because the machine has other work too."""
    results = []
    for number in range(rounds):
        for name in (WEB, ECHO, BARE, REPLACED, MLFLOW):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            print(f"{name}, {workers} worker(s), round {number + 1} of {rounds} …", file=sys.stderr)
            with contenders.start_contender(name, port, workers, folder) as pid:
                results += [
                    measure_contender(name, workers, connections, port, pid, seconds) for connections in CONNECTIONS
                ]
    return results


def best_round(results: list[Measurement], name: str, workers: int, connections: int) -> Measurement:
    """The round with the most requests: noise only ever takes away."""
    contender = (name, workers, connections)
    rounds = [result for result in results if (result.name, result.workers, result.connections) == contender]
    return max(rounds, key=lambda result: result.rate)


def results_table(results: list[Measurement]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "workers", "connections", "requests/s", "p50 ms", "p99 ms", "CPU µs a request", "memory MiB"):
        table.add_column(name, justify="right" if name else "left")
    contenders = dict.fromkeys((result.name, result.workers, result.connections) for result in results)
    for name, workers, connections in contenders:
        result = best_round(results, name, workers, connections)
        table.add_row(
            name, str(workers), str(connections), f"{result.rate:,.0f}", f"{result.p50 * 1e3:.2f}",
            f"{result.p99 * 1e3:.2f}", f"{result.cpu * 1e6:,.0f}", f"{result.memory / 2**20:,.0f}",
        )  # fmt: skip
    return table


def compare_with_targets(results: list[Measurement], row: float) -> list[str]:
    """The targets, and what was measured: at 16 connections, with one worker."""
    web, replaced, echo, bare = (best_round(results, name, 1, 16) for name in (WEB, REPLACED, ECHO, BARE))
    claims = [
        (web.rate / replaced.rate, SPEEDUP, "times the replaced service's requests/s"),
        (replaced.p99 / web.p99, 1 / P99_FRACTION, "times shorter p99 than the replaced service's"),
        (web.rate / echo.rate, SHARE_OF_ECHO, "of what the same framework does with a constant"),
        (MAX_MICROSECONDS / row, 1, f"times within {MAX_MICROSECONDS} µs for scoring a row ({row:.1f} µs)"),
    ]
    lines = [
        f"{'yes' if value >= aim else 'NO '}  {value:.2f} {claim} (aim: {aim:.2g})" for value, aim, claim in claims
    ]
    return [*lines, f"     {web.rate / bare.rate:.2f} of what the server does with a constant and no framework"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="of all contenders (default: %(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="(default: 1 and 2)")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="campaign-serving-") as folder:
        write_models(Path(folder))
        row = microseconds_a_row(Path(folder) / "bundle", CAMPAIGN)
        results = [
            measurement
            for workers in args.workers
            for measurement in measure_all(Path(folder), workers, args.rounds, args.seconds)
        ]
    Console(width=120).print(results_table(results))
    if 1 in args.workers:
        print("\n".join(compare_with_targets(results, row)))


if __name__ == "__main__":
    main()
