"""Whether a new version earns to be champion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.measures import paired_differences, roc_auc

MIN_NEW_ROWS = 100


@dataclass(frozen=True)
class Contest:
    """Test rows, and the probabilities that two models give them.

    `new` marks the rows of labelled days that the champion lacks; `best_roc_auc` is that of the best version ever
    promoted, on the same rows.
    """

    label: NDArray[np.int8]
    new: NDArray[np.bool_]
    candidate: NDArray[np.float64]
    champion: NDArray[np.float64]
    candidate_cost: float
    champion_cost: float
    best_roc_auc: float


def gate_verdict(contest: Contest, margin: float) -> tuple[bool, str]:
    """Whether the candidate is promoted, and why.

    Promoted when better by paired bootstrap; or within `margin` of the best version ever promoted and cheaper to score,
    so that quality cannot sink a margin a week; or better on labelled days that it learnt from and the champion lacks.
    """
    every_row = np.ones(len(contest.label), bool)
    difference = _difference(contest, every_row)
    if _surely_better(contest, every_row):
        return True, f"better on all test rows (ROC-AUC {difference:+.5f}, by paired bootstrap)"
    if contest.new.sum() >= MIN_NEW_ROWS and _surely_better(contest, contest.new, margin):
        gain = _difference(contest, contest.new)
        return True, f"better on the labelled days that the champion did not see (ROC-AUC {gain:+.5f})"
    shortfall = contest.best_roc_auc - roc_auc(contest.label, contest.candidate)
    if shortfall <= margin and contest.candidate_cost < contest.champion_cost:
        return True, (
            f"{contest.champion_cost / contest.candidate_cost:.1f} times cheaper to score, and within {margin} of the "
            f"best version ever promoted (ROC-AUC {-shortfall:+.5f})"
        )
    return False, f"not better than the champion (ROC-AUC {difference:+.5f} on all test rows)"


def _difference(contest: Contest, rows: NDArray[np.bool_]) -> float:
    """ROC-AUC of the candidate less that of the champion."""
    label = contest.label[rows]
    return roc_auc(label, contest.candidate[rows]) - roc_auc(label, contest.champion[rows])


def _surely_better(contest: Contest, rows: NDArray[np.bool_], by: float = 0.0) -> bool:
    """Whether the gain is above `by`, and above zero in 97.5 % of bootstrap replicates."""
    label, candidate, champion = contest.label[rows], contest.candidate[rows], contest.champion[rows]
    drawn = paired_differences(label, candidate, champion, replicates=400)
    return len(drawn) > 0 and float(np.quantile(drawn, 0.025)) > 0 and float(np.mean(drawn)) > by
