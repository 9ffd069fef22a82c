from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from campaign.derivation import Derivation
from campaign.schema_parts import Text
from campaign.times import TimeReader


def derived(
    table: dict[str, Any], values: dict[str, Any], minimum: float | None = None, timezone: str = "UTC"
) -> list[Any]:
    """What a `derive` of a schema makes of columns, None where it is missing."""
    derivation = Derivation.model_validate(table)

    def value_of(name: str, kind: str) -> Any:
        if kind == "number":
            return np.array(values[name], np.float64)
        if kind == "text":
            return pa.array(values[name], pa.string())
        return TimeReader(name, "a.csv", Text(timezone=timezone)).read(pa.array(values[name]))

    computed = derivation.compute(value_of, minimum)
    return [None if np.isnan(value) else value for value in computed]


LAUNCHED = ["2015-08-11 12:00:00", "2016-02-29", None, "soon"]


@pytest.mark.parametrize(
    ("table", "values", "expected"),
    [
        ({"year": ["t"]}, {"t": LAUNCHED}, [2015, 2016, None, None]),
        ({"month": "t"}, {"t": LAUNCHED}, [8, 2, None, None]),
        ({"weekday": ["t"]}, {"t": LAUNCHED}, [1, 0, None, None]),  # a Tuesday, a Monday
        ({"hour": ["t"]}, {"t": LAUNCHED}, [12, 0, None, None]),
        ({"length": ["x"]}, {"x": ["Größe", "", None]}, [5, 0, None]),
        ({"words": ["x"]}, {"x": ["a new  game", "one", None]}, [3, 1, None]),
        ({"contains": ["x", "Game"]}, {"x": ["a new GAME", "one", None]}, [1, 0, None]),
        ({"ratio": ["a", "b"]}, {"a": [6, 1, np.nan], "b": [3, 0, 2]}, [2, None, None]),
        ({"difference": ["a", "b"]}, {"a": [1, np.nan], "b": [3, 2]}, [-2, None]),
        ({"days_between": ["a", "b"]}, {"a": ["2015-08-11 12:00:00"], "b": ["2015-10-09"]}, [58.5]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_function_computes_what_its_name_says(table: Any, values: Any, expected: list[Any]) -> None:
    assert derived(table, values) == expected


def test_a_span_that_ends_before_it_begins_is_missing_where_the_minimum_allows_none() -> None:
    values = {"a": ["2016-01-02"], "b": ["2016-01-01"]}
    assert derived({"days_between": ["a", "b"]}, values) == [-1]
    assert derived({"days_between": ["a", "b"]}, values, minimum=0) == [None]


def test_hours_and_weekdays_are_those_of_the_time_zone_and_spans_are_real_time() -> None:
    assert derived({"hour": ["t"]}, {"t": ["2016-07-01 09:00:00"]}, timezone="Europe/Berlin") == [9]
    assert derived({"hour": ["t"]}, {"t": ["2016-07-01T09:00:00Z"]}, timezone="Europe/Berlin") == [11]
    clocks_go_forward = {"a": ["2016-03-27 00:00:00"], "b": ["2016-03-28 00:00:00"]}
    assert derived({"days_between": ["a", "b"]}, clocks_go_forward, timezone="Europe/Berlin") == [23 / 24]
