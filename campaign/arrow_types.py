"""Columns of Arrow's rarer types as those that everything else here reads."""

import pyarrow as pa
import pyarrow.compute as pc

from campaign.errors import BadInput


def as_usual_type(values: pa.Array, name: str, source: str) -> pa.Array:
    """Views, bytes and JSON as the texts that they hold, UUIDs as they are written; other types as they came.

    Raises `BadInput` for bytes that are no text.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        words = as_usual_type(values.dictionary, name, source)
        return values if words is values.dictionary else pa.DictionaryArray.from_arrays(values.indices, words)
    if isinstance(kind, pa.UuidType):
        texts = [None if value is None else str(value) for value in values.to_pylist()]
        return pa.array(texts, pa.string())
    if isinstance(kind, pa.BaseExtensionType):
        return as_usual_type(values.storage, name, source)
    if pa.types.is_string_view(kind):  # bad rows could not be taken out of it
        return values.cast(pa.string())
    if pa.types.is_fixed_size_binary(kind):
        return _as_text(values.cast(pa.binary()), name, source, padded=True)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return _as_text(values.cast(pa.binary()), name, source)
    return values


def _as_text(values: pa.Array, name: str, source: str, padded: bool = False) -> pa.Array:
    try:
        texts = values.cast(pa.string())
    except pa.ArrowInvalid as error:
        cause = f"{source}: column {name} holds bytes that are no text."
        raise BadInput(cause, "Write it as text, or leave it out.") from error
    return pc.utf8_rtrim(texts, "\0") if padded else texts
