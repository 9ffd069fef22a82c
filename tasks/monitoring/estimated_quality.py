"""How right predictions may be expected to be before any outcome is known: from the probabilities alone.

As NannyML's confidence-based performance estimation (CBPE): a campaign with the probability p counts as p of a success
and 1 − p of a failure. That holds as long as the probabilities are calibrated and the rules of the world unchanged;
whether it is to be trusted is another question (`unseen_values`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaign.decision import predicts_success
from campaign.model import ScoringModel
from campaign.schema_parts import Gain
from campaign.settings import Settings
from tasks.measures import Ranked, losses
from tasks.monitoring.decay import Bar, interval
from tasks.monitoring.metric_rows import BELOW_BAR, NOT_COMPUTABLE, NOT_TRUSTED, OK, TOO_FEW_ROWS, MetricRow

Floats = NDArray[np.float64]
ASSUMPTION = "if the probabilities are calibrated and the rules of the world unchanged"
BOUNDS = {"roc_auc": (0.0, 1.0), "log_loss": (0.0, np.inf), "accuracy": (0.0, 1.0)}
ESTIMATED_ROC_AUC, UNSEEN_ROWS = "estimated_roc_auc", "unseen_rows_share"


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


def estimated_quality(
    probability: Floats, unseen_share: float, model: ScoringModel, bar: Bar, settings: Settings
) -> list[MetricRow]:
    """The estimates as rows of the metrics table, and the share of rows by which they are trusted.

    ROC-AUC is below the bar when its whole interval is, which the bar's own sampling error widens, as that of a
    realised one.
    """
    trusted = unseen_share <= settings.unseen_rows_share
    share = MetricRow(UNSEEN_ROWS, unseen_share, OK if trusted else NOT_TRUSTED, threshold=settings.unseen_rows_share)
    names = ["roc_auc", "log_loss", "accuracy", *["profit"] * isinstance(model.schema.outcome.decide, Gain)]
    if len(probability) < settings.drift_min_rows:
        return [*(MetricRow(f"estimated_{name}", None, TOO_FEW_ROWS) for name in names), share]
    rows = []
    for name, estimate in estimates_of(probability, model.threshold, model.schema.outcome.decide).items():
        of_ranking = name == "roc_auc"
        threshold = bar.roc_auc if of_ranking else None
        if np.isnan(estimate.value + estimate.variance):
            rows.append(MetricRow(f"estimated_{name}", None, NOT_COMPUTABLE, threshold=threshold))
            continue
        edges = interval(estimate.value, estimate.variance + bar.variance * of_ranking, settings)
        low, high = np.clip(edges, *BOUNDS.get(name, (-np.inf, np.inf)))
        status = NOT_TRUSTED if not trusted else BELOW_BAR if of_ranking and high < bar.roc_auc else OK
        method = f"{settings.decay_confidence:.1%} interval {low:.3f} to {high:.3f}, {ASSUMPTION}"
        rows.append(MetricRow(f"estimated_{name}", estimate.value, status, method=method, threshold=threshold))
    return [*rows, share]
