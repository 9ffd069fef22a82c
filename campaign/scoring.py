"""Score a stream of batches into a file of predictions, and the bad rows among them into quarantine."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from campaign.batch import Batch
from campaign.model import PARQUET_OPTIONS, PREDICTIONS, ScoringModel
from campaign.store import HashingSink, Store


@dataclass
class ScoredRows:
    """What was counted, and the digests of what was written; that of the quarantine is empty if no row was bad.

    `missing` counts missing or unreadable values per feature, of all rows; `unknown` categories that training never
    saw, of the good ones. `written` is how the text file was written that the last row came from.
    """

    scored: int = 0
    successful: int = 0
    quarantined: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    sha256: str = ""
    quarantine_sha256: str = ""
    written: str = ""


def score_batches(
    batches: Iterable[Batch], model: ScoringModel, store: Store, path: str, quarantine_path: str, threads: int = 1
) -> ScoredRows:
    """Stream batches into `path`, and their bad rows, if there are any, into `quarantine_path`.

    Both appear whole, at the end, or not at all.
    """
    rows = ScoredRows()
    quarantine: tuple[HashingSink, pq.ParquetWriter] | None = None
    with ExitStack() as stack:
        sink, writer = stack.enter_context(parquet_file(store, path, PREDICTIONS, PARQUET_OPTIONS))
        for batch in batches:
            predictions, unknown = model.predictions_of(batch, threads)
            writer.write_batch(predictions)
            rows.scored += len(predictions)
            rows.successful += int(predictions["success"].to_numpy().sum())
            rows.missing.update(batch.missing())
            rows.unknown.update(unknown)
            rows.written = batch.written
            if batch.reasons:
                rejected = batch.rejected()
                if quarantine is None:
                    file = parquet_file(store, quarantine_path, rejected.schema, {"compression": "zstd"})
                    quarantine = stack.enter_context(file)
                quarantine[1].write_table(_in_schema(rejected, quarantine[1].schema))
                rows.quarantined += len(rejected)
    rows.sha256 = sink.sha256
    rows.quarantine_sha256 = quarantine[0].sha256 if quarantine else ""
    return rows


def _in_schema(rejected: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bad rows under the columns of the file that came first: what another file lacks is missing in its rows."""
    for column in schema:
        if column.name not in rejected.schema.names:
            rejected = rejected.append_column(column, pa.nulls(len(rejected), column.type))
    return rejected.select(schema.names)


@contextmanager
def parquet_file(
    store: Store, path: str, schema: pa.Schema, options: dict[str, Any]
) -> Iterator[tuple[HashingSink, pq.ParquetWriter]]:
    """A file of the store that appears whole when the block ends, and not at all when it raises."""
    with store.writing(path) as sink, pq.ParquetWriter(sink, schema, **options) as writer:
        yield sink, writer
