"""Whether a new version earns to be champion."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.measures import log_loss, paired_gains, roc_auc
from tasks.training.row_times import says_something

MIN_NEW_ROWS = 100
# A log loss has no scale of its own: a margin of .001 ROC-AUC goes with 1 % of the champion's, as the tolerances of the
# search, .0005 and .5 %, go together.
LOSS_SHARE_PER_ROC_AUC = 10.0

NAMES = {"roc_auc": "ROC-AUC", "log_loss": "log loss"}

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Contest:
    """Test rows, and the probabilities that two models give them.

    `new` marks the rows of labelled days that the champion lacks, `latest` those of the latest fifth, None where time
    is not known or they are too few; `best_roc_auc` is that of the best version ever promoted, on the judged rows.
    """

    label: NDArray[np.int8]
    new: Mask
    latest: Mask | None
    candidate: NDArray[np.float64]
    champion: NDArray[np.float64]
    candidate_cost: float
    champion_cost: float
    best_roc_auc: float

    @property
    def judged(self) -> Mask:
        return judged_rows(self.new, self.latest)


def judged_rows(new: Mask, latest: Mask | None) -> Mask:
    """The latest rows and those of new days; all where the latest are not known.

    A model that learnt that the world moved must not lose to one that did not on rows of years ago.
    """
    return np.ones(len(new), bool) if latest is None else latest | new


def gate_verdict(contest: Contest, margin: float) -> tuple[bool, str]:
    """Whether the candidate is promoted, and why.

    Better means by paired bootstrap, in ROC-AUC or in log loss, and in neither worse: what learnt that the base rate
    moved has the same ROC-AUC. Promoted when better on the judged rows; or better on labelled days that it learnt from
    and the champion lacks; or cheaper to score, within a margin of the champion's log loss, and within `margin` of the
    best version ever promoted, so that quality cannot sink a margin a week.
    """
    where = "all test rows" if contest.latest is None else "the latest test rows"
    judged = compare(contest, contest.judged)
    if judged.is_better:
        return True, f"better on {where} ({judged.figures(judged.better)}, by paired bootstrap)"
    if contest.new.sum() >= MIN_NEW_ROWS:
        new = compare(contest, contest.new, margin)
        if new.is_better:
            return True, f"better on the labelled days that the champion did not see ({new.figures(new.better)})"
    label, candidate = contest.label[contest.judged], contest.candidate[contest.judged]
    shortfall = contest.best_roc_auc - roc_auc(label, candidate)
    is_cheaper = contest.candidate_cost < contest.champion_cost
    lost = judged.difference["log_loss"] if "log_loss" in judged.worse else 0.0
    keeps_loss = lost <= LOSS_SHARE_PER_ROC_AUC * margin * log_loss(label, contest.champion[contest.judged])
    if is_cheaper and shortfall <= margin and keeps_loss:
        return True, (
            f"{contest.champion_cost / contest.candidate_cost:.1f} times cheaper to score, and within {margin} of the "
            f"best version ever promoted (ROC-AUC {-shortfall:+.5f})"
        )
    return False, f"not better than the champion{judged.mixed} ({judged.figures(NAMES)} on {where})"


@dataclass(frozen=True)
class Comparison:
    """Candidate less champion in each measure, and in which of them it is surely better or worse."""

    difference: dict[str, float]
    better: list[str]
    worse: list[str]

    @property
    def is_better(self) -> bool:
        return bool(self.better) and not self.worse

    @property
    def mixed(self) -> str:
        if not (self.better and self.worse):
            return ""
        better, worse = (" and ".join(NAMES[name] for name in names) for names in (self.better, self.worse))
        return f": better in {better}, but worse in {worse}"

    def figures(self, names: Iterable[str]) -> str:
        return ", ".join(f"{NAMES[name]} {self.difference[name]:+.5f}" for name in names)


def compare(contest: Contest, rows: Mask, margin: float = 0.0) -> Comparison:
    """On these rows.

    Surely better is what is above zero in 97.5 % of bootstrap replicates and above the margin in their mean; surely
    worse what is below zero in 97.5 %.
    """
    label, candidate, champion = contest.label[rows], contest.candidate[rows], contest.champion[rows]
    loss = log_loss(label, champion)
    difference = {
        "roc_auc": roc_auc(label, candidate) - roc_auc(label, champion),
        "log_loss": log_loss(label, candidate) - loss,
    }
    least = {"roc_auc": margin, "log_loss": LOSS_SHARE_PER_ROC_AUC * margin * loss}
    gains = paired_gains(label, candidate, champion, replicates=400)
    if not says_something(label):
        # Days of which failures alone have arrived so far have a log loss, which is least for whoever expects nothing.
        del gains["log_loss"]
    drawn = {name: values for name, values in gains.items() if len(values)}
    return Comparison(
        difference,
        [name for name, gain in drawn.items() if np.quantile(gain, 0.025) > 0 and gain.mean() > least[name]],
        [name for name, gain in drawn.items() if np.quantile(gain, 0.975) < 0],
    )
