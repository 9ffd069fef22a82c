"""How right predictions may be expected to be before any outcome is known: from the probabilities alone.

As NannyML's confidence-based performance estimation (CBPE): a campaign with the probability p counts as p of a success
and 1 − p of a failure. That holds as long as the probabilities are calibrated and the rules of the world unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaign.decision import predicts_success
from campaign.schema_parts import Gain
from tasks.measures import Ranked, losses

Floats = NDArray[np.float64]
ASSUMPTION = "if the probabilities are calibrated and the rules of the world unchanged"


@dataclass(frozen=True)
class Estimate:
    """A figure to be expected, and the variance of its sampling error: of which campaigns came, and of how each ends.

    Both are NaN where it cannot be computed.
    """

    value: float
    variance: float


def estimate_roc_auc(probability: Floats) -> Estimate:
    """The expected share of pairs of a success and a failure that are ranked rightly.

    Expected pairs of two campaigns: one is no pair by itself. The variance is that of DeLong, DeLong and
    Clarke-Pearson, as of realised ROC-AUC.
    """
    ranked, ones = Ranked.of(probability), np.ones(len(probability))
    themselves = float((probability * (1 - probability)).sum())
    pairs = float(probability.sum() * (1 - probability).sum())
    if pairs - themselves <= 0:
        return Estimate(float("nan"), float("nan"))
    rightly = ranked.roc_auc(probability, ones) * pairs - themselves / 2
    return Estimate(rightly / (pairs - themselves), ranked.roc_auc_variance(probability, ones))


def estimate_mean(probability: Floats, if_won: Floats, if_lost: Floats) -> Estimate:
    """The mean over campaigns of what each is worth, by how it ends."""
    value = float((probability * if_won + (1 - probability) * if_lost).mean())
    squares = float((probability * if_won**2 + (1 - probability) * if_lost**2).mean())
    return Estimate(value, max(squares - value**2, 0.0) / len(probability))


def estimates_of(probability: Floats, threshold: float, decide: object = None) -> dict[str, Estimate]:
    """ROC-AUC, log loss, accuracy and, where the schema names a gain and a cost, profit a campaign.

    No figure needs more than the probabilities in order: n log n for n campaigns.
    """
    acts = predicts_success(probability, threshold).astype(np.float64)
    won, lost = np.ones(len(probability)), np.zeros(len(probability))
    estimates = {
        "roc_auc": estimate_roc_auc(probability),
        "log_loss": estimate_mean(probability, losses(won, probability), losses(lost, probability)),
        "accuracy": estimate_mean(probability, acts, 1 - acts),
    }
    if isinstance(decide, Gain):
        estimates["profit"] = estimate_mean(probability, acts * (decide.gain - decide.cost), -acts * decide.cost)
    return estimates
