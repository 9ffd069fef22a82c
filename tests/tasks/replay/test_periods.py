from datetime import UTC, date, datetime

import pytest

from campaign.errors import BadInput
from campaign.schema_file import parse_schema
from tasks.replay.history import read_history
from tasks.replay.periods import _next, first_day, periods_of, read_first_day
from tests.made_up_history import TOML, make_projects, write_projects


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A hundred days from the first of January on, a Monday."""
    data, _ = write_projects(tmp_path_factory.mktemp("history"), make_projects(100, 5))
    return read_history(str(data), parse_schema(TOML))


@pytest.mark.usefixtures("far_from_utc")
def test_months_are_the_calendars_and_the_last_one_holds_the_last_launch(history):
    periods = periods_of(history, date(2024, 1, 15), "month")
    assert [str(period) for period in periods] == ["2024-01-15", "2024-02", "2024-03", "2024-04"]
    assert periods[0].moment == datetime(2024, 2, 1, tzinfo=UTC)
    assert [period.days for period in periods] == [17, 29, 31, 30]


@pytest.mark.parametrize(
    ("day", "every", "following"),
    [
        ("2024-04-01", "week", "2024-04-08"), ("2024-04-07", "week", "2024-04-08"),
        ("2024-01-31", "month", "2024-02-01"), ("2024-12-01", "month", "2025-01-01"),
        ("2024-02-28", "day", "2024-02-29"),
    ],
)  # fmt: skip
def test_a_period_ends_where_the_next_one_of_the_calendar_begins(day, every, following):
    assert _next(date.fromisoformat(day), every) == date.fromisoformat(following)


def test_weeks_begin_on_mondays_and_days_at_midnight(history):
    assert _next(date(2024, 4, 3), "week") == date(2024, 4, 8)  # or there would be no end of them
    weeks = periods_of(history, date(2024, 4, 3), "week")
    assert [str(week.first) for week in weeks] == ["2024-04-03", "2024-04-08"]
    assert len(periods_of(history, date(2024, 4, 1), "day")) == 9
    assert len(periods_of(history, date(2024, 4, 9), "day")) == 1  # the last launch is of that day


@pytest.mark.usefixtures("far_from_utc")
def test_it_begins_with_the_period_in_which_three_fifths_were_launched(history):
    # Of a hundred days the sixtieth is the 29th of February, a Thursday.
    assert first_day(history, "month") == date(2024, 2, 1)
    assert first_day(history, "week") == date(2024, 2, 26)
    assert first_day(history, "day") == date(2024, 2, 29)


def test_a_beginning_is_a_month_or_a_day():
    assert read_first_day("2024-3") == date(2024, 3, 1)
    assert read_first_day("2024-03-09") == date(2024, 3, 9)
    for wrong in ("2024-13", "spring"):
        with pytest.raises(BadInput, match=wrong):
            read_first_day(wrong)


def test_a_beginning_after_the_last_launch_is_refused_with_when_that_was(history):
    with pytest.raises(BadInput, match="2024-04-09"):
        periods_of(history, date(2024, 5, 1), "month")
