"""Somebody's decided campaigns as all contenders get them: source columns for one, features for the others."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.identity import SeenIds, bucket_of
from campaign.reading import read_campaigns
from campaign.schema import Schema
from campaign.times import TimeReader
from tasks.sampling import sample_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that are decided and good, in the order of their file.

    `sources` are what the file holds, `features` what the schema makes of it. `launch` and `end` are microseconds, or
    places in the file if its rows stand in the order of time; NaN where a row does not say, None where no row does.
    """

    schema: Schema
    sources: pa.Table
    features: pd.DataFrame
    label: NDArray[np.int8]
    buckets: NDArray[np.uint8]
    launch: Floats | None = None
    end: Floats | None = None

    def __len__(self) -> int:
        return len(self.label)


def read_rows(uri: str, schema: Schema, most: int = 0) -> Rows:
    """The rows of a file, or an even sample of `most`, which is for a quick look."""
    kept, names = schema.sources_of(schema.columns), [column.name for column in schema.features]
    batches = []
    for batch in read_campaigns(uri, schema, seen=SeenIds(), label=True, kept=kept):
        assert batch.label is not None
        batches.append((batch, pa.array(batch.good & ~np.isnan(batch.label))))
    sources = pa.concat_tables([_sources(batch).filter(keep) for batch, keep in batches], promote_options="permissive")
    features = pa.concat_tables([_features(batch).filter(keep) for batch, keep in batches])
    label = np.concatenate([batch.label[np.asarray(keep)] for batch, keep in batches])  # type: ignore[index]
    ids = [row_id for batch, keep in batches for row_id in batch.ids.filter(keep).to_pylist()]
    at = sample_rows(len(ids), most or len(ids))
    sources, features = sources.take(pa.array(at)), features.take(pa.array(at))
    launch, end = (_moments(sources, name, schema) for name in (schema.row.launch, schema.row.end))
    if launch is None and schema.row.order:
        launch, end = np.arange(len(at), dtype=np.float64), None
    buckets = np.fromiter(map(bucket_of, ids), np.uint8)[at]
    return Rows(schema, sources, features.select(names).to_pandas(), label[at].astype(np.int8), buckets, launch, end)


def write_sources(rows: Rows, at: NDArray[np.integer], path: Path, repeat: int = 1) -> None:
    """These rows as their owner would hand them in, so many times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows.sources.take(pa.array(np.tile(at, repeat))), path)


def write_features(rows: Rows, at: NDArray[np.integer], path: Path, repeat: int = 1) -> None:
    """What a model sees of these rows, under the schema's names, so many times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.features.iloc[np.tile(at, repeat)].to_parquet(path, index=False)


def _sources(batch: Batch) -> pa.Table:
    return pa.table({name: _plain(batch.raw.column(name)) for name in batch.raw.schema.names})


def _features(batch: Batch) -> pa.Table:
    columns = {column: pa.array(values, from_pandas=True) for column, values in batch.numbers.items()}
    return pa.table(columns | {column: values.cast(pa.string()) for column, values in batch.categories.items()})


def _plain(values: pa.Array) -> pa.Array:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _moments(sources: pa.Table, name: str, schema: Schema) -> Floats | None:
    if not name or name not in sources.column_names:
        return None
    reader, times = TimeReader(name, name, schema.text), sources.column(name)
    moments = pa.chunked_array([reader.read(chunk) for chunk in times.chunks])
    return np.asarray(moments.cast(pa.int64()).cast(pa.float64()).to_numpy())
