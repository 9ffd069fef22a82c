"""A file again without some of its rows: every other row as it was."""

import gzip
import io
import zipfile
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from campaign.dialect import SAMPLE_BYTES, Utf8
from campaign.files import is_text_file
from campaign.json_lines import is_json
from campaign.packing import GZIP, ZIP, unpacked
from campaign.reading import likely_names
from campaign.schema import Schema
from campaign.store import filesystem_of
from campaign.text_file import record_texts


def write_without(uri: str, schema: Schema, rows: Collection[int], sink: Any) -> None:
    """Write a Parquet or text file to `sink` without the rows at these places, counted from 0 as the reader does.

    Lines of a text end in a line feed then, whatever they ended in before.
    """
    filesystem, path = filesystem_of(uri)
    with filesystem.open_input_file(path) as file:
        if not is_text_file(path):
            _write_parquet(file, rows, sink)
            return
        start = file.read(4)
        file.seek(0)
        text = b"".join(_text_without(file, path, schema, rows))
        sink.write(_packed_as(text, start, file))


def _write_parquet(file: pa.NativeFile, rows: Collection[int], sink: Any) -> None:
    parquet, start, gone = pq.ParquetFile(file), 0, np.array(sorted(rows), np.int64)
    metadata = parquet.metadata
    compression = metadata.row_group(0).column(0).compression if metadata.num_row_groups else "ZSTD"
    with pq.ParquetWriter(sink, parquet.schema_arrow, compression=compression) as writer:
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group)
            kept = np.isin(np.arange(start, start + len(table)), gone, invert=True)
            start += len(table)
            writer.write_table(table.filter(pa.array(kept)))


def _text_without(file: pa.NativeFile, path: str, schema: Schema, rows: Collection[int]) -> Iterator[bytes]:
    decoded = Utf8(unpacked(file, path, None), schema.text.encoding, path)
    pieces = iter(decoded)
    start, number = b"", 0
    while len(start) < SAMPLE_BYTES and (piece := next(pieces, None)) is not None:
        start += piece
    if is_json(start):
        lines = b"".join(chain([start], pieces)).removesuffix(b"\n").split(b"\n")
        records = iter([(line, bool(line.strip())) for line in lines])
    else:
        records = record_texts(start, pieces, path, schema.text, likely_names(schema))
    for record, is_row in records:
        if not (is_row and number in rows):
            yield _encoded(record + b"\n", decoded.encoding)
        number += is_row


def _encoded(line: bytes, encoding: str) -> bytes:
    return line if encoding == "utf-8" else line.decode("utf-8").encode(encoding)


def _packed_as(text: bytes, start: bytes, file: pa.NativeFile) -> bytes:
    """Packed as the file is that begins so."""
    if start[:2] == GZIP:
        return gzip.compress(text, mtime=0)
    if start != ZIP:
        return text
    file.seek(0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        name = next(info.filename for info in before.infolist() if not info.is_dir())
        archive.writestr(name, text)
    return buffer.getvalue()
