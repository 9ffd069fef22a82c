"""JSON lines, an object a row, as record batches of texts."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from campaign.errors import BadInput
from campaign.raw import RawBatch, RawColumns

MAX_LINE_BYTES = 1 << 20  # an object takes many times the length of its text
NO_OBJECT = "is no JSON object"


def is_json(start: bytes) -> bool:
    """Whether UTF-8 text begins as JSON does, and no header."""
    return start.lstrip()[:1] == b"{" or start.lstrip()[:2] in (b"[{", b"[\n", b"[\r", b"[ ")


def json_batches(chunks: Iterable[bytes], source: str, wanted: RawColumns) -> Iterator[RawBatch]:
    """Batches of the wanted columns; a line that holds no object is a row of nulls with the reason.

    The columns of a file are those of its first chunk. A key that an object lacks is missing in its row.
    """
    at: dict[str, str] = {}
    for lines in _lines(chunks, source):
        texts = [line for line in lines if line.strip()]
        rows = [_object(line) for line in texts]
        if not rows:
            continue
        if not at:
            at = wanted.choose(list(dict.fromkeys(name for row in rows if row is not None for name in row)))
        bad = [place for place, row in enumerate(rows) if row is None]
        columns = [_column(rows, found, wanted.missing_words_of(name)) for name, found in at.items()]
        batch = pa.RecordBatch.from_arrays(columns, list(at))
        unread = {place: texts[place].decode("utf-8", "replace") for place in bad}
        yield RawBatch(batch, dict.fromkeys(bad, NO_OBJECT), unread)


def _lines(chunks: Iterable[bytes], source: str) -> Iterator[list[bytes]]:
    rest, is_first = b"", True
    for chunk in chunks:
        if is_first and chunk.lstrip().startswith(b"["):
            raise BadInput(f"{source}: it is one JSON array.", "Write JSON lines, an object on each line.")
        is_first = False
        *lines, rest = (rest + chunk).split(b"\n")
        if max(map(len, [*lines, rest])) > MAX_LINE_BYTES:
            raise BadInput(
                f"{source}: a line is longer than {MAX_LINE_BYTES:,} bytes.",
                "Write JSON lines, an object on each line.",
            )
        if lines:
            yield lines
    if rest.strip():
        yield [rest]


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        # Numbers stay as they are written: whether one is an id or an amount is for the schema to say.
        found = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _column(rows: list[dict[str, Any] | None], name: str, missing: frozenset[str]) -> pa.Array:
    values = (None if row is None else row.get(name) for row in rows)
    texts = (value if value is None or isinstance(value, str) else json.dumps(value) for value in values)
    return pa.array([None if text in missing else text for text in texts], pa.string())
