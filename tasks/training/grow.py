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
from tasks.task_runner import count_cores
from tasks.training.search_space import ForestParams

PREFIXES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128)
FIRST_TREES = 8
SAMPLE = 4  # every fourth row, in the first stage


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


@dataclass(frozen=True)
class Examples:
    """Matrices (rows × features, float32) and labels (0 or 1) to fit on and to choose by."""

    train: NDArray[np.float32]
    train_label: NDArray[np.int8]
    validation: NDArray[np.float32]
    validation_label: NDArray[np.int8]


def grow(params: ForestParams, examples: Examples, seed: int, stop: Callable[[int, float], bool]) -> Grown:
    """Fit in three stages: a few trees on a quarter of the rows, a quarter of the trees on all rows, all trees.

    After each of the first two, `stop(stage, validation ROC-AUC)` may end it.
    """
    total = params["n_estimators"]
    first, quarter = min(FIRST_TREES, total), -(-total // 4)
    started = time.process_time()

    def judge(trees: list[Any], X: NDArray[np.float32], y: NDArray[np.int8]) -> list[Size]:
        forest = Forest.from_trees(trees).with_leaf_shares(X, y)
        return [size for size, _ in prefixes_of(forest, examples)]

    # A rare outcome may stand in no fourth row, and nothing can be fitted to one outcome alone.
    every = SAMPLE if len(np.unique(examples.train_label[::SAMPLE])) == 2 else 1
    sample, sample_label = examples.train[::every], examples.train_label[::every]
    trees = fit_trees(params, sample, sample_label, first, seed)
    sizes = judge(trees, sample, sample_label)
    spent = time.process_time() - started
    if stop(0, sizes[-1].roc_auc):
        return Grown([], spent, spent / first * every * total, stopped=True)

    full_started = time.process_time()
    trees = fit_trees(params, examples.train, examples.train_label, quarter, seed)
    sizes = judge(trees, examples.train, examples.train_label)
    per_tree = (time.process_time() - full_started) / quarter
    if stop(1, sizes[-1].roc_auc):
        return Grown(sizes, time.process_time() - started, per_tree * (total - quarter), stopped=True)

    if total > quarter:
        # Another seed, or these would be the first trees again.
        trees += fit_trees(params, examples.train, examples.train_label, total - quarter, seed + 1_000_003)
        sizes = judge(trees, examples.train, examples.train_label)
    return Grown(sizes, time.process_time() - started)


def prefixes_of(predictor: Predictor, examples: Examples) -> list[tuple[Size, NDArray[np.float64]]]:
    """Every prefix of a forest's trees, judged on validation rows, with its probabilities."""
    prefixes = sorted({*(trees for trees in PREFIXES if trees < predictor.size), predictor.size})
    label = examples.validation_label
    probabilities = predictor.predict_prefixes(examples.validation, prefixes)
    return [
        (Size(trees, roc_auc(label, probability), log_loss(label, probability), predictor.cost(trees)), probability)
        for trees, probability in zip(prefixes, probabilities, strict=True)
    ]


def fit_trees(params: ForestParams, X: NDArray[np.float32], y: NDArray[np.int8], count: int, seed: int) -> list[Any]:
    """scikit-learn `Tree` objects. Where scikit-learn-intelex is installed it fits them, 8 to 11 times faster.

    Its leaves hold majority votes, not class shares, which shifts probabilities by up to 0.35: fill them again.
    """
    try:
        from sklearnex.ensemble import RandomForestClassifier
    except ImportError:
        from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(**{**params, "n_estimators": count}, random_state=seed, n_jobs=count_cores())
    with warnings.catch_warnings():
        # Off the main thread intelex takes all cores, whatever it is told, and says so at each fit.
        warnings.filterwarnings("ignore", "'Threading' parallel backend", UserWarning)
        return [fitted.tree_ for fitted in model.fit(X, y).estimators_]
