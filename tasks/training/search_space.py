"""What is searched: the parameters of a forest, and where the search begins."""

from typing import Any, TypedDict

SPACE_VERSION = "2"  # also of how the matrix is made: trials on other codes are of another study
MAX_TREES = 128


class ForestParams(TypedDict):
    """scikit-learn's own names. `max_samples` is the share of rows that each tree is fitted on."""

    n_estimators: int
    max_depth: int
    min_samples_leaf: int
    max_features: int
    max_samples: float


def suggest(trial: Any, features: int) -> ForestParams:
    """One point of the space, for a matrix with that many features."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 8, MAX_TREES, log=True),
        "max_depth": trial.suggest_int("max_depth", 4, 32),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 64, log=True),
        "max_features": trial.suggest_int("max_features", 2, features),
        "max_samples": trial.suggest_float("max_samples", 0.3, 1.0),
    }


def first_guesses(features: int) -> list[ForestParams]:
    """Where the search begins: a usual forest, to be compared with, and a deep one that sees every feature."""
    usual = ForestParams(n_estimators=110, max_depth=10, min_samples_leaf=3, max_features=3, max_samples=1.0)
    deep = ForestParams(n_estimators=64, max_depth=32, min_samples_leaf=1, max_features=features, max_samples=1.0)
    return [usual, deep]


def study_name(model: str, digest: str, feature_set: str, seed: int) -> str:
    """Name of the Optuna study: another data set, feature set, seed or space is another study.

    All columns are still called `published` in it, or a search that was interrupted before would begin anew.
    """
    return f"{model}-{digest}-{'published' if feature_set == 'all' else feature_set}-{seed}-{SPACE_VERSION}"
