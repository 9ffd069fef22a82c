from dataclasses import replace

import numpy as np
import pytest

from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.schema_file import parse_schema
from campaign.settings import Settings
from campaign.warm_up import smallest_forest
from tasks.monitoring.decay import Bar
from tasks.monitoring.estimated_quality import estimated_quality
from tasks.monitoring.metric_rows import BELOW_BAR, NOT_COMPUTABLE, NOT_TRUSTED, OK, TOO_FEW_ROWS, MetricRow
from tests.published import KNOWN_CATEGORIES, PUBLISHED_TOML


def calibrated(rows: int, rate: float, seed: int = 1) -> np.ndarray:
    """Probabilities of a mean, in a world that keeps to them."""
    return np.random.default_rng(seed).beta(2 * rate, 2 * (1 - rate), rows)


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
        (calibrated(1_000, 0.35), 0.0, 0.7, OK),
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
