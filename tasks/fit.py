"""Fit the chosen forest on train + validation rows, and wrap it with its encoder in one scikit-learn Pipeline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from prefect import get_run_logger, task

from campaign.encoding import UNKNOWN, Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.schema import LABEL
from tasks.choose import Choice
from tasks.encode import Parts
from tasks.patience import PATIENT
from tasks.search_space import ForestParams
from tasks.track import Run
from tasks.validate import Dataset

EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Fitted:
    """A folder with the Pipeline (skops) and the flat model, and what they were fitted on."""

    folder: str
    pipeline: str
    rows: int
    choice: Choice

    def flat(self) -> ScoringModel:
        return ScoringModel.load(Path(self.folder), "candidate")


def column_transformer(encoder: Encoder, example: pd.DataFrame) -> Any:
    """The encoder as scikit-learn's own: stock parts alone, so that loading the model needs no code of ours."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    # One step a column, in the features' order, which is the order of the matrix that the forest is fitted on.
    steps: list[tuple[str, Any, list[str]]] = []
    for column in encoder.features:
        if column.is_category:
            known = [list(encoder.categories[column.name])]
            ordinal = OrdinalEncoder(
                categories=known,
                handle_unknown="use_encoded_value",
                unknown_value=UNKNOWN,
                encoded_missing_value=UNKNOWN,
            )
            steps.append((column.name, ordinal, [column.name]))
        else:
            steps.append((column.name, "passthrough", [column.name]))
    return ColumnTransformer(steps, verbose_feature_names_out=False).fit(example)


def fit_pipeline(parts: Parts, params: ForestParams, example: pd.DataFrame, seed: int) -> Any:
    """A fitted Pipeline from campaigns as published (a DataFrame) to probabilities.

    Always plain scikit-learn: intelex leaves hold majority votes, not class shares, and exporting those gives wrong
    probabilities.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import Pipeline

    X = np.concatenate([parts.matrix("train"), parts.matrix("validation")])
    y = np.concatenate([parts.labels("train"), parts.labels("validation")])
    forest = RandomForestClassifier(**params, random_state=seed, n_jobs=-1).fit(X, y)
    return Pipeline([("encode", column_transformer(parts.encoder, example)), ("forest", forest)])


def example_rows(data: Dataset, encoder: Encoder, rows: int = EXAMPLE_ROWS) -> pd.DataFrame:
    """The first campaigns of the data set, features only."""
    names = [column.name for column in encoder.features]
    return next(pq.ParquetFile(data.path).iter_batches(rows, columns=[*names, LABEL])).to_pandas()[names]


@task(timeout_seconds=6 * 3600, **PATIENT)
def fit(parts: Parts, choice: Choice, data: Dataset, run: Run, seed: int) -> Fitted:
    """Fit the chosen forest, and store it twice: as a Pipeline, and as flat arrays."""
    import skops.io

    encoder = parts.encoder
    pipeline = fit_pipeline(parts, choice.chosen.params, example_rows(data, encoder), seed)
    forest = Forest.from_sklearn(pipeline.named_steps["forest"])
    rows = len(parts.labels("train")) + len(parts.labels("validation"))
    folder = Path(parts.folder) / f"fitted-{run.run_id[:8]}"
    ScoringModel(run.model, "candidate", encoder, forest).save(folder)
    skops.io.dump(pipeline, folder / "pipeline.skops")
    nodes = len(forest.feature)
    get_run_logger().info("Fitted %d trees with %d nodes on %d rows", len(forest.roots), nodes, rows)
    return Fitted(str(folder), str(folder / "pipeline.skops"), rows, choice)
