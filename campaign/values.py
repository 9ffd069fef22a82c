"""Arrow arrays of whatever type a file has as the numbers, categories and outcomes that a schema speaks of."""

from collections.abc import Collection
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.errors import BadInput
from campaign.files import is_text
from campaign.identity import normal_form
from campaign.schema import LABEL, Column
from campaign.schema_parts import NO, YES, AtLeast, Outcome
from campaign.spelling import is_yes_or_no, spellings_of

Floats = NDArray[np.float64]


def numbers_of(values: pa.Array, name: str, source: str) -> Floats:
    """NaN where a value is missing or no number. `name` is the column's in the file."""
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    if is_text(kind) or pa.types.is_dictionary(kind):
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):  # mostly there is nothing to trim
            return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
        texts = trimmed(values)
        try:
            return np.asarray(texts.cast(pa.float64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            return np.array([_number(text) for text in texts.to_pylist()])
    raise BadInput(f"{source}: column {name} has the type {kind}, not a number's.", "Write it as numbers.")


def is_given(values: pa.Array) -> NDArray[np.bool_]:
    """Where something stands, readable or not."""
    kind = values.type
    given = trimmed(values) if is_text(kind) or pa.types.is_dictionary(kind) else values
    return ~np.asarray(pc.is_null(given, nan_is_null=pa.types.is_floating(given.type)))


def trimmed(values: pa.Array) -> pa.Array:
    """Texts without outer spaces, null where nothing is left."""
    texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def without(values: pa.Array, words: Collection[str]) -> pa.Array:
    """Null where one of these words stands, or the number that it writes."""
    if not words or pa.types.is_null(values.type):
        return values
    if pa.types.is_dictionary(values.type):
        return without(values.cast(values.type.value_type), words)
    numbers = [number for word in words if not np.isnan(number := _number(word))]
    if is_text(values.type):
        texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
        wanted = pa.array([*words, *map(str, numbers), *(f"{number:g}" for number in numbers)], pa.string())
        stands = pc.is_in(texts, wanted)
    else:
        stands = pc.is_in(values.cast(pa.float64(), safe=False), pa.array(numbers, pa.float64()))
    return pc.if_else(stands, pa.scalar(None, values.type), values)


def categories_of(values: pa.Array, column: Column, source: str) -> pa.DictionaryArray:
    """Values under the names of the schema, others as they are; null where missing or blank."""
    spellings = spellings_of(column)
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    readable = is_text(kind) or pa.types.is_null(kind)
    if is_yes_or_no(column) or not column.categories:
        readable = readable or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if not readable:
        raise BadInput(f"{source}: column {column.in_file} has the type {kind}, not text.", "Write it as text.")
    if not pa.types.is_dictionary(values.type):
        values = values.cast(pa.string()).dictionary_encode()
    texts = [str(text).strip() if text is not None else "" for text in values.dictionary.cast(pa.string()).to_pylist()]
    if pa.types.is_floating(kind):  # a category of whole numbers is one, whatever they are stored as
        texts = list(map(normal_form, texts))
    indices = values.indices
    if not all(texts):
        blank = pa.array([not text for text in texts]).take(indices)
        indices = pc.if_else(pc.fill_null(blank, True), pa.scalar(None, indices.type), indices)
    names = pa.array([spellings.get(text.casefold(), text) for text in texts], pa.string())
    return pa.DictionaryArray.from_arrays(indices, names)


def outcomes_of(columns: dict[str, pa.Array], outcome: Outcome, source: str) -> Floats:
    """1 for a success, 0 for a failure, NaN for what is not decided, or says neither.

    `columns` holds those that the outcome is read from, or the one called LABEL, whose words are yes and no, 1 and 0.
    """
    if isinstance(outcome.success, AtLeast) and LABEL not in columns:
        reached, goal = (numbers_of(columns[name], name, source) for name in outcome.success.at_least)
        return np.where(np.isnan(reached) | np.isnan(goal), np.nan, reached >= goal)
    [(name, values)] = columns.items()
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        raise BadInput(f"{source}: column {name} has the type {values.type}.", _remedy(*_words(name, outcome)))
    success, failure = _words(name, outcome)
    codes = dict.fromkeys(map(_folded, failure), 0.0) | dict.fromkeys(map(_folded, success), 1.0)
    texts = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    found = [codes.get(_folded(str(value)), np.nan) for value in texts.dictionary.to_pylist()]
    at = pc.fill_null(texts.indices.cast(pa.int64()), len(found)).to_numpy(zero_copy_only=False)
    return np.array([*found, np.nan])[at]


def refuse_undecided(name: str, outcome: Outcome, source: str) -> None:
    """Raises `BadInput` for a file in which not one outcome is decided."""
    success, failure = _words(name, outcome)
    raise BadInput(f"{source}: column {name} holds neither {failure[0]} nor {success[0]}.", _remedy(success, failure))


def _words(name: str, outcome: Outcome) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if isinstance(outcome.success, AtLeast) or (name == LABEL and name != outcome.column):
        return YES, NO
    return outcome.success, outcome.failure


def _remedy(success: tuple[str, ...], failure: tuple[str, ...]) -> str:
    return f"Write {success[0]} for success and {failure[0]} for failure."


def _folded(word: str) -> str:
    return normal_form(word.strip().casefold())


def _number(text: Any) -> float:
    try:
        return float(text) if text is not None else np.nan
    except ValueError:
        return float("nan")
