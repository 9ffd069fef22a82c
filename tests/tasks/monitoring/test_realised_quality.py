import numpy as np
import pytest

from campaign.schema_parts import Gain
from campaign.settings import Settings
from tasks.measures import calibration_error
from tasks.monitoring.labelled_predictions import LabelledPredictions
from tasks.monitoring.metric_rows import NOT_COMPUTABLE, OK, TOO_FEW_ROWS
from tasks.monitoring.realised_quality import realised_quality

TEST = {"roc_auc": 0.9, "accuracy": 0.85}


def labelled(rows: int, wrong: float, label: int | None = None) -> LabelledPredictions:
    """Predictions that are right but for a share of `wrong` ones."""
    labels = np.arange(rows) % 2 if label is None else np.full(rows, label)
    predicted = labels.copy()
    predicted[: int(rows * wrong)] = 1 - predicted[: int(rows * wrong)]
    predictions = LabelledPredictions()
    predictions.add(0.1 + 0.8 * predicted, labels.astype(np.int8))
    return predictions


@pytest.mark.parametrize(
    ("predictions", "status"),
    [
        (labelled(500, wrong=0.0), OK),
        (labelled(500, wrong=0.3), OK),  # whether that is decay, `judge_decay` says
        (labelled(498, wrong=0.13), TOO_FEW_ROWS),
        (labelled(500, wrong=0.0, label=1), NOT_COMPUTABLE),
    ],
)
def test_figures_stand_beside_those_on_test_rows(predictions, status):
    rows = {row.metric: row for row in realised_quality(predictions, TEST, Settings())}
    roc_auc = rows["realised_roc_auc"]
    assert roc_auc.status == status
    assert roc_auc.threshold == pytest.approx(0.88)
    assert (roc_auc.value is None) == (status == NOT_COMPUTABLE)
    assert rows["test_roc_auc"].value == TEST["roc_auc"]
    assert rows["test_accuracy"].value == TEST["accuracy"]
    assert rows["realised_accuracy"].status == OK


def test_profit_is_that_of_acting_above_the_threshold_for_each_campaign():
    predictions = LabelledPredictions()
    predictions.add(np.array([0.9, 0.9, 0.2, 0.01]), np.array([1, 0, 0, 1], np.int8))
    rows = realised_quality(predictions, TEST, Settings(), 0.04, Gain(gain=100, cost=4))
    assert {row.metric: row.value for row in rows}["realised_profit"] == pytest.approx((96 - 4 - 4) / 4)
    assert "realised_profit" not in {row.metric for row in realised_quality(predictions, TEST, Settings())}


def test_values_are_plain_floats():
    assert {type(row.value) for row in realised_quality(labelled(500, 0.1), TEST, Settings())} == {float}


def test_a_day_whose_outcomes_name_no_scored_campaign_has_no_figures():
    assert realised_quality(LabelledPredictions(), TEST, Settings()) == []


@pytest.mark.parametrize(
    ("label", "probability", "error"),
    [
        ([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0], 0.0),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.0),  # says nothing, and is right about that
        ([0, 0, 0, 1], [0.75, 0.75, 0.75, 0.75], 0.5),
        ([1, 1, 0, 0], [0.0, 0.0, 1.0, 1.0], 1.0),
        ([1, 0], [0.9, 0.3], 0.2),
        ([1, 0], [0.9, 1.0], 0.45),  # the last bin includes its upper end
    ],
)
def test_calibration_error_is_the_distance_of_predictions_from_what_happened(label, probability, error):
    assert calibration_error(np.array(label), np.array(probability), np.ones(len(label))) == pytest.approx(error)
