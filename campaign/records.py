"""Where the records of a text file begin and end, and which of them cannot be rows.

Arrow's reader stops at a record with a field too many, and takes all that follows a lone quote, up to the next one,
for one value. Here records are told apart first, each with its line, so that one odd line costs that line.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaign.errors import BadInput
from campaign.kernels import compiled

QUOTE = ord('"')
MAX_RECORD_BYTES = 1 << 22  # of one record: beyond, a quote that is still open is taken for a lone one
GOOD, BLANK, LONE_QUOTE = 0, 1, 2


@dataclass(frozen=True)
class Records:
    """Consecutive records of a file: `starts` and `ends` in `data`, the line each begins in (from 1), its number of
    fields, and its kind: GOOD, BLANK (nothing but spaces and delimiters), or LONE_QUOTE for a line that opens a quote
    which does not close."""

    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    fields: NDArray[np.int32]
    kinds: NDArray[np.int8]


def split_records(chunks: Iterable[bytes], delimiter: str, fields: int = 0, source: str = "") -> Iterator[Records]:
    """Records of UTF-8 text, cut anywhere into chunks. `fields` is how many a row has, 0 if that is not known yet.

    A quoted text began with a lone quote if it does not end before the file does, or does in the midst of a value, or
    if each line of its record would be a row without it. Raises `BadInput` for a line without end.
    """
    scan, comma = compiled(_scan), np.uint8(ord(delimiter))
    rest, line = b"", 1
    pieces = filter(None, chunks)
    following = next(pieces, None)
    while following is not None:
        data, following = rest + following, next(pieces, None)
        last = following is None
        array = np.frombuffer(data, np.uint8)
        room = max(16, len(data) // 16)
        while True:
            starts, ends, lines = (np.empty(room, np.int64) for _ in range(3))
            counts, kinds = np.empty(room, np.int32), np.empty(room, np.int8)
            found, used, next_line = scan(array, comma, fields, line, last, starts, ends, lines, counts, kinds)
            if found < room:
                break
            room *= 4
        if not used and len(data) > 2 * MAX_RECORD_BYTES:
            raise BadInput(
                f"{source}: line {line} is longer than {MAX_RECORD_BYTES:,} bytes.", "Write one row on each line."
            )
        yield Records(data, starts[:found], ends[:found], lines[:found], counts[:found], kinds[:found])
        rest, line = data[used:], next_line


def _scan(
    data: NDArray[np.uint8], delimiter: np.uint8, fields: int, line: int, last: bool,
    starts: NDArray[np.int64], ends: NDArray[np.int64], lines: NDArray[np.int64],
    counts: NDArray[np.int32], kinds: NDArray[np.int8],
) -> tuple[int, int, int]:  # fmt: skip
    """Records found, bytes used, and the line after them. `last`: no more data comes to end the last record."""
    size, room = len(data), len(starts)
    found, at = 0, 0
    while at < size and found < room:
        start, begun = at, line
        overdue = last or size - start > MAX_RECORD_BYTES  # a quote that is open still will not close
        literal = False  # whether this record's quotes are no quotes
        while True:  # once, or again with literal quotes
            at, line = start, begun
            count, lone, complete, blank = 1, False, False, True
            in_field = False
            rows_within, quoted_lines, behind = True, 0, 0
            while at < size:
                byte = data[at]
                if byte == QUOTE and not in_field and not literal:
                    blank = False
                    inner_lines, inner_fields = 0, 1
                    at += 1
                    closed = False
                    while at < size:
                        byte = data[at]
                        if byte == QUOTE:
                            if at + 1 < size and data[at + 1] == QUOTE:
                                at += 2
                                continue
                            if at + 1 == size and not last:
                                break  # the next chunk may begin with its twin
                            closed = True
                            at += 1
                            break
                        if byte == delimiter:
                            inner_fields += 1
                        elif byte == 10 or (byte == 13 and not (at + 1 < size and data[at + 1] == 10)):
                            # Taken as it stands, is each line within the quotes a row?
                            before = 0 if inner_lines else count - 1
                            rows_within = rows_within and fields > 1 and before + inner_fields == fields
                            inner_lines += 1
                            inner_fields = 1
                            line += 1
                        at += 1
                    follows = closed and at < size and data[at] != delimiter and data[at] != 10 and data[at] != 13
                    lone = (inner_lines > 0 and follows) or (not closed and overdue)
                    if lone or not closed:
                        break
                    if inner_lines:
                        quoted_lines, behind = quoted_lines + inner_lines, inner_fields - count
                    in_field = True
                    continue
                if byte == delimiter:
                    count += 1
                    in_field = False
                elif byte == 10 or byte == 13:
                    if byte == 13 and at + 1 == size and not last:
                        break  # the next chunk may begin with its line feed
                    complete = True
                    break
                else:
                    in_field = True
                    if byte != 32 and byte != 9:
                        blank = False
                at += 1
            complete = complete or (at >= size and last)
            if quoted_lines and rows_within and complete and behind + count == fields:
                lone = True
            if lone and not literal:
                literal = True
                continue
            break
        if not complete:
            return found, start, begun
        starts[found], ends[found], lines[found], counts[found] = start, at, begun, count
        kinds[found] = LONE_QUOTE if literal else (BLANK if blank else GOOD)
        found += 1
        if at < size:
            at += 2 if data[at] == 13 and at + 1 < size and data[at + 1] == 10 else 1
            line += 1
    return found, at, line
