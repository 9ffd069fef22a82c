"""What retraining gained over the model of the beginning, and a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.measures import paired_gains, roc_auc
from tasks.replay.figures import Figure, Predictions, Span
from tasks.replay.history import Floats, History, Mask

REPLICATES = 400
SMALL = 0.005  # ROC-AUC that is not worth a training, and a hundredth of log loss with it


@dataclass(frozen=True)
class Gain:
    """Of one course over the one that never trained again, on the campaigns that different versions scored.

    Positive is better in both. `roc_auc_of` are the means of both over those spans, the course first.
    """

    outcomes: int
    roc_auc: Figure
    log_loss: Figure
    roc_auc_of: tuple[float, float]

    @property
    def is_better(self) -> bool:
        """Surely in one measure, and in neither surely worse."""
        return max(self.roc_auc.low, self.log_loss.low) > 0 and not self.is_worse_in_one

    @property
    def is_worse(self) -> bool:
        return self.is_worse_in_one and max(self.roc_auc.low, self.log_loss.low) <= 0

    @property
    def is_worse_in_one(self) -> bool:
        return min(self.roc_auc.high, self.log_loss.high) < 0

    @property
    def is_small(self) -> bool:
        """Whether a gain that matters is ruled out."""
        return self.roc_auc.high < SMALL and self.log_loss.high < SMALL


def gain_of(
    history: History, course: Predictions, never: Predictions, spans: Sequence[Span], judged: Mask
) -> Gain | None:
    """By paired bootstrap within each span, then over spans by their outcomes. None where one model scored all."""
    gains: dict[str, list[Floats]] = {"roc_auc": [], "log_loss": []}
    weights, of_course, of_never = [], [], []
    differ = judged & (course.version != never.version)
    for number, span in enumerate(spans):
        own = differ[span.rows]
        label = history.label[span.rows][own]
        if min(label.sum(), len(label) - label.sum()) < 2:
            continue
        candidate, rival = (each.probability[span.rows][own] for each in (course, never))
        drawn = paired_gains(label, candidate, rival, REPLICATES, seed=number)
        for name, values in drawn.items():
            gains[name].append(np.resize(values, REPLICATES))  # a replicate of one outcome alone is missing
        weights.append(len(label))
        of_course.append(roc_auc(label, candidate))
        of_never.append(roc_auc(label, rival))
    if not weights:
        return None
    figures = {name: _over_spans(values, weights) for name, values in gains.items()}
    means = tuple(float(np.average(values, weights=weights)) for values in (of_course, of_never))
    return Gain(sum(weights), figures["roc_auc"], figures["log_loss"], (means[0], means[1]))


def advice(called: Gain | None, trainings: int, cpu_seconds: float, spans: int) -> str:
    """What to do, by what retraining when called has gained."""
    cost = _cost(trainings, cpu_seconds)
    if called is None and not trainings:
        return (
            "Nothing called for retraining: the first model served to the end, and this history shows no gain from "
            "the loop. Leave monitoring on; it costs little."
        )
    if called is None:
        return (
            f"Retraining was called for, and none of {cost} gave a model that earned to be champion: the first one "
            "served to the end. Leave the loop on if the cost is small; the gate let nothing worse in."
        )
    course, never = called.roc_auc_of
    measured = f"ROC-AUC {_signed(called.roc_auc)}, log loss {_signed(called.log_loss, -1)}"
    if called.is_better:
        return (
            f"Retraining when called kept ROC-AUC {course:.3f} where the first model fell to {never:.3f} "
            f"({measured}, on {called.outcomes:,} outcomes; {cost}). Leave the loop on."
        )
    if called.is_worse:
        return (
            f"Retraining made it worse here ({measured}, on {called.outcomes:,} outcomes; {cost}). Leave monitoring on "
            "and pause the training deployment, until you know what the calls were about."
        )
    if called.is_small:
        return (
            f"Retraining is not worth it here: no gain that matters ({measured}, on {called.outcomes:,} outcomes; "
            f"{cost}). Leave monitoring on, and train when it says that quality decayed."
        )
    return (
        f"These periods are too small to tell whether retraining pays ({measured}, on {called.outcomes:,} outcomes in "
        f"{spans} span{'s' * (spans != 1)}; {cost}). A longer history, or an earlier --from, would tell more."
    )


def advice_on_always(always: Gain, trainings: int, cpu_seconds: float) -> str:
    """What retraining at the end of each period has gained beside that."""
    return (
        f"Retraining at the end of every period would have brought ROC-AUC {_signed(always.roc_auc)}, log loss "
        f"{_signed(always.log_loss, -1)} ({_cost(trainings, cpu_seconds)})."
    )


def _cost(trainings: int, cpu_seconds: float) -> str:
    return f"{trainings} training{'s' * (trainings != 1)}, {max(cpu_seconds / 60, 0.1):,.1f} CPU min"


def _over_spans(values: Sequence[Floats], weights: Sequence[int]) -> Figure:
    replicates = np.average(np.array(values), axis=0, weights=weights)
    low, high = np.quantile(replicates, [0.025, 0.975])
    return Figure(float(replicates.mean()), float(low), float(high))


def _signed(figure: Figure, sign: int = 1) -> str:
    """A difference with its interval. Of log loss, where less is better, as the change that it is."""
    low, high = sorted((sign * figure.low, sign * figure.high))
    return f"{sign * figure.value:+.4f} ({low:+.4f} to {high:+.4f})"
