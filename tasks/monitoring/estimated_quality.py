"""The quality to be expected of a day before its outcomes come, as rows of the metrics table.

Whether an estimate is to be trusted is another question than what it is (`unseen_values`).
"""

from __future__ import annotations

import numpy as np

from campaign.model import ScoringModel
from campaign.schema_parts import Gain
from campaign.settings import Settings
from tasks.estimates import ASSUMPTION, Floats, estimates_of
from tasks.monitoring.decay import Bar, interval
from tasks.monitoring.metric_rows import BELOW_BAR, NOT_COMPUTABLE, NOT_TRUSTED, OK, TOO_FEW_ROWS, MetricRow

BOUNDS = {"roc_auc": (0.0, 1.0), "log_loss": (0.0, np.inf), "accuracy": (0.0, 1.0)}
ESTIMATED_ROC_AUC, UNSEEN_ROWS = "estimated_roc_auc", "unseen_rows_share"


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
