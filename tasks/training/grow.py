"""Grow a forest in stages, so that a poor one is stopped early and every smaller one comes for free."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaign.forest import Forest
from campaign.predictor import Predictor
from tasks.measures import log_loss, roc_auc
from tasks.progress import report
from tasks.task_runner import count_cores
from tasks.training.examples import Examples
from tasks.training.fit_forest import fit_forest
from tasks.training.prepare_rows import Prepared
from tasks.training.search_space import ForestParams, Recipe, forest_params

PREFIXES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128)
FIRST_TREES = 8
SAMPLE = 4  # every fourth row, in the first stage
TREES_A_DRAW = 8
EVERY_ROW = slice(None)


@dataclass(frozen=True)
class Size:
    """A forest of the first `trees` trees: validation ROC-AUC and log loss, and comparisons per row scored."""

    trees: int
    roc_auc: float
    log_loss: float
    cost: float


@dataclass(frozen=True)
class Grown:
    """What growing gave: a Size per prefix, CPU seconds spent, and those that stopping early saved (an estimate)."""

    sizes: list[Size]
    cpu_seconds: float
    cpu_seconds_saved: float = 0.0
    stopped: bool = False


def grow(recipe: Recipe, examples: Examples, seed: int, stop: Callable[[int, float], bool]) -> Grown:
    """Fit in three stages: a few trees on a quarter of the rows, a quarter of the trees on all rows, all trees.

    After each of the first two, `stop(stage, log loss)` may end it.
    """
    started = time.process_time()
    prepared, judged = examples.prepared(recipe)
    params, total = forest_params(recipe), recipe["n_estimators"]
    first, quarter = min(FIRST_TREES, total), -(-total // 4)

    def judge(trees: list[Any], rows: slice) -> list[Size]:
        weight = None if prepared.weight is None else prepared.weight[rows]
        forest = Forest.from_trees(trees).with_leaf_shares(prepared.X[rows], prepared.y[rows], weight)
        return [size for size, _ in prefixes_of(prepared.predictor(forest), judged, examples.judged.y)]

    # A rare outcome may stand in no fourth row, and nothing can be fitted to one outcome alone.
    sample = slice(None, None, SAMPLE if len(np.unique(prepared.y[::SAMPLE])) == 2 else 1)
    sample_started = time.process_time()
    sizes = judge(fit_trees(params, prepared, first, seed, sample), sample)
    spent = time.process_time() - sample_started
    if stop(0, sizes[-1].log_loss):
        saved = spent / first * (sample.step or 1) * total
        return Grown([], time.process_time() - started, saved, stopped=True)

    full_started = time.process_time()
    trees = fit_trees(params, prepared, quarter, seed)
    sizes = judge(trees, slice(None))
    per_tree = (time.process_time() - full_started) / quarter
    if stop(1, sizes[-1].log_loss):
        return Grown(sizes, time.process_time() - started, per_tree * (total - quarter), stopped=True)

    if total > quarter:
        # Another seed, or these would be the first trees again.
        trees += fit_trees(params, prepared, total - quarter, seed + 1_000_003)
        sizes = judge(trees, slice(None))
    return Grown(sizes, time.process_time() - started)


def prefixes_of(
    predictor: Predictor, judged: NDArray[np.float32], label: NDArray[np.int8]
) -> list[tuple[Size, NDArray[np.float64]]]:
    """Every prefix of a predictor's trees, judged on rows that it takes, with its probabilities."""
    prefixes = sorted({*(trees for trees in PREFIXES if trees < predictor.size), predictor.size})
    probabilities = predictor.predict_prefixes(judged, prefixes)
    return [
        (Size(trees, roc_auc(label, probability), log_loss(label, probability), predictor.cost(trees)), probability)
        for trees, probability in zip(prefixes, probabilities, strict=True)
    ]


def fit_trees(params: ForestParams, prepared: Prepared, count: int, seed: int, rows: slice = EVERY_ROW) -> list[Any]:
    """scikit-learn `Tree` objects. Where scikit-learn-intelex is installed it fits them, 8 to 11 times faster.

    Its leaves hold majority votes, not class shares, which shifts probabilities by up to 0.35: fill them again.
    It knows no weights: rows are drawn by theirs instead, anew for every few trees.
    """
    X, y = prepared.X[rows], prepared.y[rows]
    weight = None if prepared.weight is None else prepared.weight[rows]
    try:
        from sklearnex.ensemble import RandomForestClassifier
    except ImportError:
        fitted = fit_forest({**params, "n_estimators": count}, X, y, seed, weight)
        return [tree.tree_ for tree in fitted.estimators_]

    trees: list[Any] = []
    rng = np.random.default_rng(seed)
    while len(trees) < count:
        size = count if weight is None else min(TREES_A_DRAW, count - len(trees))
        drawn = np.ones(len(y), bool) if weight is None else rng.random(len(y)) < weight / weight.max()
        if len(np.unique(y[drawn])) < 2:
            drawn[:] = True
        model = RandomForestClassifier(
            **{**params, "n_estimators": size}, random_state=seed + len(trees), n_jobs=count_cores()
        )
        with warnings.catch_warnings():
            # Off the main thread intelex takes all cores, whatever it is told, and says so at each fit.
            warnings.filterwarnings("ignore", "'Threading' parallel backend", UserWarning)
            trees += [fitted.tree_ for fitted in model.fit(X[drawn], y[drawn]).estimators_]
        report("trees", len(trees), count)
    return trees
