import numpy as np
import pytest

from campaign.linear import shifted
from tasks.training.shift import learn_shift, shift_of, shift_within, smaller_of
from tests.tasks.training.made_up_rows import BOTH, FOREST, launched_daily, moving, rows_of

RECIPE = BOTH | {"half_life": None}


@pytest.mark.parametrize(
    ("first", "second", "shift"), [(0.5, 0.2, 0.2), (-0.1, -0.4, -0.1), (0.3, -0.2, 0.0), (0.0, 0.4, 0.0)]
)
def test_the_smaller_of_two_that_agree_is_taken(first, second, shift):
    assert smaller_of(first, second) == shift


def test_shifted_probabilities_are_right_on_average():
    rng = np.random.default_rng(1)
    probability = rng.uniform(0.01, 0.6, 500)
    label = (rng.random(500) < 0.7 * probability).astype(np.int8)
    after = shifted(probability, shift_of(label, probability))
    assert after.mean() == pytest.approx(label.mean(), abs=1e-6)
    assert (np.argsort(after) == np.argsort(probability)).all()
    assert shift_of(np.zeros(3, np.int8), probability[:3]) == 0


@pytest.mark.parametrize(("rates", "low", "high"), [([0.1, 0.1, 0.2, 0.4, 0.6], 0.2, 1.5), ([0.3, 0.3], -0.15, 0.15)])
def test_a_movement_that_goes_on_is_followed_and_chance_hardly(rates, low, high):
    X, y = moving(rates)
    assert low < shift_within(rows_of(X, y, launched_daily(len(y))), RECIPE) < high


def test_one_that_turned_round_is_not():
    X, y = moving([0.1, 0.1, 0.6, 0.6, 0.6, 0.1])
    assert shift_within(rows_of(X, y, launched_daily(len(y))), RECIPE) == 0


def test_without_time_or_linear_part_there_is_none():
    X, y = moving([0.1, 0.6])
    assert shift_within(rows_of(X, y), RECIPE) == 0
    assert shift_within(rows_of(X, y, launched_daily(len(y))), FOREST) == 0


def test_a_shift_that_the_judged_rows_do_not_confirm_is_left_out():
    X, y = moving([0.1, 0.1, 0.2, 0.4, 0.6])
    rows = rows_of(X, y, launched_daily(len(y)))
    earlier, label = rows.take(np.arange(2_400)), y[2_400:]
    too_low, too_high = np.full(600, 0.3), np.full(600, 0.7)
    assert learn_shift(earlier, RECIPE, label, too_low) > 0.2
    assert learn_shift(earlier, RECIPE, label, too_high) == 0


def test_a_movement_that_has_come_to_rest_is_not_followed():
    X, y = moving([0.6, 0.6, 0.5, 0.3, 0.2, 0.2])
    rows = rows_of(X, y, launched_daily(len(y)))
    earlier, label = rows.take(np.arange(2_400)), y[2_400:]
    a_little_too_high = np.full(600, label.mean() + 0.02)
    assert learn_shift(earlier, RECIPE, label, a_little_too_high) == 0
