from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from tasks.training.encode import Parts, write_parts
from tasks.training.examples import rows_at
from tasks.training.fit import example_rows, fit_recipe
from tasks.training.ingest import Sources
from tasks.training.pipeline import as_pipeline
from tasks.training.prepare_rows import Prepared
from tasks.training.split import buckets_of
from tasks.training.validate import Dataset, gather
from tests.published import CATEGORIES, SCHEMAS
from tests.tasks.training.made_up_rows import BOTH, FOREST

RECIPES = {"published": FOREST, "launch": BOTH}


def put(table: pa.Table, path: Path) -> str:
    pq.write_table(table, path)
    return str(path)


@pytest.fixture(scope="module", params=["published", "launch"])
def gathered(request, tmp_path_factory) -> tuple[Dataset, Parts]:
    folder = tmp_path_factory.mktemp("gathered")
    base = put(pa.Table.from_batches(synthetic.campaigns(2_000)), folder / "base.parquet")
    data = gather(Sources("base", base, ()), folder, SCHEMAS[request.param])[0]
    return data, write_parts(data.path, buckets_of(data.path), data.schema, folder / request.param)


@pytest.fixture
def unseen(tmp_path) -> tuple[str, pd.DataFrame]:
    """New campaigns as a file and as a frame, some with categories that nobody has heard of."""
    frame = pa.Table.from_batches(synthetic.campaigns(500, seed=7)).to_pandas()
    for at, name in enumerate(CATEGORIES):
        frame[name] = frame[name].astype("str")
        frame.loc[at * 20 : at * 20 + 10, name] = "Podcast"
    return put(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "unseen.parquet"), frame


def fitted_on(parts: Parts, feature_set: str, most: int = 10**6) -> tuple[Prepared, Any]:
    rows = len(parts.labels("train")) + len(parts.labels("validation"))
    return fit_recipe(rows_at(parts, np.ones(rows, bool), most, "train", "validation"), RECIPES[feature_set], seed=1)


def test_the_pipeline_says_of_raw_campaigns_what_the_flat_model_says(gathered, unseen):
    data, parts = gathered
    path, frame = unseen
    prepared, trees = fitted_on(parts, data.schema.model.feature_set.replace("all", "published"))
    encoder = prepared.encoder
    pipeline = as_pipeline(encoder, prepared.linear, trees, 0.0, example_rows(data, encoder))
    predictor = prepared.predictor(Forest.from_sklearn(trees))
    model = ScoringModel("model", "1", data.schema, encoder, predictor)
    [batch] = read_campaigns(path, parts.schema)
    probability = model.probabilities_of(batch)
    assert set(encoder.count_unknown(encoder.encode(batch)).values()) == {11}
    assert probability == pytest.approx(pipeline.predict_proba(frame)[:, 1], abs=1e-9)
    assert len(np.unique(probability)) > 20


def test_the_forest_is_fitted_on_train_and_validation_rows(gathered):
    _, parts = gathered
    _, trees = fitted_on(parts, "published")
    rows = len(parts.rows("train")) + len(parts.rows("validation"))
    roots = [tree.tree_.weighted_n_node_samples[0] for tree in trees.estimators_]
    assert set(roots) == {rows}


def test_an_example_holds_features_alone(gathered):
    data, parts = gathered
    example = example_rows(data, parts.encoder, rows=3)
    assert [*example.columns] == [column.name for column in parts.encoder.features]
    assert len(example) == 3
