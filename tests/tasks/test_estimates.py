import numpy as np
import pytest

from campaign.schema_parts import Gain
from campaign.settings import Settings
from tasks.estimates import estimate_roc_auc, estimates_of
from tasks.measures import classification_metrics
from tasks.monitoring.decay import interval

GAIN = Gain(gain=100, cost=4)
# Rows of a day, base rate; the last is a year's worth of a stranger's days: 59 of 17.
WORLDS = [(20_000, 0.35), (1_000, 0.12), (59 * 17, 0.03)]


def calibrated(rows: int, rate: float, seed: int = 1) -> np.ndarray:
    """Probabilities of a mean, in a world that keeps to them."""
    return np.random.default_rng(seed).beta(2 * rate, 2 * (1 - rate), rows)


def come_true(probability: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """The figures of as many campaigns like these, once outcomes are in."""
    drawn = rng.choice(probability, len(probability))
    label = (rng.random(len(drawn)) < drawn).astype(np.int8)
    metrics = classification_metrics(label, drawn, threshold=0.04)
    return metrics | {"profit": float(((drawn > 0.04) * (label * GAIN.gain - GAIN.cost)).mean())}


@pytest.mark.parametrize(("rows", "rate"), WORLDS)
def test_what_is_estimated_comes_true_as_surely_as_it_says(rows, rate):
    probability, rng = calibrated(rows, rate), np.random.default_rng(2)
    realised = [come_true(probability, rng) for _ in range(200)]
    for name, estimate in estimates_of(probability, 0.04, GAIN).items():
        figures = np.array([figure[name] for figure in realised])
        error = estimate.variance**0.5
        assert abs(figures.mean() - estimate.value) < 4 * error / 200**0.5, name
        assert figures.std() == pytest.approx(error, rel=0.25), name
        low, high = interval(estimate.value, estimate.variance, Settings())
        assert np.mean((figures > low) & (figures < high)) >= 0.98, name


def test_expected_pairs_are_those_of_two_campaigns_and_ties_count_half():
    probability = np.array([0.1, 0.4, 0.4, 0.9, 0.0, 1.0])
    rightly = pairs = 0.0
    for i, won in enumerate(probability):
        for j, lost in enumerate(probability):
            if i != j:
                pairs += won * (1 - lost)
                rightly += won * (1 - lost) * (1.0 if won > lost else 0.5 if won == lost else 0.0)
    assert estimate_roc_auc(probability).value == pytest.approx(rightly / pairs)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_where_one_outcome_alone_is_foretold_there_is_no_ranking(certain):
    assert np.isnan(estimate_roc_auc(np.full(2_000, certain)).value)


def test_profit_is_of_what_is_acted_on_and_for_each_campaign():
    estimates = estimates_of(np.array([0.01, 0.5, 1.0, 0.04]), 0.04, GAIN)
    assert estimates["profit"].value == pytest.approx((0 + 46 + 96 + 0) / 4)
    assert "profit" not in estimates_of(np.array([0.5]), 0.5, 0.5)
