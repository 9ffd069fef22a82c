"""Fit a logistic regression on the columns that a forest sees: categories, clipped numbers and their deciles.

What is smooth or adds up it learns from far fewer rows than a forest needs; the forest adds what does not add up.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaign.encoding import MISSING_CATEGORY, MISSING_NUMBER, Encoder
from campaign.linear import Linear
from tasks.sampling import sample_rows

REGULARIZATION = 0.1  # scikit-learn's C: the inverse of the L2 penalty's strength
FOLDS = 5
MAX_ROWS, MAX_FOLD_ROWS = 300_000, 50_000  # of a fit: some hundred coefficients need no more
CLIPPED = (0.01, 0.99)  # beyond these quantiles a column that leaves its range would carry the answer away
DECILES = np.linspace(0.1, 0.9, 9)

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class NumberTerms:
    """How a number enters: clipped and standardised, with an indicator for each of its edges that it reaches.

    A missing one counts as the median.
    """

    low: float
    high: float
    mean: float
    deviation: float
    median: float
    edges: NDArray[np.float32]

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "NumberTerms":
        given = values[values > MISSING_NUMBER]
        if not len(given):
            return cls(0.0, 0.0, 0.0, 1.0, 0.0, np.empty(0, np.float32))
        low, high, median = np.quantile(given, [*CLIPPED, 0.5], method="nearest").astype(float)
        clipped = np.clip(given.astype(np.float64), low, high)
        edges = np.unique(np.quantile(given, DECILES, method="nearest"))
        edges = edges[edges > given.min()].astype(np.float32)  # all rows reach the smallest value
        return cls(low, high, float(clipped.mean()), float(clipped.std()) or 1.0, median, edges)

    def design(self, values: NDArray[np.float32], nullable: bool) -> Floats:
        """[rows, 1 + edges, and one more if it may be missing]."""
        missing = values <= MISSING_NUMBER
        filled = np.where(missing, self.median, values)
        smooth = (np.clip(filled, self.low, self.high) - self.mean) / self.deviation
        reached = filled[:, None] >= self.edges
        return np.column_stack([smooth, reached, *([missing] if nullable else [])]).astype(np.float64)


def fit_linear(encoder: Encoder, X: Matrix, y: NDArray[np.int8], weight: Floats | None) -> Linear:
    """Of X [rows, features] as the encoder makes them, y [rows] of 0 and 1, and the weight of each row."""
    rows = sample_rows(len(y), MAX_ROWS)
    if len(np.unique(y[rows])) < 2:
        rows = np.arange(len(y))
    return _fit(encoder, X[rows], y[rows], None if weight is None else weight[rows])[0]


def fit_with_scores(encoder: Encoder, X: Matrix, y: NDArray[np.int8], weight: Floats | None) -> tuple[Linear, Floats]:
    """The same, and each row's probability by a fit that did not see it, which is how a row that comes is seen.

    By that on the other folds; of more than MAX_ROWS rows, those that are in no sample by the fit itself.
    """
    rows = sample_rows(len(y), MAX_ROWS)
    if len(np.unique(y[rows])) < 2:
        rows = np.arange(len(y))
    inside, label, weights = X[rows], y[rows], None if weight is None else weight[rows]
    linear, design = _fit(encoder, inside, label, weights)
    probability = linear.predict(X)
    fold = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    for number in range(FOLDS):
        others = np.flatnonzero(fold != number)
        others = others[sample_rows(len(others), MAX_FOLD_ROWS)]
        if len(np.unique(label[others])) < 2:
            continue
        model = _regression().fit(design[others], label[others], None if weights is None else weights[others])
        own = fold == number
        probability[rows[own]] = model.predict_proba(design[own])[:, 1]
    return linear, probability


def _fit(encoder: Encoder, X: Matrix, y: NDArray[np.int8], weight: Floats | None) -> tuple[Linear, Any]:
    terms = {at: NumberTerms.of(X[:, at]) for at, column in enumerate(encoder.features) if not column.is_category}
    design = _design(encoder, X, terms)
    model = _regression().fit(design, y, weight)
    return _as_lookups(encoder, terms, model.coef_[0], float(model.intercept_[0])), design


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=REGULARIZATION, max_iter=1_000)


def _design(encoder: Encoder, X: Matrix, terms: dict[int, NumberTerms]) -> Any:
    """[rows, columns]: a sparse matrix, for most categories are not a row's."""
    from scipy import sparse

    parts = []
    for at, column in enumerate(encoder.features):
        if column.is_category:
            codes = X[:, at].astype(np.int64) - MISSING_CATEGORY
            parts.append(sparse.csr_matrix(
                (np.ones(len(codes)), (np.arange(len(codes)), codes)), (len(codes), _count_codes(encoder, at))
            ))  # fmt: skip
        else:
            parts.append(sparse.csr_matrix(terms[at].design(X[:, at], column.nullable)))
    return sparse.hstack(parts, "csr")


def _count_codes(encoder: Encoder, at: int) -> int:
    """Codes of a category, the missing and the unknown one among them."""
    codes = encoder.code_of_each(encoder.features[at].name)
    return int(codes.max(initial=-1)) + 1 - MISSING_CATEGORY


def _as_lookups(encoder: Encoder, terms: dict[int, NumberTerms], coefficients: Floats, intercept: float) -> Linear:
    offsets: list[Floats] = []
    edges: list[NDArray[np.float32]] = []
    per_feature = {name: np.full(len(encoder.features), np.nan) for name in ("slope", "low", "high", "missing")}
    start = 0
    for at, column in enumerate(encoder.features):
        if column.is_category:
            width = _count_codes(encoder, at)
            offsets.append(coefficients[start : start + width])
            edges.append(np.empty(0, np.float32))
        else:
            number = terms[at]
            width = 1 + len(number.edges) + column.nullable
            own = coefficients[start : start + width]
            slope = own[0] / number.deviation
            steps = np.concatenate([[0.0], np.cumsum(own[1 : 1 + len(number.edges)])]) - slope * number.mean
            of_median = steps[np.searchsorted(number.edges, np.float32(number.median), side="right")]
            of_median += slope * np.clip(number.median, number.low, number.high)
            offsets.append(steps)
            edges.append(number.edges)
            values = (slope, number.low, number.high, of_median + (own[-1] if column.nullable else 0.0))
            for name, value in zip(per_feature, values, strict=True):
                per_feature[name][at] = value
        start += width
    return Linear(
        starts=np.cumsum([0, *map(len, offsets)]).astype(np.int32),
        offsets=np.concatenate(offsets),
        edge_starts=np.cumsum([0, *map(len, edges)]).astype(np.int32),
        edges=np.concatenate(edges).astype(np.float32),
        intercept=np.array([intercept]),
        **per_feature,
    )
