from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from campaign.encoding import Encoder
from campaign.ensemble import Ensemble, with_score
from campaign.errors import ModelMismatch
from campaign.forest import Forest
from campaign.linear import Linear
from campaign.predictor import load_predictor
from tasks.training.linear_part import fit_linear, fit_with_scores
from tests.tasks.training.made_up_rows import numbers

FEATURES = 4


@pytest.fixture(scope="module")
def fitted() -> tuple[Ensemble, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(1_500, FEATURES)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=1_500) > 0).astype(np.int8)
    encoder = Encoder(numbers(FEATURES).features, {})
    seen = with_score(fit_with_scores(encoder, X, y, None)[1], X)
    forest = RandomForestClassifier(12, min_samples_leaf=5, random_state=1).fit(seen, y)
    return Ensemble(fit_linear(encoder, X, y, None), Forest.from_sklearn(forest), 0.4), X


def test_the_answer_is_the_mean_of_both_shifted(fitted):
    ensemble, X = fitted
    linear = ensemble.linear.predict(X)
    mean = (linear + ensemble.forest.predict(with_score(linear, X))) / 2
    assert replace(ensemble, shift=0.0).predict(X) == pytest.approx(mean)
    odds = mean / (1 - mean) * np.exp(0.4)
    assert ensemble.predict(X) == pytest.approx(odds / (1 + odds))


def test_threads_and_prefixes_change_nothing(fitted):
    ensemble, X = fitted
    many = np.concatenate([X] * 20)
    assert (ensemble.predict(many, threads=2)[: len(X)] == ensemble.predict(X)).all()
    first, whole = ensemble.predict_prefixes(X, [3, 12])
    assert (whole == ensemble.predict(X)).all()
    assert (first != whole).any()
    assert (ensemble.size, ensemble.n_features) == (12, FEATURES)
    assert ensemble.cost(3) < ensemble.cost() == ensemble.cost(12)


def brute_force(value, row: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Shapley values over all coalitions: those of the coalition come from the row, the others from the other row."""
    n = len(row)
    values = np.zeros(n)
    for at in range(n):
        rest = [feature for feature in range(n) if feature != at]
        for size in range(n):
            for coalition in combinations(rest, size):
                without = other.copy()
                without[list(coalition)] = row[list(coalition)]
                with_it = without.copy()
                with_it[at] = row[at]
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                values[at] += weight * (value(with_it) - value(without))
    return values


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_contributions_are_shapley_values_handed_on_through_the_score(fitted, shift):
    """Of the forest over all coalitions of score and features; what the score gets is parted as its log-odds are."""
    ensemble, X = fitted
    ensemble = replace(ensemble, shift=shift)
    row, background = X[7], X[100:116]
    expected = np.zeros(FEATURES)
    for other in background:
        scores = ensemble.linear.predict(np.stack([row, other]))
        seen = with_score(scores, np.stack([row, other]))
        of_forest = brute_force(lambda x: float(ensemble.forest.predict(x[None])[0]), *seen)
        terms = ensemble.linear.terms(np.stack([row, other]))
        shares = (terms[0] - terms[1]) / (terms[0] - terms[1]).sum()
        values = ((scores[0] - scores[1] + of_forest[0]) * shares + of_forest[1:]) / 2
        answers = ensemble.predict(np.stack([row, other]))
        expected += values * (answers[0] - answers[1]) / values.sum() / len(background)
    contributions = ensemble.contributions(row, np.ascontiguousarray(background))
    assert contributions == pytest.approx(expected, abs=1e-9)
    total = float(ensemble.predict(row[None])[0] - ensemble.predict(background).mean())
    assert contributions.sum() == pytest.approx(total, abs=1e-12)


def test_a_row_like_the_background_has_nothing_to_explain(fitted):
    ensemble, X = fitted
    assert ensemble.contributions(X[3], np.ascontiguousarray(X[[3, 3]])).tolist() == [0] * FEATURES


def test_it_is_loaded_as_it_was_saved_and_leaves_the_same_bytes(fitted, tmp_path):
    ensemble, X = fitted
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        ensemble.save(tmp_path / name / Ensemble.FILE)
    loaded = load_predictor(tmp_path / "a", Ensemble.FILE)
    assert isinstance(loaded, Ensemble)
    assert (loaded.predict(X) == ensemble.predict(X)).all()
    assert (tmp_path / "a" / Ensemble.FILE).read_bytes() == (tmp_path / "b" / Ensemble.FILE).read_bytes()


@pytest.mark.parametrize("damage", ["cut", "a forest", "another width", "no shift"])
def test_what_is_none_is_refused_by_name(fitted, tmp_path, damage):
    ensemble, _ = fitted
    path = tmp_path / Ensemble.FILE
    ensemble.save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:300])
    elif damage == "a forest":
        ensemble.forest.save(path)
    else:
        arrays = dict(np.load(path))
        arrays |= {"n_features": np.array(2)} if damage == "another width" else {"shift": np.array(np.nan)}
        np.savez(path, **arrays)
    with pytest.raises(ModelMismatch, match=r"ensemble\.npz: this is no ensemble"):
        Ensemble.load(path)


def test_parts_that_do_not_fit_together_are_refused(fitted):
    ensemble, _ = fitted
    narrow = Linear.of({**ensemble.linear.arrays()})
    with pytest.raises(ValueError, match="features of the forest"):
        Ensemble(narrow, Forest(**{**vars_of(ensemble.forest), "n_features": 9}))


def vars_of(forest: Forest) -> dict:
    return {name: getattr(forest, name) for name in Forest.__dataclass_fields__ if name != "FILE"}
