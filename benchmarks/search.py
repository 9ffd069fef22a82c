"""CPU seconds of the search beside the grid that it replaces and beside plain scikit-learn: `make bench-search`.

What takes hours is estimated from a sample that is spread over cheap and costly fits, and says so.
--data names the published file; without it the generator stands in, which has the same distribution.
"""

import json
import os
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import measure, world
from benchmarks.measure import Target, Timed
from campaign.schema import FEATURES, LABEL

REPLACED_AUC, GOOD_AUC, GRID_SHARE, MOST_SECONDS, TIMES_LESS = 0.943, 0.999, 0.01, 30, 8
FIRST, HUNDRED, GRID, SAME = (
    "search to ROC-AUC 0.999",
    "search, all trials",
    "the replaced grid",
    "scikit-learn, same forests",
)
SEED = 1
# Of the replaced project's kind: its best was 110 trees, depth 10, leaf 3.
GRID_OF_400 = [
    {"n_estimators": trees, "max_depth": depth, "min_samples_leaf": leaf}
    for trees, depth, leaf in product(range(10, 201, 10), (2, 4, 6, 8, 10), (1, 3, 5, 10))
]


def parts_of(data: Path, folder: Path) -> Any:
    """The parts that a training would fit and choose on."""
    from tasks.encode import write_parts
    from tasks.ingest import Sources
    from tasks.split import buckets_of
    from tasks.validate import gather

    gathered, _ = gather(Sources(str(data), str(data), ()), folder)
    return gathered, write_parts(gathered.path, buckets_of(gathered.path), "published", folder / "parts")


def ours(data: Path, folder: Path, trials: int, until: float) -> None:
    """The product's own search; tells CPU seconds and best ROC-AUC after each trial."""
    import optuna

    from tasks.examples import examples_of
    from tasks.study import COUNTED, Share, grown_of, open_study, run_trials

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _, parts = parts_of(data, folder)
    examples = examples_of(parts)
    warm = type(examples)(*(values[:500] for values in vars(examples).values()))
    warm_study = open_study("warm", f"sqlite:///{folder}/warm-{os.getpid()}.db", SEED, len(FEATURES))
    run_trials(warm_study, warm, Share("warm", 0, 1), 1, SEED, lambda trial: None)
    study = open_study("bench", f"sqlite:///{folder}/study-{os.getpid()}.db", SEED, len(FEATURES))
    history: list[tuple[float, float]] = []
    began = time.process_time()

    def done(trial: Any) -> None:
        best = max((t.value or 0 for t in study.get_trials(False, COUNTED) if t.value is not None), default=0)
        history.append((time.process_time() - began, best))
        if best >= until:
            study.stop()

    def search() -> dict[str, Any]:
        run_trials(study, examples, Share("bench", 0, trials), trials, SEED, done)
        counted = study.get_trials(False, COUNTED)
        saved = sum(grown_of(trial).cpu_seconds_saved for trial in counted)
        return {"history": history, "params": [trial.params for trial in counted], "saved": saved}

    measure.tell(search)


def one_hot(path: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Dense, as the replaced project's vectorizer gave it."""
    import pandas as pd

    names = [column.name for column in FEATURES]
    frame = pq.read_table(path, columns=names).take(rows).to_pandas()
    return pd.get_dummies(frame, columns=[c.name for c in FEATURES if c.is_category]).to_numpy(np.float32)


def fits(data: Path, folder: Path, configurations: list[dict[str, Any]]) -> None:
    """Each forest fitted by scikit-learn on one core, on dense one-hot rows, and judged on validation rows."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    gathered, parts = parts_of(data, folder)
    matrices = {part: one_hot(gathered.path, parts.rows(part)) for part in ("train", "validation")}
    labels = pq.read_table(gathered.path, columns=[LABEL]).column(0).to_numpy()
    y = {part: labels[parts.rows(part)] for part in matrices}

    def work() -> dict[str, Any]:
        seconds, aucs = [], []
        for one in configurations:
            began = time.process_time()
            forest = RandomForestClassifier(**one, random_state=1, n_jobs=1).fit(matrices["train"], y["train"])
            aucs.append(roc_auc_score(y["validation"], forest.predict_proba(matrices["validation"])[:, 1]))
            seconds.append(time.process_time() - began)
        return {"seconds": seconds, "aucs": aucs}

    measure.tell(work)


def spread_sample(configurations: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many of them, at even steps from the cheapest to the costliest."""

    def cost(one: dict[str, Any]) -> float:
        return one["n_estimators"] * one["max_depth"] * one.get("max_samples", 1) * one.get("max_features", 1)

    ordered = sorted(configurations, key=cost)
    return [ordered[int((number + 0.5) * len(ordered) / count)] for number in range(count)]


def main() -> None:
    given = measure.arguments(__doc__, data="", rows=100_000, trials=100, grid=6, same=5, rounds=3, configurations="")
    with world.folder_of(given.folder) as folder:
        data = Path(given.data).absolute() if given.data else world.file_of(folder, given.rows)
        if given.contender:
            own = folder / f"search-{os.getpid()}"
            own.mkdir()
            if given.contender in (GRID, SAME):
                fits(data, own, json.loads(given.configurations))
            else:
                ours(data, own, given.trials, GOOD_AUC if given.contender == FIRST else 2.0)
            return
        words = ["--folder", str(folder), "--rows", str(given.rows), "--trials", str(given.trials)]
        words += ["--data", str(data)]
        grid = json.dumps(spread_sample(GRID_OF_400, given.grid))
        found = measure.race("benchmarks.search", {FIRST: words}, given.rounds, {})
        found |= measure.race("benchmarks.search", {HUNDRED: words, GRID: [*words, "--configurations", grid]}, 1, {})
        same = json.dumps(spread_sample(found[HUNDRED].told["params"], given.same))
        found |= measure.race("benchmarks.search", {SAME: [*words, "--configurations", same]}, 1, {})
    report(found, given)


def report(found: dict[str, Timed], given: Any) -> None:
    def cpu_to(auc: float) -> float:
        return next((cpu for cpu, best in found[HUNDRED].told["history"] if best >= auc), float("inf"))

    def estimate(name: str, all_of_them: int) -> float:
        seconds = found[name].told["seconds"]
        return sum(seconds) / len(seconds) * all_of_them

    grid, same = estimate(GRID, len(GRID_OF_400)), estimate(SAME, given.trials)
    hundred, saved = found[HUNDRED].cpu_seconds, found[HUNDRED].told["saved"]
    share, less = cpu_to(REPLACED_AUC) / grid, same / hundred
    targets = [
        Target(
            f"search to the replaced project's ROC-AUC ({REPLACED_AUC})", f"≤ {GRID_SHARE:.0%} of the CPU of its grid",
            f"{share:.2%}: {cpu_to(REPLACED_AUC):.1f} of {grid:,.0f} CPU s (estimated from {given.grid} of 400 fits)",
            share <= GRID_SHARE,
        ),
        Target(
            f"search to ROC-AUC {GOOD_AUC}", f"≤ {MOST_SECONDS} CPU s",
            f"{found[FIRST].cpu_seconds:.1f} CPU s", found[FIRST].cpu_seconds <= MOST_SECONDS,
        ),
        Target(
            f"{given.trials} trials, same configurations",
            f"≥ {TIMES_LESS}× less CPU than one-core scikit-learn, one-hot",
            f"{less:.1f}×: {hundred:,.0f} against {same:,.0f} CPU s (estimated from {given.same} of {given.trials}); "
            f"{same / (hundred + saved):.1f}× without stopping poor trials early (estimated)",
            less >= TIMES_LESS,
        ),
    ]  # fmt: skip
    rows = [measure.row(one) for one in found.values()]
    best = {GRID: max(found[GRID].told["aucs"]), SAME: max(found[SAME].told["aucs"])}
    measure.keep(
        "search", targets, {"search": rows}, history=found[HUNDRED].told["history"], best=best,
        data="the published file" if given.data else f"{given.rows:,} campaigns of the generator",
        estimates={"grid": grid, "same configurations": same},
    )  # fmt: skip


if __name__ == "__main__":
    main()
