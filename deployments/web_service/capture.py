"""What was asked and answered, written to the store in small Parquet files, off every request's path.

`captured/day=YYYY-MM-DD/*.parquet`: the day of the answer in UTC, the columns of `capture_schema`. A file may repeat
rows of another (a write retried, a merge killed before it removed the parts): a reader keeps one row of each
`prediction_id`.
"""

import logging
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count, groupby
from threading import Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from campaign.errors import StoreError
from campaign.schema import ID, Column, Schema
from campaign.store import Store
from deployments.web_service import prometheus
from deployments.web_service.capture_quota import Quota
from deployments.web_service.live_model import LiveModel

FOLDER = "captured"
FLUSH_SECONDS = 5.0
FLUSH_ROWS = 20_000  # or as soon as so many wait
CHUNK_ROWS = 500  # converted in one go, for a millisecond in which no request is answered
CHUNK_PAUSE = 0.003  # seconds after it that belong to requests
MAX_QUEUED, MAX_QUEUED_BYTES = 3 * FLUSH_ROWS, 1 << 26  # while a write lasts
MAX_TABLES_BYTES = 1 << 26
MAX_WAITING, MAX_WAITING_BYTES = 500_000, 100_000_000  # rows kept for a store that is down
STOP_SECONDS = 8.0  # to write the last rows in

Answer = tuple[str, Mapping[str, Any], float, LiveModel, float]

log = logging.getLogger("campaign.web")


def capture_schema(schema: Schema) -> pa.Schema:
    """The columns that are captured of a model's answers: derived ones as computed, others as they were sent."""
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            (ID, pa.string()),  # null where the client gave none
            *((column.name, column.arrow_type) for column in captured_columns(schema)),
            ("probability", pa.float64()),
            ("success", pa.int8()),
            ("model_version", pa.string()),
            ("answered_at", pa.timestamp("us", "UTC")),
        ]
    )


def captured_columns(schema: Schema) -> list[Column]:
    """Every column of the schema, but for derived ones that the model does not see."""
    return [column for column in schema.columns if column.derive is None or column in schema.features]


class Capture:
    """`add` and `add_table` only append to a queue; a thread does the rest."""

    def __init__(self, store: Store, quota: Quota) -> None:
        self.store = store
        self.quota = quota
        self._process, self._numbers, self._files = uuid.uuid4().hex[:16], count(1), count(1)
        self._queue: deque[Answer] = deque()
        self._sizes: deque[int] = deque()  # bytes of what was sent, for each of the queue
        self._came = self._went = 0  # bytes of the queue so far: each is counted by one thread
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

    @property
    def rows_waiting(self) -> int:
        """Rows that were taken and are not written yet, but for those that are being converted."""
        return len(self._queue) + sum(map(len, [*self._tables, *self._waiting]))

    def new_id(self) -> str:
        """An id that no other prediction has, of this process or another."""
        return f"{self._process}-{next(self._numbers):x}"

    def add(
        self, prediction_id: str, campaign: Mapping[str, Any], probability: float, live: LiveModel, size: int = 0
    ) -> None:
        """Take one answer to a body of so many bytes. Never waits; what there is no room for is counted."""
        queued = len(self._queue)
        if queued >= MAX_QUEUED or self._came - self._went > MAX_QUEUED_BYTES:
            prometheus.dropped.inc()
            return
        self._came += size
        self._sizes.append(size)
        self._queue.append((prediction_id, campaign, probability, live, time.time()))
        if queued == FLUSH_ROWS:
            self._full.set()

    def add_table(self, answered: pa.Table) -> None:
        """Take answers as a table of `capture_schema`. Never waits either."""
        if sum(table.nbytes for table in list(self._tables)) + answered.nbytes <= MAX_TABLES_BYTES:
            self._tables.append(answered)
        else:
            prometheus.dropped.inc(len(answered))

    def flush(self) -> None:
        """Write what was answered since the last time, and what is left from then. Raises `StoreError`."""
        tables = [self._tables.popleft() for _ in range(len(self._tables))]
        for _ in range(0, len(self._queue), CHUNK_ROWS):
            rows = min(len(self._queue), CHUNK_ROWS)
            answers = [self._queue.popleft() for _ in range(rows)]
            self._went += sum(self._sizes.popleft() for _ in range(rows))
            tables += [as_table(list(alike)) for _, alike in groupby(answers, key=lambda answer: id(answer[3]))]
            time.sleep(CHUNK_PAUSE)
        while tables:  # a model of another schema has other columns
            alike = [table for table in tables if table.schema.equals(tables[0].schema)]
            tables = [table for table in tables if not table.schema.equals(tables[0].schema)]
            self._enqueue(pa.concat_tables(alike))
        while self._waiting:
            counted = prometheus.captured if self._publish(self._waiting[0]) else prometheus.over_quota
            counted.inc(len(self._waiting.pop(0)))

    def _enqueue(self, table: pa.Table) -> None:
        rows, size = sum(map(len, self._waiting)), sum(waiting.nbytes for waiting in self._waiting)
        if rows + len(table) > MAX_WAITING or size + table.nbytes > MAX_WAITING_BYTES:
            prometheus.dropped.inc(len(table))
            return
        for day in pc.unique(_days(table)):
            self._waiting.append(table.filter(pc.equal(_days(table), day)))

    def _publish(self, table: pa.Table) -> bool:
        """Whether there was room for it."""
        folder, now = f"{FOLDER}/day={_days(table)[0]}", datetime.now(UTC)
        if not self.quota.has_room(folder):
            return False
        written = pa.BufferOutputStream()
        pq.write_table(table, written, compression="zstd", compression_level=1)
        part = written.getvalue()
        name = f"part-{now:%Y%m%dT%H%M%S}-{self._process}-{next(self._files)}.parquet"
        with self.store.writing(f"{folder}/{name}") as sink:
            sink.write(part)
        self.quota.add(part.size)
        return True

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


def as_table(rows: Sequence[Answer]) -> pa.Table:
    """Answers of one model as a table of `capture_schema`."""
    ids, campaigns, probabilities, lives, times = zip(*rows, strict=True)
    live: LiveModel = lives[0]
    schema = live.model.schema
    columns: dict[str, Any] = {"prediction_id": ids, ID: [campaign.get(ID) for campaign in campaigns]}
    derived = live.batch_of(campaigns).numbers if live.has_derived else {}
    for column in captured_columns(schema):
        name = column.name
        values = [campaign.get(name) for campaign in campaigns]
        if column.derive is not None:
            columns[name] = pa.array(derived[name], from_pandas=True)
        elif column.is_category:
            columns[name] = [text and live.request.canonical_category(name, text) for text in values]
        else:
            columns[name] = values
    probability = np.array(probabilities)
    success = live.model.predicts_success(probability).astype(np.int8)
    columns |= {"probability": probability, "success": success, "model_version": [live.version] * len(rows)}
    columns["answered_at"] = (np.array(times) * 1e6).astype(np.int64)
    captured = capture_schema(schema)
    return pa.table([pa.array(columns[field.name]).cast(field.type) for field in captured], schema=captured)


def _days(table: pa.Table) -> pa.ChunkedArray:
    return pc.cast(pc.cast(table.column("answered_at"), pa.date32()), pa.string())
