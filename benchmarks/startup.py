"""What it takes to begin: the command line, the flows' imports, made-up campaigns: `make bench-startup`."""

import json
import subprocess
import sys

from benchmarks import measure, world
from benchmarks.measure import Target

MAX_HELP_SECONDS, MAX_TIMES_PREFECT, MIN_ROWS_A_SECOND = 0.5, 2.0, 2_000_000
FLOWS = ("training", "batch_scoring", "monitoring")
LAZY_IMPORTS = ("evidently", "matplotlib")
GENERATOR, IMPORT_PREFECT = "the generator", "import prefect"


def time_generator(rows: int) -> None:
    from campaign.synthetic import campaigns

    for _ in campaigns(1_000):
        pass

    def work() -> dict[str, int]:
        return {"made": sum(len(batch) for batch in campaigns(rows))}

    measure.report_result(work)


def find_early_imports(flow: str) -> list[str]:
    """The libraries of LAZY_IMPORTS that the import of a flow brings in."""
    script = (
        f"import json, sys, flows.{flow}; print(json.dumps([name for name in {LAZY_IMPORTS} if name in sys.modules]))"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=measure.ROOT, capture_output=True, check=True)
    names: list[str] = json.loads(ended.stdout)
    return names


def main() -> None:
    args = measure.parse_arguments(__doc__, rows=10_000_000, few=1_000_000, rounds=5)
    if args.contender:
        time_generator(args.rows)
        return
    commands = {
        "campaign --help": [str(world.CAMPAIGN), "--help"],
        IMPORT_PREFECT: [sys.executable, "-c", IMPORT_PREFECT],
    }
    commands |= {f"import flows.{flow}": [sys.executable, "-c", f"import flows.{flow}"] for flow in FLOWS}
    timed = {name: measure.Timed(name) for name in commands}
    for number in range(args.rounds + 1):
        for name, command in commands.items():
            timed_once, _ = measure.time_command(command, {})
            if number:  # the first round fills the disk's cache
                timed[name].wall += timed_once.wall
                timed[name].cpu += timed_once.cpu
                timed[name].memory += timed_once.memory
    generated = {
        rows: measure.run_contenders("benchmarks.startup", {GENERATOR: ["--rows", str(rows)]}, 3, {})[GENERATOR]
        for rows in (args.few, args.rows)
    }
    slowest = max((timed[f"import flows.{flow}"] for flow in FLOWS), key=lambda imported: imported.seconds)
    too_early = {name for flow in FLOWS for name in find_early_imports(flow)}
    rate = min(rows / timing.seconds for rows, timing in generated.items())
    help_seconds, prefect = timed["campaign --help"].seconds, timed[IMPORT_PREFECT].seconds
    growth = generated[args.rows].peak - generated[args.few].peak
    targets = [
        Target("campaign --help", f"≤ {MAX_HELP_SECONDS} s", f"{help_seconds:.2f} s", help_seconds <= MAX_HELP_SECONDS),
        Target(
            "import of a flow module",
            f"≤ {MAX_TIMES_PREFECT:.0f}× that of Prefect alone; {' and '.join(LAZY_IMPORTS)} only where used",
            f"{slowest.seconds / prefect:.2f}×: {slowest.seconds:.2f} s ({slowest.name}) against {prefect:.2f} s; "
            f"too early: {', '.join(too_early) or 'none'}",
            slowest.seconds <= MAX_TIMES_PREFECT * prefect and not too_early,
        ),
        Target(
            "made-up campaigns", f"≥ {MIN_ROWS_A_SECOND / 1e6:.0f} M rows a second, flat memory",
            f"{rate / 1e6:.1f} M rows a second, {growth:+.0f} MB from {args.few:,} to {args.rows:,} rows",
            rate >= MIN_ROWS_A_SECOND and growth < 16,
        ),
    ]  # fmt: skip
    rows = [measure.table_row(timing) for timing in timed.values()]
    rows += [measure.table_row(timing, rows=count) for count, timing in generated.items()]
    measure.save_results("startup", targets, {"startup": rows})


if __name__ == "__main__":
    main()
