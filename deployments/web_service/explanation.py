"""Why one campaign gets its probability: what-if curves, and each fact's share of it.

Contributions are Shapley values (campaign/shapley.py; handed on through a score: campaign/ensemble.py). Together with
the baseline, the mean probability of the background, they add up to the probability.
"""

from collections.abc import Mapping
from math import floor, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaign.ensemble import Ensemble
from campaign.model import ScoringModel
from campaign.schema import MAX_NUMBER, Column
from campaign.shapley import MAX_FEATURES
from deployments.web_service.live_model import LiveModel

GRID, NEAR = 61, 12  # points of a curve: over its whole range, and near goal and amount raised
PROBES = 9  # values at which a column is tried, to see how much it moves a prediction
CURVES = 2
METHOD = (
    "Each bar is a fact's Shapley value: starting from {} {}s that the model was judged on, this one's facts are put "
    "in place one after the other, and what each one changes is averaged over every order. Together with the starting "
    "point they add up to the probability. They describe the model, not causes."
)

Floats = NDArray[np.float64]


def explain(live: LiveModel, campaign: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `POST /explain` for a campaign whose values, under the schema's names, were checked.

    A curve's `at` is the index of the present point. Contributions come with the largest first; a model of more
    features than they can be computed for has none, and says so.
    """
    model = live.model
    features = model.encoder.features
    row = np.array(live.row(campaign)[0], np.float32)
    place = {column.name: at for at, column in enumerate(features)}
    grids = {column.name: grid for column, grid in _grids(live, row, place, campaign)}
    rows = np.repeat(row[None], 1 + sum(map(len, grids.values())), axis=0)
    first = 1
    for name, grid in grids.items():
        rows[first : first + len(grid), place[name]] = grid
        first += len(grid)
    probability = model.predict(rows)
    curves, first = [], 1
    for name, grid in grids.items():
        along = probability[first : first + len(grid)]
        first += len(grid)
        present = _number(campaign, name, row[place[name]])
        at = min(int(np.searchsorted(grid, present)), len(grid) - 1)
        curves.append(
            {"field": live.model.schema.column(name).field, "x": grid.tolist(), "probability": along.tolist(), "at": at}
        )
    return {
        "success": model.predicts_success(float(probability[0])),
        "probability": float(probability[0]),
        "model_version": model.version,
        "curves": curves,
        **_contributions(live, row, campaign),
    }


def _contributions(live: LiveModel, row: NDArray[np.float32], campaign: Mapping[str, Any]) -> dict[str, Any]:
    features = live.model.encoder.features
    most = MAX_FEATURES - isinstance(live.model.predictor, Ensemble)  # its forest sees a score as well
    if len(features) > most:
        limit = f"What each fact contributes is worked out for up to {most} facts"
        method = f"{limit}; this model has {len(features)}."
        return {"baseline": None, "contributions": [], "method": method}
    shares = live.model.contributions(row, live.background)
    values = _values(live, row, campaign)
    order = np.argsort(-np.abs(shares), kind="stable")
    return {
        "baseline": live.baseline,
        "contributions": [
            {"field": features[at].field, "value": values[at], "contribution": float(shares[at])} for at in order
        ],
        "method": METHOD.format(len(live.background), live.model.schema.outcome.noun),
    }


def _values(live: LiveModel, row: NDArray[np.float32], campaign: Mapping[str, Any]) -> list[Any]:
    """Each feature's value as the client gave it, or as it was derived; None where it is missing."""
    if not live.has_derived:
        return [campaign.get(column.name) for column in live.model.encoder.features]
    return [
        campaign.get(column.name) if column.derive is None else _derived(float(row[at]))
        for at, column in enumerate(live.model.encoder.features)
    ]


def _derived(value: float) -> float | None:
    return None if value <= -MAX_NUMBER else value


def _number(campaign: Mapping[str, Any], name: str, seen: np.float32) -> float:
    """As the client gave it; float32, in which the model sees it, has fewer digits."""
    given = campaign.get(name)
    return float(seen if given is None else given)


def _grids(
    live: LiveModel, row: NDArray[np.float32], place: Mapping[str, int], campaign: Mapping[str, Any]
) -> list[tuple[Column, Floats]]:
    """Along which columns the prediction is shown, and at which values.

    Goal and amount raised, where the schema says which they are; else the numbers that move this prediction most.
    """
    schema = live.model.schema
    amounts = [column for column in (schema.with_role("goal"), schema.with_role("raised")) if column]
    if amounts:
        present = {column.name: _number(campaign, column.name, row[place[column.name]]) for column in amounts}
        return [(column, _grid_of_amount(present, column)) for column in amounts]
    numbers = [column for column in schema.features if not column.is_category and len(_range_of(live.model, column))]
    if not numbers:
        return []
    probes = [np.quantile(_range_of(live.model, column), np.linspace(0, 1, PROBES)) for column in numbers]
    rows = np.repeat(row[None], PROBES * len(numbers), axis=0)
    for at, (column, values) in enumerate(zip(numbers, probes, strict=True)):
        rows[at * PROBES : (at + 1) * PROBES, place[column.name]] = values
    moved = np.ptp(live.model.predict(rows).reshape(len(numbers), PROBES), axis=1)
    chosen = [numbers[at] for at in np.argsort(-moved, kind="stable")[:CURVES]]
    present = {column.name: _number(campaign, column.name, row[place[column.name]]) for column in chosen}
    return [(column, _grid_of_range(live.model, column, present[column.name])) for column in chosen]


def _range_of(model: ScoringModel, column: Column) -> Floats:
    """Values that a slider covers: what training saw, but for the rarest on both sides, or the schema's hints."""
    quantiles = model.columns.get(column.name, {}).get("quantiles", [])
    if quantiles:
        return np.array(quantiles[1:-1], np.float64)
    return np.array([] if column.low is None or column.high is None else [column.low, column.high], np.float64)


def _grid_of_range(model: ScoringModel, column: Column, present: float) -> Floats:
    values = _range_of(model, column)
    grid = np.linspace(values[0], values[-1], GRID)
    if abs(present) >= MAX_NUMBER:  # it is missing
        return np.unique(grid)
    return np.unique(np.append(np.linspace(min(values[0], present), max(values[-1], present), GRID), present))


def _grid_of_amount(present: Mapping[str, float], column: Column) -> Floats:
    """Ascending amounts from 0 to a round one well past the present amount and the other one, both included.

    Denser around the two: where goal and amount raised meet, the curve turns.
    """
    own = present[column.name]
    other = next((amount for name, amount in present.items() if name != column.name), own)
    end = min(_round_up(1.5 * max(own, other)), MAX_NUMBER)
    end = end or float(column.high or 1.0)
    near = np.linspace(0.88, 1.12, NEAR)
    points = np.concatenate([np.linspace(0, end, GRID), other * near, own * near, [other, own]])
    return np.unique(points[points <= end])


def _round_up(amount: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5 × 10^n, so that an axis stands still while a slider moves a little."""
    if amount <= 0:
        return 0.0
    power = 10.0 ** floor(log10(amount))
    return next(step * power for step in (1, 1.5, 2, 3, 5, 7.5, 10) if step * power >= amount)
