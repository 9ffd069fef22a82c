import numpy as np
import pytest

from campaign.schema_parts import Gain, Share
from tasks.training.lift import Profit, cumulative_gains, lift_table, profit_of

LABEL = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0])
PROBABILITY = np.arange(10, 0, -1) / 10


def test_each_tenth_says_how_many_it_finds_and_how_much_more_often():
    table = lift_table(LABEL, PROBABILITY)
    assert [row.rows for row in table] == [*range(1, 11)]
    assert [row.found for row in table][:4] == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1])
    assert table[1].lift == pytest.approx(10 / 3)
    assert table[1].success_rate == 1.0
    assert (table[-1].found, table[-1].lift) == (1.0, 1.0)


def test_equal_probabilities_find_no_more_than_chance_whatever_their_order():
    for label in (LABEL, LABEL[::-1]):
        assert [row.lift for row in lift_table(label, np.full(10, 0.3))] == pytest.approx([1.0] * 10)
        assert cumulative_gains(label, np.full(10, 0.3))[1].tolist() == [0.0, 3.0]


def test_profit_is_of_those_above_the_threshold():
    paid = profit_of(LABEL, PROBABILITY, 0.65, Gain(gain=100, cost=10))
    assert paid == Profit(4, pytest.approx(100 * 3.4 - 40), 260.0)


@pytest.mark.parametrize("decide", [0.5, Share(share=0.1)])
def test_without_gain_and_cost_there_is_no_profit(decide):
    assert profit_of(LABEL, PROBABILITY, 0.5, decide) is None
