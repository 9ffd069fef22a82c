"""What is searched: a forest, whether it stands on a linear part, and how fast rows lose weight with age."""

from typing import Any, TypedDict

SPACE_VERSION = "3"  # also of how the matrix is made: trials on other codes are of another study
MAX_TREES = 128
HALF_LIVES = (None, 0.5, 0.25)


class ForestParams(TypedDict):
    """scikit-learn's own names. `max_features` is the share of features that a split looks at, `max_samples` the share
    of rows that each tree is fitted on."""

    n_estimators: int
    min_samples_leaf: int
    max_features: float
    max_samples: float


class Recipe(ForestParams):
    """`linear`: the answer is the mean of a linear part and of a forest that sees its score. `half_life`: the share of
    the rows' time span in which their weight halves; None where all weigh the same."""

    linear: bool
    half_life: float | None


def forest_params(recipe: Recipe) -> ForestParams:
    names = ForestParams.__annotations__
    return ForestParams(**{name: value for name, value in recipe.items() if name in names})  # type: ignore[typeddict-item]


def suggest(trial: Any, knows_time: bool) -> Recipe:
    """One point of the space; rows weigh the same where it is not known which are the later ones."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 16, MAX_TREES, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 64, log=True),
        "max_features": trial.suggest_float("max_features", 0.2, 1.0),
        "max_samples": trial.suggest_float("max_samples", 0.3, 1.0),
        "linear": trial.suggest_categorical("linear", [True, False]),
        "half_life": trial.suggest_categorical("half_life", HALF_LIVES) if knows_time else None,
    }


def first_guesses(knows_time: bool) -> list[dict[str, Any]]:
    """Where the search begins: the default, measured on real campaigns to be as good as the best of many; and a deep
    forest that sees every feature at each split, for data without noise."""
    default = {"n_estimators": 100, "min_samples_leaf": 5, "max_features": 0.3, "max_samples": 1.0, "linear": True}
    deep = {"n_estimators": 64, "min_samples_leaf": 1, "max_features": 1.0, "max_samples": 1.0, "linear": False}
    if not knows_time:
        return [default, deep]
    return [default | {"half_life": 0.5}, deep | {"half_life": None}]


def is_default(params: Any, knows_time: bool) -> bool:
    return dict(params) == first_guesses(knows_time)[0]


def recipe_of(params: Any, trees: int) -> Recipe:
    """Of a trial's parameters, cut to its first trees."""
    return Recipe(**{"half_life": None, **params, "n_estimators": trees})  # type: ignore[typeddict-item]


def study_name(model: str, digest: str, feature_set: str, seed: int) -> str:
    """Name of the Optuna study: another data set, feature set, seed or space is another study.

    All columns are still called `published` in it, or a search that was interrupted before would begin anew.
    """
    return f"{model}-{digest}-{'published' if feature_set == 'all' else feature_set}-{seed}-{SPACE_VERSION}"
