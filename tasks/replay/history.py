"""Somebody's campaigns with the moments that a replay goes by: when each was launched, and when it was decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.errors import BadInput
from campaign.reading import read_campaigns
from campaign.schema import ID, LABEL, Schema

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SECONDS_A_DAY = 86_400
MICROSECONDS = 1e6


@dataclass(frozen=True)
class History:
    """Campaigns as files have them, in the order of their launch.

    `at_launch` are the columns of `rows` that a file of new campaigns has, `of_outcome` those of a file of outcomes,
    the id first; those of an ended campaign are all of them.
    `launched` and `ended` are Unix seconds; one without an end is never decided here, so its `ended` is infinite.
    `label` is 0, 1, or NaN for a word that decides nothing. `undated` rows do not say when they were launched, and are
    left out.
    """

    rows: pa.Table
    at_launch: tuple[str, ...]
    of_outcome: tuple[str, ...]
    launched: Floats
    ended: Floats
    label: Floats
    undated: int

    @property
    def ids(self) -> pa.StringArray:
        return self.rows.column(self.of_outcome[0]).combine_chunks()


def require_replayable(schema: Schema) -> None:
    """Raises `BadInput` for a schema that does not say when campaigns begin and end, or asks for what comes later."""
    missing = [key for key in ("launch", "end") if not getattr(schema.row, key)]
    if missing:
        raise BadInput(
            f"A replay goes by begin and end of campaigns; [row] of the schema names no {' and no '.join(missing)}.",
            "Name the columns of those times under [row]: launch = …, end = ….",
        )
    if schema.model.feature_set != "launch":
        raise BadInput(
            f'A replay knows what is known at launch, and the feature set is "{schema.model.feature_set}".',
            'Set feature_set = "launch" under [model] of the schema.',
        )


def read_history(uri: str, schema: Schema) -> History:
    """The rows of a file or folder that say when they were launched.

    Numbers and times are kept as they were read of the whole file, so that no day of it can be read in another way; all
    else stays as it came. An id that came before is kept: what becomes of it, scoring and training say.
    Raises `BadInput` where no row says when it was launched and when it ended.
    """
    require_replayable(schema)
    sources = schema.sources_of(schema.features)
    tables, launched, ended, labels = [], [], [], []
    for batch in read_campaigns(uri, schema, label=True, kept=schema.outcome.sources):
        assert batch.label is not None
        tables.append(_as_written(batch, schema))
        nothing = np.full(len(batch), np.nan)
        launched.append(batch.times.get("launch", nothing))
        ended.append(batch.times.get("end", nothing))
        labels.append(batch.label)
    table = pa.concat_tables(tables, promote_options="permissive")
    start, end, label = (np.concatenate(parts) for parts in (launched, ended, labels))
    dated = np.flatnonzero(np.isfinite(start))
    if not (np.isfinite(start) & np.isfinite(end)).any():
        raise BadInput(
            f"{uri}: no row says when it began ({schema.row.launch}) and ended ({schema.row.end}).",
            "Name the columns of those times under [row] of the schema.",
        )
    order = dated[np.argsort(start[dated], kind="stable")]
    outcome = [name for name in (*schema.outcome.sources, LABEL) if name in table.column_names]
    own_id = schema.row.id or ID
    known = dict.fromkeys((own_id, schema.row.launch, *sources))
    return History(
        table.take(pa.array(order)), tuple(known), tuple(dict.fromkeys((own_id, *outcome))), start[order],
        np.where(np.isfinite(end[order]), np.maximum(end[order], start[order]), np.inf), label[order],
        len(start) - len(order),
    )  # fmt: skip


def days_of(moments: Floats) -> NDArray[np.datetime64]:
    """The day of each moment, in UTC."""
    return np.floor(moments / SECONDS_A_DAY).astype("datetime64[D]")


def _as_written(batch: Batch, schema: Schema) -> pa.Table:
    """The rows of a batch as a Parquet file of them: raw, but for ids, numbers and times."""
    columns = {name: batch.raw.column(name) for name in batch.raw.schema.names}
    for name, values in columns.items():
        if pa.types.is_dictionary(values.type):
            columns[name] = values.cast(pa.string())
    for column in schema.features:
        if not column.is_category and not column.derive and _is_text(columns[column.in_file]):
            columns[column.in_file] = pa.array(batch.numbers[column.name], from_pandas=True)
    for part, name in (("launch", schema.row.launch), ("end", schema.row.end)):
        seconds = batch.times.get(part)  # type: ignore[call-overload]
        if seconds is not None:
            moments = pa.array(seconds * MICROSECONDS, from_pandas=True)
            columns[name] = pc.round(moments).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
    columns.pop(ID, None)
    columns[schema.row.id or ID] = batch.ids
    return pa.table(columns)


def _is_text(values: pa.Array) -> bool:
    return bool(pa.types.is_string(values.type) or pa.types.is_large_string(values.type))
