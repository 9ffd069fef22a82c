"""Code categories by the rank of their success rate among the rows that a model is fitted on."""

import numpy as np
from numpy.typing import NDArray

from campaign.encoding import UNKNOWN_CATEGORY, Encoder

SMOOTHING = 20  # rows of the mean rate that each category's own are mixed with
RARE_ROWS = 5  # categories with fewer share one code

Floats = NDArray[np.float64]


def rank_categories(encoder: Encoder, X: NDArray[np.float32], y: NDArray[np.int8], weight: Floats | None) -> Encoder:
    """The encoder with categories in the order of their smoothed success rate, (s + 20 · mean) / (n + 20).

    X [rows, features] is coded by `encoder`. `weight` [rows] counts for rates, not for who is rare. A category that no
    row shows is left out: it is unknown to whoever learns from these rows.
    """
    weights = np.ones(len(y)) if weight is None else weight
    mean = float(weights @ y / weights.sum())
    categories, rare = {}, {}
    for at, column in enumerate(encoder.features):
        if not column.is_category:
            continue
        names = encoder.categories[column.name]
        known = X[:, at] >= 0
        codes = X[known, at].astype(np.int64)
        rows = np.bincount(codes, minlength=len(names))
        total = np.bincount(codes, weights[known], len(names))
        won = np.bincount(codes, weights[known] * y[known], len(names))
        few = np.flatnonzero((rows > 0) & (rows < RARE_ROWS))
        # Each is a group of categories and its rate; the rare ones are one group.
        frequent = np.flatnonzero(rows >= RARE_ROWS).tolist()
        groups = [([code], _rate(total[code], won[code], mean)) for code in frequent]
        if len(few):
            groups.append((few.tolist(), _rate(total[few].sum(), won[few].sum(), mean)))
        groups.sort(key=lambda group: (group[1], group[0]))
        order = [code for codes_of_group, _ in groups for code in codes_of_group]
        categories[column.name] = tuple(names[code] for code in order)
        if len(few) > 1:
            rare[column.name] = (order.index(few[0]), len(few))
    return Encoder(encoder.features, categories, rare)


def recode(X: NDArray[np.float32], before: Encoder, after: Encoder) -> NDArray[np.float32]:
    """A copy of a matrix [rows, features], coded by another encoder of the same features."""
    recoded = np.array(X)
    for at, column in enumerate(before.features):
        if column.is_category:
            codes = dict(zip(after.categories[column.name], after.code_of_each(column.name).tolist(), strict=True))
            table = [codes.get(name, UNKNOWN_CATEGORY) for name in before.categories[column.name]]
            known = X[:, at] >= 0
            recoded[known, at] = np.array(table, np.float32)[X[known, at].astype(np.int64)]
    return recoded


def _rate(rows: float, successes: float, mean: float) -> float:
    return float((successes + SMOOTHING * mean) / (rows + SMOOTHING))
