"""Monitoring a day of ten million campaigns and their outcomes, as a user runs it: `make bench-monitoring`."""

import sqlite3
from pathlib import Path

from benchmarks import measure, world
from benchmarks.measure import Target

MAX_SECONDS, MAX_MB = 60, 1_000


def read_metrics(home: Path) -> dict[str, float]:
    """The metrics of the day that are of no column, by name."""
    with sqlite3.connect(home / "metrics.db") as connection:
        rows = connection.execute(
            "SELECT metric, value FROM metrics WHERE column_name = '' AND day = ?", [world.DAY.isoformat()]
        )
        return dict(rows.fetchall())


def main() -> None:
    args = measure.parse_arguments(__doc__, rows=10_000_000)
    with world.open_folder(args.folder) as folder:
        environment = world.make_home(folder) | {"CAMPAIGN_STORE": world.make_day(folder, args.rows)}
        world.write_outcomes(folder, args.rows)
        day = ["--day", str(world.DAY)]
        scored, _ = measure.time_command([str(world.CAMPAIGN), "score", *day], environment)
        monitored, _ = measure.time_command([str(world.CAMPAIGN), "monitor", *day], environment)
        metrics = read_metrics(Path(environment["CAMPAIGN_HOME"]))
    wall, memory = monitored.seconds, monitored.peak
    targets = [
        Target(
            f"monitoring a day of {args.rows:,} rows", f"≤ {MAX_SECONDS} s, ≤ {MAX_MB / 1000:.0f} GB",
            f"{wall:.0f} s, {memory:,.0f} MB; drift on {metrics['sample_rows']:,.0f} rows, "
            f"{metrics['prediction_drift']:.4f} ± {metrics['prediction_drift_error']:.4f}",
            wall <= MAX_SECONDS and memory <= MAX_MB,
        )
    ]  # fmt: skip
    rows = []
    for name, timed in (("campaign score", scored), ("campaign monitor", monitored)):
        timed.name = name
        all_processes = round(timed.result["memory of all processes"])
        rows.append(measure.table_row(timed, rows=args.rows) | {"peak MB with Prefect's server": all_processes})
    measure.save_results("monitoring", targets, {"monitoring": rows})


if __name__ == "__main__":
    main()
