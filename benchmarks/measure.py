"""Run contenders in turn, each in a process of its own, time them, and save the results."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
# Elsewhere for a run that only proves that it goes through.
RESULTS = Path(os.environ.get("CAMPAIGN_BENCH_RESULTS") or ROOT / "benchmarks" / "results")
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scikit-learn-intelex", "onnxruntime", "mlflow", "prefect")


@dataclass
class Timed:
    """Rounds of one contender: seconds of wall and of CPU (all threads and children), peak resident MB, and `result`:
    whatever else it reported."""

    name: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return statistics.median(self.wall)

    @property
    def cpu_seconds(self) -> float:
        return statistics.median(self.cpu)

    @property
    def peak(self) -> float:
        return max(self.memory)

    @property
    def spread(self) -> float:
        """How far the rounds lie apart, as a share of their median."""
        return (max(self.wall) - min(self.wall)) / self.seconds


def merge(timings: list[Timed]) -> Timed:
    """The rounds of one contender that ran with different arguments. What it reported is that of its largest."""
    merged = Timed(timings[0].name, result=max(timings, key=lambda timed: timed.peak).result)
    for timed in timings:
        merged.wall += timed.wall
        merged.cpu += timed.cpu
        merged.memory += timed.memory
    return merged


def run_contenders(
    module: str, contenders: dict[str, list[str]], rounds: int, environment: dict[str, str]
) -> dict[str, Timed]:
    """The timings of contenders, by name. Each runs once a round, so that what else the machine does hits all alike.

    A contender is `python -m {module} --contender NAME …`, which calls `report_result`.
    """
    timed = {name: Timed(name) for name in contenders}
    for number in range(rounds):
        for name, arguments in contenders.items():
            print(f"{module.rpartition('.')[2]}: {name}, round {number + 1} of {rounds} …", file=sys.stderr)
            command = [sys.executable, "-m", module, "--contender", name, *arguments]
            ended = subprocess.run(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, check=True)
            result = json.loads(ended.stdout.splitlines()[-1])
            timed[name].wall.append(result.pop("wall"))
            timed[name].cpu.append(result.pop("cpu"))
            timed[name].memory.append(result.pop("memory"))
            timed[name].result |= result
    return timed


def report_result(
    work: Callable[[], dict[str, Any] | None], afterwards: Callable[[], dict[str, Any]] | None = None
) -> None:
    """Time a contender's work, without its imports and warming up, and print the result for `run_contenders`.

    What is done `afterwards` is reported too, and takes no part in time and memory.
    """
    wall_start, cpu_start = time.perf_counter(), _cpu_seconds()
    result = work() or {}
    times = {"wall": time.perf_counter() - wall_start, "cpu": _cpu_seconds() - cpu_start}
    # Not ru_maxrss, which begins with what the parent had.
    [peak] = [line.split()[1] for line in _read_lines("/proc/self/status") if line.startswith("VmHWM")]
    memory = int(peak) / 1024
    result |= afterwards() if afterwards else {}
    print(json.dumps(times | {"memory": memory} | result))


def time_command(arguments: list[str], environment: dict[str, str]) -> tuple[Timed, str]:
    """Time a command as its user runs it; gives its output too. `memory` is the peak of its largest process, and
    `result` has that of all its processes together."""
    began, peak = time.perf_counter(), 0.0
    with TemporaryFile() as output:
        started = subprocess.Popen(arguments, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=output)
        process, ended = psutil.Process(started.pid), 0
        while not ended:
            peak = max(peak, _resident_megabytes(process))
            time.sleep(0.02)
            ended, status, used = os.wait4(started.pid, os.WNOHANG)
        output.seek(0)
        text = output.read().decode()
    if status:
        sys.exit(f"{' '.join(arguments)} failed:\n{text}")
    wall, cpu = time.perf_counter() - began, used.ru_utime + used.ru_stime
    return Timed(arguments[-1], [wall], [cpu], [used.ru_maxrss / 1024], {"memory of all processes": peak}), text


def _resident_megabytes(process: psutil.Process) -> float:
    try:
        tree = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in tree) / 2**20
    except psutil.Error:
        return 0.0


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def describe_machine() -> dict[str, Any]:
    """What the figures depend on."""
    models = [line.partition(":")[2].strip() for line in _read_lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _read_lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


@dataclass(frozen=True)
class Target:
    """One row of the closing table: the target, what was measured, and whether it is met."""

    work: str
    target: str
    measured: str
    met: bool


def save_results(name: str, targets: list[Target], tables: dict[str, list[dict[str, Any]]], **more: Any) -> None:
    """Write {name}.json into RESULTS, and print the targets."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    results = {
        "machine": describe_machine(),
        "targets": [asdict(target) for target in targets],
        "tables": tables,
    } | more
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    for table in tables.values():
        for row in table:
            print("  ".join(f"{key} {value}" for key, value in row.items()))
    for target in targets:
        print(f"{'yes' if target.met else 'NO '}  {target.work}: {target.measured} (target: {target.target})")


def table_row(timed: Timed, **more: Any) -> dict[str, Any]:
    """A contender as a row of a table."""
    return {
        "contender": timed.name, **more, "wall s": round(timed.seconds, 3), "CPU s": round(timed.cpu_seconds, 3),
        "peak MB": round(timed.peak), "rounds": len(timed.wall), "spread": f"{timed.spread:.0%}",
    }  # fmt: skip


def parse_arguments(doc: str | None, **defaults: Any) -> argparse.Namespace:
    """The command line of a benchmark: `--contender` for its own children, and options with these defaults."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where to keep data and champion (default: a temporary folder)")
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help="(default: %(default)s)")
    return parser.parse_args()
