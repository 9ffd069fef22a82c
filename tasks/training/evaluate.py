"""Judge a fitted model on test rows, which neither it nor any champion was fitted on."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact

from campaign.model import NEWEST, REFERENCE, ScoringModel
from campaign.schema import ID, LABEL, LABELLED_DAY
from campaign.settings import Settings
from tasks.measures import classification_metrics, confidence_intervals, roc_auc
from tasks.mlflow_run import Run, reporting_to
from tasks.retries import RETRIES
from tasks.sampling import sample_rows
from tasks.training import evaluation_plots
from tasks.training.encode import Parts
from tasks.training.fit import Fitted
from tasks.training.lift import Lift, Profit, lift_table, profit_of
from tasks.training.rank_categories import recode
from tasks.training.validate import Dataset

if TYPE_CHECKING:
    import pandas as pd

PERMUTED_ROWS = 20_000
LIFT_FILE = "evaluation/lift.json"


@dataclass(frozen=True)
class Scores:
    """Metrics on test rows with 95 % intervals; `reference` is a Parquet file of those rows with the predictions.

    `drift_rows` says which of them drift is measured against.
    """

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    importance: dict[str, float]
    rows: int
    reference: str
    lift: list[Lift] = field(default_factory=list)
    profit: Profit | None = None
    drift_rows: str = "its test rows"


def score_test_rows(data: Dataset, parts: Parts, model: ScoringModel) -> pd.DataFrame:
    """The test campaigns with label, day, and `probability` by this model."""
    names = [column.name for column in parts.encoder.features]
    rows, taken, start = parts.rows("test"), [], 0
    for batch in pq.ParquetFile(data.path).iter_batches(columns=[ID, *names, LABEL, LABELLED_DAY]):
        first, last = np.searchsorted(rows, [start, start + len(batch)])
        taken.append(batch.take(pa.array(rows[first:last] - start)))
        start += len(batch)
    table = pa.Table.from_batches(taken)
    return table.append_column("probability", pa.array(model.predict(matrix_of_test_rows(parts, model)))).to_pandas()


def matrix_of_test_rows(parts: Parts, model: ScoringModel) -> NDArray[np.float32]:
    """The test rows as the model sees them."""
    return recode(parts.matrix("test"), parts.encoder, model.encoder)


def by_segment(test: pd.DataFrame, model: ScoringModel) -> pd.DataFrame:
    """The metrics for each value of the columns that are segments, or each quartile of a number."""
    import pandas as pd

    segments = sorted((column for column in model.schema.features if column.segment), key=lambda c: not c.is_category)
    keys = {column.name: test[column.name] for column in segments if column.is_category}
    for column in segments:
        if not column.is_category:
            quartile = pd.qcut(test[column.name], 4, duplicates="drop").astype("str")
            keys[column.name] = quartile.where(test[column.name].notna(), "missing").fillna("all alike")
    rows = []
    for name, key in keys.items():
        for value, part in test.groupby(key, observed=True, sort=True):
            label, probability = part[LABEL].to_numpy(), part["probability"].to_numpy()
            metrics = classification_metrics(label, probability, threshold=model.threshold)
            rows.append({"segment": name, "value": str(value), "rows": len(part), **metrics})
    return pd.DataFrame(rows)


def permutation_importance(
    X: NDArray[np.float32], y: NDArray[np.int8], model: ScoringModel, names: list[str], seed: int = 1
) -> dict[str, float]:
    """ROC-AUC lost when one feature's values are shuffled among the rows, the largest first."""
    rng = np.random.default_rng(seed)
    rows = sample_rows(len(X), PERMUTED_ROWS, seed)
    X, y = np.array(X[rows]), y[rows]
    whole = roc_auc(y, model.predict(X))
    lost = {}
    for at, name in enumerate(names):
        kept = X[:, at].copy()
        X[:, at] = rng.permutation(kept)
        lost[name] = whole - roc_auc(y, model.predict(X))
        X[:, at] = kept
    return dict(sorted(lost.items(), key=lambda item: -item[1]))


def newest_day_since(days: pd.Series, rows: int) -> str | None:
    """The day since which the newest labelled days have so many rows together; None where all have fewer."""
    counts = days[days != ""].value_counts().sort_index(ascending=False).cumsum()
    enough = counts.index[counts >= rows]
    return str(enough[0]) if len(enough) else None


def reference_of(
    test: pd.DataFrame,
    model: ScoringModel,
    rows: int,
    newest_rows: int,
    incomplete: Collection[str] = (),
    seed: int = 1,
) -> tuple[pd.DataFrame, str]:
    """At most `rows` test campaigns with the model's own predictions, and which of them drift is measured against.

    Test rows, because a deep forest's predictions on rows it was fitted on differ from its unseen ones by 0.8 in
    Jensen–Shannon distance without any drift. NEWEST marks those of the newest labelled days, if there are
    `newest_rows`: a model that learnt that the world moved is right in it, and differs from one mixed with the world
    before for ever. Not of `incomplete` days, whose outcomes are still coming: those that have come are of the shortest
    campaigns. The others stay, as what tells one data set from another, and how sure the test ROC-AUC is.
    """
    whole = test[LABELLED_DAY].mask(test[LABELLED_DAY].isin([*incomplete]), "")
    since = newest_day_since(whole, newest_rows)
    is_newest = (whole >= since).to_numpy() if since else np.zeros(len(test), np.bool_)
    newest, others = np.flatnonzero(is_newest), np.flatnonzero(~is_newest)
    newest = newest[sample_rows(len(newest), rows, seed)]
    others = others[sample_rows(len(others), rows - len(newest), seed)]
    sample = test.iloc[np.sort(np.concatenate([newest, others]))]
    success = model.predicts_success(sample["probability"].to_numpy()).astype(np.int8)
    reference = sample.assign(success=success).drop(columns=[LABELLED_DAY])
    if since is None:
        return reference, f"{len(reference):,} of its test rows, of whatever time"
    last = whole.max()
    span = since if since == last else f"{since} to {last}"
    described = f"{len(newest):,} of its test rows, those of the newest labelled days ({span})"
    return reference.assign(**{NEWEST: whole.loc[sample.index] >= since}), described


def log_scores(scores: Scores, segments: pd.DataFrame, test: pd.DataFrame, threshold: float) -> None:
    """Metrics with their intervals, segments, importance and figures, in the active MLflow run."""
    import mlflow

    edges = {
        f"test_{name}_{edge}": value
        for name, interval in scores.intervals.items()
        for edge, value in zip(("low", "high"), interval, strict=True)
    }
    values = {f"test_{name}": value for name, value in scores.metrics.items()} | edges
    mlflow.log_metrics({name: value for name, value in values.items() if not np.isnan(value)})
    mlflow.log_text(segments.to_csv(index=False), "evaluation/segments.csv")
    mlflow.log_table({name: [asdict(row)[name] for row in scores.lift] for name in asdict(scores.lift[0])}, LIFT_FILE)
    mlflow.log_text(json.dumps(scores.importance, indent=1), "evaluation/permutation_importance.json")
    label, probability = test[LABEL].to_numpy(), test["probability"].to_numpy()
    for name, figure in evaluation_plots.figures(label, probability, scores.importance, threshold).items():
        mlflow.log_figure(figure, f"evaluation/{name}.png")


@task(timeout_seconds=3600, **RETRIES)
def evaluate(fitted: Fitted, parts: Parts, data: Dataset, run: Run) -> Scores:
    """Measure on test rows, overall and per segment, draw it, and write the reference."""
    model = fitted.load()
    test = score_test_rows(data, parts, model)
    label, probability = test[LABEL].to_numpy(), test["probability"].to_numpy()
    names = [column.name for column in parts.encoder.features]
    path, settings = Path(fitted.folder) / REFERENCE, Settings()
    incomplete = [day for day, share in data.outcomes_share.items() if share < settings.outcomes_share]
    reference, drift_rows = reference_of(test, model, settings.reference_rows, settings.drift_min_rows, incomplete)
    pq.write_table(pa.Table.from_pandas(reference, preserve_index=False), path)
    scores = Scores(
        classification_metrics(label, probability, threshold=model.threshold),
        confidence_intervals(label, probability, threshold=model.threshold),
        permutation_importance(matrix_of_test_rows(parts, model), label, model, names),
        len(test),
        str(path),
        lift_table(label, probability),
        profit_of(label, probability, model.threshold, model.schema.outcome.decide),
        drift_rows,
    )
    segments = by_segment(test, model)
    low, high = scores.intervals["roc_auc"]
    get_run_logger().info("Test ROC-AUC %.5f (%.5f–%.5f) on %d rows", scores.metrics["roc_auc"], low, high, len(test))
    with reporting_to(run):
        log_scores(scores, segments, test, model.threshold)
    table: list[dict[str, Any]] = json.loads(segments.round(5).to_json(orient="records"))
    create_table_artifact(table, "test-segments", "Metrics per segment of the test rows")
    return scores
