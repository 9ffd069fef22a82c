"""Which campaigns hold what training never saw: of those, no probability is known to be calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from campaign.model import ScoringModel
from campaign.schema import Column

if TYPE_CHECKING:
    import pandas as pd


def share_of_unseen(sample: pd.DataFrame, model: ScoringModel, reference: pd.DataFrame) -> float:
    """Of a sample's campaigns, those with a number outside training's smallest and largest, or an unknown category.

    A missing value is none. Columns of the calendar move on by construction: a new year is outside every training.
    """
    features = [column for column in model.encoder.features if column.name in sample]
    given = sample[[column.name for column in features]].notna().any(axis=1).to_numpy()
    if not given.any():
        return 0.0
    unseen = np.zeros(len(sample), np.bool_)
    for column in features:
        if not (column.derive and column.derive.is_calendar):
            unseen |= _unseen_in(sample[column.name], column, model, reference)
    return float(unseen[given].mean())


def _unseen_in(values: pd.Series, column: Column, model: ScoringModel, reference: pd.DataFrame) -> NDArray[np.bool_]:
    if column.is_category:
        known = model.encoder.codes_by_word(column.name)
        strange = {value: value.casefold() not in known for value in values.dropna().unique()}
        return values.map(strange).eq(True).to_numpy()
    low, high = training_range(column.name, model, reference)
    numbers = values.to_numpy(dtype=np.float32)  # as training had them
    return ~np.isnan(numbers) & ~((numbers >= np.float32(low)) & (numbers <= np.float32(high)))


def training_range(name: str, model: ScoringModel, reference: pd.DataFrame) -> tuple[float, float]:
    """Of a number, the smallest and the largest that training saw; NaN if it saw none.

    Models of FORMAT 1 did not keep them: theirs is the range of the test rows, which are as many as a fifth.
    """
    if name in model.columns:
        quantiles = model.columns[name]["quantiles"]
        return (float(quantiles[0]), float(quantiles[-1])) if quantiles else (float("nan"), float("nan"))
    return float(reference[name].min()), float(reference[name].max())
