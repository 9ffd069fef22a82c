"""What to expect of rows to come: the same recipe, fitted on the earlier rows and judged on the latest fifth."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from prefect import get_run_logger, task

from campaign.forest import Forest
from campaign.settings import Settings
from tasks.measures import calibration_error, classification_metrics, confidence_intervals
from tasks.mlflow_run import Run, reporting_to
from tasks.retries import RETRIES
from tasks.training.choose import Choice
from tasks.training.encode import Part, Parts
from tasks.training.evaluation_plots import months
from tasks.training.examples import labels_and_times, rows_at
from tasks.training.grow import fit_trees
from tasks.training.prepare_rows import Rows, prepare_rows
from tasks.training.row_times import cut_at
from tasks.training.search_space import Recipe, forest_params
from tasks.training.shift import shift_within

PERIODS = 20  # of rows that stand in order without a date
MONTHS_FILE = "evaluation/months.json"


@dataclass(frozen=True)
class Period:
    """A month of launches, or a twentieth of rows in order: how many, and the share of successes.

    `probability` is the mean one, of rows that were judged.
    """

    name: str
    rows: int
    success_rate: float
    probability: float | None = None


@dataclass(frozen=True)
class Later:
    """Figures on the latest rows, by a fit on the earlier ones: `metrics` under the names that MLflow has."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    earlier_rows: int
    rows: int
    since: str
    periods: list[Period] = field(default_factory=list)


def judge_later(rows: Rows, recipe: Recipe, seed: int, dated: bool) -> Later | None:
    """None where time is not known, or too few rows of an outcome are on either side of the cut.

    `dated`: times are Unix seconds. All that is learnt, the shift too, is learnt from the earlier rows.
    """
    cut = cut_at(rows.times, rows.y)
    if cut is None:
        return None
    earlier, later = rows.take(cut.earlier), rows.take(cut.later)
    prepared = prepare_rows(earlier, recipe)
    trees = fit_trees(forest_params(recipe), prepared, recipe["n_estimators"], seed)
    forest = Forest.from_trees(trees).with_leaf_shares(prepared.X, prepared.y, prepared.weight)
    predictor = prepared.predictor(forest, shift_within(earlier, recipe))
    probability = predictor.predict(prepared.recode(later.X))
    measured, spread = classification_metrics(later.y, probability), confidence_intervals(later.y, probability)
    metrics = {
        "later_roc_auc": measured["roc_auc"],
        "later_log_loss": measured["log_loss"],
        "later_calibration_error": calibration_error(later.y, probability),
        "base_rate_earlier": float(earlier.y.mean()),
        "base_rate_later": float(later.y.mean()),
    }
    intervals = {f"later_{name}": spread[name] for name in ("roc_auc", "log_loss")}
    assert later.times is not None
    since = date_of(np.nanmin(later.times[:, 0])) if dated else ""
    return Later(
        metrics, intervals, len(earlier.y), len(later.y), since, periods_of(rows, cut.later, probability, dated)
    )


def periods_of(rows: Rows, later: NDArray[np.bool_], probability: NDArray[np.float64], dated: bool) -> list[Period]:
    """Share of successes over time, and the mean probability where rows were judged."""
    assert rows.times is not None
    launched = rows.times[:, 0]
    known = np.isfinite(launched)
    name_of = np.full(len(launched), "", object)
    if dated:
        name_of[known] = np.datetime_as_string(launched[known].astype("datetime64[s]"), unit="M")
    else:
        rank = np.argsort(np.argsort(launched)) * PERIODS // max(len(launched), 1)
        name_of = np.array([f"{period + 1:02d}" for period in rank], object)
    said = np.full(len(launched), np.nan)
    said[later] = probability
    periods = []
    for name in sorted(set(name_of[known])):
        inside = name_of == name
        judged = said[inside & later]
        mean = float(judged.mean()) if len(judged) else None
        periods.append(Period(str(name), int(inside.sum()), float(rows.y[inside].mean()), mean))
    return periods


def date_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


@task(timeout_seconds=6 * 3600, **RETRIES)
def backtest(choice: Choice, parts: Parts, run: Run, seed: int) -> Later | None:
    """Judge the chosen recipe on the latest fifth of all finished rows, and draw rates and probabilities over time."""
    import mlflow

    names: tuple[Part, ...] = ("train", "validation", "test")
    labels, times = labels_and_times(parts, *names)
    if times is None:
        return None
    rows = rows_at(parts, np.ones(len(labels), bool), Settings().fit_rows, *names)
    later = judge_later(rows, choice.chosen.params, seed, dated=bool(parts.schema.row.launch))
    if later is None:
        get_run_logger().info("Too few rows of each outcome before and after a cut to judge the latest ones apart")
        return None
    edges = {f"{name}_{edge}": value for name, pair in later.intervals.items()
             for edge, value in zip(("low", "high"), pair, strict=True)}  # fmt: skip
    with reporting_to(run):
        mlflow.log_metrics({name: value for name, value in (later.metrics | edges).items() if np.isfinite(value)})
        mlflow.log_text(json.dumps([vars(period) for period in later.periods], indent=1), MONTHS_FILE)
        mlflow.log_figure(months(later.periods, parts.schema.outcome.noun), "evaluation/months.png")
    low, high = later.intervals["later_roc_auc"]
    get_run_logger().info(
        "Fitted on the earlier %d rows, the recipe reaches ROC-AUC %.5f (%.5f–%.5f) on the latest %d",
        later.earlier_rows, later.metrics["later_roc_auc"], low, high, later.rows,
    )  # fmt: skip
    return later
