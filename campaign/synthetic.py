"""Campaigns with the published data set's own distribution, at any size, with drift and flaws on request.

Every column is one uniform draw, as in the published data: nothing but `RaisedAmount` against `GoalAmount` says
anything about success.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from campaign.schema import ID, LABEL, Column
from campaign.schema_file import published
from campaign.store import filesystem_of

CHUNK_ROWS = 1 << 18
MADE_UP = {b"made_up": b"yes"}  # in the metadata of a file: whoever learns from it says so


def says_it_is_made_up(uri: str) -> bool:
    """Whether a Parquet file has the mark."""
    filesystem, path = filesystem_of(uri)
    try:
        with filesystem.open_input_file(path) as file:
            return MADE_UP.items() <= (pq.read_schema(file).metadata or {}).items()
    except (pa.ArrowInvalid, OSError):  # no Parquet
        return False


def campaigns(
    rows: int, seed: int = 1, prefix: str = "CID_", drift: float = 1.0, flaws: float = 0.0
) -> Iterator[pa.RecordBatch]:
    """Stream `rows` campaigns with their label, the same for the same arguments.

    `drift` multiplies goals and amounts; `flaws` is the share of rows that get a missing value, a negative amount, the
    id of the row before, or a category that nobody has heard of, a quarter each.
    """
    width = max(5, len(str(rows - 1)))
    for start in range(0, rows, CHUNK_ROWS):
        count = min(CHUNK_ROWS, rows - start)
        rng = np.random.default_rng([seed, start])
        batch = _chunk(rng, _ids(prefix, start, count, width), count, drift)
        yield _flawed(batch, rng, flaws) if flaws else batch


def _chunk(rng: np.random.Generator, ids: pa.Array, count: int, drift: float) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {ID: ids}
    goal = np.empty(0)
    for column in published().columns:
        if column.is_category:
            codes = rng.integers(len(column.categories), size=count, dtype=np.int8)
            columns[column.name] = pa.DictionaryArray.from_arrays(codes, pa.array(column.categories, pa.string()))
        elif column.name == "GoalAmount":
            goal = (_uniform(rng, column, count) * drift).astype(np.int64)
            columns[column.name] = pa.array(goal)
        elif column.name == "RaisedAmount":
            raised = goal * (0.5 + rng.random(count))
            columns[column.name] = pa.array(raised)
        else:
            columns[column.name] = pa.array(_uniform(rng, column, count))
    columns[LABEL] = pa.array((raised >= goal).astype(np.int64))
    return pa.RecordBatch.from_pydict(columns)


def _uniform(rng: np.random.Generator, column: Column, count: int) -> NDArray[np.int64]:
    """Whole numbers from what the published data shows of a column."""
    assert column.low is not None
    assert column.high is not None
    return rng.integers(int(column.low), int(column.high) + 1, size=count)


def _ids(prefix: str, start: int, count: int, width: int) -> pa.Array:
    """Prefix + zero-filled number, laid straight into Arrow's buffers: to format each would take most of the time."""
    lead = np.frombuffer(prefix.encode(), np.uint8)
    text = np.empty((count, len(lead) + width), np.uint8)
    text[:, : len(lead)] = lead
    number = np.arange(start, start + count)
    for place in range(width - 1, -1, -1):
        number, digit = np.divmod(number, 10)
        text[:, len(lead) + place] = digit + ord("0")
    offsets: NDArray[np.int32] = np.arange(count + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))


def _flawed(batch: pa.RecordBatch, rng: np.random.Generator, share: float) -> pa.RecordBatch:
    at = np.flatnonzero(rng.random(len(batch)) < share)
    at = at[at > 0]
    flaw = rng.integers(4, size=len(at))
    frame = batch.to_pandas()
    frame["NumBackers"] = frame["NumBackers"].astype("Int64")
    frame["Category"] = frame["Category"].astype("str")
    frame.loc[at[flaw == 0], "NumBackers"] = None
    frame.loc[at[flaw == 1], "RaisedAmount"] *= -1
    frame.loc[at[flaw == 2], ID] = frame[ID].to_numpy()[at[flaw == 2] - 1]
    frame.loc[at[flaw == 3], "Category"] = "Podcast"
    return pa.RecordBatch.from_pandas(frame, preserve_index=False)
