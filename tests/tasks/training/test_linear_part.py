import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from campaign.encoding import MISSING_CATEGORY, MISSING_NUMBER, UNKNOWN_CATEGORY, Encoder
from tasks.training import linear_part
from tasks.training.linear_part import fit_linear, fit_with_scores
from tests.tasks.training.made_up_rows import schema_with

SCHEMA = schema_with(
    {"name": "c", "type": "category", "nullable": True},
    {"name": "x", "type": "number", "nullable": True},
    {"name": "z", "type": "number"},
)
ENCODER = Encoder(SCHEMA.features, {"c": ("a", "b", "d")})
ROWS = 4_000


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    c = rng.integers(-2, 3, ROWS)
    c[c == UNKNOWN_CATEGORY] = 0
    x = rng.lognormal(2, 1, ROWS)
    missing = rng.random(ROWS) < 0.2
    z = rng.normal(size=ROWS)
    log_odds = np.array([2.0, 0, 0, -1, 1])[c + 2] + np.log(x) - 2 - missing + 2 * (z > 0.5)
    y = (rng.random(ROWS) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    return np.column_stack([c, np.where(missing, MISSING_NUMBER, x), z]).astype(np.float32), y


def test_the_look_ups_say_what_a_logistic_regression_on_the_written_out_columns_says(rows):
    """One-hot categories, clipped and standardised numbers, deciles reached, an indicator of what is missing."""
    X, y = rows
    weight = np.linspace(0.5, 1.5, ROWS)
    columns = [X[:, 0] == code for code in (MISSING_CATEGORY, UNKNOWN_CATEGORY, 0, 1, 2)]
    for at in (1, 2):
        values = X[:, at].astype(float)
        missing = X[:, at] == np.float32(MISSING_NUMBER)
        given = values[~missing]
        low, high, median = np.quantile(given, [0.01, 0.99, 0.5], method="nearest")
        clipped = np.clip(given, low, high)
        filled = np.where(missing, median, values)
        columns.append((np.clip(filled, low, high) - clipped.mean()) / clipped.std())
        edges = np.unique(np.quantile(given, np.linspace(0.1, 0.9, 9), method="nearest"))
        columns += [filled >= edge for edge in edges]
        columns += [missing] if at == 1 else []
    written_out = np.column_stack(columns).astype(float)
    expected = LogisticRegression(C=0.1, max_iter=1_000).fit(written_out, y, sample_weight=weight)
    linear = fit_linear(ENCODER, X, y, weight)
    assert linear.predict(X) == pytest.approx(expected.predict_proba(written_out)[:, 1], abs=1e-4)


def test_a_number_beyond_what_training_saw_counts_as_its_edge(rows):
    linear = fit_linear(ENCODER, *rows, None)
    far = np.array([[0, 1e9, 0], [0, np.quantile(rows[0][:, 1], 0.995), 0]], np.float32)
    assert linear.predict(far)[0] == linear.predict(far)[1]


def test_a_category_that_no_row_shows_says_nothing(rows):
    linear = fit_linear(ENCODER, *rows, None)
    terms = linear.terms(np.array([[UNKNOWN_CATEGORY, 5, 0], [7, 5, 0]], np.float32))
    assert terms[:, 0].tolist() == [0, 0]


def test_a_rows_own_outcome_has_no_say_in_its_score(rows):
    """In sample a linear part with a category of its own for each row would know all."""
    rng = np.random.default_rng(2)
    names = tuple(f"c{at:03d}" for at in range(300))
    encoder = Encoder(schema_with({"name": "c", "type": "category"}).features, {"c": names})
    X = np.arange(300, dtype=np.float32)[:, None].repeat(3, axis=0)
    y = (rng.random(900) < 0.5).astype(np.int8)
    assert roc_auc_score(y, fit_linear(encoder, X, y, None).predict(X)) > 0.7
    assert roc_auc_score(y, fit_with_scores(encoder, X, y, None)[1]) < 0.56


def test_scores_out_of_fold_are_about_as_good_as_those_of_later_rows(rows):
    X, y = rows
    scores = fit_with_scores(ENCODER, X[:3_000], y[:3_000], None)[1]
    later = fit_linear(ENCODER, X[:3_000], y[:3_000], None).predict(X[3_000:])
    assert log_loss(y[:3_000], scores) == pytest.approx(log_loss(y[3_000:], later), abs=0.05)
    assert (fit_with_scores(ENCODER, X[:3_000], y[:3_000], None)[1] == scores).all()


def test_of_very_many_rows_an_even_sample_is_fitted_and_all_are_scored(rows, monkeypatch):
    monkeypatch.setattr(linear_part, "MAX_ROWS", 1_000)
    monkeypatch.setattr(linear_part, "MAX_FOLD_ROWS", 500)
    X, y = rows
    linear, scores = fit_with_scores(ENCODER, X, y, None)
    assert (linear.predict(X) == fit_linear(ENCODER, X, y, None).predict(X)).all()
    assert np.count_nonzero(scores == linear.predict(X)) == ROWS - 1_000
    assert roc_auc_score(y, scores) > 0.75


@pytest.mark.parametrize("column", [np.full(200, MISSING_NUMBER), np.full(200, 7.0)])
def test_a_column_that_says_nothing_harms_nothing(column):
    y = (np.arange(200) % 3 == 0).astype(np.int8)
    X = np.column_stack([np.zeros(200), column, np.arange(200) % 3]).astype(np.float32)
    linear = fit_linear(ENCODER, X, y, None)
    assert roc_auc_score(y, linear.predict(X)) == 1
    assert np.isfinite(linear.predict(np.array([[0, 1e30, 1], [0, MISSING_NUMBER, 1]], np.float32))).all()
