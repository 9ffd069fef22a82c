"""Fit the chosen recipe on train + validation rows, and wrap it with its encoder in one scikit-learn Pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from prefect import get_run_logger, task

from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.schema import LABEL
from campaign.settings import Settings
from tasks.mlflow_run import Run, reporting_to
from tasks.retries import RETRIES
from tasks.training.choose import Choice
from tasks.training.encode import Parts
from tasks.training.examples import rows_at
from tasks.training.fit_forest import fit_forest
from tasks.training.pipeline import as_pipeline
from tasks.training.prepare_rows import Prepared, Rows, prepare_rows
from tasks.training.search_space import Recipe, forest_params
from tasks.training.validate import Dataset

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Fitted:
    """A folder with the Pipeline (skops) and the flat model, fitted on `rows` of `available_rows` rows.

    `base_rate` is the share of successes among them.
    """

    folder: str
    pipeline: str
    rows: int
    available_rows: int
    choice: Choice
    base_rate: float

    def load(self) -> ScoringModel:
        return ScoringModel.load(Path(self.folder), "candidate")


def fit_recipe(rows: Rows, recipe: Recipe, seed: int) -> tuple[Prepared, Any]:
    """The rows as the recipe prepares them, and a fitted scikit-learn forest."""
    prepared = prepare_rows(rows, recipe)
    return prepared, fit_forest(forest_params(recipe), prepared.X, prepared.y, seed, prepared.weight)


def example_rows(data: Dataset, encoder: Encoder, rows: int = EXAMPLE_ROWS) -> pd.DataFrame:
    """The first campaigns of the data set, features only."""
    names = [column.name for column in encoder.features]
    return next(pq.ParquetFile(data.path).iter_batches(rows, columns=[*names, LABEL])).to_pandas()[names]


@task(timeout_seconds=6 * 3600, **RETRIES)
def fit(parts: Parts, choice: Choice, data: Dataset, run: Run, seed: int) -> Fitted:
    """Fit the chosen recipe, and store it twice: as a Pipeline, and as flat arrays."""
    import mlflow
    import skops.io

    available = len(parts.labels("train")) + len(parts.labels("validation"))
    rows = rows_at(parts, np.ones(available, bool), Settings().fit_rows, "train", "validation")
    prepared, trees = fit_recipe(rows, choice.chosen.params, seed)
    forest, encoder = Forest.from_sklearn(trees), prepared.encoder
    pipeline = as_pipeline(encoder, prepared.linear, trees, choice.shift, example_rows(data, encoder))
    folder = Path(parts.folder) / f"fitted-{run.run_id[:8]}"
    ScoringModel(
        run.model, "candidate", data.schema, encoder, prepared.predictor(forest, choice.shift),
        threshold=choice.threshold, columns=parts.columns,
    ).save(folder)  # fmt: skip
    skops.io.dump(pipeline, folder / "pipeline.skops")
    with reporting_to(run):
        mlflow.log_metrics({"rows_fitted": len(rows.y), "rows_to_fit": available})
    on = f"{len(rows.y)}" if len(rows.y) == available else f"an even sample of {len(rows.y)} of {available}"
    get_run_logger().info("Fitted %d trees with %d nodes on %s rows", forest.size, len(forest.feature), on)
    base_rate = float(rows.y.mean())
    return Fitted(str(folder), str(folder / "pipeline.skops"), len(rows.y), available, choice, base_rate)
