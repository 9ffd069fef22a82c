import numpy as np
import pyarrow as pa
import pytest

from campaign.identity import digests_of
from tasks.sampling import is_in_sample, sample_rows


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


def test_a_sample_by_id_is_even_and_part_of_a_larger_one():
    digests = digests_of(pa.array([f"C{number:06d}" for number in range(100_000)]))
    tenth, third = is_in_sample(digests, 10), is_in_sample(digests, 3)
    assert 0.097 < tenth.mean() < 0.103
    assert third[tenth].all()
    assert is_in_sample(digests, 1).all()
