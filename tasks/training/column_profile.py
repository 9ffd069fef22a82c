"""What the columns of an unknown file look like: numbers, times, categories, ids or texts, and what is missing."""

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.numbers import NumberReader
from campaign.schema_parts import MISSING_WORDS, Text
from campaign.times import TimeReader
from campaign.values import numbers_of, trimmed

Kind = Literal["number", "category", "time", "text", "constant", "empty", "unreadable"]
MOST_CATEGORIES = 1_000
READABLE = 0.95  # of the values that are there: the others are slips, which cost their rows
# Words that people write for what they do not know, beside those that always stand for a missing value.
UNKNOWN_WORDS = ("unknown", "n/a", "none", "not available", "undefined", "missing", "-", "?", "(blank)", "nil")
TIME_NAMES = re.compile(
    r"date|datum|fecha|time|launch|deadline|created|start|begin|end(s|ed)?$|sent|_at$|day$", re.IGNORECASE
)


@dataclass(frozen=True)
class ColumnProfile:
    """One column of a sample. `values` are numbers (NaN where missing), timestamps or texts (null where missing)."""

    name: str
    kind: Kind
    values: pa.Array
    distinct: int
    missing: int
    missing_words: tuple[str, ...] = ()  # beside MISSING_WORDS, or instead of them
    text: Text = field(default_factory=Text)  # how it is written, where it is a text
    is_unique: bool = False

    @property
    def numbers(self) -> NDArray[np.float64]:
        return np.asarray(self.values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))

    @property
    def is_prose(self) -> bool:
        """Whether a text is for people: mostly of several words, not JSON, no address."""
        texts = self.values.drop_null()[:200].to_pylist()
        of_people = [" " in text and not text.startswith(("{", "[", "http://", "https://")) for text in texts]
        return sum(of_people) > 0.5 * len(texts)

    @property
    def examples(self) -> list[str]:
        """The most frequent values first."""
        counted = pc.value_counts(self.values.drop_null()).to_pylist()
        counted.sort(key=lambda entry: -entry["counts"])
        return [str(entry["values"]) for entry in counted[:8]]


def profile_column(name: str, values: pa.Array, texts: list[Text]) -> ColumnProfile:
    """`texts` are ways in which text may be written; the first that reads a column as numbers or times is taken."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return profile_column(name, values.cast(kind.value_type), texts)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return ColumnProfile(name, "unreadable", pa.nulls(len(values)), 0, len(values))
    if pa.types.is_boolean(kind):
        return _finish(name, "category", values.cast(pa.string()))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _finish(name, "time", TimeReader(name, "", Text()).read(values))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _finish(name, "number", pa.array(numbers_of(values, NumberReader(name, "", Text())), from_pandas=True))
    return _profile_texts(name, trimmed(values), texts)


def _profile_texts(name: str, values: pa.Array, texts: list[Text]) -> ColumnProfile:
    words = _missing_words(values)
    given = pc.if_else(pc.is_in(values, pa.array([*words], pa.string())), None, values)
    if not len(given.drop_null()):
        return ColumnProfile(name, "empty", given, 0, len(given))
    own = words if set(words) != set(MISSING_WORDS) else ()
    for text in texts:
        if (times := _as_times(name, given, text)) is not None:
            return _finish(name, "time", times, own, text)
        numbers = NumberReader(name, "", text)
        read = numbers.read(given)
        if numbers.readable >= READABLE * len(given.drop_null()) and not numbers.contrary:
            return _finish(name, "number", pa.array(read, from_pandas=True), own, text)
    distinct = len(pc.unique(given.drop_null()))
    rows = len(given.drop_null())
    few = distinct <= 50 or (distinct <= MOST_CATEGORIES and distinct <= rows / 10)
    return _finish(name, "category" if few else "text", given, own)


def _as_times(name: str, given: pa.Array, text: Text) -> pa.Array | None:
    """Times, if nearly all values are: digits alone are, where the name says so."""
    sample = given.drop_null()[:1_000]
    is_number = pc.match_substring_regex(sample, r"^-?[\d.,]+$")
    is_date = pc.match_substring_regex(sample, r"^\d{1,2}\.\d{1,2}\.\d{4}|^\d{4}\.\d{1,2}\.\d{1,2}")
    digits = pc.sum(pc.and_not(is_number, is_date).cast(pa.int64())).as_py()
    if digits > 0.5 * len(sample) and not TIME_NAMES.search(name):
        return None
    reader = TimeReader(name, "", text)
    reader.read(sample)
    if reader.readable < READABLE * len(sample) or reader.contrary:
        return None
    return TimeReader(name, "", text).read(given)


def _missing_words(values: pa.Array) -> tuple[str, ...]:
    """The words that stand for a missing value in this column."""
    counts = {str(entry["values"]): entry["counts"] for entry in pc.value_counts(values.drop_null()).to_pylist()}
    # NA is Namibia among codes of countries.
    codes = [word for word in counts if re.fullmatch("[A-Z]{2}", word) and word != "NA"]
    if "NA" in counts and len(codes) > 0.8 * (len(counts) - 1) and len(codes) > 2:
        return ("",)
    return (
        *MISSING_WORDS,
        *(word for word in counts if word.casefold() in UNKNOWN_WORDS and word not in MISSING_WORDS),
    )


def _finish(
    name: str, kind: Kind, values: pa.Array, missing_words: tuple[str, ...] = (), text: Text | None = None
) -> ColumnProfile:
    given = values.drop_null()
    distinct = len(pc.unique(given))
    is_unique = distinct == len(values)
    if distinct <= 1:
        kind = "constant" if distinct else "empty"
    return ColumnProfile(name, kind, values, distinct, values.null_count, missing_words, text or Text(), is_unique)
