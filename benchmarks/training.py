"""Training on ten million campaigns, as a user runs it: `make bench-training`."""

from benchmarks import measure, world
from benchmarks.measure import Target

MAX_MB = 8_000


def main() -> None:
    args = measure.parse_arguments(__doc__, rows=10_000_000, trials=4)
    with world.open_folder(args.folder) as folder:
        environment = {"CAMPAIGN_HOME": str(folder / f"home-training-{args.rows}")}
        data = world.make_campaigns_file(folder, args.rows)
        command = ["train", str(data), "--trials", str(args.trials), "--verbose"]
        trained, output = measure.time_command([str(world.CAMPAIGN), *command], environment)
    trained.name = f"campaign train, {args.trials} trials"
    messages = [
        line.split(" - ")[-1] for line in output.splitlines() if "even sample" in line or "Test ROC-AUC" in line
    ]
    targets = [
        Target(
            f"training at {args.rows:,} rows", f"completes in ≤ {MAX_MB / 1000:.0f} GB, samples stated",
            f"{trained.seconds:.0f} s, {trained.peak / 1000:.1f} GB; said: {'; '.join(messages) or 'no sample'}",
            trained.peak <= MAX_MB,
        )
    ]  # fmt: skip
    measure.save_results("training", targets, {"training": [measure.table_row(trained, rows=args.rows)]}, told=messages)


if __name__ == "__main__":
    main()
