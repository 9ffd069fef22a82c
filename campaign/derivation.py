"""Columns computed from others: a closed list of functions, so that a model file holds data and never code.

What cannot be computed is missing (NaN): a missing argument, a division by zero, a span that ends before it begins.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

Floats = NDArray[np.float64]
Kind = Literal["time", "text", "number"]
MICROSECONDS_A_DAY = 86_400_000_000


def _days_between(start: pa.Array, end: pa.Array) -> Floats:
    # From instant to instant, parts of days included: a campaign of an hour is not one of zero days.
    span = pc.subtract(end.cast(pa.int64()), start.cast(pa.int64()))
    return _floats(span) / MICROSECONDS_A_DAY


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        values = above / below
    return np.where(np.isfinite(values), values, np.nan)


def _contains(text: pa.Array, words: str) -> Floats:
    return _floats(pc.match_substring(text, words, ignore_case=True).cast(pa.int8()))


def _floats(values: pa.Array) -> Floats:
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))


# What each takes, and how it is computed. Times are Arrow timestamps in the schema's zone, texts Arrow strings.
FUNCTIONS: dict[str, tuple[tuple[Kind | Literal["words"], ...], Callable[..., Floats]]] = {
    "days_between": (("time", "time"), _days_between),
    "year": (("time",), lambda time: _floats(pc.year(time))),
    "month": (("time",), lambda time: _floats(pc.month(time))),  # 1 to 12
    "weekday": (("time",), lambda time: _floats(pc.day_of_week(time))),  # Monday is 0
    "hour": (("time",), lambda time: _floats(pc.hour(time))),
    "length": (("text",), lambda text: _floats(pc.utf8_length(text))),  # characters
    "words": (("text",), lambda text: _floats(pc.list_value_length(pc.utf8_split_whitespace(text)))),
    "contains": (("text", "words"), _contains),  # 1 or 0, whatever the case
    "ratio": (("number", "number"), _ratio),
    "difference": (("number", "number"), np.subtract),
}


CALENDAR = ("year", "month", "weekday")


class Derivation(BaseModel):
    """`{ days_between = ["launched", "deadline"] }`: one function and its arguments, sources or columns above it."""

    model_config = ConfigDict(frozen=True)

    function: str
    arguments: tuple[str, ...]

    @model_validator(mode="before")
    @classmethod
    def _of_table(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.keys() == {"function", "arguments"}:
            return given
        if len(given) != 1:
            raise ValueError("derive holds one function and its arguments")
        [(function, arguments)] = given.items()
        if function not in FUNCTIONS:
            raise ValueError(f'there is no function "{function}"; there are {", ".join(FUNCTIONS)}')
        arguments = [arguments] if isinstance(arguments, str) else arguments
        wanted = len(FUNCTIONS[function][0])
        if not isinstance(arguments, list | tuple) or not all(isinstance(name, str) for name in arguments):
            raise ValueError(f"{function} takes a list of {wanted} texts")
        if len(arguments) != wanted:
            raise ValueError(f"{function} takes {wanted} argument{'s' * (wanted > 1)}, not {len(arguments)}")
        return {"function": function, "arguments": tuple(arguments)}

    @model_serializer
    def _to_table(self) -> dict[str, list[str]]:
        return {self.function: list(self.arguments)}

    @property
    def is_calendar(self) -> bool:
        """Whether it says when in the year or the week a row was: a day's values differ from a year's by nature."""
        return self.function in CALENDAR

    @property
    def takes(self) -> tuple[tuple[str, Kind], ...]:
        """Each argument that is a column or a source, and as what it is read."""
        kinds = FUNCTIONS[self.function][0]
        return tuple((name, kind) for name, kind in zip(self.arguments, kinds, strict=True) if kind != "words")

    def compute(self, value_of: Callable[[str, Kind], Any], minimum: float | None) -> Floats:
        """The derived numbers, one a row. `value_of` gives the values of a column or a source as one of the kinds."""
        kinds, function = FUNCTIONS[self.function]
        given = [
            name if kind == "words" else value_of(name, kind) for name, kind in zip(self.arguments, kinds, strict=True)
        ]
        values = np.asarray(function(*given), np.float64)
        if self.function == "days_between" and minimum is not None:
            values = np.where(values < minimum, np.nan, values)
        return values
