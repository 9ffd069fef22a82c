import numpy as np
import pytest

from campaign.encoding import Encoder
from campaign.forest import Forest
from tasks.measures import roc_auc
from tasks.training.fit import fit_recipe
from tasks.training.prepare_rows import Rows, prepare_rows
from tests.tasks.training.made_up_rows import BOTH, FOREST, rows_of, schema_with


def test_the_score_that_trees_are_fitted_on_is_not_of_a_fit_that_saw_the_row():
    """Of pure noise in many categories a linear part knows, in sample, most of what it was fitted on."""
    names = [f"c{at:03d}" for at in range(150)]
    encoder = Encoder.fit(schema_with({"name": "c", "type": "category"}).features, {"c": names})
    X = np.arange(150, dtype=np.float32)[:, None].repeat(8, axis=0)
    y = (np.random.default_rng(2).random(1_200) < 0.5).astype(np.int8)
    prepared = prepare_rows(Rows(encoder, X, y, None), BOTH)
    assert roc_auc(y, prepared.linear.predict(prepared.recode(X))) > 0.6
    assert roc_auc(y, prepared.X[:, 0].astype(float)) < 0.53


@pytest.mark.parametrize("recipe", [FOREST, BOTH])
def test_the_final_fit_weighs_rows_by_recency_in_both_parts(recipe):
    """Old rows say the contrary of the new ones, and are more."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(3_000, 2)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int8)
    y[:2_000] = 1 - y[:2_000]
    rows = rows_of(X, y, np.column_stack([np.arange(3_000.0)] * 2))
    right = {}
    for half_life in (None, 0.1):
        prepared, trees = fit_recipe(rows, recipe | {"half_life": half_life}, seed=1)
        predictor = prepared.predictor(Forest.from_sklearn(trees))
        right[half_life] = roc_auc(y[2_000:], predictor.predict(prepared.recode(X[2_000:])))
    assert right[None] < 0.2 < 0.9 < right[0.1]


def test_rows_without_time_weigh_the_same():
    rows = rows_of(np.zeros((40, 1), np.float32), (np.arange(40) % 2).astype(np.int8))
    assert prepare_rows(rows, FOREST | {"half_life": 0.5}).weight is None
