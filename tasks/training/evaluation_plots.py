"""What a model's test result looks like: ROC, precision–recall, gains, calibration, confusion, importance."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from campaign.decision import predicts_success
from tasks.measures import roc_auc
from tasks.training.lift import cumulative_gains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from tasks.training.backtest import Period

BLUE, GREY = "#0072B2", "#888888"
BINS = 10  # of the calibration curve


def figures(
    label: NDArray[np.generic], probability: NDArray[np.float64], importance: dict[str, float], threshold: float
) -> dict[str, "Figure"]:
    """Figures by the name of their file."""
    return {
        "roc": roc(label, probability),
        "precision_recall": precision_recall(label, probability),
        "cumulative_gains": gains(label, probability, threshold),
        "calibration": calibration(label, probability),
        "confusion": confusion(label, probability, threshold),
        "permutation_importance": bars(importance),
    }


def _figure(title: str, x: str, y: str) -> tuple["Figure", "Any"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), dpi=110, layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def roc(label: NDArray[np.generic], probability: NDArray[np.float64]) -> "Figure":
    from sklearn.metrics import RocCurveDisplay

    figure, axes = _figure("Successes found against false alarms", "Share of failures called successes", "")
    RocCurveDisplay.from_predictions(label, probability, ax=axes, curve_kwargs={"color": BLUE}, plot_chance_level=True)
    axes.set(xlabel="Share of failures called successes", ylabel="Share of successes found")
    axes.legend([f"model, ROC-AUC {roc_auc(label, probability):.4f}", "chance"], frameon=False, loc="lower right")
    return figure


def precision_recall(label: NDArray[np.generic], probability: NDArray[np.float64]) -> "Figure":
    from sklearn.metrics import PrecisionRecallDisplay

    figure, axes = _figure("Precision against recall", "", "")
    PrecisionRecallDisplay.from_predictions(label, probability, ax=axes, curve_kwargs={"color": BLUE})
    axes.set(xlabel="Share of successes found (recall)", ylabel="Share of calls that are right (precision)")
    axes.get_legend().remove()
    return figure


def gains(label: NDArray[np.generic], probability: NDArray[np.float64], threshold: float) -> "Figure":
    figure, axes = _figure("What acting on the most probable finds", "Share of all, most probable first", "")
    rows, successes = cumulative_gains(label, probability)
    shares, found = 100 * rows / rows[-1], 100 * successes / max(successes[-1], 1)
    axes.plot(shares, found, color=BLUE, label="model")
    axes.plot([0, 100], [0, 100], ls="--", color=GREY, label="at random")
    acted = 100 * float(predicts_success(probability, threshold).mean())
    reached = float(np.interp(acted, shares, found))
    axes.plot([acted], [reached], "o", color=BLUE)
    to_the_left = acted > 50
    axes.annotate(
        f"the model's decision:\n{acted:.0f} % of all, {reached:.0f} % of successes", (acted, reached),
        (-10 if to_the_left else 10, -6), textcoords="offset points", va="top", ha="right" if to_the_left else "left",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )  # fmt: skip
    axes.set(ylabel="Share of successes found", xlim=(0, 100), ylim=(0, 103))
    axes.xaxis.set_major_formatter("{x:.0f} %")
    axes.yaxis.set_major_formatter("{x:.0f} %")
    axes.legend(frameon=False, loc="lower right")
    return figure


def calibration(label: NDArray[np.generic], probability: NDArray[np.float64]) -> "Figure":
    from sklearn.calibration import calibration_curve

    figure, axes = _figure("Does 70 % mean 70 %?", "Predicted probability", "Share that succeeded")
    succeeded, predicted = calibration_curve(label, probability, n_bins=BINS, strategy="uniform")
    axes.plot([0, 1], [0, 1], ls="--", color=GREY, label="perfect")
    axes.plot(predicted, succeeded, marker="o", color=BLUE, label="model")
    # A point of three rows must not look as sure as one of three thousand.
    counts, edges = np.histogram(probability, BINS, (0, 1))
    axes.bar(edges[:-1], 0.25 * counts / counts.max(), width=np.diff(edges), align="edge", color=GREY, alpha=0.25,
             label="rows with that probability")  # fmt: skip
    for left, count in zip(edges, counts, strict=False):
        if count:
            axes.text(left + 0.5 / BINS, 0.25 * count / counts.max() + 0.008, f"{count:,}", ha="center", fontsize=7,
                      color=GREY)  # fmt: skip
    axes.legend(frameon=False, loc="upper left")
    return figure


def confusion(label: NDArray[np.generic], probability: NDArray[np.float64], threshold: float) -> "Figure":
    from sklearn.metrics import ConfusionMatrixDisplay

    figure, axes = _figure("What was said, and what happened", "", "")
    axes.grid(visible=False)
    names = ["failed", "succeeded"]
    predicted = predicts_success(probability, threshold).astype(int)
    ConfusionMatrixDisplay.from_predictions(
        label, predicted, ax=axes, labels=[0, 1], display_labels=names, cmap="Blues", colorbar=False, values_format=",d"
    )
    axes.set(xlabel="Predicted", ylabel="Happened")
    return figure


def months(periods: "Sequence[Period]", noun: str) -> "Figure":
    """Rates over time, and what a fit on the earlier rows said of the later ones."""
    figure, axes = _figure("Does it hold over time?", "", f"Share of {noun}s that succeeded")
    at = np.arange(len(periods))
    rates = np.array([100 * period.success_rate for period in periods])
    sizes = np.array([period.rows for period in periods])
    axes.scatter(at, rates, s=8 + 60 * sizes / sizes.max(), color=GREY, alpha=0.7, label="what happened (size: rows)")
    axes.plot(at, rates, color=GREY, alpha=0.4)
    judged = [place for place, period in enumerate(periods) if period.probability is not None]
    said = [100 * (periods[place].probability or 0.0) for place in judged]
    axes.plot(judged, said, color=BLUE, marker="o", ms=4, label="mean probability, by a fit on the rows before")
    if judged:
        axes.axvline(judged[0] - 0.5, color=BLUE, ls=":", lw=1)
    step = max(1, -(-len(periods) // 12))
    if periods and "-" not in periods[0].name:
        axes.set_xlabel("Twentieths of all rows, in their order")
    axes.set_xticks(at[::step], [period.name for period in periods[::step]], rotation=45, ha="right")
    sizable = rates[sizes >= sizes.max() / 20]  # a month of three rows must not flatten all others
    axes.set_ylim(0, max(1.0, min(100.0, 1.25 * max([*sizable, *said]))))
    axes.yaxis.set_major_formatter("{x:.0f} %")
    axes.legend(frameon=False, loc="best", fontsize="small")
    return figure


def bars(importance: dict[str, float]) -> "Figure":
    figure, axes = _figure("What the model looks at", "ROC-AUC lost when the feature is shuffled", "")
    names = list(importance)[::-1]
    axes.barh(names, [importance[name] for name in names], color=BLUE)
    return figure
