"""How right the predictions were, once outcomes are in."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from campaign.decision import THRESHOLD
from campaign.settings import Settings
from tasks.measures import classification_metrics
from tasks.monitoring.metric_rows import DECAYED, NOT_COMPUTABLE, OK, TOO_FEW_ROWS, MetricRow

CALIBRATION_BINS = 10
MAX_PAIRS = 1 << 20  # held before equal ones are put together


class LabelledPredictions:
    """Probabilities beside outcomes. Equal pairs are counted together: memory is bounded by how many differ."""

    def __init__(self) -> None:
        self._pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = [(np.empty(0), np.empty(0))] * 2
        self._limit = MAX_PAIRS

    def add(self, probability: NDArray[np.float64], label: NDArray[np.int8]) -> None:
        """Rows whose label is NO_OUTCOME are left out."""
        for outcome, (values, rows) in enumerate(self._pairs):
            new = probability[label == outcome]
            self._pairs[outcome] = np.concatenate([values, new]), np.concatenate([rows, np.ones(len(new))])
        if sum(len(values) for values, _ in self._pairs) > self._limit:
            self._pairs = [_count_equal(*pair) for pair in self._pairs]
            self._limit = max(MAX_PAIRS, 2 * sum(len(values) for values, _ in self._pairs))

    def pairs(self) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.float64]]:
        """Outcomes, probabilities, and how many rows have both."""
        failures, successes = (_count_equal(*pair) for pair in self._pairs)
        label = np.repeat(np.array([0, 1], np.int8), [len(failures[0]), len(successes[0])])
        return label, np.concatenate([failures[0], successes[0]]), np.concatenate([failures[1], successes[1]])


def realised_quality(
    predictions: LabelledPredictions,
    test_metrics: Mapping[str, float],
    settings: Settings,
    decision_threshold: float = THRESHOLD,
) -> list[MetricRow]:
    """Metrics of probabilities against outcomes. Decayed: ROC-AUC too far below the model's on test rows.

    `test_metrics` holds the model's ROC-AUC and accuracy there; they go along, to be compared with.
    """
    label, probability, rows = predictions.pairs()
    count = rows.sum()
    if not count:
        return [MetricRow("outcomes", 0.0)]
    metrics = classification_metrics(label, probability, rows, decision_threshold) | {
        "calibration_error": calibration_error(label, probability, rows),
        "success_rate": float((label * rows).sum() / count),
    }
    bar = test_metrics["roc_auc"] - settings.decay_margin
    realised = []
    for name, value in metrics.items():
        if np.isnan(value):
            status = NOT_COMPUTABLE
        else:
            status = _decay_status(value, bar, float(count), settings) if name == "roc_auc" else OK
        threshold = bar if name == "roc_auc" else None
        realised.append(MetricRow(f"realised_{name}", None if np.isnan(value) else value, status, threshold=threshold))
    on_test_rows = [MetricRow(f"test_{name}", float(test_metrics[name])) for name in ("roc_auc", "accuracy")]
    return [MetricRow("outcomes", float(count)), *realised, *on_test_rows]


def calibration_error(label: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """Expected calibration error over ten equal bins: the mean distance of the probability from the success rate."""
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    predicted = np.bincount(bins, weight * probability, CALIBRATION_BINS)
    happened = np.bincount(bins, weight * label, CALIBRATION_BINS)
    return float(np.abs(predicted - happened).sum() / weight.sum())


def _decay_status(roc_auc: float, bar: float, outcomes: float, settings: Settings) -> str:
    if outcomes < settings.decay_min_outcomes:
        return TOO_FEW_ROWS
    return DECAYED if roc_auc < bar else OK


def _count_equal(
    values: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    distinct, at = np.unique(values, return_inverse=True)
    return distinct, np.bincount(at, rows, len(distinct)).astype(np.float64)  # for no values, bincount gives integers
