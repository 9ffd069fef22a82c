"""How right the predictions were, once outcomes are in."""

from collections.abc import Mapping

import numpy as np

from campaign.decision import THRESHOLD, predicts_success
from campaign.schema_parts import Gain
from campaign.settings import Settings
from tasks.measures import calibration_error, classification_metrics
from tasks.monitoring.labelled_predictions import LabelledPredictions
from tasks.monitoring.metric_rows import NOT_COMPUTABLE, OK, TOO_FEW_ROWS, MetricRow


def realised_quality(
    predictions: LabelledPredictions,
    test_metrics: Mapping[str, float],
    settings: Settings,
    decision_threshold: float = THRESHOLD,
    decide: object = None,
) -> list[MetricRow]:
    """Metrics of probabilities against outcomes, as figures: `judge_decay` says whether they have become too bad.

    `test_metrics` holds the model's ROC-AUC and accuracy on test rows; they go along, to be compared with. The bar is
    what was to be expected on later rows, where that is known. Profit is measured where `decide` has a gain and a cost.
    """
    label, probability, rows = predictions.pairs()
    count = rows.sum()
    if not count:
        return []
    metrics = classification_metrics(label, probability, rows, decision_threshold) | {
        "calibration_error": calibration_error(label, probability, rows),
        "success_rate": float((label * rows).sum() / count),
    }
    if isinstance(decide, Gain):  # a campaign, as what was estimated
        acted = rows * predicts_success(probability, decision_threshold)
        metrics["profit"] = float((acted * (label * decide.gain - decide.cost)).sum() / count)
    bar = test_metrics.get("later_roc_auc", test_metrics["roc_auc"]) - settings.decay_margin
    few = TOO_FEW_ROWS if count < settings.decay_min_outcomes else OK
    realised = []
    for name, value in metrics.items():
        is_ranking = name == "roc_auc"
        status = NOT_COMPUTABLE if np.isnan(value) else few if is_ranking else OK
        row = MetricRow(f"realised_{name}", None if np.isnan(value) else value, status)
        realised.append(MetricRow(row.metric, row.value, status, threshold=bar) if is_ranking else row)
    on_test_rows = [MetricRow(f"test_{name}", float(test_metrics[name])) for name in ("roc_auc", "accuracy")]
    return [*realised, *on_test_rows]
