import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.errors import BadInput
from campaign.numbers import NumberReader
from campaign.schema_parts import Text

POINT, COMMA = Text(decimal_char="."), Text(decimal_char=",")


def read(texts: list[str | None], text: Text = POINT) -> list[float]:
    reader = NumberReader("goal", "a.csv", text)
    values = reader.read(pa.array(texts, pa.string())).tolist()
    reader.refuse_doubtful()
    return values


WRITTEN: dict[str, float] = {
    "12": 12, "-12.5": -12.5, "+12.5": 12.5, " 7 ": 7, ".5": 0.5, "5.": 5, "1e3": 1000, "1.5E+06": 1_500_000,
    "1,234": 1234, "1,234,567.25": 1_234_567.25, "12,34,567": 1_234_567, "1 234": 1234, "1\u00a0234.5": 1234.5,
    "1\u202f234.5": 1234.5, "1'234.50": 1234.5, "$1,234": 1234, "US$ 26k": 26_000, "€ 1.5": 1.5, "1200 EUR": 1200,
    "EUR 1200": 1200, "12%": 12, "12.5 %": 12.5, "26k": 26_000, "26K": 26_000, "1.2M": 1_200_000, "3 bn": 3e9,
    "(1,234)": -1234, "($5.50)": -5.5, "-$5": -5, "$-5": -5, "5-": -5, "\u22125": -5, "12 kr": 12,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), WRITTEN.items(), ids=repr)
def test_a_number_is_read_however_it_is_written(text: str, value: float) -> None:
    assert read([text, "12.5"])[0] == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    "text", ["", "abc", "12 apples", "1.2.3.4", "22.11.2026", "--5", "(5", "5)", "1_000", "$", "0x1F", "1,23,4", "k"]
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert math.isnan(read([text, "12.5"])[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.234", 1234), ("43.445", 43_445), ("1.234.567,5", 1_234_567.5), ("0,25", 0.25), ("26,5k €", 26_500)],
)
def test_a_decimal_comma_is_what_the_schema_says(text: str, value: float) -> None:
    assert read([text, "12,5"], COMMA) == [value, 12.5]


def test_a_mark_of_thousands_tells_the_decimal_one() -> None:
    assert read(["43.445"], Text(group_char=".")) == [43_445]
    assert read(["43.445"], Text(group_char=",")) == [43.445]
    assert read(["43.445"]) == [43.445]
    with pytest.raises(ValueError, match=r"groupChar and decimalChar of \[text\] are both"):
        Text(group_char=",", decimal_char=",")


def test_a_column_that_may_be_thousands_or_decimals_is_refused_with_both_readings() -> None:
    column = [f"{43 + at}.{445 + at}" for at in range(30)]
    with pytest.raises(
        BadInput, match=r"'43.445', which is 43.445 with a decimal point and 43445 with a decimal comma"
    ):
        read(column, Text())
    assert read(column, COMMA)[0] == 43_445
    assert read([*column, "12.5"], Text())[0] == 43.445  # one of them says which
    assert read([*column, "0.125"], Text())[0] == 43.445
    assert read(column[:5], Text())[0] == 43.445  # too few to tell: as the schema's default has it


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        (["1.234,50", "1,234.50"] * 10, POINT, r"holds '1.234,50', which is 1234.5 with a decimal comma"),
        (["1.234.567", "43.445"] * 10, Text(), r"beside '43.445', which is 43.445 with a decimal point and 43445"),
        (["12,5", "7"] * 10, Text(), r"is 12.5 with a decimal comma, where \[text\] decimalChar is \".\""),
        (["12.5", "7"] * 10, COMMA, r"'12.5', which is 12.5 with a decimal point, where \[text\] decimalChar is \",\""),
    ],
)  # fmt: skip
def test_a_column_read_in_two_ways_is_refused_with_a_remedy_that_works(
    column: list[str], text: Text, message: str
) -> None:
    with pytest.raises(BadInput, match=message) as error:
        read(column, text)
    assert 'set decimalChar = "' in str(error.value)


def test_the_remedy_works_when_it_is_followed() -> None:
    assert read(["12,5", "7"] * 10, COMMA)[:2] == [12.5, 7]


def test_one_slip_costs_its_row_alone() -> None:
    values = read([*["12.5"] * 199, "12,5"])
    assert math.isnan(values[-1])
    assert values[:-1] == [12.5] * 199


def test_a_column_of_words_is_refused_and_one_of_nothing_is_not() -> None:
    with pytest.raises(BadInput, match=r"a\.csv: column goal holds text such as 'Art', not numbers"):
        read(["Art", None, "Film"])
    assert all(map(math.isnan, read([None, "", " "])))


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1), st.sampled_from([POINT, COMMA])
)
def test_any_numbers_come_out_as_they_were_written(numbers: list[float], text: Text) -> None:
    texts: list[Any] = [repr(number).replace(".", text.decimal) for number in numbers]
    np.testing.assert_array_equal(read([*texts, f"1{text.decimal}5"], text), [*numbers, 1.5])


@given(
    st.lists(st.integers(-(10**15), 10**15), min_size=1),
    st.sampled_from([".", ","]),
    st.sampled_from(["", "€", " EUR"]),
)
def test_any_thousands_come_out_as_they_were_written(numbers: list[int], decimal: Any, unit: str) -> None:
    other = "," if decimal == "." else "."
    texts: list[Any] = [f"{number:,}".replace(",", other) + unit for number in numbers]
    assert read(texts, Text(decimal_char=decimal)) == list(map(float, numbers))
