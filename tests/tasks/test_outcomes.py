import numpy as np
import pandas as pd
import pytest

from campaign.schema import LABEL
from campaign.settings import Settings
from tasks.drift import NOT_COMPUTABLE, OK, TOO_FEW_ROWS
from tasks.outcomes import DECAYED, calibration_error, realised

TEST = {"roc_auc": 0.9, "accuracy": 0.85}


def joined(rows: int, wrong: float, label: int | None = None) -> pd.DataFrame:
    """Predictions that are right but for a share of `wrong` ones."""
    labels = np.arange(rows) % 2 if label is None else np.full(rows, label)
    said = labels.copy()
    said[: int(rows * wrong)] = 1 - said[: int(rows * wrong)]
    return pd.DataFrame({LABEL: labels, "probability": 0.1 + 0.8 * said})


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (joined(500, wrong=0.0), OK),
        (joined(500, wrong=0.11), OK),  # 0.89, within the margin of 0.02
        (joined(500, wrong=0.13), DECAYED),
        (joined(498, wrong=0.13), TOO_FEW_ROWS),
        (joined(500, wrong=0.0, label=1), NOT_COMPUTABLE),
    ],
)
def test_roc_auc_is_judged_by_that_on_test_rows(frame, status):
    found = {one.metric: one for one in realised(frame, TEST, Settings())}
    one = found["realised_roc_auc"]
    assert one.status == status
    assert one.threshold == pytest.approx(0.88)
    assert (one.value is None) == (status == NOT_COMPUTABLE)
    assert found["outcomes"].value == len(frame)
    assert found["test_roc_auc"].value == TEST["roc_auc"]
    assert found["test_accuracy"].value == TEST["accuracy"]
    assert found["realised_accuracy"].status == OK


def test_values_are_plain_floats():
    assert {type(one.value) for one in realised(joined(500, 0.1), TEST, Settings())} == {float}


def test_a_day_whose_outcomes_name_no_scored_campaign_has_a_count_alone():
    [one] = realised(pd.DataFrame({LABEL: [], "probability": []}), TEST, Settings())
    assert (one.metric, one.value) == ("outcomes", 0.0)


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
def test_calibration_error_is_the_distance_of_what_was_said_from_what_happened(label, probability, error):
    assert calibration_error(np.array(label), np.array(probability)) == pytest.approx(error)
