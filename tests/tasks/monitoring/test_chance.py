import numpy as np
import pandas as pd
import pytest
from evidently.legacy.calculations.stattests import jensenshannon_stat_test, wasserstein_stat_test
from evidently.legacy.core import ColumnType
from scipy.spatial.distance import jensenshannon

from tasks.monitoring import chance
from tasks.monitoring.chance import _thinned, chance_limit, count_values

RNG = np.random.default_rng(5)


def categories(rows: int, values: int = 155) -> pd.Series:
    return pd.Series(RNG.integers(values, size=rows).astype(str))


def test_many_categories_on_few_rows_are_as_far_apart_as_that_by_chance():
    """The rule's occasion: 155 categories on 1,000 rows are beyond 0.1 without any drift."""
    reference, current = categories(50_000), categories(1_000)
    distance = jensenshannon(*count_values(reference, current))
    limit = chance_limit(reference, current, counted=True)
    assert 0.1 < distance < limit < 0.2


def test_categories_that_have_moved_are_beyond_chance():
    reference, current = categories(5_000), categories(1_000)
    current[:400] = "7"
    assert jensenshannon(*count_values(reference, current)) > chance_limit(reference, current, counted=True)


@pytest.mark.parametrize(("factor", "beyond"), [(1.0, False), (3.0, True)])
def test_numbers_are_beyond_chance_when_they_have_moved(factor, beyond):
    reference, current = pd.Series(RNG.lognormal(8, 2, 700)), pd.Series(RNG.lognormal(8, 2, 1_000) * factor)
    distance = wasserstein_stat_test.func(reference, current, ColumnType.Numerical, 0.1)[0]
    assert (distance > chance_limit(reference, current, counted=False)) == beyond


@pytest.mark.parametrize(
    "part", [categories(900, 30), pd.Series(RNG.normal(size=900)), pd.Series(RNG.integers(9, size=900))]
)
def test_values_are_counted_as_evidently_counts_them(part):
    reference, current = part[:500], part[500:].reset_index(drop=True)
    kind = ColumnType.Numerical if pd.api.types.is_numeric_dtype(part) else ColumnType.Categorical
    assert jensenshannon(*count_values(reference, current)) == pytest.approx(
        jensenshannon_stat_test.func(reference, current, kind, 0.1)[0]
    )


def test_one_re_split_has_the_distance_that_evidently_gives_it(monkeypatch):
    monkeypatch.setattr(chance, "SPLITS", 1)
    values = np.sort(RNG.lognormal(size=1_000))
    order = np.arange(1_000) < 400
    np.random.default_rng(1).shuffle(order)
    parts = pd.Series(values[~order]), pd.Series(values[order])
    expected = wasserstein_stat_test.func(*parts, ColumnType.Numerical, 0.1)[0]
    assert chance_limit(pd.Series(values[400:]), pd.Series(values[:400]), counted=False) == pytest.approx(expected)


def test_many_rows_are_thinned_to_the_safe_side():
    reference, current = pd.Series(RNG.normal(size=60_000)), pd.Series(RNG.normal(size=60_000))
    assert 0.0 < chance_limit(reference, current, counted=False) < 0.1


def test_categories_far_beyond_chance_need_no_thousand_re_splits(monkeypatch):
    reference, current = categories(2_000), categories(1_000)
    whole = chance_limit(reference, current, counted=True)
    near, far = (chance_limit(reference, current, True, distance) for distance in (whole, 2 * whole))
    assert near == whole
    assert 0.9 * whole < far < whole
    monkeypatch.setattr(chance, "SPLITS", 100)
    assert chance_limit(reference, current, counted=True) == far


def test_of_numbers_with_long_tails_a_hundred_re_splits_never_suffice():
    reference, current = pd.Series(RNG.lognormal(8, 3, 2_000)), pd.Series(RNG.lognormal(8, 3, 1_000))
    assert chance_limit(reference, current, False, 1e9) == chance_limit(reference, current, False)


@pytest.mark.parametrize(("rows", "kept"), [(10_000, 10_000), (10_001, 10_000), (60_000, 10_000)])
def test_of_many_rows_ten_thousand_are_drawn_and_none_twice(rows, kept):
    drawn = _thinned(np.arange(float(rows)), np.random.default_rng(1))
    assert len(drawn) == len(set(drawn)) == kept
    assert drawn.mean() == pytest.approx(rows / 2, rel=0.03)
