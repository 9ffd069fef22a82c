"""What a model is fitted on and what it is judged on: two periods, and the project's own split by id."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_rows import Rows
from campaign.identity import TEST

Floats = NDArray[np.float64]
LATEST, BEFORE, BY_ID = "latest fifth", "fifth before", "split by id"
PERIODS = {LATEST: (0.8, 1.0), BEFORE: (0.6, 0.8)}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Numbers of rows. `given` is the file that this project trains on: it parts its rows itself.

    Of a period that is what the others are fitted on; of the split by id all rows, of which it keeps its own test rows
    apart, and those are judged.
    """

    name: str
    fitted: NDArray[np.int64]
    judged: NDArray[np.int64]
    given: NDArray[np.int64]


def evaluations_of(rows: Rows) -> list[Evaluation]:
    """The two latest fifths where time is known, and the split by id."""
    evaluations = []
    if rows.launch is not None:
        for name, (since, until) in PERIODS.items():
            fitted, judged = split_by_time(rows.launch, rows.end, since, until)
            evaluations.append(Evaluation(name, fitted, judged, fitted))
    is_test = rows.buckets == TEST
    return [*evaluations, Evaluation(BY_ID, np.flatnonzero(~is_test), np.flatnonzero(is_test), np.arange(len(rows)))]


def split_by_time(
    launch: Floats, end: Floats | None, since: float, until: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to fit on and rows to judge on: those launched from the quantile `since` to `until` of all launches.

    Fitted are those launched before and decided by then; a row that says no end is, one that says no launch is in
    neither part.
    """
    ordered = np.sort(launch[~np.isnan(launch)])
    cut = ordered[int(len(ordered) * since)]
    stop = ordered[int(len(ordered) * until)] if until < 1 else np.inf
    is_open = np.zeros(len(launch), bool) if end is None else end > cut
    return np.flatnonzero((launch < cut) & ~is_open), np.flatnonzero((launch >= cut) & (launch < stop))
