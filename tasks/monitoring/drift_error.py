"""How far a day's drift values may be off because they were computed on a sample of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.monitoring.drift import Drift, DriftMethod, distance_of
from tasks.monitoring.metric_rows import MetricRow

if TYPE_CHECKING:
    import pandas as pd

GROUPS = 10


def sampling_errors(current: pd.DataFrame, reference: pd.DataFrame, drift: Drift, rows: int) -> list[MetricRow]:
    """The standard error of each distance in `drift`, as `column_drift_error` and `prediction_drift_error`.

    By the delete-a-group jackknife (ten groups) with Evidently's own distances, times the finite population correction:
    where all `rows` of the day are in the sample it is 0.
    """
    share_left = max(0.0, 1 - len(current) / max(rows, 1))
    errors = []
    for column in drift.columns:
        if column.distance is None:
            continue
        error = 0.0
        if share_left:
            error = _jackknife(current[column.name], reference[column.name], column.method) * share_left**0.5
        errors.append(MetricRow(f"{column.metric}_error", error, column_name=column.column_name, method="jackknife"))
    return errors


def _jackknife(current: pd.Series, reference: pd.Series, method: DriftMethod) -> float:
    current = current.dropna()
    # The sample stands in the order of the files: taken in turns, each group is like the day.
    group = np.arange(len(current)) % GROUPS
    distances = np.array([
        distance_of(reference, current[group != left_out], method) for left_out in range(GROUPS)
    ])  # fmt: skip
    return float(np.sqrt((GROUPS - 1) / GROUPS * ((distances - distances.mean()) ** 2).sum()))
