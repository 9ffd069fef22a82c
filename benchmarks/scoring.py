"""Batch scoring, Parquet to Parquet, beside its rivals and the floor: `make bench-scoring`.

The replaced way runs on --few and on --rivals rows, the rivals that use the champion's own forest and the floor on
--rivals, the strict floor on --rivals and --rows, this project on all. What is compared was measured on the same rows.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks import measure, rivals, world
from benchmarks.measure import Target, Timed
from campaign.schema_file import served_model

OURS = "campaign-success"
SPEEDUP_OVER_REPLACED, SPEEDUP_OVER_SKLEARN, SHARE_OF_FLOOR, MAX_MB = 40, 5, 0.5, 700
MAX_GROWTH_MB = 64  # of what the allocator keeps
MAX_DIFFERENCE = 1e-5  # ONNX Runtime adds float32


def time_scoring(folder: Path, rows: int) -> None:
    """What the batch-scoring flow does with a day."""
    from campaign.store import Store
    from tasks.model_versions import load_version, require_champion
    from tasks.scoring.score import input_files
    from tasks.scoring.scored_pieces import score_all, score_inputs

    model = load_version(require_champion(served_model()))

    def score(size: int) -> dict[str, Any]:
        store = Store(world.make_day(folder, size))
        start, plan_seconds = time.perf_counter(), 0.0

        def spread(pieces: list[Any]) -> list[Any]:
            nonlocal plan_seconds
            plan_seconds = time.perf_counter() - start
            return score_all(store, pieces, model)

        manifest = score_inputs(store, world.DAY, input_files(store, world.DAY), model, spread)
        sizes = [entry.size for entry in store.entries(f"predictions/day={world.DAY}")]
        return {
            "trees": model.predictor.size,
            "plan": plan_seconds,
            "parts": len(manifest.parts),
            "written": sum(sizes),
        }

    score(1_000)
    measure.report_result(lambda: score(rows))


def largest_difference(folder: Path, rows: int, rival_file: Path) -> float:
    """The largest difference of a probability from a rival's with the same forest."""
    predictions = folder / f"store-{rows}" / "predictions" / f"day={world.DAY}"
    parts = [pq.read_table(part).column("probability").to_numpy() for part in sorted(predictions.glob("part-*"))]
    return float(np.abs(np.concatenate(parts) - pq.read_table(rival_file).column("probability").to_numpy()).max())


def main() -> None:
    args = measure.parse_arguments(__doc__, rows=10_000_000, rivals=1_000_000, few=100_000, rounds=3)
    if args.contender:
        name, rows = args.contender, args.rows
        if name == OURS:
            time_scoring(args.folder, rows)
        else:
            rivals.time_rival(name, args.folder, rows)
        return
    with world.open_folder(args.folder) as folder:
        environment = world.make_home(folder)
        rivals.write_models(folder, environment)
        for rows in (1_000, args.few, args.rivals, args.rows):
            world.make_day(folder, rows)
        timings: dict[int, dict[str, Timed]] = {}
        contenders = {
            args.few: [OURS, rivals.REPLACED],
            args.rivals: [
                OURS,
                rivals.REPLACED,
                rivals.SKLEARN,
                rivals.PYFUNC,
                rivals.ONNX,
                rivals.FLOOR,
                rivals.STRICT,
            ],
            args.rows: [OURS, rivals.STRICT],
        }
        for rows, names in contenders.items():
            arguments = ["--folder", str(folder), "--rows", str(rows)]
            timings[rows] = measure.run_contenders(
                "benchmarks.scoring", dict.fromkeys(names, arguments), args.rounds, environment
            )
        differences = {
            name: largest_difference(folder, args.rivals, rivals.output_path(folder, name, args.rivals))
            for name in (rivals.SKLEARN, rivals.ONNX)
        }
        if max(differences.values()) > MAX_DIFFERENCE:
            sys.exit(f"The rivals have another forest than the champion ({differences}): leave --folder out.")
    report(timings, args, differences)


def report(timings: dict[int, dict[str, Timed]], args: Any, differences: dict[str, float]) -> None:
    few, middle, many = (timings[rows] for rows in (args.few, args.rivals, args.rows))
    speedup, few_speedup = (race[rivals.REPLACED].seconds / race[OURS].seconds for race in (middle, few))
    sklearn_speedup = middle[rivals.SKLEARN].seconds / middle[OURS].seconds
    bare = middle[rivals.STRICT].seconds / middle[OURS].seconds
    floor = middle[rivals.FLOOR].seconds / middle[OURS].seconds
    strict = many[rivals.STRICT].seconds / many[OURS].seconds
    sizes = sorted(timings)
    slope, start = np.polyfit(sizes, [timings[size][OURS].seconds for size in sizes], 1)
    growth = many[OURS].peak - middle[OURS].peak - 8 * (args.rows - args.rivals) / 2**20
    peak = many[OURS].peak
    targets = [
        Target(
            f"batch scoring, {args.rivals:,} rows end to end", f"≥ {SPEEDUP_OVER_REPLACED}× the replaced way",
            f"{speedup:.0f}× ({few_speedup:.0f}× on {args.few:,} rows)", speedup >= SPEEDUP_OVER_REPLACED,
        ),
        Target(
            f"batch scoring, {args.rivals:,} rows end to end", f"≥ {SPEEDUP_OVER_SKLEARN}× scikit-learn at its best",
            f"{sklearn_speedup:.1f}×; {bare:.0%} of the speed of the strict floor, which has no model and does "
            f"{middle[rivals.SKLEARN].seconds / middle[rivals.STRICT].seconds:.1f}×",
            sklearn_speedup >= SPEEDUP_OVER_SKLEARN,
        ),
        Target(
            f"batch scoring, {args.rivals:,} rows end to end", f"≥ {SHARE_OF_FLOOR:.0%} of the floor",
            f"{floor:.0%} (of the strict one {bare:.0%}, and {strict:.0%} on {args.rows:,} rows)",
            min(floor, strict) >= SHARE_OF_FLOOR,
        ),
        Target(
            f"memory of scoring {args.rows:,} rows", f"≤ {MAX_MB} MB, flat but for 8 bytes a row",
            f"{peak:.0f} MB; {growth:+.0f} MB from {args.rivals:,} rows on, beside the 8 bytes a row",
            peak <= MAX_MB and growth <= MAX_GROWTH_MB,
        ),
    ]  # fmt: skip
    rows = [
        measure.table_row(timed, rows=size, **{"µs a row": round(timed.seconds / size * 1e6, 3)})
        for size in sizes
        for timed in timings[size].values()
    ]
    measure.save_results(
        "scoring", targets, {"scoring": rows}, differences=differences, trees=many[OURS].result["trees"],
        largest=many[OURS].result | {"rows": args.rows, "seconds": many[OURS].seconds, "cpu": many[OURS].cpu_seconds},
        line={"seconds a million rows": slope * 1e6, "seconds to begin with": start},
    )  # fmt: skip


if __name__ == "__main__":
    main()
