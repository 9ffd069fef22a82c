"""How good each contender's probabilities are, and how sure one can be that one is better than another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaign.decision import THRESHOLD
from tasks.estimates import estimates_of
from tasks.measures import Ranked, calibration_error, classification_metrics, losses

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
ROC_AUC, LOG_LOSS, PR_AUC, CALIBRATION = "ROC-AUC", "log loss", "PR-AUC", "calibration error"
REPLICATES = 1_000
FIGURES: dict[str, Callable[[Labels, Floats], float]] = {
    ROC_AUC: lambda label, probability: classification_metrics(label, probability)["roc_auc"],
    PR_AUC: lambda label, probability: classification_metrics(label, probability)["pr_auc"],
    LOG_LOSS: lambda label, probability: classification_metrics(label, probability)["log_loss"],
    CALIBRATION: calibration_error,
    # What monitoring would have said of these rows before an outcome was known, of the probabilities alone.
    f"estimated {ROC_AUC}": lambda _, probability: estimates_of(probability, THRESHOLD)["roc_auc"].value,
    f"estimated {LOG_LOSS}": lambda _, probability: estimates_of(probability, THRESHOLD)["log_loss"].value,
}
# Better is more of one, and less of the other.
SIGNS = {ROC_AUC: 1, LOG_LOSS: -1}


@dataclass(frozen=True, eq=False)
class Figures:
    """Of one contender: the mean over its seeds of each figure, and of two of them [replicates] over bootstrap draws
    of the judged rows, which are the same for all contenders."""

    means: dict[str, float]
    drawn: dict[str, Floats]


@dataclass(frozen=True)
class Difference:
    """One figure of one contender less that of another, with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


def figures_of(label: Labels, probabilities: Sequence[Floats], replicates: int = REPLICATES, seed: int = 1) -> Figures:
    """`probabilities` has those of each seed. A replicate's figure is that of each seed in the mean."""
    means = {
        name: float(np.mean([figure(label, probability) for probability in probabilities]))
        for name, figure in FIGURES.items()
    }
    ranks, labels = [Ranked.of(probability) for probability in probabilities], label.astype(np.float64)
    mean_losses = np.mean([losses(label, probability) for probability in probabilities], axis=0)
    rng, rows = np.random.default_rng(seed), len(label)
    drawn = np.empty((replicates, 2))
    for replicate in drawn:
        weight = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)
        replicate[0] = np.mean([ranked.roc_auc(labels, weight) for ranked in ranks])
        replicate[1] = weight @ mean_losses / rows
    return Figures(means, {ROC_AUC: drawn[:, 0], LOG_LOSS: drawn[:, 1]})


def difference(ours: Sequence[Figures], theirs: Sequence[Figures], figure: str, sign: int = 1) -> Difference:
    """`ours` minus `theirs`, or the other way round for the sign −1, in the mean of the periods that are given.

    Draws of two periods are of different rows, so they are as good as independent.
    """
    pairs = list(zip(ours, theirs, strict=True))
    value = np.mean([our.means[figure] - their.means[figure] for our, their in pairs])
    drawn = np.mean([our.drawn[figure] - their.drawn[figure] for our, their in pairs], axis=0)
    low, high = np.quantile(sign * drawn[~np.isnan(drawn)], [0.025, 0.975])
    return Difference(float(sign * value), float(low), float(high))
