"""What was asked and answered, written to the store in small Parquet files, off every request's path.

`captured/day=YYYY-MM-DD/*.parquet`: the day of the answer in UTC, the columns of CAPTURE_SCHEMA. A file may repeat rows
of another (a write retried, a merge killed before it removed the parts): a reader keeps one row of each
`prediction_id`.
"""

import logging
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from threading import Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from campaign.decision import predicts_success
from campaign.errors import StoreError
from campaign.schema import FEATURES, ID
from campaign.store import Store
from deployments.web_service import prometheus
from deployments.web_service.request import canonical_category

FOLDER = "captured"
FLUSH_SECONDS = 5.0
FLUSH_ROWS = 20_000  # or as soon as so many wait
CHUNK_ROWS = 500  # converted in one go, for a millisecond in which no request is answered
CHUNK_PAUSE = 0.003  # seconds after it that belong to requests
MAX_QUEUED = 3 * FLUSH_ROWS  # while a write lasts
MAX_TABLES = 50  # of a batch each
MAX_WAITING = 500_000  # rows kept for a store that is down: some 100 MB
STOP_SECONDS = 8.0  # to write the last rows in

CAPTURE_SCHEMA = pa.schema(
    [
        ("prediction_id", pa.string()),
        (ID, pa.string()),  # null where the client gave none
        *((column.name, column.arrow_type) for column in FEATURES),
        ("probability", pa.float64()),
        ("success", pa.int8()),
        ("model_version", pa.string()),
        ("answered_at", pa.timestamp("us", "UTC")),
    ]
)

log = logging.getLogger("campaign.web")


class Capture:
    """`add` and `add_table` only append to a queue; a thread does the rest."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._process, self._numbers, self._files = uuid.uuid4().hex[:16], count(1), count(1)
        self._queue: deque[tuple[str, Mapping[str, Any], float, str, float]] = deque()
        self._tables: deque[pa.Table] = deque()
        self._waiting: list[pa.Table] = []
        self._full, self._ended = Event(), False
        self._thread = Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and give up after some seconds."""
        self._ended = True
        self._full.set()
        self._thread.join(STOP_SECONDS)

    def new_id(self) -> str:
        """An id that no other prediction has, of this process or another."""
        return f"{self._process}-{next(self._numbers):x}"

    def add(self, prediction_id: str, campaign: Mapping[str, Any], probability: float, version: str) -> None:
        """Take one answer. Never waits; what there is no room for is counted."""
        queued = len(self._queue)
        if queued >= MAX_QUEUED:
            prometheus.dropped.inc()
            return
        self._queue.append((prediction_id, campaign, probability, version, time.time()))
        if queued == FLUSH_ROWS:
            self._full.set()

    def add_table(self, answered: pa.Table) -> None:
        """Take answers as a table of CAPTURE_SCHEMA. Never waits either."""
        if len(self._tables) < MAX_TABLES:
            self._tables.append(answered)
        else:
            prometheus.dropped.inc(len(answered))

    def flush(self) -> None:
        """Write what was answered since the last time, and what is left from then. Raises `StoreError`."""
        tables = [self._tables.popleft() for _ in range(len(self._tables))]
        for _ in range(0, len(self._queue), CHUNK_ROWS):
            rows = min(len(self._queue), CHUNK_ROWS)
            tables.append(as_table([self._queue.popleft() for _ in range(rows)]))
            time.sleep(CHUNK_PAUSE)
        if tables:
            self._enqueue(pa.concat_tables(tables))
        while self._waiting:
            self._publish(self._waiting[0])
            prometheus.captured.inc(len(self._waiting.pop(0)))
        prometheus.waiting.set(0)

    def _enqueue(self, table: pa.Table) -> None:
        if sum(map(len, self._waiting)) + len(table) > MAX_WAITING:
            prometheus.dropped.inc(len(table))
            return
        for day in pc.unique(_days(table)):
            self._waiting.append(table.filter(pc.equal(_days(table), day)))
        prometheus.waiting.set(sum(map(len, self._waiting)))

    def _publish(self, table: pa.Table) -> None:
        day, now = _days(table)[0], datetime.now(UTC)
        name = f"part-{now:%Y%m%dT%H%M%S}-{self._process}-{next(self._files)}.parquet"
        with self.store.writing(f"{FOLDER}/day={day}/{name}") as sink:
            pq.write_table(table, sink, compression="zstd", compression_level=1)

    def _run(self) -> None:
        failing = False
        while not self._ended:
            self._full.wait(FLUSH_SECONDS)
            self._full.clear()
            try:
                self.flush()
                failing = False
            except StoreError as error:
                if not failing:
                    log.warning("Predictions wait to be captured: %s", error)
                failing = True
        with suppress(StoreError):
            self.flush()  # what came during the last write


def as_table(rows: Sequence[tuple[str, Mapping[str, Any], float, str, float]]) -> pa.Table:
    """Answers as a table of CAPTURE_SCHEMA."""
    ids, campaigns, probabilities, versions, times = zip(*rows, strict=True)
    columns: dict[str, Any] = {"prediction_id": ids, ID: [campaign.get(ID) for campaign in campaigns]}
    for column in FEATURES:
        name = column.name
        values = [campaign.get(name) for campaign in campaigns]
        columns[name] = [text and canonical_category(name, text) for text in values] if column.is_category else values
    probability = np.array(probabilities)
    success = predicts_success(probability).astype(np.int8)
    columns |= {"probability": probability, "success": success, "model_version": versions}
    columns["answered_at"] = (np.array(times) * 1e6).astype(np.int64)
    return pa.table([pa.array(columns[field.name]).cast(field.type) for field in CAPTURE_SCHEMA], schema=CAPTURE_SCHEMA)


def _days(table: pa.Table) -> pa.ChunkedArray:
    return pc.cast(pc.cast(table.column("answered_at"), pa.date32()), pa.string())
