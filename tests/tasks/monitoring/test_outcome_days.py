from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from campaign.settings import Settings
from tasks.metrics_database import database, outcome_days
from tasks.monitoring.outcome_days import (
    OutcomeDay,
    days_back_until,
    next_windows,
    read_outcome_days,
    write_outcome_day,
)

FIRST = date(2026, 1, 1)
TODAY = FIRST + timedelta(200)


def a_day(number: int, outcomes: int = 100, rate: float = 0.3, **more) -> OutcomeDay:
    values = {"share": 1.0, "last_change": TODAY} | more
    return OutcomeDay(FIRST + timedelta(number), "1", outcomes, rate * outcomes, **values)


def members(days: list[OutcomeDay]) -> list[list[int]]:
    return [[(day.day - FIRST).days for day in window] for window in next_windows(days, TODAY, Settings())]


def test_small_days_are_judged_together_and_each_once():
    days = [a_day(number) for number in range(12)]
    assert members(days) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    judged = [replace(day, judged_until=days[4].day) if n < 5 else day for n, day in enumerate(days)]
    assert members(judged) == [[5, 6, 7, 8, 9]]


def test_where_successes_are_rare_more_outcomes_are_waited_for():
    assert members([a_day(number, 500, 0.03) for number in range(8)]) == [[0, 1, 2, 3, 4, 5, 6]]


def test_a_day_whose_outcomes_trickle_in_waits_until_they_are_whole_or_no_more_come():
    days = [a_day(0, 600), a_day(1, 600, share=0.5), a_day(2, 600, share=0.5, last_change=TODAY - timedelta(14))]
    assert members(days) == [[0], [2]]
    assert members([a_day(0, 600, share=0.89), a_day(1, 0)]) == []


@pytest.mark.parametrize(("own", "taken"), [(600, []), (300, [3, 2]), (450, [3])])
def test_figures_of_a_small_day_are_with_the_days_before_it(own, taken):
    days = [a_day(-400), a_day(1), a_day(2), a_day(3), a_day(9), a_day(0, 0)]
    back = days_back_until(days, FIRST + timedelta(5), own, Settings())
    assert [(day.day - FIRST).days for day in back] == taken


def test_a_day_too_long_ago_is_not_taken():
    assert days_back_until([a_day(-400)], FIRST, 10, Settings()) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_is_written_of_a_day_takes_the_place_of_what_stood_there(kind, tmp_path, request):
    url = f"sqlite:///{tmp_path}/metrics.db" if kind == "sqlite" else request.getfixturevalue("postgres")
    with database(url).connect() as connection:  # what it writes is rolled back
        connection.execute(sa.delete(outcome_days))
        write_outcome_day(connection, a_day(1, 5))
        write_outcome_day(connection, a_day(0, 7, judged_until=FIRST))
        write_outcome_day(connection, replace(a_day(1, 9), model_version="2"))
        assert read_outcome_days(connection) == [
            a_day(0, 7, judged_until=FIRST), replace(a_day(1, 9), model_version="2"),
        ]  # fmt: skip
        assert read_outcome_days(connection, "1") == [a_day(0, 7, judged_until=FIRST)]
