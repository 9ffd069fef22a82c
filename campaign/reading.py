"""Campaigns out of files: Parquet or CSV in, checked batches out.

A file that cannot be read as campaigns is refused whole, by name. A row that physics rules out is kept apart with its
reasons. What the world does differently from the published data (ranges, categories) passes: the drift report shows it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from campaign.errors import BadInput
from campaign.files import is_text, raw_batches
from campaign.identity import SeenIds, id_of_values
from campaign.schema import ID, LABEL, MAX_NUMBER, Column
from campaign.spelling import is_yes_or_no, outcome_of, spellings_of
from campaign.store import filesystem_of

BATCH_ROWS = 1 << 16
REPEATED = f"{ID} was there before"


@dataclass
class Batch:
    """Consecutive rows of one file, checked.

    `numbers` are float64 with NaN where missing or unreadable; `categories` dictionary arrays, null where missing;
    `label` float64 (0, 1, NaN). `reasons` names each bad row, by its place in the batch, and what is wrong with it.
    """

    source: str
    first_row: int
    raw: pa.RecordBatch
    ids: pa.Array
    numbers: dict[str, NDArray[np.float64]]
    categories: dict[str, pa.DictionaryArray]
    label: NDArray[np.float64] | None
    reasons: dict[int, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def good(self) -> NDArray[np.bool_]:
        good = np.ones(len(self), bool)
        good[list(self.reasons)] = False
        return good

    def reject(self, rows: NDArray[np.integer], reason: str) -> None:
        """Take rows, by their place in the batch, for bad ones."""
        for row in rows:
            self.reasons.setdefault(int(row), []).append(reason)

    def missing(self) -> dict[str, int]:
        """Missing or unreadable values per feature."""
        counts = {name: int(np.count_nonzero(np.isnan(values))) for name, values in self.numbers.items()}
        return counts | {name: values.null_count for name, values in self.categories.items()}

    def rejected(self) -> pa.Table:
        """The bad rows as they came, as text, with where they stood (`row` counts from 1) and why they are out."""
        at = sorted(self.reasons)
        rows = self.raw.take(pa.array(at, pa.int64()))
        columns = {name: rows.column(name).cast(pa.string()) for name in self.raw.schema.names}
        columns["source"] = pa.array([self.source] * len(at), pa.string())
        columns["row"] = pa.array([self.first_row + i + 1 for i in at], pa.int64())
        columns["reasons"] = pa.array(["; ".join(self.reasons[i]) for i in at], pa.string())
        return pa.table(columns)


def read_campaigns(
    uri: str,
    features: Sequence[Column],
    seen: SeenIds | None = None,
    label: bool = False,
    batch_rows: int = BATCH_ROWS,
    groups: Sequence[int] | None = None,
    first_row: int = 0,
) -> Iterator[Batch]:
    """Stream the campaigns of one file. Only the columns that are asked for are read; others, the label included, are
    ignored.

    `seen` spans what may not hold an id twice: the files of a day, or a data set; without it ids are not compared.
    `groups` are the row groups of a Parquet file to read, `first_row` where in the file they begin.
    Raises `BadInput` naming the file, after the last batch if a column held nothing but words.
    """
    names = [column.name for column in features]
    # A label says nothing without the campaign that it is of; a campaign without an id gets one.
    wanted = [*(names or [ID]), LABEL] if label else names
    source, start = source_of(uri), first_row
    categories = [column.name for column in features if column.is_category]
    unread = {name: "" for name in wanted if name not in (ID, *categories)}
    for raw in raw_batches(uri, source, wanted, categories, batch_rows, groups):
        batch = _checked(raw, source, first_row, features, label, seen)
        _drop_readable(unread, batch)
        first_row += len(raw)
        yield batch
    if first_row == start:
        raise BadInput(f"{source}: it holds no rows.", "Write it again with its rows, or remove it.")
    _refuse_unreadable(unread, source)


def count_ignored(uri: str, features: Sequence[Column]) -> int:
    """How many columns of a Parquet file are neither the id nor a feature."""
    filesystem, path = filesystem_of(uri)
    known = {ID.casefold(), *(column.name.casefold() for column in features)}
    names = pq.read_schema(path, filesystem=filesystem).names
    return sum(name.strip().casefold() not in known for name in names)


def source_of(uri: str) -> str:
    """A file as its user knows it: by its day and the folder of days, or else by its name."""
    path = unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri
    folder, day, name = path.rpartition("/day=")
    if day:
        return PurePosixPath(folder).name + day + name
    return path if "://" in path else PurePosixPath(path).name


def _drop_readable(unread: dict[str, str], batch: Batch) -> None:
    """Keep the columns without a readable value so far, each with an example of what stands there instead."""
    for name in list(unread):
        parsed = batch.label if name == LABEL else batch.numbers[name]
        assert parsed is not None
        if not np.isnan(parsed).all():
            del unread[name]
            continue
        for row, reasons in batch.reasons.items():
            if f"{name} is not a number" in reasons:
                unread[name] = str(batch.raw.column(name)[row])
                break


def _refuse_unreadable(unread: dict[str, str], source: str) -> None:
    for name, example in unread.items():
        if name == LABEL:
            raise BadInput(f"{source}: column {LABEL} holds neither 0 nor 1.", "Write 1 for success and 0 for failure.")
        if example:
            raise BadInput(
                f"{source}: column {name} holds text such as {example!r}, not numbers.",
                "Write it as numbers, or rename the columns if two were exchanged.",
            )


def _checked(
    raw: pa.RecordBatch, source: str, first_row: int, features: Sequence[Column], label: bool, seen: SeenIds | None
) -> Batch:
    numbers, categories = {}, {}
    bad: dict[int, list[str]] = {}

    def reject(rows: NDArray[np.bool_], reason: str) -> None:
        for row in np.flatnonzero(rows):
            bad.setdefault(int(row), []).append(reason)

    for column in features:
        values = raw.column(column.name)
        if column.is_category:
            texts = _categories(values, column, source)
            categories[column.name] = texts
            if texts.null_count:
                reject(np.asarray(texts.is_null()), f"{column.name} is missing")
        else:
            parsed = _numbers(values, column.name, source)
            numbers[column.name] = parsed
            # One comparison finds every bad value; which fault it has is looked up for those few alone.
            possible = column.is_possible(parsed)
            if not possible.all():
                _reject_numbers(values, parsed, ~possible, column, reject)
    labels = _labels(raw.column(LABEL), source) if label else None
    if labels is not None:
        reject(np.isnan(labels), f"{LABEL} is missing or neither 0 nor 1")
    ids = _ids(raw, [*map(pa.array, numbers.values()), *categories.values()], source)
    if seen is not None:
        reject(seen.repeats(ids), REPEATED)
    return Batch(source, first_row, raw, ids, numbers, categories, labels, bad)


def _reject_numbers(
    values: pa.Array, parsed: NDArray[np.float64], wrong: NDArray[np.bool_], column: Column, reject: Any
) -> None:
    absent = np.isnan(parsed)
    kind = values.type
    given = _trimmed(values) if is_text(kind) or pa.types.is_dictionary(kind) else values
    unreadable = absent & ~np.asarray(pc.is_null(given, nan_is_null=pa.types.is_floating(given.type)))
    reject(wrong & absent & ~unreadable, f"{column.name} is missing")
    reject(wrong & unreadable, f"{column.name} is not a number")
    reject(wrong & ~absent & (np.abs(parsed) > MAX_NUMBER), f"{column.name} is not finite")
    too_small = wrong & ~absent & (np.abs(parsed) <= MAX_NUMBER)
    reject(too_small, f"{column.name} is {'not more than 0' if column.positive else 'negative'}")


def _numbers(values: pa.Array, name: str, source: str) -> NDArray[np.float64]:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    if is_text(kind) or pa.types.is_dictionary(kind):
        texts = _trimmed(values)
        try:
            return np.asarray(texts.cast(pa.float64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            return np.array([_number(text) for text in texts.to_pylist()])
    raise BadInput(f"{source}: column {name} has the type {kind}, not a number's.", "Write it as numbers.")


def _trimmed(values: pa.Array) -> pa.Array:
    """Texts without outer spaces, null where nothing is left."""
    texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else np.nan
    except ValueError:
        return np.nan


def _categories(values: pa.Array, column: Column, source: str) -> pa.DictionaryArray:
    """Values under the names of the schema, others as they are; null where missing or blank."""
    spellings = spellings_of(column)
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    readable = is_text(kind) or pa.types.is_null(kind)
    if is_yes_or_no(column):
        readable = readable or pa.types.is_boolean(kind) or pa.types.is_integer(kind)
    if not readable:
        raise BadInput(f"{source}: column {column.name} has the type {kind}, not text.", "Write it as text.")
    if not pa.types.is_dictionary(values.type):
        values = values.cast(pa.string()).dictionary_encode()
    texts = [str(text).strip() if text is not None else "" for text in values.dictionary.cast(pa.string()).to_pylist()]
    indices = values.indices
    if not all(texts):
        blank = pa.array([not text for text in texts]).take(indices)
        indices = pc.if_else(pc.fill_null(blank, True), pa.scalar(None, indices.type), indices)
    names = pa.array([spellings.get(text.casefold(), text) for text in texts], pa.string())
    return pa.DictionaryArray.from_arrays(indices, names)


def _labels(values: pa.Array, source: str) -> NDArray[np.float64]:
    """0, 1, or NaN for what is neither."""
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        raise BadInput(
            f"{source}: column {LABEL} has the type {values.type}.", "Write 1 for success and 0 for failure."
        )
    texts = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    outcomes = [outcome_of(str(value)) for value in texts.dictionary.to_pylist()]
    at = pc.fill_null(texts.indices.cast(pa.int64()), len(outcomes)).to_numpy(zero_copy_only=False)
    return np.array([*outcomes, np.nan])[at]


def _ids(raw: pa.RecordBatch, features: list[pa.Array], source: str) -> pa.Array:
    """The ids as text; a digest of the features where there is none, the same for CSV and Parquet."""
    given = raw.column(ID) if ID in raw.schema.names else pa.nulls(len(raw), pa.string())
    try:
        ids = given.cast(pa.string())
    except pa.ArrowException as error:
        raise BadInput(f"{source}: column {ID} has the type {given.type}, not text.", "Write it as text.") from error
    absent = pc.fill_null(pc.equal(ids, ""), True)
    if not features or not pc.any(absent).as_py():
        return ids
    rows = zip(*(values.filter(absent).to_pylist() for values in features), strict=True)
    return pc.replace_with_mask(ids, absent, pa.array([id_of_values(row) for row in rows], pa.string()))
