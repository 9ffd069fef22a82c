"""Fit the chosen forest on train + validation rows, and wrap it with its encoder in one scikit-learn Pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from prefect import get_run_logger, task

from campaign.encoding import MISSING_CATEGORY, MISSING_NUMBER, UNKNOWN_CATEGORY, Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.schema import LABEL
from campaign.settings import Settings
from tasks.mlflow_run import Run, reporting_to
from tasks.retries import RETRIES
from tasks.sampling import sample_rows
from tasks.training.choose import Choice
from tasks.training.encode import Parts
from tasks.training.fit_forest import fit_forest
from tasks.training.search_space import ForestParams
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


def column_transformer(encoder: Encoder, example: pd.DataFrame) -> Any:
    """The encoder as scikit-learn's own: stock parts alone, so that loading the model needs no code of ours."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OrdinalEncoder

    # One step a column, in the features' order, which is the order of the matrix that the forest is fitted on.
    steps: list[tuple[str, Any, list[str]]] = []
    for column in encoder.features:
        if column.is_category:
            # Without NaN among them, a missing category would count as unknown.
            known = [[*encoder.categories[column.name], np.nan]]
            ordinal = OrdinalEncoder(
                categories=known,
                handle_unknown="use_encoded_value",
                unknown_value=UNKNOWN_CATEGORY,
                encoded_missing_value=MISSING_CATEGORY,
            )
            steps.append((column.name, ordinal, [column.name]))
        elif column.nullable:
            imputer = SimpleImputer(strategy="constant", fill_value=MISSING_NUMBER, keep_empty_features=True)
            steps.append((column.name, imputer, [column.name]))
        else:
            steps.append((column.name, "passthrough", [column.name]))
    return ColumnTransformer(steps, verbose_feature_names_out=False).fit(example)


def rows_to_fit(parts: Parts, most: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Matrix and labels of train + validation rows, all of them or an even sample of `most`, the same each time."""
    y = np.concatenate([parts.labels("train"), parts.labels("validation")])
    train = parts.matrix("train")
    if len(y) <= most:
        return np.concatenate([train, parts.matrix("validation")]), y
    at = sample_rows(len(y), most)
    first = np.searchsorted(at, len(train))
    return np.concatenate([train[at[:first]], parts.matrix("validation")[at[first:] - len(train)]]), y[at]


def fit_pipeline(
    X: NDArray[np.float32],
    y: NDArray[np.int8],
    encoder: Encoder,
    params: ForestParams,
    example: pd.DataFrame,
    seed: int,
) -> Any:
    """A fitted Pipeline from campaigns as published (a DataFrame) to probabilities."""
    from sklearn.pipeline import Pipeline

    forest = fit_forest(params, X, y, seed)
    return Pipeline([("encode", column_transformer(encoder, example)), ("forest", forest)])


def example_rows(data: Dataset, encoder: Encoder, rows: int = EXAMPLE_ROWS) -> pd.DataFrame:
    """The first campaigns of the data set, features only."""
    names = [column.name for column in encoder.features]
    return next(pq.ParquetFile(data.path).iter_batches(rows, columns=[*names, LABEL])).to_pandas()[names]


@task(timeout_seconds=6 * 3600, **RETRIES)
def fit(parts: Parts, choice: Choice, data: Dataset, run: Run, seed: int) -> Fitted:
    """Fit the chosen forest, and store it twice: as a Pipeline, and as flat arrays."""
    import mlflow
    import skops.io

    encoder = parts.encoder
    X, y = rows_to_fit(parts, Settings().fit_rows)
    pipeline = fit_pipeline(X, y, encoder, choice.chosen.params, example_rows(data, encoder), seed)
    forest = Forest.from_sklearn(pipeline.named_steps["forest"])
    rows, available = len(y), len(parts.labels("train")) + len(parts.labels("validation"))
    folder = Path(parts.folder) / f"fitted-{run.run_id[:8]}"
    threshold, columns = choice.threshold, parts.columns
    ScoringModel(run.model, "candidate", data.schema, encoder, forest, threshold=threshold, columns=columns).save(
        folder
    )
    skops.io.dump(pipeline, folder / "pipeline.skops")
    with reporting_to(run):
        mlflow.log_metrics({"rows_fitted": rows, "rows_to_fit": available})
    on = f"{rows}" if rows == available else f"an even sample of {rows} of {available}"
    get_run_logger().info("Fitted %d trees with %d nodes on %s rows", forest.size, len(forest.feature), on)
    return Fitted(str(folder), str(folder / "pipeline.skops"), rows, available, choice, float(y.mean()))
