"""What it takes to begin: the command line, the flows' imports, made-up campaigns: `make bench-startup`."""

import json
import subprocess
import sys

from benchmarks import measure, world
from benchmarks.measure import Target

HELP_SECONDS, IMPORT_SECONDS, ROWS_A_SECOND = 0.5, 2.0, 2_000_000
FLOWS = ("training", "batch_scoring", "monitoring")
LATE = ("evidently", "matplotlib")
GENERATOR, PREFECT = "the generator", "import prefect"


def generate(rows: int) -> None:
    from campaign.synthetic import campaigns

    for _ in campaigns(1_000):
        pass

    def work() -> dict[str, int]:
        return {"made": sum(len(batch) for batch in campaigns(rows))}

    measure.tell(work)


def early(flow: str) -> list[str]:
    """The late libraries that the import of a flow brings in."""
    asked = f"import json, sys, flows.{flow}; print(json.dumps([n for n in {LATE} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=measure.ROOT, capture_output=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def main() -> None:
    given = measure.arguments(__doc__, rows=10_000_000, few=1_000_000, rounds=5)
    if given.contender:
        generate(given.rows)
        return
    commands = {"campaign --help": [str(world.CAMPAIGN), "--help"], PREFECT: [sys.executable, "-c", PREFECT]}
    commands |= {f"import flows.{flow}": [sys.executable, "-c", f"import flows.{flow}"] for flow in FLOWS}
    timed = {name: measure.Timed(name) for name in commands}
    for number in range(given.rounds + 1):
        for name, words in commands.items():
            one, _ = measure.command(words, {})
            if number:  # the first round fills the disk's cache
                timed[name].wall += one.wall
                timed[name].cpu += one.cpu
                timed[name].memory += one.memory
    made = {
        rows: measure.race("benchmarks.startup", {GENERATOR: ["--rows", str(rows)]}, 3, {})[GENERATOR]
        for rows in (given.few, given.rows)
    }
    slowest = max((timed[f"import flows.{flow}"] for flow in FLOWS), key=lambda one: one.seconds)
    too_early = {name for flow in FLOWS for name in early(flow)}
    rate = min(rows / one.seconds for rows, one in made.items())
    help_seconds, prefect = timed["campaign --help"].seconds, timed[PREFECT].seconds
    growth = made[given.rows].peak - made[given.few].peak
    targets = [
        Target("campaign --help", f"≤ {HELP_SECONDS} s", f"{help_seconds:.2f} s", help_seconds <= HELP_SECONDS),
        Target(
            "import of a flow module", f"≤ {IMPORT_SECONDS:.0f} s; {' and '.join(LATE)} only where used",
            f"{slowest.seconds:.2f} s ({slowest.name}), of it Prefect's own {prefect:.2f} s; "
            f"too early: {', '.join(too_early) or 'none'}",
            slowest.seconds <= IMPORT_SECONDS and not too_early,
        ),
        Target(
            "made-up campaigns", f"≥ {ROWS_A_SECOND / 1e6:.0f} M rows a second, flat memory",
            f"{rate / 1e6:.1f} M rows a second, {growth:+.0f} MB from {given.few:,} to {given.rows:,} rows",
            rate >= ROWS_A_SECOND and growth < 16,
        ),
    ]  # fmt: skip
    rows = [measure.row(one) for one in timed.values()]
    rows += [measure.row(one, rows=count) for count, one in made.items()]
    measure.keep("startup", targets, {"startup": rows})


if __name__ == "__main__":
    main()
