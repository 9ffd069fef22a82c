"""What a challenger in the shadow costs batch scoring, beside scoring alone: `make bench-shadow`.

The challenger has the champion's own arrays, so a campaign costs both the same; of a large day it scores a sample. One
of another schema has to read the rows again by its own.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import measure, world
from benchmarks.measure import Target
from campaign.schema_file import served_model

ALONE, SHADOW, OTHER_SCHEMA = "scoring alone", "with a challenger", "with a challenger of another schema"
MAX_RATIO = 1.5


def time_scoring(folder: Path, rows: int, contender: str) -> None:
    """What the batch-scoring flow does with a day."""
    from campaign.store import Store
    from tasks.model_versions import load_version, require_champion
    from tasks.scoring.score import input_files
    from tasks.scoring.scored_pieces import score_all, score_inputs
    from tasks.scoring.shadow import one_in, shadow_manifest

    model = load_version(require_champion(served_model()))
    schema = model.schema.stored if contender == OTHER_SCHEMA else model.schema
    challenger = None if contender == ALONE else replace(model, version="2", schema=schema)

    def score(size: int) -> dict[str, Any]:
        store, shadows, shadowed = Store(world.make_day(folder, size)), list[Any](), 0

        def spread(pieces: list[Any]) -> list[Any]:
            scored = score_all(store, pieces, model, challenger, one_in(pieces))
            shadows.extend(piece.shadow for piece in scored)
            return scored

        manifest = score_inputs(store, world.DAY, input_files(store, world.DAY), model, spread)
        if challenger:
            shadow = shadow_manifest(manifest, challenger, shadows)
            shadow.publish(store, "shadow")
            shadowed = shadow.rows.scored
        return {"trees": model.predictor.size, "in the shadow": shadowed}

    score(1_000)
    measure.report_result(lambda: score(rows))


def main() -> None:
    args = measure.parse_arguments(__doc__, rows=1_000_000, rounds=5)
    if args.contender:
        time_scoring(args.folder, args.rows, args.contender)
        return
    with world.open_folder(args.folder) as folder:
        environment = world.make_home(folder)
        for rows in (1_000, args.rows):
            world.make_day(folder, rows)
        arguments = ["--folder", str(folder), "--rows", str(args.rows)]
        names = (ALONE, SHADOW, OTHER_SCHEMA)
        timed = measure.run_contenders("benchmarks.shadow", dict.fromkeys(names, arguments), args.rounds, environment)
    ratio, other = (timed[name].seconds / timed[ALONE].seconds for name in (SHADOW, OTHER_SCHEMA))
    target = Target(
        f"scoring {args.rows:,} rows with a challenger in the shadow", f"≤ {MAX_RATIO} × scoring alone",
        f"{ratio:.2f} × ({other:.2f} × for one of another schema); {timed[ALONE].result['trees']} trees each, "
        f"{timed[SHADOW].result['in the shadow']:,} campaigns in the shadow",
        ratio <= MAX_RATIO,
    )  # fmt: skip
    rows = [measure.table_row(timed[name], rows=args.rows) for name in names]
    measure.save_results("shadow", [target], {"shadow": rows})


if __name__ == "__main__":
    main()
