"""Bring a new version, the champion and those that were champion before to the same test rows, read once for all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.checking import Checker
from campaign.identity import digests_of, normal_form
from campaign.model import ScoringModel
from campaign.raw import RawBatch
from campaign.schema import ID, LABELLED_DAY, Column, Schema
from tasks.training.encode import Parts
from tasks.training.validate import Dataset

SAME_WORLD_IDS, SAME_WORLD_VALUES = 0.01, 0.9


@dataclass(frozen=True)
class TestRows:
    """Labels, labelled days and times of test rows, and each model's probabilities, NaN where it cannot read a row.

    `times` are those of `Parts.times`, None where time is not known. `splits_alike` marks rows whose part does not
    depend on whether ids or their normal forms are split.
    """

    __test__ = False  # no test, whatever pytest takes it for

    label: NDArray[np.int8]
    day: NDArray[np.str_]
    times: NDArray[np.float64] | None
    splits_alike: NDArray[np.bool_]
    probability: list[NDArray[np.float64]]


def score_with_each(models: Sequence[ScoringModel], data: Dataset, parts: Parts) -> TestRows:
    """Each model reads the rows by its own schema."""
    rows = parts.rows("test")
    probability = [np.full(len(rows), np.nan) for _ in models]
    splits_alike = np.ones(len(rows), bool)
    for first, raw in _batches(data.sources, rows):
        span = slice(first, first + len(raw))
        splits_alike[span] = [normal_form(name) == name for name in raw.column(ID).to_pylist()]
        batches: dict[str, Batch] = {}
        for model, scores in zip(models, probability, strict=True):
            key = model.schema.digest
            if key not in batches:
                batches[key] = _read(raw, model.schema)
            batch = batches[key]
            scores[span] = np.where(batch.good, model.probabilities_of(batch), np.nan)
    days = (
        pq.read_table(data.path, columns=[LABELLED_DAY]).column(0).take(pa.array(rows)).to_numpy(zero_copy_only=False)
    )
    return TestRows(parts.labels("test"), days, parts.times("test"), splits_alike, probability)


def is_same_world(champion: ScoringModel, reference: Path, data: Dataset, parts: Parts) -> bool:
    """Whether a data set holds campaigns that the champion was judged on, and not others under the same numbers.

    At least 1 % of the ids of its reference are among the test rows, with the goal (or the first column that is known
    at launch) that they had in at least 90 % of those.
    """
    column = _telling_column(champion.schema)
    judged = pq.read_table(reference, columns=[ID, column.name])
    order = np.argsort(digests := digests_of(judged.column(ID).combine_chunks().cast(pa.string())))
    digests, values = digests[order], _comparable(judged.column(1).combine_chunks())[order]
    shared, equal = 0, 0
    for _, raw in _batches(data.sources, parts.rows("test")):
        batch = _read(raw, champion.schema)
        own = _comparable(
            batch.categories[column.name].cast(pa.string()) if column.is_category
            else pa.array(batch.numbers[column.name], from_pandas=True)
        )  # fmt: skip
        ids = digests_of(batch.ids)
        at = np.minimum(np.searchsorted(digests, ids), len(digests) - 1)
        found = digests[at] == ids
        shared += int(found.sum())
        equal += int((values[at] == own)[found].sum())
    return shared >= max(1.0, SAME_WORLD_IDS * len(digests)) and equal >= SAME_WORLD_VALUES * shared


def _batches(path: str, rows: NDArray[np.int64]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """These rows of a gathered file, batch by batch, and where among them each batch begins."""
    start = 0
    for batch in pq.ParquetFile(path).iter_batches():
        first, last = np.searchsorted(rows, [start, start + len(batch)])
        if last > first:
            yield int(first), batch.take(pa.array(rows[first:last] - start))
        start += len(batch)


def _read(raw: pa.RecordBatch, schema: Schema) -> Batch:
    """Rows of a gathered file by another schema; what the file lacks is missing."""
    existing = {name.casefold() for name in raw.schema.names}
    lacking = [name for name in schema.sources_of(schema.features) if name.casefold() not in existing]
    for name in lacking:
        raw = raw.append_column(name, pa.nulls(len(raw)))
    return Checker(schema, schema.features, "the data set").check(RawBatch(raw), 0)


def _telling_column(schema: Schema) -> Column:
    goal = schema.with_role("goal")
    at_launch = [column for column in schema.features if column.known == "at launch"] or list(schema.features)
    return goal or next((column for column in at_launch if not column.is_category), at_launch[0])


def _comparable(values: pa.Array) -> NDArray[np.object_]:
    """Equal where both are missing."""
    return np.array(values.cast(pa.string()).fill_null("").to_pylist(), object)
