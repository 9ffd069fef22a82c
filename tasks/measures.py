"""How good predicted probabilities are, and how sure one can be of it.

Weighted, so that a bootstrap replicate is one more vector of weights over rows that were sorted once, equal ones taken
together: a forest knows few probabilities. Tests hold every value against scikit-learn's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaign.decision import THRESHOLD, predicts_success

Floats = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Ranked:
    """Rows grouped by equal probability, in ascending order of it."""

    group: NDArray[np.int64]
    groups: int

    @classmethod
    def of(cls, probability: Floats) -> "Ranked":
        values, group = np.unique(probability, return_inverse=True)
        return cls(group, len(values))

    def counts(self, label: Floats, weight: Floats) -> tuple[Floats, Floats]:
        """Weight of successes and of failures in each group."""
        positive = np.bincount(self.group, weight * label, self.groups).astype(np.float64)
        return positive, np.bincount(self.group, weight, self.groups) - positive

    def roc_auc(self, label: Floats, weight: Floats) -> float:
        """NaN when one class is absent."""
        positive, negative = self.counts(label, weight)
        pairs = positive.sum() * negative.sum()
        if pairs <= 0:
            return float("nan")
        return float((positive * (np.cumsum(negative) - negative / 2)).sum() / pairs)

    def roc_auc_variance(self, label: Floats, weight: Floats) -> float:
        """Of the sampling error of `roc_auc`, by DeLong, DeLong and Clarke-Pearson (1988); NaN below two of a class."""
        positive, negative = self.counts(label, weight)
        won, lost = positive.sum(), negative.sum()
        if min(won, lost) < 2:
            return float("nan")
        below, above = (np.cumsum(negative) - negative / 2) / lost, 1 - (np.cumsum(positive) - positive / 2) / won
        area = (positive * below).sum() / won
        spread_won = (positive * (below - area) ** 2).sum() / (won - 1)
        spread_lost = (negative * (above - area) ** 2).sum() / (lost - 1)
        return float(spread_won / won + spread_lost / lost)

    def pr_auc(self, label: Floats, weight: Floats) -> float:
        """Average precision; NaN when nothing succeeded."""
        positive, negative = (counts[::-1] for counts in self.counts(label, weight))
        hits = np.cumsum(positive)
        if hits[-1] <= 0:
            return float("nan")
        seen = hits + np.cumsum(negative)
        precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
        return float((positive * precision).sum() / hits[-1])


def roc_auc(label: NDArray[np.generic], probability: Floats) -> float:
    """NaN when one class is absent."""
    return Ranked.of(probability).roc_auc(label.astype(np.float64), np.ones(len(label)))


def log_loss(label: NDArray[np.generic], probability: Floats) -> float:
    """Mean natural-log loss, probabilities clipped to machine precision as scikit-learn does."""
    return float(losses(label, probability).mean())


def losses(label: NDArray[np.generic], probability: Floats) -> Floats:
    """[rows]: the natural-log loss of each."""
    return _losses(label.astype(np.float64), probability)


def calibration_error(label: NDArray[np.generic], probability: Floats, rows: Floats | None = None) -> float:
    """Expected calibration error over ten equal bins: the mean distance of the probability from the success rate.

    `rows` is how many rows each pair of label and probability stands for, 1 if left out.
    """
    weight = np.ones(len(label)) if rows is None else rows
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    predicted = np.bincount(bins, weight * probability, CALIBRATION_BINS)
    happened = np.bincount(bins, weight * label.astype(np.float64), CALIBRATION_BINS)
    return float(np.abs(predicted - happened).sum() / weight.sum())


def classification_metrics(
    label: NDArray[np.generic], probability: Floats, rows: Floats | None = None, threshold: float = THRESHOLD
) -> dict[str, float]:
    """Accuracy, precision, recall, F1 (all of the decision), ROC-AUC, PR-AUC, log loss and Brier score.

    `rows` is how many rows each pair of label and probability stands for, 1 if left out.
    What cannot be computed is NaN: ROC-AUC of one class, precision when no success was predicted.
    """
    weight = np.ones(len(label)) if rows is None else rows
    return _metrics(label.astype(np.float64), probability, Ranked.of(probability), weight, threshold)


def confidence_intervals(
    label: NDArray[np.generic],
    probability: Floats,
    replicates: int = 200,
    seed: int = 1,
    threshold: float = THRESHOLD,
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap percentile interval of each metric."""
    cell, first = _cells(label, probability)
    labels, distinct = label[first].astype(np.float64), probability[first]
    ranked = Ranked.of(distinct)
    weights = _replicates(cell, len(first), replicates, seed)
    drawn = [_metrics(labels, distinct, ranked, weight, threshold) for weight in weights]
    spread = {}
    for name in drawn[0]:
        values = np.array([metrics[name] for metrics in drawn])
        values = values[~np.isnan(values)]
        low, high = np.quantile(values, [0.025, 0.975]) if len(values) else (np.nan, np.nan)
        spread[name] = (float(low), float(high))
    return spread


def paired_gains(
    label: NDArray[np.generic], candidate: Floats, rival: Floats, replicates: int = 200, seed: int = 1
) -> dict[str, Floats]:
    """By how much `candidate` is better than `rival` over bootstrap replicates of the rows, the same rows for both.

    ROC-AUC of the candidate minus that of the rival, and log loss of the rival minus that of the candidate: above zero
    is better in both. A replicate of one class has no ROC-AUC and is left out there.
    """
    cell, first = _cells(label, candidate, rival)
    labels = label[first].astype(np.float64)
    ranked_candidate, ranked_rival = Ranked.of(candidate[first]), Ranked.of(rival[first])
    saved = (_losses(labels, rival[first]) - _losses(labels, candidate[first])) / len(label)
    drawn = np.array([
        (ranked_candidate.roc_auc(labels, weight) - ranked_rival.roc_auc(labels, weight), (weight * saved).sum())
        for weight in _replicates(cell, len(first), replicates, seed)
    ])  # fmt: skip
    return {"roc_auc": drawn[~np.isnan(drawn[:, 0]), 0], "log_loss": drawn[:, 1]}


def _cells(label: NDArray[np.generic], *probabilities: Floats) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Which rows are alike in all of these: the number of each row's cell, and the first row of each cell."""
    key = label.astype(np.int64)
    for probability in probabilities:
        values, group = np.unique(probability, return_inverse=True)
        key = key * len(values) + group
    _, first, cell = np.unique(key, return_index=True, return_inverse=True)
    return cell.astype(np.int32), first


def _replicates(cell: NDArray[np.int32], cells: int, replicates: int, seed: int) -> Iterator[Floats]:
    """How many rows of each cell a bootstrap draws."""
    rng = np.random.default_rng(seed)
    for _ in range(replicates):  # one at a time: two hundred of them would fill the memory
        yield np.bincount(cell[rng.integers(len(cell), size=len(cell))], minlength=cells).astype(np.float64)


def _losses(label: Floats, probability: Floats) -> Floats:
    clipped = np.clip(probability, EPSILON, 1 - EPSILON)
    return -(label * np.log(clipped) + (1 - label) * np.log1p(-clipped))


def _metrics(label: Floats, probability: Floats, ranked: Ranked, weight: Floats, threshold: float) -> dict[str, float]:
    predicted = predicts_success(probability, threshold)
    total, predicted_successes, successes = weight.sum(), weight[predicted].sum(), (weight * label).sum()
    hits = (weight * label)[predicted].sum()
    precision = hits / predicted_successes if predicted_successes else np.nan
    recall = hits / successes if successes else np.nan
    either = predicted_successes + successes
    metrics = {
        "accuracy": (total - predicted_successes - successes + 2 * hits) / total,
        "precision": precision,
        "recall": recall,
        "f1": 2 * hits / either if either else np.nan,
        "roc_auc": ranked.roc_auc(label, weight),
        "pr_auc": ranked.pr_auc(label, weight),
        "log_loss": (weight * _losses(label, probability)).sum() / total,
        "brier": (weight * (label - probability) ** 2).sum() / total,
    }
    return {name: float(value) for name, value in metrics.items()}
