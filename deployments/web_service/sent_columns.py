"""Every column of the table that was sent, as it goes back in a CSV with what became of each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from campaign.lengths import MAX_TEXT_CHARACTERS
from campaign.raw import RawColumns
from campaign.schema import Schema
from deployments.web_service.parquet import ParquetDecoder
from deployments.web_service.parquet_process import MAX_COLUMNS
from deployments.web_service.refusals import TooLarge
from deployments.web_service.upload import JSON, PARQUET, json_rows, text_rows

MAX_CELLS = 2_000_000  # of few bytes may be many, each of which takes some when it is written out


@dataclass(frozen=True)
class SentColumns:
    """As texts, and the names of those that have no place in a CSV."""

    table: pa.Table
    left_out: list[str]


def read_all_columns(kind: str, body: bytes, schema: Schema, parquet: ParquetDecoder) -> SentColumns:
    """Every column of a table that was read before, but nested ones, bytes, and those with texts that are too long."""
    if kind == JSON:
        rows = [row if isinstance(row, dict) else {} for row in json_rows(body)]
        names = list(dict.fromkeys(name for row in rows for name in row))
        _refuse_more(len(names), len(rows))
        texts = [pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in names]
        return _without_long_texts(texts, names, [])
    if kind == PARQUET:
        names = []

        def flat(found: dict[str, bool]) -> list[str]:
            names.extend(found)
            return [name for name, is_decodable in found.items() if is_decodable]

        table = parquet.read(body, flat)
        _refuse_more(table.num_columns, table.num_rows)
        columns = [_as_texts(column) for column in table.columns]
        left_out = [name for name in names if name not in table.column_names]
        return _without_long_texts(columns, table.column_names, left_out)

    def choose(names: list[str]) -> dict[str, str]:
        _refuse_more(len(names), 1)
        return {name: name for name in names}

    batches, length = [], 0
    for batch in text_rows(kind, body, RawColumns(choose, missing_words=()), schema):
        batches.append(batch.rows)
        length += len(batch.rows)
        _refuse_more(batch.rows.num_columns, length)
    table = pa.Table.from_batches(batches)
    return _without_long_texts(table.columns, table.column_names, [])


def _as_texts(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """None for what has no form as text."""
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _without_long_texts(columns: Sequence[Any], names: Sequence[str], left_out: list[str]) -> SentColumns:
    kept = [
        column is not None and (pc.max(pc.binary_length(column)).as_py() or 0) <= MAX_TEXT_CHARACTERS
        for column in columns
    ]
    table = pa.table(list(compress(columns, kept)), list(compress(names, kept)))
    return SentColumns(table, [*left_out, *(name for name, keep in zip(names, kept, strict=True) if not keep)])


def _refuse_more(columns: int, rows: int) -> None:
    if columns > MAX_COLUMNS or columns * rows > MAX_CELLS:
        raise TooLarge(
            f"There are more than {MAX_COLUMNS:,} columns, or {MAX_CELLS:,} values. Leave out those that are not asked "
            "for, or send the campaigns in several requests."
        )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)
