"""A table of campaigns as it was sent (JSON, CSV or Parquet), checked and turned into rows that a forest scores."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from campaign.arrow_types import as_usual_type
from campaign.batch import Batch
from campaign.errors import BadInput, CampaignError
from campaign.lengths import MAX_TEXT_CHARACTERS
from campaign.packing import unpacked
from campaign.raw import RawColumns
from campaign.reading import likely_names, read_campaigns
from campaign.row_ids import given_ids
from campaign.schema import ID, Schema
from campaign.text_file import text_batches
from deployments.web_service.capture import captured_columns
from deployments.web_service.live_model import LiveModel
from deployments.web_service.refusals import NotUnderstood, TooLarge, WrongType
from deployments.web_service.request import from_body

MAX_CAMPAIGNS = 10_000
MAX_COLUMNS = 1_000  # of a table that is to come back: few bytes may name many
MAX_EXPANDED = 1 << 27  # bytes of a Parquet file once it is decompressed
JSON, CSV, PARQUET = "json", "csv", "parquet"
CONTENT_TYPES = {
    b"application/json": JSON,
    b"text/csv": CSV,
    b"application/csv": CSV,
    b"application/vnd.ms-excel": CSV,  # what browsers on Windows call a .csv
    b"text/tab-separated-values": CSV,
    b"application/jsonl": CSV,  # which text it is, its beginning says
    b"application/x-ndjson": CSV,
    b"application/gzip": CSV,
    b"application/zip": CSV,
    b"application/vnd.apache.parquet": PARQUET,
    b"application/x-parquet": PARQUET,
}


@dataclass(frozen=True)
class Upload:
    """The rows of a table: `errors` of the bad ones by their place, and of the good ones, in order, what there is.

    `campaigns` holds the good ones under the columns of the schema, CampaignID (null where none was given) included.
    """

    rows: int
    errors: dict[int, str]
    matrix: NDArray[np.float32]
    campaigns: pa.Table


def table_format(content_type: bytes, body: bytes) -> str:
    """By what it is said to be, or by its first bytes. Raises `WrongType`."""
    if content_type in CONTENT_TYPES:
        return CONTENT_TYPES[content_type]
    if content_type == b"application/octet-stream":
        if body.startswith(b"PAR1"):
            return PARQUET
        return JSON if body.lstrip()[:1] in (b"[", b"{") else CSV
    raise WrongType(
        f"The content type is {content_type.decode('latin-1')!r}. "
        "Send application/json, text/csv or application/vnd.apache.parquet."
    )


def read_upload(kind: str, body: bytes, live: LiveModel) -> Upload:
    """Raises `NotUnderstood` for what is no table of campaigns at all, and `TooLarge` beyond MAX_CAMPAIGNS."""
    if kind == JSON:
        return _from_json(json_rows(body), live)
    with TemporaryDirectory(prefix="campaign-") as folder:
        file = Path(folder) / f"upload.{kind}"
        file.write_bytes(body)
        try:
            if kind == PARQUET:
                _refuse_bombs(file)
            return _from_file(file, live)
        except (CampaignError, pa.ArrowException, OSError) as error:  # Arrow's decoders raise OSErrors too
            raise NotUnderstood([("body", f"is not a table of campaigns: {error}")]) from error


def json_rows(body: bytes) -> list[Any]:
    """The rows of `{"campaigns": […]}` or of a bare list."""
    parsed = from_body(body)
    rows = parsed.get("campaigns") if isinstance(parsed, dict) else parsed
    if not isinstance(rows, list):
        raise NotUnderstood([("campaigns", "is missing or not a list")])
    _refuse_more_than_allowed(len(rows))
    return rows


@dataclass(frozen=True)
class SentColumns:
    """The columns of the table that was sent, as texts, and the names of those that have no place in a CSV."""

    table: pa.Table
    left_out: list[str]


def read_all_columns(kind: str, body: bytes, schema: Schema) -> SentColumns:
    """Every column of a table that was read before, but nested ones, bytes, and those with texts that are too long."""
    if kind == JSON:
        rows = [row if isinstance(row, dict) else {} for row in json_rows(body)]
        names = list(dict.fromkeys(name for row in rows for name in row))
        _refuse_more_columns(len(names))
        texts = [pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in names]
        return _without_long_texts(texts, names, [])
    if kind == PARQUET:
        fields = pq.read_schema(pa.BufferReader(body))
        flat = [field.name for field in fields if not pa.types.is_nested(field.type)]
        _refuse_more_columns(len(flat))
        table = pq.read_table(pa.BufferReader(body), columns=flat)
        columns = [_as_texts(column, name) for name, column in zip(table.column_names, table.columns, strict=True)]
        return _without_long_texts(columns, table.column_names, [name for name in fields.names if name not in flat])

    def choose(names: list[str]) -> dict[str, str]:
        _refuse_more_columns(len(names))
        return {name: name for name in names}

    chunks = unpacked(io.BytesIO(body), "body", MAX_EXPANDED)
    batches = text_batches(chunks, "body", RawColumns(choose, missing_words=()), schema.text, likely_names(schema))
    table = pa.Table.from_batches([batch.rows for batch in batches])
    return _without_long_texts(table.columns, table.column_names, [])


def _as_texts(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray | None:
    """None for what has no form as text."""
    try:
        usual = [as_usual_type(chunk, name, "body") for chunk in column.chunks]
        return pa.chunked_array([chunk.cast(pa.string()) for chunk in usual], pa.string())
    except (BadInput, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _without_long_texts(columns: Sequence[Any], names: Sequence[str], left_out: list[str]) -> SentColumns:
    kept = [
        column is not None and (pc.max(pc.binary_length(column)).as_py() or 0) <= MAX_TEXT_CHARACTERS
        for column in columns
    ]
    table = pa.table(list(compress(columns, kept)), list(compress(names, kept)))
    return SentColumns(table, [*left_out, *(name for name, keep in zip(names, kept, strict=True) if not keep)])


def _from_json(rows: list[Any], live: LiveModel) -> Upload:
    errors: dict[int, str] = {}
    campaigns, places = [], []
    for at, row in enumerate(rows):
        try:
            campaigns.append(live.request.canonical(live.request.check(row)))
            places.append(at)
        except NotUnderstood as fault:
            errors[at] = fault.sentence
    if not campaigns:
        return Upload(len(rows), errors, np.empty((0, live.model.n_features), np.float32), _no_campaigns(live))
    batch = live.checked_batch(campaigns)
    errors |= {places[at]: "; ".join(reasons) for at, reasons in batch.reasons.items()}
    return Upload(len(rows), errors, live.model.encoder.encode(batch)[batch.good], _campaigns(batch, live, True))


def _from_file(file: Path, live: LiveModel) -> Upload:
    schema, encoder = live.model.schema, live.model.encoder
    rows, matrices, tables = 0, [], []
    errors: dict[int, str] = {}
    for batch in read_campaigns(str(file), schema, batch_rows=MAX_CAMPAIGNS + 1, most_bytes=MAX_EXPANDED):
        _refuse_more_than_allowed(rows + len(batch))
        errors |= {rows + at: "; ".join(reasons) for at, reasons in batch.reasons.items()}
        rows += len(batch)
        matrices.append(encoder.encode(batch)[batch.good])
        tables.append(_campaigns(batch, live, False))
    return Upload(rows, errors, np.concatenate(matrices), pa.concat_tables(tables))


def _columns(live: LiveModel) -> dict[str, pa.DataType]:
    captured = captured_columns(live.model.schema)
    return {ID: pa.string()} | {column.name: column.arrow_type for column in captured}


def _no_campaigns(live: LiveModel) -> pa.Table:
    return pa.table({name: pa.array([], kind) for name, kind in _columns(live).items()})


def _campaigns(batch: Batch, live: LiveModel, checked: bool) -> pa.Table:
    """The good rows; columns that the model does not see are null, unless all that was sent is `checked`."""
    columns: dict[str, Any] = {name: pa.nulls(len(batch), kind) for name, kind in _columns(live).items()}
    if checked:
        for column in captured_columns(live.model.schema):
            if column.derive is None:
                columns[column.name] = batch.raw.column(column.in_file).cast(column.arrow_type)
    columns |= {name: pa.array(values, from_pandas=True) for name, values in batch.numbers.items()}
    columns |= {name: values.cast(pa.string()) for name, values in batch.categories.items()}
    columns[ID] = given_ids(batch.raw, live.model.schema, batch.source)
    return pa.table(columns).filter(pa.array(batch.good))


def _refuse_more_than_allowed(rows: int) -> None:
    if rows > MAX_CAMPAIGNS:
        raise TooLarge(f"There are more than {MAX_CAMPAIGNS:,} campaigns. Send them in several requests.")


def _refuse_more_columns(columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise TooLarge(f"There are more than {MAX_COLUMNS:,} columns. Leave out those that are not asked for.")


def _refuse_bombs(file: Path) -> None:
    described = pq.read_metadata(file)
    _refuse_more_than_allowed(described.num_rows)
    groups = (described.row_group(at) for at in range(described.num_row_groups))
    if sum(group.total_byte_size for group in groups) > MAX_EXPANDED or _length_of_texts(file) > MAX_EXPANDED:
        raise TooLarge(
            f"The table is longer than {MAX_EXPANDED:,} bytes. Leave out the columns that are not asked for."
        )


def _length_of_texts(file: Path) -> int:
    """Bytes of all texts, of which a file may hold one and mean it ten thousand times."""
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    texts = [field.name for field in pq.read_schema(file) if any(kind(field.type) for kind in kinds)]
    total = 0
    for column in pq.read_table(file, columns=texts, read_dictionary=texts).columns:
        for chunk in column.chunks:
            lengths = pc.binary_length(chunk.dictionary).take(chunk.indices)
            total += pc.sum(lengths.cast(pa.int64())).as_py() or 0
    return total


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)
