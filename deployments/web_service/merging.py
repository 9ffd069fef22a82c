"""The small files that a past day was captured in, merged into one.

Safe to be killed at any moment, and to be done by several processes at once: the merged file appears whole, before the
parts go, and holds each `prediction_id` once, whatever the parts repeat.
"""

import hashlib
import logging
from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread

import pyarrow as pa
import pyarrow.parquet as pq

from campaign.errors import StoreError
from campaign.identity import SeenIds
from campaign.store import Entry, Store
from deployments.web_service.capture import FOLDER

EVERY_SECONDS = 900.0
SETTLED = timedelta(hours=1)  # after midnight, when answers that waited for the store are there too
LEFT_BEHIND = timedelta(hours=6)  # the age at which a hidden file was left by a kill

log = logging.getLogger("campaign.web")


class Merging:
    """A thread that looks for days to merge now and then."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._ended = Event()
        self._thread = Thread(target=self._run, name="merging", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            try:
                merge_past_days(self.store, datetime.now(UTC))
            except FileNotFoundError:
                continue  # another process was quicker
            except (StoreError, pa.ArrowException) as error:
                log.warning("Captured days are merged later: %s", error)


def merge_past_days(store: Store, now: datetime) -> None:
    """Leave one file of each set of columns in the folder of a day that is over. Raises `StoreError`."""
    for day in store.days(FOLDER):
        if day < (now - SETTLED).date():
            merge_day(store, day)


def merge_day(store: Store, day: date) -> None:
    """Merge the files of a day, if there are several."""
    folder = f"{FOLDER}/day={day}"
    parts = [entry for entry in store.entries(folder) if entry.path.endswith(".parquet")]
    if len(parts) > 1:
        for schema, alike in _by_columns(store, parts):
            if len(alike) > 1:
                merge(store, folder, schema, alike)
    store.sweep(folder, {entry.path for entry in store.entries(folder)}, LEFT_BEHIND)


def merge(store: Store, folder: str, schema: pa.Schema, parts: list[Entry]) -> None:
    """Put files of the same columns into one."""
    merged = f"{folder}/merged-{_digest(parts)}.parquet"
    with store.writing(merged) as sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        seen = SeenIds()
        for part in parts:
            writer.write_table(_unseen(pq.read_table(pa.BufferReader(store.read(part.path))).cast(schema), seen))
    for part in parts:
        if part.path != merged:
            store.delete(part.path)


def _by_columns(store: Store, parts: list[Entry]) -> list[tuple[pa.Schema, list[Entry]]]:
    """The files of each set of columns: a champion of another schema captures others."""
    groups: list[tuple[pa.Schema, list[Entry]]] = []
    for part in parts:
        schema = pq.read_schema(pa.BufferReader(store.read(part.path))).remove_metadata()
        group = next((entries for known, entries in groups if known.equals(schema)), None)
        if group is None:
            groups.append((schema, [part]))
        else:
            group.append(part)
    return groups


def _unseen(table: pa.Table, seen: SeenIds) -> pa.Table:
    ids = table.column("prediction_id").combine_chunks()
    ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    return table.filter(pa.array(~seen.repeats(ids)))


def _digest(parts: list[Entry]) -> str:
    return hashlib.sha256("\n".join(part.path for part in parts).encode()).hexdigest()[:16]
