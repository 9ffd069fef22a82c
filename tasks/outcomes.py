"""How right a day's predictions were, once its outcomes are in."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from campaign.schema import LABEL
from campaign.settings import Settings
from tasks.drift import NOT_COMPUTABLE, OK, TOO_FEW_ROWS, Measure
from tasks.metrics import measure

DECAYED = "decayed"
CALIBRATION_BINS = 10


def realised(joined: pd.DataFrame, test: Mapping[str, float], settings: Settings) -> list[Measure]:
    """Metrics of `probability` against outcomes. Decayed: ROC-AUC too far below the model's on test rows.

    `test` holds the model's ROC-AUC and accuracy there; they go along, to be compared with.
    """
    label, probability = joined[LABEL].to_numpy(), joined["probability"].to_numpy()
    if not len(label):
        return [Measure("outcomes", 0.0)]
    metrics = measure(label, probability) | {
        "calibration_error": calibration_error(label, probability),
        "success_rate": float(label.mean()),
    }
    measures = [Measure("outcomes", float(len(label)))]
    for name, value in metrics.items():
        status = NOT_COMPUTABLE if np.isnan(value) else OK
        limit = None
        if name == "roc_auc":
            limit = test["roc_auc"] - settings.decay_margin
            if status == OK:
                few = len(label) < settings.decay_min_outcomes
                status = TOO_FEW_ROWS if few else DECAYED if value < limit else OK
        measures.append(Measure(f"realised_{name}", None if np.isnan(value) else value, status, threshold=limit))
    return [*measures, *(Measure(f"test_{name}", float(test[name])) for name in ("roc_auc", "accuracy"))]


def calibration_error(label: np.ndarray, probability: np.ndarray) -> float:
    """Expected calibration error over ten equal bins: the mean distance of what was said from what happened."""
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    rows = np.bincount(bins, minlength=CALIBRATION_BINS)
    said = np.bincount(bins, probability, CALIBRATION_BINS)
    happened = np.bincount(bins, label, CALIBRATION_BINS)
    return float(np.abs(said - happened)[rows > 0].sum() / len(label))
