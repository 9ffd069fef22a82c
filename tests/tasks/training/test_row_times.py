from datetime import UTC, datetime

import numpy as np
import pytest

from tasks.training.row_times import MIN_RARER, ages_of, cut_at, in_order, latest_rows, recency_weights, times_of

DAY = 86_400.0
LABEL = (np.arange(200) % 2).astype(np.int8)


def daily(rows: int = 200, lasting: float = 0.0) -> np.ndarray:
    launched = DAY * np.arange(rows)
    return np.column_stack([launched, launched + lasting])


def test_the_latest_fifth_lies_after_all_others():
    cut = cut_at(daily()[::-1], LABEL)
    assert (cut.earlier.sum(), cut.later.sum()) == (159, 41)
    assert cut.later[:41].all()


def test_what_was_decided_after_the_cut_is_on_neither_side():
    cut = cut_at(daily(lasting=10 * DAY), LABEL)
    assert (cut.earlier.sum(), cut.later.sum()) == (150, 41)


def test_rows_of_one_moment_are_not_parted():
    times = np.floor(daily() / (50 * DAY))
    cut = cut_at(times, LABEL)
    assert (cut.earlier.sum(), cut.later.sum()) == (150, 50)


def test_rows_that_do_not_say_when_count_as_the_earliest():
    times = daily()
    times[-5:] = np.nan
    cut = cut_at(times, LABEL)
    assert cut.earlier[-5:].all()
    assert not cut.later[-5:].any()


@pytest.mark.parametrize("times", [None, np.zeros((200, 2)), np.full((200, 2), np.nan)])
def test_without_times_there_is_no_cut(times):
    assert cut_at(times, LABEL) is None
    assert not ages_of(times, 200).any()


def test_without_times_or_rows_none_is_the_latest():
    assert latest_rows(None, LABEL) is None
    assert latest_rows(np.empty((0, 2)), LABEL[:0]) is None
    assert cut_at(np.empty((0, 2)), LABEL[:0]) is None
    assert ages_of(np.empty((0, 2)), 0).tolist() == []


def test_the_latest_rows_are_those_launched_last_decided_or_not():
    times = daily()[::-1]
    times[:, 1] = np.nan
    latest = latest_rows(times, LABEL)
    assert latest.tolist() == [True] * 41 + [False] * 159
    label = LABEL.copy()
    label[: 41 - 2 * MIN_RARER] = 0
    label[41 - 2 * MIN_RARER : 41] = [0, 1] * MIN_RARER
    assert latest_rows(times, label) is not None
    label[40] = 0
    assert latest_rows(times, label) is None


def test_a_side_with_hardly_a_success_is_not_judged():
    label = LABEL.copy()
    label[159:] = 0
    label[160 : 160 + MIN_RARER - 1] = 1
    assert cut_at(daily(), label) is None
    label[160 + MIN_RARER] = 1
    assert cut_at(daily(), label) is not None


def test_ages_are_shares_of_the_span_and_one_wrong_year_does_not_stretch_it():
    assert ages_of(daily(101), 101)[[0, 50, 100]].tolist() == pytest.approx([1, 0.5, 0], abs=0.01)
    mistyped = np.concatenate([daily(), [[-1e10, -1e10]], [[np.nan, np.nan]]])
    assert ages_of(mistyped, 202)[[100, 200, 201]].tolist() == pytest.approx([0.5, 1, 1], abs=0.01)


def test_weights_halve_with_each_half_life_and_are_one_in_the_mean():
    weights = recency_weights(np.array([0, 0.25, 0.5, 1], np.float32), 0.25)
    assert (weights / weights[0]).tolist() == pytest.approx([1, 0.5, 0.25, 0.0625])
    assert weights.mean() == pytest.approx(1)
    assert recency_weights(np.array([0, 1], np.float32), None) is None
    assert recency_weights(np.zeros(3, np.float32), 0.5) is None


def test_rows_in_order_are_numbered_on():
    assert in_order(3, 2).tolist() == [[3, 3], [4, 4]]


class OfADay(list):
    """Rows of which the second says when it was launched, and the third is left out."""

    @property
    def times(self) -> dict[str, np.ndarray]:
        return {"launch": np.array([np.nan, 7.0, 9.0])}


@pytest.mark.usefixtures("far_from_utc")
def test_a_row_of_a_labelled_day_that_does_not_say_when_was_launched_at_its_midnight_in_utc():
    keep, midnight = np.array([True, True, False]), datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    assert times_of(OfADay("abc"), keep, "2026-11-22")[:, 0].tolist() == [midnight, 7]
    assert np.isnan(times_of(OfADay("abc"), keep, "")[0]).all()
