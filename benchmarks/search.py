"""CPU seconds of the search beside the grid that it replaces and beside plain scikit-learn: `make bench-search`.

What takes hours is estimated from a sample that is spread over cheap and costly fits, and says so.
--data names the published file; without it the generator stands in, which has the same distribution.
"""

import json
import os
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import measure, world
from benchmarks.measure import Target, Timed
from campaign.schema import LABEL
from campaign.schema_file import published

REPLACED_AUC, GOOD_AUC, GRID_SHARE, MAX_SECONDS, CPU_RATIO = 0.943, 0.999, 0.01, 30, 8
UNTIL_GOOD, ALL_TRIALS, GRID, SAME_FORESTS = (
    "search to ROC-AUC 0.999",
    "search, all trials",
    "the replaced grid",
    "scikit-learn, same forests",
)
SEED = 1
UNBOUNDED = 20  # about how deep a forest grows that nobody bounds
FEATURES = published().features
# Of the replaced project's kind: its best was 110 trees, depth 10, leaf 3.
GRID_OF_400 = [
    {"n_estimators": trees, "max_depth": depth, "min_samples_leaf": leaf}
    for trees, depth, leaf in product(range(10, 201, 10), (2, 4, 6, 8, 10), (1, 3, 5, 10))
]


def prepare_parts(data: Path, folder: Path) -> Any:
    """The parts that a training would fit and choose on."""
    from tasks.training.encode import write_parts
    from tasks.training.ingest import Sources
    from tasks.training.split import buckets_of
    from tasks.training.validate import gather

    schema = published()
    gathered, _ = gather(Sources(str(data), str(data), ()), folder, schema)
    return gathered, write_parts(gathered.path, buckets_of(gathered.path), schema, folder / "parts")


def time_search(data: Path, folder: Path, trials: int, until: float) -> None:
    """The product's own search; reports CPU seconds and best ROC-AUC after each trial."""
    import optuna

    from tasks.training.examples import examples_of
    from tasks.training.study import COUNTED, Share, grown_of, open_study, run_trials

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _, parts = prepare_parts(data, folder)
    examples = examples_of(parts)
    few = np.arange(500)
    few_examples = replace(examples, fitted=examples.fitted.take(few), judged=examples.judged.take(few))
    warm_study = open_study("warm", f"sqlite:///{folder}/warm-{os.getpid()}.db", SEED, knows_time=False)
    run_trials(warm_study, few_examples, Share("warm", 0, 1), 1, SEED, lambda trial: None)
    study = open_study("bench", f"sqlite:///{folder}/study-{os.getpid()}.db", SEED, knows_time=False)
    history: list[tuple[float, float]] = []
    began = time.process_time()

    def record_trial(trial: Any) -> None:
        finished = [grown_of(counted).sizes for counted in study.get_trials(False, COUNTED)]
        best = max((sizes[-1].roc_auc for sizes in finished if sizes), default=0.0)
        history.append((time.process_time() - began, best))
        if best >= until:
            study.stop()

    def search() -> dict[str, Any]:
        run_trials(study, examples, Share("bench", 0, trials), trials, SEED, record_trial)
        counted = study.get_trials(False, COUNTED)
        saved = sum(grown_of(trial).cpu_seconds_saved for trial in counted)
        return {"history": history, "params": [forest_of(trial.params) for trial in counted], "saved": saved}

    measure.report_result(search)


def encode_one_hot(path: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Dense, as the replaced project's vectorizer gave it."""
    import pandas as pd

    names = [column.name for column in FEATURES]
    frame = pq.read_table(path, columns=names).take(rows).to_pandas()
    categories = [column.name for column in FEATURES if column.is_category]
    return pd.get_dummies(frame, columns=categories).to_numpy(np.float32)


def time_fits(data: Path, folder: Path, configurations: list[dict[str, Any]]) -> None:
    """Each forest fitted by scikit-learn on one core, on dense one-hot rows, and judged on validation rows."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    gathered, parts = prepare_parts(data, folder)
    matrices = {part: encode_one_hot(gathered.path, parts.rows(part)) for part in ("train", "validation")}
    labels = pq.read_table(gathered.path, columns=[LABEL]).column(0).to_numpy()
    y = {part: labels[parts.rows(part)] for part in matrices}

    def work() -> dict[str, Any]:
        seconds, aucs = [], []
        for configuration in configurations:
            began = time.process_time()
            forest = RandomForestClassifier(**configuration, random_state=1, n_jobs=1)
            forest.fit(matrices["train"], y["train"])
            aucs.append(roc_auc_score(y["validation"], forest.predict_proba(matrices["validation"])[:, 1]))
            seconds.append(time.process_time() - began)
        return {"seconds": seconds, "aucs": aucs}

    measure.report_result(work)


def forest_of(params: dict[str, Any]) -> dict[str, Any]:
    """What scikit-learn's forest takes of a trial's parameters."""
    from tasks.training.search_space import forest_params, recipe_of

    return dict(forest_params(recipe_of(params, params["n_estimators"])))


def spread_sample(configurations: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """That many configurations, at even steps from the cheapest to the costliest."""

    def cost(forest: dict[str, Any]) -> float:
        trees, depth = forest["n_estimators"], forest.get("max_depth", UNBOUNDED)
        return trees * depth * forest.get("max_samples", 1) * forest.get("max_features", 1)

    ordered = sorted(configurations, key=cost)
    return [ordered[int((number + 0.5) * len(ordered) / count)] for number in range(count)]


def main() -> None:
    args = measure.parse_arguments(
        __doc__, data="", rows=100_000, trials=100, grid=6, same=5, rounds=3, configurations=""
    )
    with world.open_folder(args.folder) as folder:
        data = Path(args.data).absolute() if args.data else world.make_campaigns_file(folder, args.rows)
        if args.contender:
            run_folder = folder / f"search-{os.getpid()}"
            run_folder.mkdir()
            if args.contender in (GRID, SAME_FORESTS):
                time_fits(data, run_folder, json.loads(args.configurations))
            else:
                time_search(data, run_folder, args.trials, GOOD_AUC if args.contender == UNTIL_GOOD else 2.0)
            return
        arguments = ["--folder", str(folder), "--rows", str(args.rows), "--trials", str(args.trials)]
        arguments += ["--data", str(data)]
        grid = json.dumps(spread_sample(GRID_OF_400, args.grid))
        timings = measure.run_contenders("benchmarks.search", {UNTIL_GOOD: arguments}, args.rounds, {})
        timings |= measure.run_contenders(
            "benchmarks.search", {ALL_TRIALS: arguments, GRID: [*arguments, "--configurations", grid]}, 1, {}
        )
        same = json.dumps(spread_sample(timings[ALL_TRIALS].result["params"], args.same))
        timings |= measure.run_contenders(
            "benchmarks.search", {SAME_FORESTS: [*arguments, "--configurations", same]}, 1, {}
        )
    report(timings, args)


def report(timings: dict[str, Timed], args: Any) -> None:
    def cpu_to(auc: float) -> float:
        return next((cpu for cpu, best in timings[ALL_TRIALS].result["history"] if best >= auc), float("inf"))

    def estimate(name: str, count: int) -> float:
        seconds = timings[name].result["seconds"]
        return sum(seconds) / len(seconds) * count

    grid, same = estimate(GRID, len(GRID_OF_400)), estimate(SAME_FORESTS, args.trials)
    all_trials, saved = timings[ALL_TRIALS].cpu_seconds, timings[ALL_TRIALS].result["saved"]
    share, ratio = cpu_to(REPLACED_AUC) / grid, same / all_trials
    targets = [
        Target(
            f"search to the replaced project's ROC-AUC ({REPLACED_AUC})", f"≤ {GRID_SHARE:.0%} of the CPU of its grid",
            f"{share:.2%}: {cpu_to(REPLACED_AUC):.1f} of {grid:,.0f} CPU s (estimated from {args.grid} of 400 fits)",
            share <= GRID_SHARE,
        ),
        Target(
            f"search to ROC-AUC {GOOD_AUC}", f"≤ {MAX_SECONDS} CPU s",
            f"{timings[UNTIL_GOOD].cpu_seconds:.1f} CPU s", timings[UNTIL_GOOD].cpu_seconds <= MAX_SECONDS,
        ),
        Target(
            f"{args.trials} trials, same configurations",
            f"≥ {CPU_RATIO}× less CPU than one-core scikit-learn, one-hot",
            f"{ratio:.1f}×: {all_trials:,.0f} against {same:,.0f} CPU s (estimated from {args.same} of {args.trials}); "
            f"{same / (all_trials + saved):.1f}× without stopping poor trials early (estimated)",
            ratio >= CPU_RATIO,
        ),
    ]  # fmt: skip
    rows = [measure.table_row(timed) for timed in timings.values()]
    best = {GRID: max(timings[GRID].result["aucs"]), SAME_FORESTS: max(timings[SAME_FORESTS].result["aucs"])}
    measure.save_results(
        "search", targets, {"search": rows}, history=timings[ALL_TRIALS].result["history"], best=best,
        data="the published file" if args.data else f"{args.rows:,} campaigns of the generator",
        estimates={"grid": grid, "same configurations": same},
    )  # fmt: skip


if __name__ == "__main__":
    main()
