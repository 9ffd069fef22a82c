from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from campaign.written_day import WrittenDay

DAY = date(2026, 11, 22)
TODAY = datetime.now(UTC).date()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-11-22", DAY), (" 2026-11-22 ", DAY), ("20261122", DAY), ("2026-11-22T17:05:00", DAY),
        ("2026-11-22 17:05", DAY), ("2026-11-22T00:00:00Z", DAY), ("2026-11-22T23:30:00-05:00", DAY),
        ("22.11.2026", DAY), ("1.2.2026", date(2026, 2, 1)), (DAY, DAY), (datetime(2026, 11, 22, 17), DAY),
        ("today", TODAY), ("Yesterday", TODAY - timedelta(days=1)),
    ],
)  # fmt: skip
def test_a_day_is_understood_as_people_write_it(given, meant):
    assert TypeAdapter(WrittenDay).validate_python(given) == meant


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("22-11-2026", "can be read in two ways"), ("11/22/2026", "can be read in two ways"),
        ("2026-13-01", "is no day"), ("31.2.2026", "is no day"), ("tomorrow", "is no day"), ("", "is no day"),
    ],
)  # fmt: skip
def test_what_is_no_day_is_refused_in_a_sentence(given, why):
    with pytest.raises(ValidationError, match=f"{given} {why}: write it year first, like 2026-11-22"):
        TypeAdapter(WrittenDay).validate_python(given)


@pytest.mark.usefixtures("far_from_utc")
def test_today_is_that_of_utc_wherever_the_machine_stands():
    assert TypeAdapter(WrittenDay).validate_python("today") == datetime.now(UTC).date()
