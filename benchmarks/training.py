"""Training on ten million campaigns, as a user runs it: `make bench-training`."""

from benchmarks import measure, world
from benchmarks.measure import Target

MB = 8_000


def main() -> None:
    given = measure.arguments(__doc__, rows=10_000_000, trials=4)
    with world.folder_of(given.folder) as folder:
        environment = {"CAMPAIGN_HOME": str(folder / f"home-training-{given.rows}")}
        words = ["train", str(world.file_of(folder, given.rows)), "--trials", str(given.trials)]
        trained, printed = measure.command([str(world.CAMPAIGN), *words], environment)
    trained.name = f"campaign train, {given.trials} trials"
    told = [line.split(" - ")[-1] for line in printed.splitlines() if "even sample" in line or "Test ROC-AUC" in line]
    targets = [
        Target(
            f"training at {given.rows:,} rows", f"completes in ≤ {MB / 1000:.0f} GB, samples stated",
            f"{trained.seconds:.0f} s, {trained.peak / 1000:.1f} GB; said: {'; '.join(told) or 'no sample'}",
            trained.peak <= MB,
        )
    ]  # fmt: skip
    measure.keep("training", targets, {"training": [measure.row(trained, rows=given.rows)]}, told=told)


if __name__ == "__main__":
    main()
