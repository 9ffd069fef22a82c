"""Why one campaign gets its probability: what-if curves, and each fact's share of it.

**The method.** Contributions are exact Shapley values against a background (interventional): the campaign's facts
replace those of a background campaign one after the other, and a fact's contribution is what it changes, averaged over
every order and every background campaign. They add up to the probability less the baseline, which is the mean
probability of the background. A path-based attribution would need the class shares of inner nodes, which the flat
forest does not keep.

**The background** is 128 made-up campaigns of the published distribution (`campaign.synthetic`, drawn from the ranges
and categories of the schema, always the same ones), and not the data that the model was trained on.
"""

from collections.abc import Mapping
from functools import cache
from math import factorial, floor, log10
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.kernels import compiled
from campaign.model import ScoringModel
from campaign.reading import Batch
from campaign.schema import BY_NAME

GOAL, RAISED = "GoalAmount", "RaisedAmount"
BACKGROUND_ROWS = 128
GRID, NEAR = 61, 12  # points of a curve: over its whole range, and close to where it turns
METHOD = (
    f"Each bar is a fact's Shapley value: starting from {BACKGROUND_ROWS} made-up campaigns like the published ones, "
    "this campaign's facts are put in place one after the other, and what each one changes is averaged over every "
    "order. Together with the starting point they add up to the probability. They describe the model, not causes."
)

_backgrounds: WeakKeyDictionary[Forest, tuple[NDArray[np.float32], float]] = WeakKeyDictionary()


def explain(model: ScoringModel, campaign: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `POST /explain` for a campaign whose values, under the published names, were checked.

    A curve's `at` is the index of the present point. Contributions come with the largest first.
    """
    encoder, forest = model.encoder, model.forest
    row = encoder.encode(_batch(encoder, pa.RecordBatch.from_pylist([_typed(encoder, campaign)])))
    place = {column.name: at for at, column in enumerate(encoder.features)}
    grids = {name: _grid(campaign, name, RAISED in place) for name in (GOAL, RAISED) if name in place}
    rows = np.repeat(row, 1 + sum(map(len, grids.values())), axis=0)
    first = 1
    for name, grid in grids.items():
        rows[first : first + len(grid), place[name]] = grid
        first += len(grid)
    probability = forest.predict(rows)
    background, baseline = _background(model)
    shares = contributions(forest, row[0], background)
    curves, first = [], 1
    for name, grid in grids.items():
        along = probability[first : first + len(grid)]
        first += len(grid)
        at = int(np.searchsorted(grid, float(campaign[name])))
        curves.append({"field": name.lower(), "x": grid.tolist(), "probability": along.tolist(), "at": at})
    order = np.argsort(-np.abs(shares), kind="stable")
    names = [encoder.features[at].name for at in order]
    return {
        "success": bool(probability[0] > 0.5),
        "probability": float(probability[0]),
        "model_version": model.version,
        "baseline": baseline,
        "curves": curves,
        "contributions": [
            {"field": name.lower(), "value": campaign[name], "contribution": float(shares[place[name]])}
            for name in names
        ],
        "method": METHOD,
    }


def contributions(forest: Forest, row: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.float64]:
    """[features]: exact Shapley values of a row against a background [rows, features]; ValueError past 64 features."""
    if forest.n_features > 64:
        raise ValueError(f"a set of {forest.n_features} features does not fit into 64 bits")
    totals = np.zeros(forest.n_features)
    stack = np.empty((int(forest.heights.max()) + 2, 3), np.uint64)
    nodes = (forest.feature, forest.threshold, forest.left, forest.shares, forest.roots)
    compiled(share_out)(row, background, *nodes, _weights(forest.n_features), stack, totals)
    return totals / (len(background) * forest.roots.size)


def share_out(
    row: Any, background: Any, feature: Any, threshold: Any, left: Any, shares: Any, roots: Any, weights: Any,
    stack: Any, totals: Any,
) -> None:  # fmt: skip
    """Add every leaf's part in the Shapley values to `totals` [features], summed over trees and background rows.

    Each tree is walked once for a pair of row and background row. Where the two part at a feature that has not parted
    them before, both ways are followed, one with the feature taken from the row, the other with it taken from the
    background. So a leaf is reached by a set `mine` of features that must be the row's and a set `theirs` that must be
    the background's, and p = |mine|, q = |theirs| alone say in which share of all orders it counts for whom.
    """
    one, none = np.uint64(1), np.uint64(0)
    for tree in range(roots.size):
        for other in range(background.shape[0]):
            stack[0, 0], stack[0, 1], stack[0, 2] = np.uint64(roots[tree]), none, none
            height = 1
            while height > 0:
                height -= 1
                node, mine, theirs = np.int64(stack[height, 0]), stack[height, 1], stack[height, 2]
                while feature[node] >= 0:
                    at = feature[node]
                    bit = one << np.uint64(at)
                    here = left[node] + (1 if row[at] > threshold[node] else 0)
                    there = left[node] + (1 if background[other, at] > threshold[node] else 0)
                    if here == there or mine & bit:
                        node = here
                    elif theirs & bit:
                        node = there
                    else:
                        stack[height, 0], stack[height, 1] = np.uint64(there), mine
                        stack[height, 2] = theirs | bit
                        height += 1
                        node, mine = here, mine | bit
                p, q = 0, 0
                for at in range(totals.size):
                    p += 1 if mine >> np.uint64(at) & one else 0
                    q += 1 if theirs >> np.uint64(at) & one else 0
                for at in range(totals.size):
                    if mine >> np.uint64(at) & one:
                        totals[at] += shares[node, 1] * weights[p - 1, q]
                    elif theirs >> np.uint64(at) & one:
                        totals[at] -= shares[node, 1] * weights[p, q - 1]


@cache
def _weights(n: int) -> NDArray[np.float64]:
    """[p, q]: the share of orders of p + q + 1 features in which p given ones come first, q last, one in between."""
    table = [[factorial(p) * factorial(q) / factorial(p + q + 1) for q in range(n + 1)] for p in range(n + 1)]
    return np.array(table)


def _grid(campaign: Mapping[str, Any], name: str, both: bool) -> NDArray[np.float64]:
    """Ascending amounts from 0 to a round one well past the present amount and the other one, both included.

    Denser around the two: where goal and amount raised meet, the curve turns.
    """
    present = float(campaign[name])
    other = float(campaign[RAISED if name == GOAL else GOAL]) if both else present
    end = min(_round_up(1.5 * max(present, other)), float(np.finfo(np.float32).max))
    end = end or float(BY_NAME[name].high)
    near = np.linspace(0.88, 1.12, NEAR)
    points = np.concatenate([np.linspace(0, end, GRID), other * near, present * near, [other, present]])
    return np.unique(points[points <= end])


def _round_up(amount: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5 × 10^n, so that an axis stands still while a slider moves a little."""
    if amount <= 0:
        return 0.0
    power = 10.0 ** floor(log10(amount))
    return next(step * power for step in (1, 1.5, 2, 3, 5, 7.5, 10) if step * power >= amount)


def _typed(encoder: Encoder, campaign: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column.name: str(campaign[column.name]) if column.is_category else float(campaign[column.name])
        for column in encoder.features
    }


def _batch(encoder: Encoder, rows: pa.RecordBatch) -> Batch:
    """Rows that need no checking, as the encoder takes them."""
    numbers, categories = {}, {}
    for column in encoder.features:
        values = rows.column(column.name)
        if not column.is_category:
            numbers[column.name] = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
        else:
            categories[column.name] = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    return Batch("", 0, rows, pa.nulls(len(rows), pa.string()), numbers, categories, None)


def _background(model: ScoringModel) -> tuple[NDArray[np.float32], float]:
    """The background as this model sees it, and the mean of what it predicts there; kept for as long as the forest."""
    found = _backgrounds.get(model.forest)
    if found is None:
        rows = next(synthetic.campaigns(BACKGROUND_ROWS))
        matrix = np.ascontiguousarray(model.encoder.encode(_batch(model.encoder, rows)))  # read row by row
        found = _backgrounds[model.forest] = matrix, float(model.forest.predict(matrix).mean())
    return found
