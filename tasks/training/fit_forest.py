"""Fit a forest as it is chosen and registered: always plain scikit-learn.

intelex leaves hold majority votes, not class shares, and exporting those gives wrong probabilities.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.progress import report
from tasks.training.search_space import ForestParams

TREES_A_REPORT = 16


def fit_forest(
    params: ForestParams, X: NDArray[np.float32], y: NDArray[np.int8], seed: int, weight: NDArray[np.float64] | None
) -> Any:
    """A fitted RandomForestClassifier, on X [rows, features], y [rows] of 0 and 1, and the weight of each row."""
    from sklearn.ensemble import RandomForestClassifier

    total = params["n_estimators"]
    forest = RandomForestClassifier(**params, random_state=seed, n_jobs=-1, warm_start=True)
    for trees in [*range(TREES_A_REPORT, total, TREES_A_REPORT), total]:  # they are those of one fit of all
        forest.set_params(n_estimators=trees).fit(X, y, sample_weight=weight)
        report("trees", trees, total)
    return forest.set_params(warm_start=False)
