"""Rows on their way into the file that a model is to learn from."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.identity import digests_of
from campaign.schema import ID, LABEL, LABELLED_DAY, Schema
from tasks.training.row_times import in_order, times_of
from tasks.training.source_columns import SourceColumns


def canonical_schema(schema: Schema) -> pa.Schema:
    """Columns of the gathered file; `day` is empty for the base data set."""
    types = [(column.name, column.arrow_type) for column in schema.features]
    return pa.schema([(ID, pa.string()), *types, (LABEL, pa.int8()), (LABELLED_DAY, pa.string())])


class Gathering:
    """Rows on their way into one file, and a digest of their values, which no batch size or compression changes."""

    def __init__(self, writer: pq.ParquetWriter, schema: Schema, sources: SourceColumns | None) -> None:
        self.rows = 0
        self._row, self._schema = schema.row, canonical_schema(schema)
        self._writer, self._sources = writer, sources
        self._times: list[NDArray[np.float64]] = []
        self._ids: list[NDArray[np.uint64]] = []
        # Lengths of texts apart from the texts, or the digest would change with where batches end.
        self._digests = {name: (hashlib.sha256(), hashlib.sha256()) for name in self._schema.names}

    def add(self, batch: Batch, label: NDArray[np.generic], keep: NDArray[np.bool_], day: str) -> None:
        columns: dict[str, pa.Array] = {ID: batch.ids}
        columns |= {name: pa.array(values, from_pandas=True) for name, values in batch.numbers.items()}
        columns |= {name: values.cast(pa.string()) for name, values in batch.categories.items()}
        columns[LABEL] = pa.array(np.nan_to_num(label).astype(np.int8))
        columns[LABELLED_DAY] = pa.repeat(pa.scalar(day), len(batch))
        whole = pa.record_batch([columns[name] for name in self._schema.names], schema=self._schema)
        kept = whole.filter(pa.array(keep))
        self._writer.write_batch(kept)
        if self._row.tells_time:
            self._times.append(times_of(batch, keep, day) if self._row.launch else in_order(self.rows, len(kept)))
        if self._sources:
            self._sources.add(batch, pa.array(keep))
        self.rows += len(kept)
        self._ids.append(digests_of(kept.column(ID)))
        for name, (digest, of_lengths) in self._digests.items():
            values = kept.column(name)
            if pa.types.is_string(values.type):
                of_lengths.update(pc.fill_null(pc.binary_length(values), -1).to_numpy())
                digest.update("".join(filter(None, values.to_pylist())).encode())
            else:
                digest.update(values.to_numpy(zero_copy_only=False))

    @property
    def digest(self) -> str:
        parts = [digest.hexdigest() for pair in self._digests.values() for digest in pair]
        if self._times:  # with other times the same rows teach something else
            parts.append(hashlib.sha256(self.times.tobytes()).hexdigest())
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]

    @property
    def learnt(self) -> NDArray[np.uint64]:
        return np.unique(np.concatenate(self._ids))

    @property
    def times(self) -> NDArray[np.float64]:
        """[rows, 2], for a schema that tells them."""
        return np.concatenate(self._times)
