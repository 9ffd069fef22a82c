"""How far a day's drift values may be off because they were computed on a sample of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.drift import METHOD_NAMES, PROBABILITY, Measure

if TYPE_CHECKING:
    import pandas as pd

GROUPS = 10


def sampling_errors(current: pd.DataFrame, reference: pd.DataFrame, drift: list[Measure], rows: int) -> list[Measure]:
    """The standard error of each distance in `drift`, as `column_drift_error` and `prediction_drift_error`.

    By the delete-a-group jackknife (ten groups) with Evidently's own distances, times the finite population correction:
    where all `rows` of the day are in the sample it is 0.
    """
    share_left = max(0.0, 1 - len(current) / max(rows, 1))
    errors = []
    for one in drift:
        if one.metric not in ("column_drift", "prediction_drift") or one.value is None or one.method is None:
            continue
        name = one.column_name or PROBABILITY
        error = _jackknife(current[name], reference[name], one.method) * share_left**0.5 if share_left else 0.0
        errors.append(Measure(f"{one.metric}_error", error, column_name=one.column_name, method="jackknife"))
    return errors


def _jackknife(current: pd.Series, reference: pd.Series, method: str) -> float:
    import pandas as pd
    from evidently.legacy.calculations.stattests import jensenshannon_stat_test, wasserstein_stat_test
    from evidently.legacy.core import ColumnType

    by_name = {METHOD_NAMES[test.name]: test for test in (wasserstein_stat_test, jensenshannon_stat_test)}
    kind = ColumnType.Numerical if pd.api.types.is_numeric_dtype(reference) else ColumnType.Categorical
    current, reference = current.dropna(), reference.dropna()
    # The sample stands in the order of the files: taken in turns, each group is like the day.
    group = np.arange(len(current)) % GROUPS
    distances = np.array([
        by_name[method].func(reference, current[group != one], kind, 0.1)[0] for one in range(GROUPS)
    ])  # fmt: skip
    return float(np.sqrt((GROUPS - 1) / GROUPS * ((distances - distances.mean()) ** 2).sum()))
