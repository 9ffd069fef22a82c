"""How a text file is written: encoding and delimiter, said by the schema or found by looking at its beginning."""

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from campaign.errors import BadInput
from campaign.header import letters
from campaign.records import GOOD, Records, split_records

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_BYTES = 1 << 16
SAMPLE_RECORDS = 50
HEADER_RECORDS = 20  # that are looked at for the names of columns
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
REPLACEMENT = "\ufffd".encode()
WESTERN = "cp1252"  # what programs on Windows write, and all of latin-1 but control characters
# Control characters that no text has; NULs are in some.
CONTROL = bytes(set(range(32)) - {0, 9, 10, 12, 13})


def find_encoding(start: bytes, said: str = "") -> tuple[str, int]:
    """An encoding and how many bytes of a byte order mark to skip; UTF-8 unless the beginning says otherwise."""
    for mark, encoding in BOMS:
        if start.startswith(mark):
            return encoding, len(mark)
    if said:
        return codecs.lookup(said).name, 0
    sample = np.frombuffer(start[: len(start) // 2 * 2], np.uint8).reshape(-1, 2)
    if len(sample) >= 4:
        zeros = (sample == 0).mean(axis=0)
        if zeros.max() > 0.6 and zeros.min() < 0.1:  # every other byte of mostly Latin text
            return ("utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"), 0
    return "utf-8", 0


def is_binary(start: bytes) -> bool:
    """Whether these bytes are of no text at all."""
    encoding, mark = find_encoding(start)
    if encoding != "utf-8":
        return False
    body = start[mark:]
    controls = sum(body.count(byte) for byte in CONTROL)
    return controls > 0.01 * len(body) or body.count(0) > 0.2 * len(body)


class Utf8:
    """The same text as UTF-8, chunk by chunk, without byte order mark and NULs.

    `encoding` is what it was in, `broken` how many characters had to be replaced.

    Where the schema does not say which encoding it has, text is Western (cp1252) if most of its first characters beyond
    ASCII are no UTF-8; in UTF-8, characters that are broken (cut, mostly) are replaced. Raises `BadInput` for what is
    no text, or not in the encoding that the schema says.
    """

    def __init__(self, chunks: Iterable[bytes], said: str, source: str) -> None:
        self._chunks, self._said, self._source = chunks, said, source
        self.encoding = ""
        self.broken = 0  # characters that were replaced

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._chunks)
        first = next(pieces, b"")
        self._refuse_binary(first)
        self.encoding, mark = find_encoding(first[:SAMPLE_BYTES], self._said)
        decoder = codecs.getincrementaldecoder(self.encoding)("strict" if self._said else "replace")
        decided, line = self.encoding != "utf-8" or bool(self._said), 1
        for piece in chain([first[mark:]], filter(None, pieces), [b""]):
            if self.encoding == "utf-8" and piece.isascii() and not decoder.getstate()[0]:
                text = piece
            else:
                is_last = not piece
                if not decided:
                    piece = decoder.getstate()[0] + piece
                    decoder.reset()
                    western = is_western(piece)
                    decided = western is not None
                    if western:
                        self.encoding, decoder = WESTERN, codecs.getincrementaldecoder(WESTERN)("replace")
                try:
                    text = decoder.decode(piece, is_last).encode()
                except UnicodeDecodeError as error:
                    place = line + error.object[: error.start].count(b"\n")
                    raise BadInput(
                        f"{self._source}: line {place} is not in {self._said}, which [text] encoding says.",
                        "Change that line of campaign.toml, or leave it out, and the encoding is found by looking.",
                    ) from error
                self.broken += text.count(REPLACEMENT)
            line += text.count(b"\n") if self._said else 0
            yield text.replace(b"\0", b"") if b"\0" in text else text

    def _refuse_binary(self, first: bytes) -> None:
        if first.startswith(b"PAR1") or is_binary(first[:SAMPLE_BYTES]):
            raise BadInput(
                f"{self._source}: it is not a text file, whatever its name says.",
                "Give it the name of what it is: Parquet files end in .parquet, packed texts in .csv.gz or .zip.",
            )


def is_western(piece: bytes) -> bool | None:
    """Whether most characters beyond ASCII are no UTF-8; None if there is none. One cut at the end is let be."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(piece)
    broken, beyond = text.count("\ufffd"), sum(map((0x7F).__lt__, map(ord, text)))
    return broken > beyond - broken if beyond else None


def find_delimiter(start: bytes, said: str, wanted: Iterable[str]) -> str:
    """The delimiter that cuts the first lines of UTF-8 text into the most columns of one width, wanted names first."""
    if said:
        return said
    if start[:5].lower() == b"sep=" + start[4:5] and start[5:6] in b"\r\n":
        return chr(start[4])
    wanted = list(wanted)

    def fitness(delimiter: str) -> tuple[int, float, int]:
        records = next(split_records([start], delimiter))
        rows = [at for at in range(len(records.starts)) if records.kinds[at] == GOOD][:SAMPLE_RECORDS]
        if len(start) >= SAMPLE_BYTES:
            rows = rows[:-1]  # the last one is cut
        first = find_header(records, rows, delimiter, wanted)
        if first is None:
            return 0, 0.0, 0
        header, rows = fields_of(records, first, delimiter), [at for at in rows if at >= first]
        width = len(header)
        alike = sum(int(records.fields[at]) == width for at in rows) / len(rows)
        return _count_wanted(header, wanted), alike if width > 1 else 0.0, width

    return max(DELIMITERS, key=fitness)


def find_header(records: Records, places: Sequence[int], delimiter: str, wanted: Iterable[str]) -> int | None:
    """The place of the header: the first of the first records that has the most wanted names, and is no comment.

    A title and other lines may stand before it. None if there is nothing but comments.
    """
    wanted = list(wanted)
    candidates = [at for at in places if not is_comment(records, at)][:HEADER_RECORDS]
    return max(candidates, key=lambda at: _count_wanted(fields_of(records, at, delimiter), wanted), default=None)


def _count_wanted(header: Iterable[str], wanted: Iterable[str]) -> int:
    return len({letters(name) for name in header} & {letters(name) for name in wanted if name})


def is_comment(records: Records, at: int) -> bool:
    start = int(records.starts[at])
    return records.data[start : start + 1] == b"#" or records.data[start : start + 4].lower() == b"sep="


def fields_of(records: Records, at: int, delimiter: str) -> list[str]:
    """The values of one record, unquoted; none where one is longer than Python's reader takes."""
    text = records.data[int(records.starts[at]) : int(records.ends[at])].decode()
    try:
        return next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), [])
    except csv.Error:
        return []
