"""Arrow arrays of whatever type a file has as the numbers and categories that a schema speaks of."""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.errors import BadInput
from campaign.files import is_text
from campaign.identity import normal_form
from campaign.numbers import NumberReader
from campaign.schema import Column
from campaign.spelling import is_yes_or_no, spellings_of

Floats = NDArray[np.float64]
DATE = re.compile(r"\d{4}-\d\d-\d\d")  # where names of categories are known, none begins so


def numbers_of(values: pa.Array, reader: NumberReader) -> Floats:
    """NaN where a value is missing or no number; texts are read by the reader of their column."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return numbers_of(values.cast(kind.value_type), reader)
    if pa.types.is_boolean(kind):
        values, kind = values.cast(pa.int8()), pa.int8()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    if is_text(kind):
        return reader.read(values)
    cause = f"{reader.source}: column {reader.name} has the type {kind}, not a number's."
    raise BadInput(cause, "Write it as numbers.")


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
    remedy = f"Write its names, such as {column.categories[0]}." if column.categories else "Write it as text."
    if not readable:
        raise BadInput(f"{source}: column {column.in_file} has the type {kind}, not text.", remedy)
    if not pa.types.is_dictionary(values.type):
        values = values.cast(pa.string()).dictionary_encode()
    texts = [str(text).strip() if text is not None else "" for text in values.dictionary.cast(pa.string()).to_pylist()]
    if pa.types.is_floating(kind):  # a category of whole numbers is one, whatever they are stored as
        texts = list(map(normal_form, texts))
    dates = [text for text in texts if DATE.match(text)]
    if column.categories and dates and len(dates) > len(texts) / 2:
        raise BadInput(f"{source}: column {column.in_file} holds {dates[0]!r}, a date.", remedy)
    indices = values.indices
    if not all(texts):
        blank = pa.array([not text for text in texts]).take(indices)
        indices = pc.if_else(pc.fill_null(blank, True), pa.scalar(None, indices.type), indices)
    names = pa.array([spellings.get(text.casefold(), text) for text in texts], pa.string())
    return pa.DictionaryArray.from_arrays(indices, names)


def _number(text: Any) -> float:
    try:
        return float(text) if text is not None else np.nan
    except ValueError:
        return float("nan")
