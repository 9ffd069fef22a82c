"""A text file as record batches, whatever program wrote it: values between delimiters, or JSON lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from campaign.dialect import HEADER_RECORDS, SAMPLE_BYTES, Utf8, fields_of, find_delimiter, find_header, is_comment
from campaign.errors import BadInput
from campaign.header import INVISIBLE
from campaign.json_lines import is_json, json_batches
from campaign.raw import Dialect, RawBatch, RawColumns
from campaign.read_ahead import read_ahead
from campaign.records import BLANK, LONE_QUOTE, Records, split_records
from campaign.schema_parts import Text

MAX_FIELDS = 10_000  # of a header: few bytes may name millions of columns
OPEN_QUOTE = "opens a quote that does not close"
EXCEL_TEXT = r'^="(.*)"$'  # how spreadsheets are told that a number is a text


@dataclass(frozen=True)
class HeaderLine:
    """The names of a text file's columns, the bytes of the record that holds them, and how many records end there."""

    names: list[str]
    record: bytes
    records: int


def text_batches(
    chunks: Iterable[bytes], source: str, wanted: RawColumns, text: Text, likely: Iterable[str]
) -> Iterator[RawBatch]:
    """Batches of the wanted columns as texts. `likely` are names that tell a delimiter from the others.

    A record that cannot be a row (fields too many or too few, a lone quote, the header again) is a row of nulls with
    the reason, in its place; blank lines, comments and what stands before the header are no rows.
    """
    decoded = Utf8(chunks, text.encoding, source)
    pieces = iter(decoded)
    start = b""
    while len(start) < SAMPLE_BYTES and (piece := next(pieces, None)) is not None:
        start += piece
    if is_json(start):
        for batch in json_batches(chain([start], pieces), source, wanted):
            yield replace(batch, dialect=Dialect(decoded.encoding, "", decoded.broken))
        return
    delimiter = find_delimiter(start[:SAMPLE_BYTES], text.delimiter, likely)
    header = _find_header(start, delimiter, source, likely)
    at = wanted.choose(header.names)
    places = {name: header.names.index(found) for name, found in at.items()}
    all_records = split_records(chain([start], pieces), delimiter, len(header.names), source)
    for records, rows, reasons in _tell_rows(read_ahead(all_records), header, delimiter):
        if rows.any():
            batch = _read(records, rows, reasons, places, len(header.names), delimiter, wanted)
            yield replace(batch, dialect=Dialect(decoded.encoding, delimiter, decoded.broken))


def record_texts(
    start: bytes, pieces: Iterable[bytes], source: str, text: Text, likely: Iterable[str]
) -> Iterator[tuple[bytes, bool]]:
    """Each record of UTF-8 text as it stands, and whether it counts as a row: header, comments, blank lines do not."""
    delimiter = find_delimiter(start[:SAMPLE_BYTES], text.delimiter, likely)
    header = _find_header(start, delimiter, source, likely)
    for records, rows, _ in _tell_rows(
        split_records(chain([start], pieces), delimiter, len(header.names), source), header, delimiter
    ):
        for begin, end, is_row in zip(records.starts, records.ends, rows, strict=True):
            yield records.data[int(begin) : int(end)], bool(is_row)


def _tell_rows(
    all_records: Iterable[Records], header: HeaderLine, delimiter: str
) -> Iterator[tuple[Records, NDArray[np.bool_], dict[int, str]]]:
    """Records, which of them are rows, and why some of those cannot be read."""
    skipped = header.records
    for records in all_records:
        rows = np.arange(len(records.starts)) >= skipped
        skipped = max(0, skipped - len(records.starts))
        rows &= records.kinds != BLANK
        yield records, rows, _unreadable(records, rows, header, delimiter)


def _find_header(start: bytes, delimiter: str, source: str, likely: Iterable[str]) -> HeaderLine:
    """The record with the most of the likely names among the first ones; blank ones and comments are none."""
    records = next(split_records([start], delimiter), None)
    kept = [] if records is None else [at for at in range(len(records.starts)) if records.kinds[at] != BLANK]
    if records is not None:
        _refuse_many_fields(records, kept[:HEADER_RECORDS], source)
    first = None if records is None else find_header(records, kept, delimiter, likely)
    if records is None or first is None:
        raise BadInput(f"{source}: it holds no rows.", "Write it again with its rows, or remove it.")
    names = fields_of(records, first, delimiter)
    if not names:
        cause = f"{source}: a name in line {records.lines[first]}, the header, is longer than any is read."
        raise BadInput(cause, "Write one row on each line, and a delimiter between two columns.")
    rows = [at for at in kept if at > first][:50]
    if rows and sum(records.fields[at] == len(names) + 1 for at in rows) > 0.9 * len(rows):
        ends = [records.data[int(records.ends[at]) - 1 : int(records.ends[at])] for at in rows]
        if not all(end == delimiter.encode() for end in ends):
            names = ["", *names]  # R writes names of rows without one for their column
    return HeaderLine(names, records.data[int(records.starts[first]) : int(records.ends[first])], first + 1)


def _refuse_many_fields(records: Records, places: Iterable[int], source: str) -> None:
    for at in places:
        if records.fields[at] > MAX_FIELDS:
            raise BadInput(
                f"{source}: line {records.lines[at]} has more than {MAX_FIELDS:,} fields.",
                "Leave out the columns that are not asked for.",
            )


def _unreadable(records: Records, rows: NDArray[np.bool_], header: HeaderLine, delimiter: str) -> dict[int, str]:
    """Why records cannot be read, by their place. Takes comments out of `rows`, and cuts an empty field too many."""
    width, reasons = len(header.names), {}
    again = rows & (records.ends - records.starts == len(header.record))
    for at in np.flatnonzero(again):
        if records.data[int(records.starts[at]) : int(records.ends[at])] == header.record:
            reasons[int(at)] = "is the header again"
    for at in np.flatnonzero(rows & ((records.fields != width) | (records.kinds == LONE_QUOTE))):
        if records.kinds[at] == LONE_QUOTE:
            reasons[int(at)] = OPEN_QUOTE
        elif is_comment(records, int(at)):
            rows[at] = False
        elif records.fields[at] == width + 1 and records.data[int(records.ends[at]) - 1] == ord(delimiter):
            records.ends[at] -= 1  # nothing stands behind the last delimiter
        else:
            fields = int(records.fields[at])
            reasons[int(at)] = f"has {fields} field{'s' if fields > 1 else ''}, the header has {width}"
    return reasons


def _read(
    records: Records,
    rows: NDArray[np.bool_],
    reasons: dict[int, str],
    places: dict[str, int],
    width: int,
    delimiter: str,
    wanted: RawColumns,
) -> RawBatch:
    readable = rows.copy()
    readable[list(reasons)] = False
    table = _parse(_text_of(records, readable), places, width, delimiter, wanted)
    number = np.cumsum(rows) - 1
    if reasons:
        where = np.where(readable, np.cumsum(readable) - 1, -1)[rows]
        table = table.take(pa.array(where, mask=where < 0))
    batch = table.combine_chunks().to_batches()
    texts = {
        int(number[at]): records.data[int(records.starts[at]) : int(records.ends[at])].decode("utf-8", "replace")
        for at in reasons
    }
    return RawBatch(batch[0], {int(number[at]): reason for at, reason in reasons.items()}, texts)


def _text_of(records: Records, readable: NDArray[np.bool_]) -> bytes:
    """The readable records, one behind the other."""
    at = np.flatnonzero(readable)
    starts, ends = records.starts[at], records.ends[at]
    if not len(at):
        return b""
    # Runs of neighbours are taken whole: between two of them stands the end of a line and nothing else.
    data = np.frombuffer(records.data, np.uint8)
    ended = np.isin(data[np.minimum(ends[:-1], len(data) - 1)], (10, 13))
    apart = np.flatnonzero((np.diff(at) > 1) | ~ended)
    firsts, lasts = np.r_[0, apart + 1], np.r_[apart, len(at) - 1]
    view = memoryview(records.data)
    return b"\n".join(view[starts[first] : ends[last]] for first, last in zip(firsts, lasts, strict=True))


def _parse(data: bytes, places: dict[str, int], width: int, delimiter: str, wanted: RawColumns) -> pa.Table:
    """The columns at these places, as texts without what spreadsheets and copying leave around a value."""
    own = {name: pa.array(words, pa.string()) for name, words in wanted.own_missing_words.items()}
    names = [str(place) for place in range(width)]
    convert = pacsv.ConvertOptions(
        check_utf8=False,  # it was decoded before
        # Types are found row by row: guessed from the first block, one word in a later one would cost the file.
        column_types={str(place): pa.string() for place in places.values()},
        include_columns=[str(place) for place in places.values()],
        null_values=[] if own else wanted.missing_words,
        strings_can_be_null=True,
    )
    read = pacsv.ReadOptions(column_names=names, block_size=len(data) + 1)
    parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in data)
    if not data:
        return pa.table({name: pa.array([], pa.string()) for name in places})
    table = pacsv.read_csv(pa.py_buffer(data), convert_options=convert, read_options=read, parse_options=parse)
    columns = [table.column(str(place)).combine_chunks() for place in places.values()]
    if b'="' in data:
        columns = [pc.replace_substring_regex(column, EXCEL_TEXT, r"\1") for column in columns]
    if not data.isascii() and any(mark.encode() in data for mark in INVISIBLE):
        columns = [pc.replace_substring_regex(column, f"[{INVISIBLE}]", "") for column in columns]
    if own:  # Arrow's reader knows one list of words for all columns
        usual = pa.array(wanted.missing_words, pa.string())
        columns = [_without(column, own.get(name, usual)) for name, column in zip(places, columns, strict=True)]
    return pa.table(columns, list(places))


def _without(texts: pa.Array, words: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_in(texts, words), pa.scalar(None, pa.string()), texts)
