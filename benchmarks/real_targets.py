"""What is asked of this project beside the others, and whether the measurements say that it does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measure import Timed
from benchmarks.real_figures import ROC_AUC, SIGNS, Difference, Figures, difference
from benchmarks.real_product import OURS, PIPELINE
from benchmarks.real_rivals import CATBOOST, OF_SKLEARN
from benchmarks.real_splits import BY_ID, LATEST, PERIODS
from benchmarks.rivals import ONNX

MET, MISSED, NOT_TOLD_APART = "met", "missed", "not told apart"
MEAN_TOLERANCE, PIPELINE_SPEEDUP, ONNX_SPEEDUP = 0.005, 5, 1
MAX_TRAINING_SECONDS = 180  # of the 378,000 made-up rows, on two cores


@dataclass(frozen=True)
class Judged:
    """A target, what was measured, and MET, MISSED or NOT_TOLD_APART."""

    work: str
    target: str
    measured: str
    verdict: str


def verdict(gain: Difference, bound: float) -> str:
    """Whether a gain is above a bound: it is missed only if the whole interval lies below."""
    if gain.high < bound:
        return MISSED
    return MET if gain.low > bound else NOT_TOLD_APART


def quality_targets(
    figures: Mapping[str, Mapping[str, Figures]], ahead: float = 0, behind: float = 0.008
) -> list[Judged]:
    """Of figures by evaluation and contender. `ahead` is the ROC-AUC by which it is to be better than scikit-learn's
    best on the latest period, `behind` that by which CatBoost may be better."""
    latest = LATEST if LATEST in figures else BY_ID
    targets = [_beside_best(figures, [latest], figure, ahead if figure == ROC_AUC else 0) for figure in SIGNS]
    gain = difference([figures[latest][OURS]], [figures[latest][CATBOOST]], ROC_AUC)
    target = f"within {behind:g} of CatBoost" if behind else "better than CatBoost"
    targets.append(Judged(f"{ROC_AUC}, {latest}", target, f"better by {gain}", verdict(gain, -behind)))
    if set(PERIODS) <= set(figures):
        targets += [_beside_best(figures, list(PERIODS), figure, -MEAN_TOLERANCE) for figure in SIGNS]
    return targets


def _beside_best(
    figures: Mapping[str, Mapping[str, Figures]], evaluations: Sequence[str], figure: str, bound: float
) -> Judged:
    """Beside whichever of scikit-learn's three is the best in this figure, in the mean of these evaluations."""

    def gain_over(rival: str) -> Difference:
        ours, theirs = ([figures[evaluation][name] for evaluation in evaluations] for name in (OURS, rival))
        return difference(ours, theirs, figure, SIGNS[figure])

    gains = {rival: gain_over(rival) for rival in OF_SKLEARN}
    best = min(gains, key=lambda rival: gains[rival].value)
    work = f"{figure}, {evaluations[0] if len(evaluations) == 1 else 'mean of both periods'}"
    asked = f"better than the best of scikit-learn's three{f' by {bound:g}' if bound else ''}"
    target = f"no worse than the best of scikit-learn's three by {-bound:g}" if bound < 0 else asked
    return Judged(work, target, f"better by {gains[best]}, beside {best}", verdict(gains[best], bound))


def speed_targets(rows: int, scoring: Mapping[str, Timed]) -> list[Judged]:
    """Of the seconds that each way of serving one champion takes for so many rows."""
    targets = []
    for name, factor in ((PIPELINE, PIPELINE_SPEEDUP), (ONNX, ONNX_SPEEDUP)):
        ratio = scoring[name].seconds / scoring[OURS].seconds
        target = f"≥ {factor}× {name}" if factor > 1 else f"faster than {name}"
        measured = f"{ratio:.1f}×: {scoring[OURS].seconds:.2f} against {scoring[name].seconds:.2f} s"
        targets.append(Judged(f"scoring {rows:,} rows end to end", target, measured, MET if ratio > factor else MISSED))
    return targets


def training_target(rows: int, trained: Timed) -> Judged:
    """Of the training of the whole file."""
    memory = trained.result["memory of all processes"]
    measured = f"{trained.seconds:.0f} s, {memory / 1000:.1f} GB"
    is_met = trained.seconds <= MAX_TRAINING_SECONDS
    target = f"≤ {MAX_TRAINING_SECONDS} s wall on two cores, memory stated"
    return Judged(f"training at {rows:,} rows", target, measured, MET if is_met else MISSED)
