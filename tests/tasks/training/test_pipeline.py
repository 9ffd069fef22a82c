from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from campaign.encoding import MISSING_CATEGORY, MISSING_NUMBER, UNKNOWN_CATEGORY, Encoder
from campaign.forest import Forest
from tasks.training.fit import fit_recipe
from tasks.training.pipeline import TRUSTED, as_pipeline, column_transformer
from tasks.training.prepare_rows import Rows
from tests.tasks.training.made_up_rows import BOTH, FOREST, schema_with

SCHEMA = schema_with(
    {"name": "Sort", "type": "category", "nullable": True},
    {"name": "Amount", "type": "number", "nullable": True},
    {"name": "Length", "type": "number"},
    {"name": "Constant", "type": "number"},
    {"name": "Empty", "type": "number", "nullable": True},
    {"name": "Alone", "type": "category"},
    {"name": "Never", "type": "category", "nullable": True},
)
ROWS = 3_000
NAMES = np.array([f"sort {at:02d}" for at in range(60)], object)


@pytest.fixture(scope="module")
def world() -> tuple[Rows, pd.DataFrame]:
    """Rows by plain codes, and the same as people write them: rare, missing and unknown categories, missing numbers,
    numbers that are none in float32."""
    rng = np.random.default_rng(1)
    sort = np.minimum(rng.geometric(0.06, ROWS) - 1, 59)
    missing_sort, missing_amount = rng.random(ROWS) < 0.05, rng.random(ROWS) < 0.1
    amount, length = rng.lognormal(6, 2, ROWS), rng.integers(0, 90, ROWS) / 3
    y = (rng.random(ROWS) < 1 / (1 + np.exp(-np.sin(sort) - np.log(amount) / 4 + 1.5 - missing_sort))).astype(np.int8)
    nothing = {"Constant": 30.0, "Empty": np.nan, "Alone": "all", "Never": None}
    frame = pd.DataFrame({"Length": length, "Sort": NAMES[sort], "Amount": amount} | nothing)
    frame.loc[missing_sort, "Sort"] = None
    frame.loc[missing_amount, "Amount"] = np.nan
    codes = np.where(missing_sort, MISSING_CATEGORY, sort)
    constant, empty, alone = np.full(ROWS, 30), np.full(ROWS, MISSING_NUMBER), np.zeros(ROWS)
    numbers = [np.where(missing_amount, MISSING_NUMBER, amount), length, constant, empty]
    X = np.column_stack([codes, *numbers, alone, np.full(ROWS, MISSING_CATEGORY)]).astype(np.float32)
    return Rows(Encoder.fit(SCHEMA.features, {"Sort": list(NAMES), "Alone": ["all"], "Never": []}), X, y, None), frame


@pytest.mark.parametrize(("recipe", "shift"), [(FOREST, 0.0), (BOTH, 0.0), (BOTH, -0.7)])
def test_the_pipeline_says_of_raw_rows_what_the_flat_model_says(world, recipe, shift, tmp_path):
    rows, frame = world
    prepared, trees = fit_recipe(rows, recipe, seed=1)
    assert prepared.encoder.rare
    predictor = prepared.predictor(Forest.from_sklearn(trees), shift)
    pipeline = as_pipeline(prepared.encoder, prepared.linear, trees, shift, frame.head(3))
    skops.io.dump(pipeline, tmp_path / "pipeline.skops")
    loaded = skops.io.load(tmp_path / "pipeline.skops", trusted=TRUSTED)
    X, frame = prepared.recode(rows.X), frame.copy()
    frame.loc[:9, "Sort"], X[:10, 0] = "unheard of", UNKNOWN_CATEGORY
    frame.loc[5:19, "Constant"], X[5:20, 3] = 31.0, 31.0
    frame.loc[5:19, "Empty"], X[5:20, 4] = 7.0, 7.0
    probability = predictor.predict(X)
    assert loaded.predict_proba(frame)[:, 1] == pytest.approx(probability, abs=1e-9)
    assert len(np.unique(probability)) > 500


def test_the_column_transformer_makes_the_matrix_of_the_encoder(world):
    rows, frame = world
    prepared, _ = fit_recipe(rows, FOREST, seed=1)
    transformer: Any = column_transformer(prepared.encoder, frame.head(1))
    assert [*transformer.get_feature_names_out()] == [column.name for column in SCHEMA.features]
    assert np.array_equal(transformer.transform(frame).astype(np.float32), prepared.recode(rows.X))
