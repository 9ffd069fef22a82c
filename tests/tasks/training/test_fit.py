from pathlib import Path

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
from tasks.training.fit import column_transformer, example_rows, fit_pipeline, rows_to_fit
from tasks.training.ingest import Sources
from tasks.training.search_space import ForestParams
from tasks.training.split import buckets_of
from tasks.training.validate import Dataset, gather
from tests.published import CATEGORIES, SCHEMAS

PARAMS = ForestParams(n_estimators=8, max_depth=12, min_samples_leaf=1, max_features=4, max_samples=1.0)


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


def test_the_pipeline_says_of_raw_campaigns_what_the_flat_forest_says(gathered, unseen):
    data, parts = gathered
    path, frame = unseen
    pipeline = fit_pipeline(
        *rows_to_fit(parts, 10**6), parts.encoder, PARAMS, example_rows(data, parts.encoder), seed=1
    )
    model = ScoringModel("model", "1", data.schema, parts.encoder, Forest.from_sklearn(pipeline.named_steps["forest"]))
    [batch] = read_campaigns(path, parts.schema)
    probability = model.probabilities_of(batch)
    assert set(parts.encoder.count_unknown(parts.encoder.encode(batch)).values()) == {11}
    assert probability == pytest.approx(pipeline.predict_proba(frame)[:, 1], abs=1e-12)
    assert len(np.unique(probability)) > 20


def test_the_column_transformer_makes_the_matrix_of_the_encoder(gathered, unseen):
    data, parts = gathered
    path, frame = unseen
    frame = frame[frame.columns[::-1]]  # found by name
    frame.loc[400, list(CATEGORIES)] = None
    transformer = column_transformer(parts.encoder, example_rows(data, parts.encoder))
    put(pa.Table.from_pandas(frame, preserve_index=False), Path(path))
    [matrix] = [parts.encoder.encode(batch) for batch in read_campaigns(path, parts.schema)]
    assert [*transformer.get_feature_names_out()] == [column.name for column in parts.encoder.features]
    assert np.array_equal(transformer.transform(frame).astype(np.float32), matrix)


def test_the_forest_is_fitted_on_train_and_validation_rows(gathered):
    data, parts = gathered
    pipeline = fit_pipeline(
        *rows_to_fit(parts, 10**6), parts.encoder, PARAMS, example_rows(data, parts.encoder), seed=1
    )
    rows = len(parts.rows("train")) + len(parts.rows("validation"))
    roots = [tree.tree_.weighted_n_node_samples[0] for tree in pipeline.named_steps["forest"].estimators_]
    assert set(roots) == {rows}


def test_of_more_rows_than_may_be_fitted_an_even_sample_is(gathered):
    _, parts = gathered
    X, y = rows_to_fit(parts, 10**6)
    at = [tuple(row) for row in np.column_stack([X, y])]
    sample, labels = rows_to_fit(parts, len(y) // 2)
    taken = [tuple(row) for row in np.column_stack([sample, labels])]
    assert len(taken) == len(set(taken)) == len(y) // 2
    assert set(taken) < set(at)
    train = set(at[: len(parts.labels("train"))])
    assert len(train & set(taken)) / len(taken) == pytest.approx(len(train) / len(at), abs=0.1)
    assert np.array_equal(rows_to_fit(parts, len(y) // 2)[0], sample)


def test_an_example_holds_features_alone(gathered):
    data, parts = gathered
    example = example_rows(data, parts.encoder, rows=3)
    assert [*example.columns] == [column.name for column in parts.encoder.features]
    assert len(example) == 3
