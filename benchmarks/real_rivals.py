"""The models that people would use instead, at their defaults, each with the encoding that it is usually given."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
Predict = Callable[[pd.DataFrame], Floats]
FOREST, LOGISTIC, BOOSTING, CATBOOST = "random forest", "logistic regression", "HistGradientBoosting", "CatBoost"
OF_SKLEARN = (FOREST, LOGISTIC, BOOSTING)
MISSING, OTHER = "(missing)", "(other)"
MOST_CATEGORIES = 254  # that HistGradientBoosting takes, beside OTHER


def fit_rival(name: str, features: pd.DataFrame, label: Labels, seed: int) -> Predict:
    """Fit one of them on features [rows, columns]; numbers have NaN where they are missing, texts None.

    A column without any value is left out, as some of them refuse it.
    """
    fit = {FOREST: _fit_forest, LOGISTIC: _fit_logistic, BOOSTING: _fit_boosting, CATBOOST: _fit_catboost}[name]
    names = [name for name in features if features[name].notna().any()]
    predict = fit(features[names], label, seed)
    return lambda judged: predict(judged[names])


def _texts(features: pd.DataFrame) -> list[str]:
    return [name for name in map(str, features) if not pd.api.types.is_numeric_dtype(features[name])]


def _with_missing(features: pd.DataFrame) -> pd.DataFrame:
    """A missing category is a category of its own."""
    texts = _texts(features)
    return features.assign(**{name: features[name].astype(object).fillna(MISSING) for name in texts})


def _one_hot(features: pd.DataFrame, numbers: Any, sparse: bool) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    texts = _texts(features)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse, dtype=np.float32)
    rest = [name for name in map(str, features) if name not in texts]
    return ColumnTransformer([("categories", one_hot, texts), ("numbers", numbers, rest)], sparse_threshold=sparse)


def _fit_pipeline(numbers: Any, sparse: bool, classifier: Any, features: pd.DataFrame, label: Labels) -> Predict:
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(_one_hot(features, numbers, sparse), classifier)
    pipeline.fit(_with_missing(features), label)
    return lambda judged: np.asarray(pipeline.predict_proba(_with_missing(judged))[:, 1])


def _fit_forest(features: pd.DataFrame, label: Labels, seed: int) -> Predict:
    from sklearn.ensemble import RandomForestClassifier

    # Cores change how long it takes, and not what it learns. A tree takes NaN as it comes, in a dense matrix.
    return _fit_pipeline("passthrough", False, RandomForestClassifier(random_state=seed, n_jobs=-1), features, label)


def _fit_logistic(features: pd.DataFrame, label: Labels, seed: int) -> Predict:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return _fit_pipeline(numbers, True, LogisticRegression(max_iter=10_000, random_state=seed), features, label)


def _fit_boosting(features: pd.DataFrame, label: Labels, seed: int) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier

    filled = _with_missing(features)
    kinds = {
        name: pd.CategoricalDtype([*filled[name].value_counts().index[:MOST_CATEGORIES], OTHER])
        for name in _texts(features)
    }

    def as_categories(rows: pd.DataFrame) -> pd.DataFrame:
        """Too rare to have a place, or new: it is another."""
        texts = {name: rows[name].where(rows[name].isin(kind.categories), OTHER) for name, kind in kinds.items()}
        return rows.assign(**{name: values.astype(kinds[name]) for name, values in texts.items()})

    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=seed)
    model.fit(as_categories(filled), label)
    return lambda judged: np.asarray(model.predict_proba(as_categories(_with_missing(judged)))[:, 1])


def _fit_catboost(features: pd.DataFrame, label: Labels, seed: int) -> Predict:
    from catboost import CatBoostClassifier

    texts = _texts(features)
    model = CatBoostClassifier(cat_features=texts, random_state=seed, verbose=False, allow_writing_files=False)
    model.fit(_with_missing(features), label)
    return lambda judged: np.asarray(model.predict_proba(_with_missing(judged))[:, 1])
