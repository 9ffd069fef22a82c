"""A table of campaigns as it was sent (JSON, CSV or Parquet), checked and turned into rows that a forest scores."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.checking import Checker
from campaign.errors import BadInput, CampaignError, NoRows
from campaign.packing import unpacked
from campaign.raw import RawBatch, RawColumns
from campaign.reading import likely_names, wanted_columns
from campaign.row_ids import given_ids
from campaign.schema import ID, Schema
from campaign.text_file import OPEN_QUOTE, text_batches
from deployments.web_service.capture import captured_columns
from deployments.web_service.live_model import LiveModel
from deployments.web_service.parquet import ParquetDecoder
from deployments.web_service.parquet_process import MAX_ROWS
from deployments.web_service.refusals import NotUnderstood, TooLarge, WrongType
from deployments.web_service.request import from_body

MAX_CAMPAIGNS = MAX_ROWS
MAX_VALUES, MAX_LISTS = 500_000, 50_000  # of a JSON body, of which few bytes may be many objects
MAX_UNPACKED = 1 << 24  # bytes of a text that is packed
CHUNK_BYTES = 1 << 19  # of a text: a chunk takes many times its length while it is read
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


def read_upload(kind: str, body: bytes, live: LiveModel, parquet: ParquetDecoder) -> Upload:
    """Raises `NotUnderstood` for what is no table of campaigns at all, and `TooLarge` beyond MAX_CAMPAIGNS."""
    if kind == JSON:
        return _from_json(json_rows(body), live)
    try:
        return _from_batches(kind, body, live, parquet)
    except (CampaignError, pa.ArrowException, OSError) as error:  # Arrow's decoders raise OSErrors too
        raise NotUnderstood([("body", f"is not a table of campaigns: {error}")]) from error


def json_rows(body: bytes) -> list[Any]:
    """The rows of `{"campaigns": […]}` or of a bare list."""
    if body.count(b",") > MAX_VALUES or body.count(b"{") + body.count(b"[") > MAX_LISTS:
        raise TooLarge("There are too many values. Send the campaigns in several requests.")
    parsed = from_body(body)
    rows = parsed.get("campaigns") if isinstance(parsed, dict) else parsed
    if not isinstance(rows, list):
        raise NotUnderstood([("campaigns", "is missing or not a list")])
    _refuse_more_than_allowed(len(rows))
    return rows


def text_rows(kind: str, body: bytes, wanted: RawColumns, schema: Schema) -> Iterator[RawBatch]:
    """The rows of a text, a few at a time."""
    source = f"upload.{kind}"
    chunks = unpacked(io.BytesIO(body), source, MAX_UNPACKED, CHUNK_BYTES)
    return text_batches(chunks, source, wanted, schema.text, likely_names(schema))


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


def _from_batches(kind: str, body: bytes, live: LiveModel, parquet: ParquetDecoder) -> Upload:
    schema, encoder, source = live.model.schema, live.model.encoder, f"upload.{kind}"
    wanted = wanted_columns(schema, schema.features, source)
    checker = Checker(schema, schema.features, source)
    rows, matrices, tables = 0, [], []
    errors: dict[int, str] = {}
    if not body:
        raise NoRows(f"{source}: it is empty.", "Send it with its rows.")
    for raw in _parquet_batch(body, wanted, parquet) if kind == PARQUET else text_rows(kind, body, wanted, schema):
        _refuse_more_than_allowed(rows + len(raw.rows))
        _refuse_open_quote(raw, rows, source)
        batch = checker.check(raw, rows)
        errors |= {rows + at: "; ".join(reasons) for at, reasons in batch.reasons.items()}
        rows += len(batch)
        matrices.append(encoder.encode(batch)[batch.good])
        tables.append(_campaigns(batch, live, False))
    checker.refuse_doubtful()
    if not rows:
        raise NoRows(f"{source}: it holds no rows.", "Send it with its rows.")
    return Upload(rows, errors, np.concatenate(matrices), pa.concat_tables(tables))


def _parquet_batch(body: bytes, wanted: RawColumns, parquet: ParquetDecoder) -> Iterator[RawBatch]:
    at: dict[str, str] = {}

    def choose(found: dict[str, bool]) -> list[str]:
        at.update(wanted.choose(list(found)))
        for name in at.values():
            if not found[name]:
                raise BadInput(
                    f"upload.{PARQUET}: column {name} is there twice, or of a type that holds no campaign's value.",
                    "Write it as a number or a text.",
                )
        return list(dict.fromkeys(at.values()))

    table = parquet.read(body, choose)
    for name in at.values():
        if name not in table.column_names:
            raise BadInput(f"upload.{PARQUET}: column {name} holds bytes that are no text.", "Write it as text.")
    for batch in table.select(list(at.values())).rename_columns(list(at)).to_batches():
        yield RawBatch(batch)


def _refuse_open_quote(raw: RawBatch, first: int, source: str) -> None:
    """A file that was cut ends so, and what is sent is a whole table or none."""
    for at, reason in raw.unread.items():
        if reason == OPEN_QUOTE:
            raise BadInput(
                f"{source}: row {first + at + 1} {reason}.", "Close it, or write a quote within a text twice."
            )


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
