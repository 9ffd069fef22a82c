from datetime import datetime

import numpy as np
import pytest

from tasks.measures import roc_auc
from tasks.training.backtest import PERIODS, date_of, judge_later
from tasks.training.evaluation_plots import months
from tests.tasks.training.made_up_rows import BOTH, launched_daily, rows_of

RECIPE = BOTH | {"half_life": 0.5}
ROWS = 2_000


def world(turns: bool) -> tuple[np.ndarray, np.ndarray]:
    """Successes follow a number; in the last fifth, if it turns, they follow its contrary."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=ROWS)
    sign = np.where((np.arange(ROWS) >= 0.8 * ROWS) & turns, -1, 1)
    return x[:, None].astype(np.float32), (sign * x + rng.normal(size=ROWS) > 0).astype(np.int8)


@pytest.mark.parametrize("turns", [True, False])
def test_the_later_figure_shows_what_random_rows_cannot(turns):
    X, y = world(turns)
    later = judge_later(rows_of(X, y, launched_daily(ROWS)), RECIPE, 1, dated=True)
    assert (later.metrics["later_roc_auc"] > 0.8) != turns
    assert (later.earlier_rows, later.rows) == (1_599, 401)
    low, high = later.intervals["later_roc_auc"]
    assert low < later.metrics["later_roc_auc"] < high
    assert later.metrics["base_rate_later"] == pytest.approx(y[1_599:].mean())
    assert later.metrics["base_rate_earlier"] == pytest.approx(y[:1_599].mean())
    assert (later.metrics["later_calibration_error"] > 0.2) == turns
    assert later.since == "2028-03-31"


def test_no_row_is_judged_that_was_fitted():
    """Rows of pure noise, of which a forest knows all that it was fitted on."""
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(1_000, 1)).astype(np.float32), (rng.random(1_000) < 0.5).astype(np.int8)
    deep = RECIPE | {"linear": False, "min_samples_leaf": 1}
    assert abs(judge_later(rows_of(X, y, launched_daily(1_000)), deep, 1, True).metrics["later_roc_auc"] - 0.5) < 0.1
    assert roc_auc(y, X[:, 0].astype(float)) < 0.6


def test_rates_are_told_by_month_and_probabilities_where_rows_were_judged():
    X, y = world(turns=False)
    periods = judge_later(rows_of(X, y, launched_daily(ROWS)), RECIPE, 1, dated=True).periods
    assert [periods[0].name, periods[1].name] == ["2023-11", "2023-12"]
    assert sum(period.rows for period in periods) == ROWS
    judged = [period.name for period in periods if period.probability is not None]
    assert judged == [period.name for period in periods][-len(judged) :]
    assert judged[0] == "2028-03"
    assert len(months(periods, "call").axes) == 1


def test_rows_in_order_are_told_by_twentieths():
    X, y = world(turns=False)
    places = np.column_stack([np.arange(float(ROWS))] * 2)
    later = judge_later(rows_of(X, y, places), RECIPE, 1, dated=False)
    assert [period.name for period in later.periods] == [f"{n:02d}" for n in range(1, PERIODS + 1)]
    assert later.since == ""


@pytest.mark.parametrize("times", [None, np.zeros((ROWS, 2))])
def test_without_time_there_is_no_later_figure(times):
    assert judge_later(rows_of(*world(False), times), RECIPE, 1, dated=True) is None


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize("clock", ["00:00", "12:00", "23:59"])
def test_the_day_since_which_rows_are_judged_is_that_of_utc(clock):
    assert date_of(datetime.fromisoformat(f"2026-11-22T{clock}+00:00").timestamp()) == "2026-11-22"
