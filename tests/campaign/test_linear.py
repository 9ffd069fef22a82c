from dataclasses import replace

import numpy as np
import pytest

from campaign.encoding import MISSING_NUMBER
from campaign.linear import Linear, logit, sigmoid

# A category of two codes, then a number with two edges.
LINEAR = Linear(
    starts=np.array([0, 4, 7], np.int32),
    offsets=np.array([-1.0, 0.0, 0.25, 0.75, 0.0, 1.0, 3.0]),
    edge_starts=np.array([0, 0, 2], np.int32),
    edges=np.array([10, 20], np.float32),
    slope=np.array([np.nan, 0.1]),
    low=np.array([np.nan, 5.0]),
    high=np.array([np.nan, 30.0]),
    missing=np.array([np.nan, -2.0]),
    intercept=np.array([0.5]),
)


@pytest.mark.parametrize(
    ("code", "number", "log_odds"),
    [
        (0, 5, 0.5 + 0.25 + 0.5),
        (1, 5, 0.5 + 0.75 + 0.5),
        (-1, 5, 0.5 + 0.0 + 0.5),
        (-2, 5, 0.5 - 1.0 + 0.5),
        (9, 5, 0.5 + 0.0 + 0.5),  # a code that is none
        (-1, 9.99, 0.5 + 0.999),
        (-1, 10, 0.5 + 1.0 + 1.0),  # an edge belongs to the upper bin
        (-1, 20, 0.5 + 3.0 + 2.0),
        (-1, 1e30, 0.5 + 3.0 + 3.0),
        (-1, -1e30, 0.5 + 0.0 + 0.5),
        (-1, MISSING_NUMBER, 0.5 - 2.0),
    ],
)
def test_each_value_adds_what_is_looked_up(code, number, log_odds):
    row = np.array([[code, number]], np.float32)
    assert LINEAR.log_odds(row)[0] == pytest.approx(log_odds, abs=1e-6)
    assert LINEAR.terms(row).sum() + 0.5 == pytest.approx(log_odds, abs=1e-6)
    assert LINEAR.predict(row)[0] == pytest.approx(1 / (1 + np.exp(-log_odds)))


def test_it_does_not_matter_how_a_matrix_lies_in_memory():
    X = np.random.default_rng(1).uniform(-2, 25, (50, 2)).astype(np.float32)
    assert (LINEAR.predict(np.asfortranarray(X)) == LINEAR.predict(X)).all()


def test_what_is_stored_is_the_same_again():
    loaded = Linear.of(LINEAR.arrays())
    X = np.array([[1, 12], [-2, 3]], np.float32)
    assert (loaded.predict(X) == LINEAR.predict(X)).all()
    assert not loaded.offsets.flags.writeable


@pytest.mark.parametrize(
    "damage",
    [
        {"offsets": LINEAR.offsets[:-1]},
        {"offsets": LINEAR.offsets.astype(np.float32)},
        {"edges": np.array([10], np.float32)},
        {"starts": np.array([0, 3, 7], np.int32)},
        {"starts": np.array([0, 9, 7], np.int32)},
        {"slope": np.array([np.nan, np.inf])},
        {"missing": np.array([np.nan, np.nan])},
        {"low": np.array([5.0])},
        {"intercept": np.array([np.nan])},
        {"intercept": np.array([0.5, 0.5])},
        {"offsets": np.full(7, np.nan)},
        {"edge_starts": np.array([0, 1, 2], np.int32)},
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(damage):
    with pytest.raises(ValueError, match=r"\w"):
        replace(LINEAR, **damage)


def test_a_matrix_of_another_width_is_refused():
    with pytest.raises(ValueError, match="2 features"):
        LINEAR.predict(np.zeros((3, 5), np.float32))


def test_chances_and_log_odds_are_each_others_inverse():
    assert sigmoid(logit(np.array([0.0, 0.1, 0.5, 1.0]))).tolist() == pytest.approx([0, 0.1, 0.5, 1])
    assert sigmoid(np.array([-1e4, 1e4])).tolist() == [0, 1]
