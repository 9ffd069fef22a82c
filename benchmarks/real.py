"""This project beside scikit-learn's models and CatBoost on somebody's campaigns: `make bench-real DATA=… SCHEMA=…`.

DATA is a file of campaigns and SCHEMA what `campaign init` wrote about it; without them the rows are made up, 378,000
of them. `--ahead` is the ROC-AUC by which it is to be better than the best of scikit-learn's, `--behind` that by which
CatBoost may be. The results become a section of docs/performance.md; those of a `--sample` of rows are only printed.
"""

import sys
from argparse import Namespace
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from benchmarks import made_up_projects, measure, real_page, real_product, real_targets, report, world
from benchmarks.measure import Timed
from benchmarks.real_contenders import GIVEN, RIVALS, SERVED, contend, probabilities_of, write_evaluation
from benchmarks.real_figures import Figures, figures_of
from benchmarks.real_product import OURS, PIPELINE
from benchmarks.real_rows import Rows, read_rows
from benchmarks.real_splits import BY_ID, Evaluation, evaluations_of
from campaign.schema_file import read_schema

MADE_UP = "made-up"
MAX_DIFFERENCE = 1e-6


class Contest:
    """One evaluation: what each contender's training took, how fast it scores, what it says of each judged row."""

    def __init__(self, rows: Rows, evaluation: Evaluation, folder: Path) -> None:
        self.rows, self.evaluation = rows, evaluation
        self.folder = folder / evaluation.name.replace(" ", "-")
        self.scored = write_evaluation(rows, evaluation, self.folder)
        self.trained: dict[str, list[Timed]] = {name: [] for name in (OURS, *RIVALS)}
        self.scoring_seconds: dict[str, list[float]] = {name: [] for name in self.trained}
        self.home = Path()

    def run(self, schema: str, trials: int, seed: int) -> None:
        """Train all with one seed, in turn, and score the judged rows."""
        print(f"{self.evaluation.name}, seed {seed}: {OURS} …", file=sys.stderr)
        self.home = Path(mkdtemp(prefix="home-", dir=self.folder))
        self.trained[OURS].append(real_product.train(self.folder / GIVEN, schema, self.home, trials, seed))
        for name, timed in self._run((OURS, *RIVALS), seed, 1).items():
            if name != OURS:
                self.trained[name].append(timed)
            self.scoring_seconds[name].append(timed.seconds if name == OURS else timed.result["scoring"])

    def serve(self, seed: int, rounds: int) -> dict[str, Timed]:
        """The last champion, scored in every way that one may serve it."""
        timings = self._run(SERVED, seed, rounds)
        ours, pipeline = (probabilities_of(self.folder, name, seed) for name in (OURS, PIPELINE))
        if (largest := np.abs(ours - pipeline).max()) > MAX_DIFFERENCE:
            sys.exit(f"The registered Pipeline is another model: its probabilities differ by up to {largest:.1e}.")
        return timings

    def figures(self, seeds: range, draw: int) -> dict[str, Figures]:
        """Of each contender, on the same draws of the judged rows."""
        judged = self.evaluation.judged
        label = self.rows.label[judged]
        return {
            name: figures_of(
                label, [probabilities_of(self.folder, name, seed)[: len(judged)] for seed in seeds], seed=draw
            )
            for name in self.trained
        }

    def summary(self, figures: dict[str, Figures]) -> dict[str, Any]:
        fitted, judged = self.evaluation.fitted, self.evaluation.judged
        return {
            "fitted": len(fitted), "fitted_rate": float(self.rows.label[fitted].mean()),
            "judged": len(judged), "judged_rate": float(self.rows.label[judged].mean()),
            "table": real_page.quality_rows(figures),
        }  # fmt: skip

    def cost(self) -> list[dict[str, Any]]:
        speeds = {name: self.scored / float(np.median(seconds)) for name, seconds in self.scoring_seconds.items()}
        trained = {name: measure.merge(timings) for name, timings in self.trained.items()}
        return real_page.cost_rows(self.evaluation.name, trained, speeds)

    def _run(self, names: tuple[str, ...], seed: int, rounds: int) -> dict[str, Timed]:
        contenders = {name: ["--folder", str(self.folder), "--seed", str(seed)] for name in names}
        return measure.run_contenders("benchmarks.real", contenders, rounds, real_product.environment_of(self.home))


def run(rows: Rows, schema: str, args: Namespace, folder: Path) -> dict[str, Any]:
    """Every evaluation with every seed; the split by id is the last one, and its last champion is served."""
    seeds = range(1, args.seeds + 1)
    contests = [Contest(rows, evaluation, folder) for evaluation in evaluations_of(rows)]
    for contest in contests:
        for seed in seeds:
            contest.run(schema, args.trials, seed)
    by_id = contests[-1]
    assert by_id.evaluation.name == BY_ID
    served = by_id.serve(seeds[-1], args.rounds)
    figures = {contest.evaluation.name: contest.figures(seeds, draw) for draw, contest in enumerate(contests, 1)}
    targets = real_targets.quality_targets(figures, args.ahead, args.behind)
    if args.data == MADE_UP:  # speed is asked for at its size
        targets += real_targets.speed_targets(by_id.scored, served)
        targets.append(real_targets.training_target(len(rows), measure.merge(by_id.trained[OURS])))
    return {
        "data": rows.schema.name, "rows": len(rows), "features": len(rows.schema.features),
        "trials": args.trials, "seeds": args.seeds, "scored": by_id.scored,
        "machine": measure.describe_machine(), "catboost": version("catboost"),
        "evaluations": {
            contest.evaluation.name: contest.summary(figures[contest.evaluation.name]) for contest in contests
        },
        "cost": [row for contest in contests for row in contest.cost()],
        "scoring": [
            measure.table_row(timed, **{"rows a second": round(by_id.scored / timed.seconds)})
            for timed in served.values()
        ],
        "targets": real_page.target_rows(targets),
    }  # fmt: skip


def main() -> None:
    args = measure.parse_arguments(
        __doc__, data=MADE_UP, schema="", sample=0, trials=12, seeds=3, seed=1, rounds=3, ahead=0.0, behind=0.008
    )
    if args.contender:
        contend(args.contender, args.folder, args.seed)
        return
    if args.data != MADE_UP and not args.schema:
        sys.exit("Say SCHEMA=… too: `campaign init` writes one, to be looked at.")
    real_product.forget_other_homes()
    with world.open_folder(args.folder) as folder:
        if args.data == MADE_UP:
            data, schema = made_up_projects.write_projects(folder, args.sample or made_up_projects.ROWS)
        else:
            data, schema = args.data, Path(args.schema).absolute()
        rows = read_rows(str(data), read_schema(str(schema)), args.sample)
        results = run(rows, str(schema), args, folder)
    real_page.print_results(results)
    if not args.sample:
        real_page.save_results(results)
        report.write_performance_page()
        print(f"docs/performance.md has been written anew, with what was measured on {results['data']}.")


if __name__ == "__main__":
    main()
