"""Rows of a file as a schema sees them: numbers, categories and derived columns, ids, outcomes, and what is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.derivation import Kind, times_of
from campaign.errors import BadInput
from campaign.identity import SeenIds, id_of_values
from campaign.schema import ID, LABEL, MAX_NUMBER, Column, Schema
from campaign.values import categories_of, is_given, numbers_of, outcomes_of, trimmed, without

REPEATED = f"{ID} was there before"
NOTHING: Mapping[int, str] = {}


@dataclass
class RowCounts:
    """How often each set of values came so far among rows without an id: equal rows of one file are told apart."""

    seen: SeenIds = field(default_factory=SeenIds)
    counts: dict[str, int] = field(default_factory=dict)

    def numbered(self, ids: list[str]) -> dict[int, str]:
        """New ids of those that came before: the first of equal rows keeps its id, the second gets -2 behind it."""
        numbered = {}
        for row in np.flatnonzero(self.seen.repeats(pa.array(ids, pa.string()))):
            count = self.counts[ids[row]] = self.counts.get(ids[row], 1) + 1
            numbered[int(row)] = f"{ids[row]}-{count}"
        return numbered


def given_ids(raw: pa.RecordBatch, schema: Schema, source: str) -> pa.Array:
    """The ids that rows came with, in the schema's column or in CampaignID; null where there is none."""
    name = next((name for name in (schema.row.id, ID) if name in raw.schema.names), "")
    if not name:
        return pa.nulls(len(raw), pa.string())
    given = raw.column(name)
    try:
        return given.cast(pa.string())
    except pa.ArrowException as error:
        cause = f"{source}: column {name} has the type {given.type}, not text."
        raise BadInput(cause, "Write it as text.") from error


@dataclass
class Checker:
    """Turns the rows of one file into batches. `columns` are those that are wanted, in the schema's order."""

    schema: Schema
    columns: Sequence[Column]
    source: str
    label: bool = False
    seen: SeenIds | None = None
    equal_rows: RowCounts = field(default_factory=RowCounts)

    def check(
        self,
        raw: pa.RecordBatch,
        first_row: int,
        unread: Mapping[int, str] = NOTHING,
        unread_texts: Mapping[int, str] | None = None,
    ) -> Batch:
        """`unread` rows are bad for the reason given, whatever else is missing; `unread_texts` is what stands there.

        Raises `BadInput` for a column of a type that cannot be what the schema says.
        """
        numbers: dict[str, NDArray[np.float64]] = {}
        categories: dict[str, pa.DictionaryArray] = {}
        batch = Batch(self.source, first_row, raw, raw, numbers, categories, None, texts=unread_texts)

        def reject(rows: NDArray[np.bool_], reason: str) -> None:
            batch.reject(np.flatnonzero(rows), reason)

        for column in self.columns:
            if column.is_category:
                texts = categories[column.name] = categories_of(self._given(raw, column), column, self.source)
                if texts.null_count and not column.nullable:
                    reject(np.asarray(texts.is_null()), f"{column.name} is missing")
            else:
                values = numbers[column.name] = self._numbers(raw, column, numbers)
                # One comparison finds every bad value; which fault it has is looked up for those few alone.
                possible = column.is_possible(values)
                if not possible.all():
                    self._reject_numbers(raw, column, values, ~possible, reject)
        if self.label:
            batch.label = self._labels(raw)
            if self.schema.outcome.is_yes_or_no:
                name = self.schema.outcome.column
                reject(np.isnan(batch.label), f"{name} is missing or neither 0 nor 1")
        batch.ids = given_ids(raw, self.schema, self.source)
        self._make_ids(batch)
        if self.seen is not None:
            reject(self.seen.repeats(batch.ids), REPEATED)
        batch.reasons |= {row: [reason] for row, reason in unread.items()}
        return batch

    def _given(self, raw: pa.RecordBatch, column: Column) -> pa.Array:
        return without(self._column(raw, column.in_file), column.missing_values or ())

    def _column(self, raw: pa.RecordBatch, name: str) -> pa.Array:
        """A schema may write one source in two ways."""
        folded = name.casefold()
        return raw.column(next(at for at, found in enumerate(raw.schema.names) if found.casefold() == folded))

    def _numbers(self, raw: pa.RecordBatch, column: Column, above: dict[str, Any]) -> NDArray[np.float64]:
        if column.derive is None:
            return numbers_of(self._given(raw, column), column.in_file, self.source)

        def value_of(name: str, kind: Kind) -> Any:
            other = self.schema.above(column, name)
            if other is not None:
                if kind != "number":
                    return self._as(kind, self._given(raw, other), other.in_file)
                return above[other.name] if other.name in above else self._numbers(raw, other, above)
            return self._as(kind, self._column(raw, name), name)

        return column.derive.compute(value_of, column.minimum)

    def _as(self, kind: Kind, values: pa.Array, name: str) -> Any:
        if kind == "number":
            return numbers_of(values, name, self.source)
        if kind == "text":
            return trimmed(values)
        try:
            return times_of(values, self.schema.text.timezone, f"{self.source}: column {name}")
        except TypeError as error:
            raise BadInput(f"{error}.", "Write it as 2026-11-22 or 2026-11-22 17:05:00.") from error

    def _reject_numbers(
        self, raw: pa.RecordBatch, column: Column, parsed: NDArray[np.float64], wrong: NDArray[np.bool_], reject: Any
    ) -> None:
        absent, huge = np.isnan(parsed), np.abs(parsed) > MAX_NUMBER
        unreadable = absent & is_given(self._given(raw, column)) if column.derive is None else np.zeros(len(raw), bool)
        if not column.nullable:
            reject(wrong & absent & ~unreadable, f"{column.name} is missing")
        reject(wrong & unreadable, f"{column.name} is not a number")
        reject(wrong & ~absent & huge, f"{column.name} is not finite")
        reject(wrong & ~absent & ~huge, f"{column.name} {column.too_small}")

    def _labels(self, raw: pa.RecordBatch) -> NDArray[np.float64]:
        outcome = self.schema.outcome
        names = outcome.sources if all(name in raw.schema.names for name in outcome.sources) else (LABEL,)
        return outcomes_of({name: raw.column(name) for name in names}, outcome, self.source)

    def _make_ids(self, batch: Batch) -> None:
        """Give rows without an id a digest of their values, the same for CSV and Parquet, and equal ones a count."""
        absent = pc.fill_null(pc.equal(batch.ids, ""), True)
        if not pc.any(absent).as_py():
            return
        values = self._identity(batch.raw, batch.numbers, batch.categories)
        if not values:
            return
        rows = zip(*(column.filter(absent).to_pylist() for column in values), strict=True)
        made = [id_of_values(row) for row in rows]
        batch.ids = pc.replace_with_mask(batch.ids, absent, pa.array(made, pa.string()))
        places = np.flatnonzero(absent)
        if not self.schema.row.id:  # where ids are usual, a row without one that came before is a repeat
            batch.rename({int(places[row]): name for row, name in self.equal_rows.numbered(made).items()})

    def _identity(self, raw: pa.RecordBatch, numbers: dict[str, Any], categories: dict[str, Any]) -> list[pa.Array]:
        """What tells rows without an id apart: numbers, then categories, then texts that only derived columns read."""
        of_source = {column.in_file: column for column in self.schema.columns if column.derive is None}
        existing = {name.casefold() for name in raw.schema.names}
        found: tuple[list[pa.Array], ...] = ([], [], [])
        for name in self.schema.identity_columns:
            if name.casefold() not in existing:
                continue
            column = of_source.get(name)
            if column is None:
                found[2].append(self._column(raw, name).cast(pa.string()))
            elif column.is_category:
                texts = categories.get(column.name)
                found[1].append(
                    categories_of(self._given(raw, column), column, self.source) if texts is None else texts
                )
            else:
                values = numbers.get(column.name)
                found[0].append(pa.array(self._numbers(raw, column, {}) if values is None else values))
        return [*found[0], *found[1], *found[2]]
