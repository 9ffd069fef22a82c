"""Fit a forest as it is chosen and registered: always plain scikit-learn.

intelex leaves hold majority votes, not class shares, and exporting those gives wrong probabilities.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.training.search_space import ForestParams


def fit_forest(
    params: ForestParams, X: NDArray[np.float32], y: NDArray[np.int8], seed: int, weight: NDArray[np.float64] | None
) -> Any:
    """A fitted RandomForestClassifier, on X [rows, features], y [rows] of 0 and 1, and the weight of each row."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**params, random_state=seed, n_jobs=-1).fit(X, y, sample_weight=weight)
