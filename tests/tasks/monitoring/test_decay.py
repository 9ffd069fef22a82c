import numpy as np
import pandas as pd
import pytest

from campaign.model import REFERENCE
from campaign.schema import LABEL
from campaign.settings import Settings
from tasks.monitoring.decay import Bar, bar_of, is_enough, judge_decay
from tasks.monitoring.labelled_predictions import LabelledPredictions
from tasks.monitoring.metric_rows import DECAYED, NOT_COMPUTABLE, OK


def labelled(rows: int, rate: float, foretold: float, knows: bool = True, seed: int = 1) -> LabelledPredictions:
    """Outcomes with a success rate, and probabilities with a mean, that know something about them or nothing."""
    rng = np.random.default_rng(seed)
    score = rng.random(rows)
    chance = np.clip(rate * 2 * score if knows else np.full(rows, rate), 0, 1)
    predictions = LabelledPredictions()
    predictions.add(np.clip(foretold * 2 * score, 0, 1), (rng.random(rows) < chance).astype(np.int8))
    return predictions


def statuses(predictions: LabelledPredictions, bar: Bar) -> dict[str, str]:
    return {row.metric: row.status for row in judge_decay(predictions, bar, Settings())}


BAR = Bar(0.64, 0.0001)


@pytest.mark.parametrize(
    ("predictions", "roc_auc", "success_rate"),
    [
        (labelled(2_000, 0.2, 0.2), OK, OK),
        (labelled(2_000, 0.2, 0.2, knows=False), DECAYED, OK),
        (labelled(1_000, 0.1, 0.2), OK, DECAYED),  # the ranking is as good, every decision is wrong
        (labelled(3_400, 0.015, 0.03), OK, DECAYED),
        (labelled(40_000, 0.20, 0.22), OK, OK),  # sure, and too small a difference to matter
        (labelled(600, 0.0, 0.3), NOT_COMPUTABLE, DECAYED),
    ],
)
def test_intervals_decide(predictions, roc_auc, success_rate):
    assert statuses(predictions, BAR) == {"judged_roc_auc": roc_auc, "judged_success_rate": success_rate}


def test_a_bare_figure_below_the_bar_is_not_decay():
    roc_auc, _ = judge_decay(labelled(600, 0.2, 0.2, knows=False), Bar(0.57, 0.0001), Settings())
    assert roc_auc.value < 0.55
    assert roc_auc.status == OK


def test_an_unsure_bar_widens_the_interval():
    predictions = labelled(2_000, 0.2, 0.2, knows=False)
    assert statuses(predictions, Bar(0.64, 0.01))["judged_roc_auc"] == OK


def test_the_interval_and_what_it_is_held_against_stand_beside_the_figure():
    roc_auc, success_rate = judge_decay(labelled(2_000, 0.2, 0.1), BAR, Settings())
    assert roc_auc.threshold == 0.64
    assert roc_auc.method.startswith("99.9% interval 0.6")
    assert success_rate.value == pytest.approx(0.2, abs=0.02)
    assert success_rate.threshold == pytest.approx(0.1, abs=0.005)
    assert success_rate.method.startswith("99.9% interval 0.1")


@pytest.mark.parametrize(
    ("outcomes", "expected", "enough"),
    [(500, 100.0, True), (499, 200.0, False), (500, 99.0, False), (500, 401.0, False), (3_400, 102.0, True)],
)
def test_a_window_needs_outcomes_and_enough_of_the_rarer_kind(outcomes, expected, enough):
    assert is_enough(outcomes, expected, Settings()) == enough


def test_the_bar_has_the_sampling_error_of_all_test_rows(tmp_path):
    rng = np.random.default_rng(2)
    probability = rng.random(4_000)
    frame = pd.DataFrame({LABEL: (rng.random(4_000) < probability).astype(float), "probability": probability})
    frame.to_parquet(tmp_path / REFERENCE)
    bar, of_more = (bar_of({"roc_auc": 0.83}, rows, tmp_path, Settings()) for rows in (4_000, 16_000))
    assert bar.roc_auc == pytest.approx(0.81)
    assert of_more.variance == pytest.approx(bar.variance / 4)
    assert 0.005 < bar.variance**0.5 < 0.008
    assert bar_of({"roc_auc": 0.83, "later_roc_auc": 0.7}, 1, tmp_path, Settings()).roc_auc == pytest.approx(0.68)
