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

OURS = "campaign-success"
TIMES_REPLACED, TIMES_SKLEARN, SHARE_OF_FLOOR, MOST_MB = 40, 5, 0.5, 700
GROWTH_MB = 64  # of what the allocator keeps
SAME = 1e-5  # ONNX Runtime adds float32


def ours(folder: Path, rows: int) -> None:
    """What the batch-scoring flow does with a day."""
    from campaign.settings import Settings
    from campaign.store import Store
    from tasks.registry import champion_of, load
    from tasks.score import inputs_of, score_all, score_inputs

    model = load(champion_of(Settings().model))

    def score(size: int) -> dict[str, Any]:
        store = Store(world.day_of(folder, size))
        began, planned = time.perf_counter(), 0.0

        def spread(pieces: list[Any]) -> list[Any]:
            nonlocal planned
            planned = time.perf_counter() - began
            return score_all(store, pieces, model)

        manifest = score_inputs(store, world.DAY, inputs_of(store, world.DAY), model, spread)
        size_of = [entry.size for entry in store.entries(f"predictions/day={world.DAY}")]
        return {
            "trees": len(model.forest.roots),
            "plan": planned,
            "parts": len(manifest.parts),
            "written": sum(size_of),
        }

    score(1_000)
    measure.tell(lambda: score(rows))


def difference(folder: Path, rows: int, other: Path) -> float:
    """The largest difference of a probability from a rival's with the same forest."""
    store = folder / f"store-{rows}" / "predictions" / f"day={world.DAY}"
    mine = np.concatenate([pq.read_table(one).column("probability").to_numpy() for one in sorted(store.glob("part-*"))])
    return float(np.abs(mine - pq.read_table(other).column("probability").to_numpy()).max())


def main() -> None:
    given = measure.arguments(__doc__, rows=10_000_000, rivals=1_000_000, few=100_000, rounds=3)
    if given.contender:
        name, rows = given.contender, given.rows
        if name == OURS:
            ours(given.folder, rows)
        else:
            rivals.run(name, given.folder, rows)
        return
    with world.folder_of(given.folder) as folder:
        environment = world.home_of(folder)
        rivals.write_models(folder, environment)
        for rows in (1_000, given.few, given.rivals, given.rows):
            world.day_of(folder, rows)
        races: dict[int, dict[str, Timed]] = {}
        fields = {
            given.few: [OURS, rivals.REPLACED],
            given.rivals: [
                OURS,
                rivals.REPLACED,
                rivals.SKLEARN,
                rivals.PYFUNC,
                rivals.ONNX,
                rivals.FLOOR,
                rivals.STRICT,
            ],
            given.rows: [OURS, rivals.STRICT],
        }
        for rows, names in fields.items():
            words = ["--folder", str(folder), "--rows", str(rows)]
            races[rows] = measure.race("benchmarks.scoring", dict.fromkeys(names, words), given.rounds, environment)
        differences = {
            name: difference(folder, given.rivals, rivals.out_of(folder, name, given.rivals))
            for name in (rivals.SKLEARN, rivals.ONNX)
        }
        if max(differences.values()) > SAME:
            sys.exit(f"The rivals have another forest than the champion ({differences}): leave --folder out.")
    report(races, given, differences)


def report(races: dict[int, dict[str, Timed]], given: Any, differences: dict[str, float]) -> None:
    few, some, many = (races[rows] for rows in (given.few, given.rivals, given.rows))
    ratio, small = (race[rivals.REPLACED].seconds / race[OURS].seconds for race in (some, few))
    best = some[rivals.SKLEARN].seconds / some[OURS].seconds
    bare = some[rivals.STRICT].seconds / some[OURS].seconds
    floor, strict = some[rivals.FLOOR].seconds / some[OURS].seconds, many[rivals.STRICT].seconds / many[OURS].seconds
    sizes = sorted(races)
    slope, start = np.polyfit(sizes, [races[size][OURS].seconds for size in sizes], 1)
    growth = many[OURS].peak - some[OURS].peak - 8 * (given.rows - given.rivals) / 2**20
    peak = many[OURS].peak
    targets = [
        Target(
            f"batch scoring, {given.rivals:,} rows end to end", f"≥ {TIMES_REPLACED}× the replaced way",
            f"{ratio:.0f}× ({small:.0f}× on {given.few:,} rows)", ratio >= TIMES_REPLACED,
        ),
        Target(
            f"batch scoring, {given.rivals:,} rows end to end", f"≥ {TIMES_SKLEARN}× scikit-learn at its best",
            f"{best:.1f}×; {bare:.0%} of the speed of the strict floor, which has no model and does "
            f"{some[rivals.SKLEARN].seconds / some[rivals.STRICT].seconds:.1f}×", best >= TIMES_SKLEARN,
        ),
        Target(
            f"batch scoring, {given.rivals:,} rows end to end", f"≥ {SHARE_OF_FLOOR:.0%} of the floor",
            f"{floor:.0%} (of the strict one {bare:.0%}, and {strict:.0%} on {given.rows:,} rows)",
            min(floor, strict) >= SHARE_OF_FLOOR,
        ),
        Target(
            f"memory of scoring {given.rows:,} rows", f"≤ {MOST_MB} MB, flat but for 8 bytes a row",
            f"{peak:.0f} MB; {growth:+.0f} MB from {given.rivals:,} rows on, beside the 8 bytes a row",
            peak <= MOST_MB and growth <= GROWTH_MB,
        ),
    ]  # fmt: skip
    rows = [
        measure.row(one, rows=size, **{"µs a row": round(one.seconds / size * 1e6, 3)})
        for size in sizes
        for one in races[size].values()
    ]
    measure.keep(
        "scoring", targets, {"scoring": rows}, differences=differences, trees=many[OURS].told["trees"],
        largest=many[OURS].told | {"rows": given.rows, "seconds": many[OURS].seconds, "cpu": many[OURS].cpu_seconds},
        line={"seconds a million rows": slope * 1e6, "seconds to begin with": start},
    )  # fmt: skip


if __name__ == "__main__":
    main()
