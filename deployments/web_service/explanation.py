"""Why one campaign gets its probability: what-if curves, and each fact's share of it.

Contributions are exact Shapley values (campaign/shapley.py). Together with the baseline, the mean probability of the
background, they add up to the probability.

The background is 128 made-up campaigns of the published distribution (`campaign.synthetic`, drawn from the ranges
and categories of the schema, always the same ones), and not the data that the model was trained on.
"""

from collections.abc import Mapping
from math import floor, log10
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign import synthetic
from campaign.decision import predicts_success
from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.reading import Batch
from campaign.schema import BY_NAME, MAX_NUMBER

GOAL, RAISED = "GoalAmount", "RaisedAmount"
BACKGROUND_ROWS = 128
GRID, NEAR = 61, 12  # points of a curve: over its whole range, and near goal and amount raised
METHOD = (
    f"Each bar is a fact's Shapley value: starting from {BACKGROUND_ROWS} made-up campaigns like the published ones, "
    "this campaign's facts are put in place one after the other, and what each one changes is averaged over every "
    "order. Together with the starting point they add up to the probability. They describe the model, not causes."
)

_backgrounds: WeakKeyDictionary[ScoringModel, tuple[NDArray[np.float32], float]] = WeakKeyDictionary()


def explain(model: ScoringModel, campaign: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `POST /explain` for a campaign whose values, under the published names, were checked.

    A curve's `at` is the index of the present point. Contributions come with the largest first.
    """
    encoder = model.encoder
    row = encoder.encode(_batch(encoder, pa.RecordBatch.from_pylist([_typed(encoder, campaign)])))
    place = {column.name: at for at, column in enumerate(encoder.features)}
    grids = {name: _grid(campaign, name, RAISED in place) for name in (GOAL, RAISED) if name in place}
    rows = np.repeat(row, 1 + sum(map(len, grids.values())), axis=0)
    first = 1
    for name, grid in grids.items():
        rows[first : first + len(grid), place[name]] = grid
        first += len(grid)
    probability = model.predict(rows)
    background, baseline = _background_of(model)
    shares = model.contributions(row[0], background)
    curves, first = [], 1
    for name, grid in grids.items():
        along = probability[first : first + len(grid)]
        first += len(grid)
        at = int(np.searchsorted(grid, float(campaign[name])))
        curves.append({"field": name.lower(), "x": grid.tolist(), "probability": along.tolist(), "at": at})
    order = np.argsort(-np.abs(shares), kind="stable")
    names = [encoder.features[at].name for at in order]
    return {
        "success": predicts_success(float(probability[0])),
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


def _grid(campaign: Mapping[str, Any], name: str, both: bool) -> NDArray[np.float64]:
    """Ascending amounts from 0 to a round one well past the present amount and the other one, both included.

    Denser around the two: where goal and amount raised meet, the curve turns.
    """
    present = float(campaign[name])
    other = float(campaign[RAISED if name == GOAL else GOAL]) if both else present
    end = min(_round_up(1.5 * max(present, other)), MAX_NUMBER)
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


def _background_of(model: ScoringModel) -> tuple[NDArray[np.float32], float]:
    """The background as this model sees it, and the mean of what it predicts there; kept for as long as the model."""
    background = _backgrounds.get(model)
    if background is None:
        rows = next(synthetic.campaigns(BACKGROUND_ROWS))
        matrix = np.ascontiguousarray(model.encoder.encode(_batch(model.encoder, rows)))  # read row by row
        background = _backgrounds[model] = matrix, float(model.predict(matrix).mean())
    return background
