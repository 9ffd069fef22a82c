"""A fitted model as a Pipeline of scikit-learn's own parts, so that whoever loads it needs no code of ours."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from campaign.encoding import MISSING_CATEGORY, MISSING_NUMBER, UNKNOWN_CATEGORY, Encoder
from campaign.linear import Linear

if TYPE_CHECKING:
    import pandas as pd

# What skops has to trust beside what it knows: a dtype is what SimpleImputer remembers of its column.
TRUSTED = ["sklearn.tree._tree.Tree", "numpy.dtype"]
CLASSES = np.array([0, 1])


def as_pipeline(encoder: Encoder, linear: Linear | None, forest: Any, shift: float, example: pd.DataFrame) -> Any:
    """From campaigns as published (a DataFrame) to probabilities, equal to the flat model's.

    `forest` is scikit-learn's, fitted on what the encoder makes, after the linear part's probability if there is one.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    encode = column_transformer(encoder, example)
    if linear is None:
        return Pipeline([("encode", encode), ("forest", forest)])
    # A forest rounds to float32 by itself; the linear part has to see the same numbers.
    steps = [("encode", encode), ("round", FunctionTransformer(np.float32)), ("widen", FunctionTransformer(np.float64))]
    steps = [(name, step.fit(np.zeros((1, linear.n_features))) if name != "encode" else step) for name, step in steps]
    return Pipeline([*steps, ("ensemble", _ensemble(encoder, linear, forest, shift))])


def column_transformer(encoder: Encoder, example: pd.DataFrame) -> Any:
    """The encoder: one step a column, in the features' order, which is the order of the matrix that is fitted on."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer

    steps: list[tuple[str, Any, list[str]]] = []
    for column in encoder.features:
        if column.is_category:
            steps.append((column.name, _category_codes(encoder, column.name), [column.name]))
        elif column.nullable:
            imputer = SimpleImputer(strategy="constant", fill_value=MISSING_NUMBER, keep_empty_features=True)
            steps.append((column.name, imputer, [column.name]))
        else:
            steps.append((column.name, "passthrough", [column.name]))
    transformer = ColumnTransformer(steps, verbose_feature_names_out=False)
    # A target encoder wants to be fitted to both outcomes; what it learns of them is replaced at once.
    rows = example.iloc[np.arange(max(4, len(example))) % len(example)]
    transformer.fit(rows, np.arange(len(rows)) % 2)
    for column in encoder.features:
        if column.is_category:
            _set_codes(transformer.named_transformers_[column.name], encoder, column.name)
    return transformer


def _category_codes(encoder: Encoder, name: str) -> Any:
    from sklearn.preprocessing import TargetEncoder

    # Without these among them, a missing category would count as unknown.
    known = np.array([*encoder.categories[name], None, np.nan], object)
    return TargetEncoder(categories=[known], target_type="binary", cv=2)


def _set_codes(fitted: Any, encoder: Encoder, name: str) -> None:
    """Codes in place of rates: several categories may share one."""
    codes = encoder.code_of_each(name).astype(np.float64)
    fitted.encodings_ = [np.append(codes, [float(MISSING_CATEGORY)] * 2)]
    fitted.target_mean_ = float(UNKNOWN_CATEGORY)


def _ensemble(encoder: Encoder, linear: Linear, forest: Any, shift: float) -> Any:
    """The mean of both, shifted: a soft vote of the linear part and of the forest that is stacked upon it."""
    from scipy.special import logit
    from sklearn.ensemble import StackingClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, LabelEncoder

    logistic = _logistic_regression(encoder, linear)
    labels = LabelEncoder().fit(CLASSES)
    stacked = StackingClassifier([("linear", logistic)], forest, cv="prefit", passthrough=True)
    stacked.estimators_, stacked.stack_method_, stacked.final_estimator_ = [logistic], ["predict_proba"], forest
    stacked.named_estimators_ = {"linear": logistic}
    stacked.classes_, stacked._label_encoder = CLASSES, labels
    vote = VotingClassifier([("linear", logistic), ("stacked", stacked)], voting="soft")
    vote.estimators_, vote.classes_, vote.le_ = [logistic, stacked], CLASSES, labels
    vote.named_estimators_ = {"linear": logistic, "stacked": stacked}
    if not shift:
        return vote
    # One more stage: log-odds of the mean, to which a regression with the coefficient 1 adds its intercept.
    shifted = Pipeline([
        ("log_odds", FunctionTransformer(logit).fit(np.full((1, 1), 0.5))),
        ("shift", _assembled(LogisticRegression(), np.ones((1, 1)), shift)),
    ])  # fmt: skip
    calibrated = StackingClassifier([("ensemble", vote)], shifted, cv="prefit")
    calibrated.estimators_, calibrated.stack_method_, calibrated.final_estimator_ = [vote], ["predict_proba"], shifted
    calibrated.named_estimators_ = {"ensemble": vote}
    calibrated.classes_, calibrated._label_encoder = CLASSES, labels
    return calibrated


def _logistic_regression(encoder: Encoder, linear: Linear) -> Any:
    """The look-ups as one-hot codes, one-hot bins, clipped numbers and indicators of missing ones."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, OneHotEncoder

    steps: list[tuple[str, Any, list[int]]] = []
    coefficients: list[NDArray[np.float64]] = []
    intercept = float(linear.intercept[0])
    for at, column in enumerate(encoder.features):
        offsets = linear.offsets[linear.starts[at] : linear.starts[at + 1]]
        if column.is_category:
            codes = np.arange(len(offsets), dtype=np.float64) + MISSING_CATEGORY
            one_hot = OneHotEncoder(categories=[codes], handle_unknown="ignore")
            steps.append((column.name, one_hot.fit(codes[:, None]), [at]))
            coefficients.append(offsets)
            continue
        low, high, slope, missing = (
            float(array[at]) for array in (linear.low, linear.high, linear.slope, linear.missing)
        )
        edges = linear.edges[linear.edge_starts[at] : linear.edge_starts[at + 1]].astype(np.float64)
        # Between two bounds: 0 at the lower one, 1 at the upper one.
        clipped = MinMaxScaler(clip=True).fit(np.array([[low], [high]]))
        steps.append((f"{column.name}: clipped", clipped, [at]))
        coefficients.append(np.array([slope * (high - low)]))
        at_low = offsets + slope * low
        if len(edges):
            bins = KBinsDiscretizer(len(edges) + 1, encode="onehot")
            _set_bins(bins, edges)
            steps.append((f"{column.name}: bin", bins, [at]))
            coefficients.append(at_low)
        else:  # all values are in one bin
            intercept += float(at_low[0])
        if column.nullable:
            # As a number it lies below all others, so it is in the lowest bin, and clipped to the lower bound.
            indicator = MissingIndicator(missing_values=MISSING_NUMBER, features="all")
            steps.append((f"{column.name}: missing", indicator.fit(np.zeros((1, 1))), [at]))
            coefficients.append(np.array([missing - at_low[0]]))
    transformer = ColumnTransformer(steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a row of zeros is constant
        transformer.fit(np.zeros((1, linear.n_features)))
    transformer.transformers_ = steps  # as they were made, not as fitted to that row
    regression = _assembled(LogisticRegression(), np.concatenate(coefficients)[None], intercept)
    return Pipeline([("columns", transformer), ("regression", regression)])


def _set_bins(bins: Any, edges: NDArray[np.float64]) -> None:
    from sklearn.preprocessing import OneHotEncoder

    outer = np.concatenate([[-np.inf], edges, [np.inf]])
    bins.bin_edges_ = np.array([None], object)
    bins.bin_edges_[0] = outer
    bins.n_bins_ = np.array([len(edges) + 1])
    bins.n_features_in_ = 1
    codes = np.arange(len(edges) + 1, dtype=np.float64)
    bins._encoder = OneHotEncoder(categories=[codes], sparse_output=True).fit(codes[:, None])


def _assembled(model: Any, coefficients: NDArray[np.float64], intercept: float) -> Any:
    model.coef_, model.intercept_, model.classes_ = coefficients, np.array([intercept]), CLASSES
    model.n_features_in_ = coefficients.shape[1]
    return model
