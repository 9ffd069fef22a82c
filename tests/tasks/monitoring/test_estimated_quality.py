from dataclasses import replace

import numpy as np
import pytest

from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.schema_file import parse_schema
from campaign.schema_parts import Gain
from campaign.settings import Settings
from campaign.warm_up import smallest_forest
from tasks.measures import classification_metrics
from tasks.monitoring.decay import Bar, interval
from tasks.monitoring.estimated_quality import estimate_roc_auc, estimated_quality, estimates_of
from tasks.monitoring.metric_rows import BELOW_BAR, NOT_COMPUTABLE, NOT_TRUSTED, OK, TOO_FEW_ROWS, MetricRow
from tests.published import KNOWN_CATEGORIES, PUBLISHED_TOML

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


@pytest.fixture
def model() -> ScoringModel:
    schema = parse_schema(PUBLISHED_TOML)
    return ScoringModel("m", "1", schema, Encoder(schema.features, KNOWN_CATEGORIES), smallest_forest())


def by_name(rows: list[MetricRow]) -> dict[str, MetricRow]:
    return {row.metric: row for row in rows}


@pytest.mark.parametrize(
    ("probability", "unseen", "bar", "status"),
    [
        (calibrated(2_000, 0.35), 0.0, 0.7, OK),
        (calibrated(2_000, 0.35), 0.1, 0.7, OK),
        (calibrated(2_000, 0.35), 0.11, 0.7, NOT_TRUSTED),
        (calibrated(2_000, 0.35), 0.0, 0.95, BELOW_BAR),
        (calibrated(2_000, 0.35), 0.11, 0.95, NOT_TRUSTED),  # whoever cannot be trusted proves nothing
        (calibrated(59 * 17, 0.03), 0.0, 0.93, OK),  # nor does what is as unsure as thirty successes
        (calibrated(999, 0.35), 0.0, 0.7, TOO_FEW_ROWS),
        (np.zeros(2_000), 0.0, 0.7, NOT_COMPUTABLE),
    ],
)
def test_an_estimate_says_if_it_is_to_be_trusted_and_if_it_is_surely_too_low(model, probability, unseen, bar, status):
    rows = by_name(estimated_quality(probability, unseen, model, Bar(bar, 0.0001), Settings()))
    assert rows["estimated_roc_auc"].status == status
    assert (rows["estimated_roc_auc"].value is None) == (status in (TOO_FEW_ROWS, NOT_COMPUTABLE))
    assert rows["unseen_rows_share"].value == unseen
    assert rows["unseen_rows_share"].status == (NOT_TRUSTED if unseen > 0.1 else OK)


def test_an_unsure_bar_widens_the_interval(model):
    rows = by_name(estimated_quality(calibrated(2_000, 0.35), 0.0, model, Bar(0.95, 0.01), Settings()))
    assert rows["estimated_roc_auc"].status == OK


def test_interval_and_assumption_stand_beside_each_figure(model):
    schema = parse_schema(PUBLISHED_TOML.replace("decide = 0.5", "decide = { gain = 100, cost = 4 }"))
    model = replace(model, schema=schema, threshold=0.04)
    rows = by_name(estimated_quality(calibrated(2_000, 0.12), 0.0, model, Bar(0.7, 0.0), Settings()))
    figures = {name: row for name, row in rows.items() if name.startswith("estimated_")}
    assert [*figures] == ["estimated_roc_auc", "estimated_log_loss", "estimated_accuracy", "estimated_profit"]
    for row in figures.values():
        words = row.method.split()
        assert words[:2] == ["99.9%", "interval"]
        assert float(words[2]) < row.value < float(words[4].rstrip(","))
        assert row.method.endswith("if the probabilities are calibrated and the rules of the world unchanged")
    assert rows["estimated_roc_auc"].threshold == 0.7
    assert {type(row.value) for row in rows.values()} == {float}  # psycopg2 cannot write NumPy's
