import numpy as np

from campaign.decision import JUST_ABOVE_THRESHOLD, predicts_success


def test_success_begins_just_above_one_half() -> None:
    assert not predicts_success(0.5)
    assert predicts_success(JUST_ABOVE_THRESHOLD)
    assert predicts_success(np.array([0.0, 0.5, JUST_ABOVE_THRESHOLD, 1.0])).tolist() == [False, False, True, True]
