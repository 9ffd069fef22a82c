import numpy as np
import pytest

from campaign.decision import JUST_ABOVE_THRESHOLD, predicts_success, threshold_of
from campaign.schema_parts import Gain, Share


def test_success_begins_just_above_one_half() -> None:
    assert not predicts_success(0.5)
    assert predicts_success(JUST_ABOVE_THRESHOLD)
    assert predicts_success(np.array([0.0, 0.5, JUST_ABOVE_THRESHOLD, 1.0])).tolist() == [False, False, True, True]


def test_a_tie_with_the_threshold_of_a_model_is_no_success() -> None:
    assert predicts_success(np.array([0.2, 0.25, 0.3, 0.6]), 0.25).tolist() == [False, False, True, True]
    assert not predicts_success(0.25, 0.25)
    assert not predicts_success(0.6, 0.7)


@pytest.mark.parametrize(
    ("decide", "threshold"),
    [(0.3, 0.3), (Gain(cost=1, gain=4), 0.25), (Gain(cost=5, gain=4), 1.0), (Share(share=0.1), 0.9)],
)
def test_where_to_act_is_a_probability_or_where_it_pays_or_a_share_of_the_most_probable(
    decide: float | Gain | Share, threshold: float
) -> None:
    assert threshold_of(decide, np.linspace(0, 1, 101)) == pytest.approx(threshold)
