import numpy as np
from sklearn.ensemble import RandomForestClassifier

from tasks.training.fit_forest import fit_forest
from tasks.training.search_space import ForestParams

PARAMS = ForestParams(n_estimators=6, min_samples_leaf=2, max_features=0.5, max_samples=0.8)


def test_the_forest_is_plain_scikit_learns_with_these_parameters_this_seed_and_these_weights():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 3)).astype(np.float32)
    y = (X[:, 0] + rng.normal(size=400) > 0).astype(np.int8)
    weight = rng.uniform(0.1, 2, 400)
    fitted = fit_forest(PARAMS, X, y, seed=4, weight=weight)
    assert type(fitted) is RandomForestClassifier
    expected = RandomForestClassifier(**PARAMS, random_state=4).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(
        fitted.predict_proba(X), expected.predict_proba(X), atol=1e-12
    )  # threads add in any order
    assert (
        np.abs(fitted.predict_proba(X) - fit_forest(PARAMS, X, y, seed=5, weight=weight).predict_proba(X)).max() > 0.01
    )
