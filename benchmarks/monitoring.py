"""Monitoring a day of ten million campaigns and their outcomes, as a user runs it: `make bench-monitoring`."""

import sqlite3
from pathlib import Path

from benchmarks import measure, world
from benchmarks.measure import Target

SECONDS, MB = 60, 1_000


def values(home: Path) -> dict[str, float]:
    """What was written of the day, but for the columns."""
    with sqlite3.connect(home / "metrics.db") as connection:
        found = connection.execute(
            "SELECT metric, value FROM metrics WHERE column_name = '' AND day = ?", [world.DAY.isoformat()]
        )
        return dict(found.fetchall())


def main() -> None:
    given = measure.arguments(__doc__, rows=10_000_000)
    with world.folder_of(given.folder) as folder:
        environment = world.home_of(folder) | {"CAMPAIGN_STORE": world.day_of(folder, given.rows)}
        world.write_outcomes(folder, given.rows)
        day = ["--day", str(world.DAY)]
        scored, _ = measure.command([str(world.CAMPAIGN), "score", *day], environment)
        monitored, _ = measure.command([str(world.CAMPAIGN), "monitor", *day], environment)
        found = values(Path(environment["CAMPAIGN_HOME"]))
    wall, memory = monitored.seconds, monitored.peak
    targets = [
        Target(
            f"monitoring a day of {given.rows:,} rows", f"≤ {SECONDS} s, ≤ {MB / 1000:.0f} GB",
            f"{wall:.0f} s, {memory:,.0f} MB; drift on {found['sample_rows']:,.0f} rows, "
            f"{found['prediction_drift']:.4f} ± {found['prediction_drift_error']:.4f}",
            wall <= SECONDS and memory <= MB,
        )
    ]  # fmt: skip
    rows = []
    for name, one in (("campaign score", scored), ("campaign monitor", monitored)):
        one.name = name
        together = round(one.told["memory of all processes"])
        rows.append(measure.row(one, rows=given.rows) | {"peak MB with Prefect's server": together})
    measure.keep("monitoring", targets, {"monitoring": rows})


if __name__ == "__main__":
    main()
