import numpy as np
import pytest

from tasks.sampling import sample_rows


@pytest.mark.parametrize(("rows", "most", "size"), [(0, 5, 0), (5, 5, 5), (6, 5, 5), (100_000, 50, 50)])
def test_a_sample_is_of_different_rows_in_their_order_and_the_same_each_time(rows, most, size):
    sample = sample_rows(rows, most)
    assert len(sample) == size
    assert (np.diff(sample) > 0).all()
    assert not size or 0 <= sample[0] <= sample[-1] < rows
    assert np.array_equal(sample, sample_rows(rows, most))


def test_a_sample_is_drawn_evenly():
    tenths = np.bincount(sample_rows(100_000, 10_000) // 10_000, minlength=10)
    assert tenths.min() > 850
    assert tenths.max() < 1_150
