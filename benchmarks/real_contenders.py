"""One contender of `make bench-real`, in a process of its own: what it finds in its evaluation's folder, and leaves."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import measure
from benchmarks.real_product import OURS, PIPELINE, scoring_of
from benchmarks.real_rivals import CATBOOST, OF_SKLEARN, fit_rival
from benchmarks.real_rows import Rows, write_features, write_sources
from benchmarks.real_splits import Evaluation
from benchmarks.rivals import ONNX

Floats = NDArray[np.float64]
RIVALS = (*OF_SKLEARN, CATBOOST)
SERVED = (OURS, PIPELINE, ONNX)  # one champion, in three ways
FITTED, LABEL = "fitted-features.parquet", "fitted-label.npy"
SCORED, SCORED_FEATURES = "scored.parquet", "scored-features.parquet"
GIVEN = "given.parquet"
MIN_SCORED, WARMING = 200_000, 300


def write_evaluation(rows: Rows, evaluation: Evaluation, folder: Path) -> int:
    """The files that contenders learn from and score; gives how many rows the latter have.

    Judged rows stand there so often that scoring them is more than its beginning.
    """
    repeat = -(-MIN_SCORED // len(evaluation.judged))
    write_sources(rows, evaluation.given, folder / GIVEN)
    write_sources(rows, evaluation.judged, folder / SCORED, repeat)
    write_features(rows, evaluation.judged, folder / SCORED_FEATURES, repeat)
    write_features(rows, evaluation.fitted, folder / FITTED)
    np.save(folder / LABEL, rows.label[evaluation.fitted])
    return repeat * len(evaluation.judged)


def probabilities_of(folder: Path, name: str, seed: int) -> Floats:
    """What a contender said of the rows that it scored."""
    probabilities: Floats = np.load(_answer(folder, name, seed))
    return probabilities


def contend(name: str, folder: Path, seed: int) -> None:
    """Time a rival's fit and scoring, or the scoring of the champion in one of the ways to serve it."""
    if name in SERVED:
        score = scoring_of(name, folder / SCORED)
        score()  # compiles, opens threads, fills the disk's cache
        measure.report_result(lambda: np.save(_answer(folder, name, seed), score()))
        return
    features, label = pd.read_parquet(folder / FITTED), np.load(folder / LABEL)
    few = np.concatenate([np.flatnonzero(label == outcome)[:WARMING] for outcome in (0, 1)])
    fit_rival(name, features.iloc[few], label[few], seed)
    fitted: list[Callable[[pd.DataFrame], Floats]] = []

    def score_judged() -> dict[str, Any]:
        seconds = 0.0
        for _ in range(2):  # the second time counts, as with the champion
            began = time.perf_counter()
            np.save(_answer(folder, name, seed), fitted[0](pd.read_parquet(folder / SCORED_FEATURES)))
            seconds = time.perf_counter() - began
        return {"scoring": seconds}

    measure.report_result(lambda: fitted.append(fit_rival(name, features, label, seed)), score_judged)


def _answer(folder: Path, name: str, seed: int) -> Path:
    return folder / f"{name.replace(' ', '-')}-{seed}.npy"
