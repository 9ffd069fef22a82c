from typing import Any

import pyarrow as pa
import pytest

from campaign.errors import BadInput
from campaign.schema_parts import Text
from campaign.times import TimeReader


def read(values: pa.Array | list[Any], **text: str) -> list[str | None]:
    reader = TimeReader("launched", "a.csv", Text.model_validate(text))
    times = reader.read(values if isinstance(values, pa.Array) else pa.array(values, pa.string()))
    reader.refuse_doubtful()
    return [None if time is None else time.isoformat() for time in times.to_pylist()]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1439294400], pa.timestamp("s")),
        pa.array([1439294400000], pa.timestamp("ms", "America/New_York")),
        pa.array(["2015-08-11 12:00:00"]).dictionary_encode(),
        pa.array([" 2015-08-11T12:00 "]),
        pa.array([1439294400]),
        pa.array([1439294400000]),
        pa.array([1439294400.0]),
        pa.array([1439294400000000]),
        pa.array(["1439294400"]),
        pa.array(["1439294400000"]),
        pa.array(["2015-08-11T14:00:00+02:00"]),
        pa.array(["2015-08-11T12:00:00Z"]),
        pa.array(["2015-08-11T12:00:00.000Z"]),
        pa.array(["2015/8/11 12:00"]),
        pa.array(["2015-08-11 12:00:00 UTC"]),
        pa.array(["11 Aug 2015 12:00"]),
        pa.array(["August 11, 2015 12:00 PM"]),
        pa.array(["11-Aug-15 12:00"]),
    ],
    ids=str,
)
def test_a_time_is_read_from_whatever_holds_one(values: pa.Array) -> None:
    assert read(values) == ["2015-08-11T12:00:00+00:00"]


@pytest.mark.parametrize("text", ["03/02/2026", "3.2.2026", "03-02-26", "3/2/2026 0:00", "3/2/2026 12:00 AM"])
def test_the_schema_says_whether_the_day_or_the_month_comes_first(text: str) -> None:
    assert read([text], dateOrder="DMY") == ["2026-02-03T00:00:00+00:00"]
    assert read([text], dateOrder="MDY") == ["2026-03-02T00:00:00+00:00"]
    assert read([text, "2026-01-09"], dateOrder="DMY")[1] == "2026-01-09T00:00:00+00:00"


def test_a_day_in_digits_is_a_day() -> None:
    assert read(["20260203"]) == read(pa.array([20260203])) == ["2026-02-03T00:00:00+00:00"]


def test_a_time_that_says_no_zone_is_meant_in_the_schemas() -> None:
    times = ["2026-07-01 12:00", "2026-07-01T12:00Z", "1782907200"]
    assert read(times, timezone="Europe/Berlin") == [
        "2026-07-01T12:00:00+02:00",
        "2026-07-01T14:00:00+02:00",
        "2026-07-01T14:00:00+02:00",
    ]


@pytest.mark.parametrize("text", ["31/02/2026", "2026-13-01", "soon", "12", "2026", "99/99/9999", "0", "-1"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert read([text, "03/04/2026"], dateOrder="DMY")[0] is None


@pytest.mark.parametrize(
    ("times", "order", "remedy"),
    [
        (["22/11/2026", "03/02/2026"], "YMD", 'set dateOrder = "DMY" under'),
        (["03/02/2026"], "YMD", 'set dateOrder = "DMY" or dateOrder = "MDY" under'),
        (["11/22/2026", "03/02/2026"], "DMY", 'set dateOrder = "MDY" under'),
        (["22.11.2026", "03.02.2026"], "MDY", 'set dateOrder = "DMY" under'),
    ],
)
def test_dates_in_another_order_are_refused_with_the_order_that_they_are_in(
    times: list[str], order: str, remedy: str
) -> None:
    with pytest.raises(BadInput, match=r"a\.csv: column launched holds '.*', a date as .*, where") as error:
        read(times, dateOrder=order)
    assert remedy in str(error.value)


def test_one_slip_costs_its_row_alone() -> None:
    assert read([*["22/11/2026"] * 199, "11/22/2026"], dateOrder="DMY")[-1] is None


def test_a_column_without_a_time_is_refused_and_one_of_nothing_is_not() -> None:
    with pytest.raises(BadInput, match="column launched holds 'soon' and no time"):
        read(["soon", None])
    assert read([None, " "]) == [None, None]
    with pytest.raises(BadInput, match="column launched has the type bool, not a time's"):
        read(pa.array([True]))
