"""Rows of a file as a schema sees them: numbers, categories and derived columns, ids, outcomes, and what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.derivation import Kind
from campaign.identity import SeenIds, is_no_id, longest_bytes
from campaign.labels import OutcomeReader, reached
from campaign.lengths import MAX_CHARACTERS, MAX_TEXT_CHARACTERS, long_texts
from campaign.numbers import NumberReader
from campaign.raw import RawBatch
from campaign.row_ids import RowCounts, given_ids, make_ids
from campaign.schema import ID, LABEL, MAX_NUMBER, Column, Schema
from campaign.schema_parts import AtLeast
from campaign.times import TimeReader, seconds_of
from campaign.values import categories_of, is_given, numbers_of, trimmed, without

REPEATED = f"{ID} was there before"
# Who wrote a date of 1970 had none: it is where computers begin to count.
FIRST_YEAR = 1971


@dataclass
class Checker:
    """Turns the rows of one file into batches. `columns` are those that are wanted, in the schema's order."""

    schema: Schema
    columns: Sequence[Column]
    source: str
    label: bool = False
    seen: SeenIds | None = None
    equal_rows: RowCounts = field(default_factory=RowCounts)
    _numbers: dict[str, NumberReader] = field(default_factory=dict)
    _times: dict[str, TimeReader] = field(default_factory=dict)
    _outcome: OutcomeReader | None = None
    _moments: dict[str, pa.Array] = field(
        default_factory=dict
    )  # of one batch: several columns are derived from one time

    def check(self, file_rows: RawBatch, first_row: int) -> Batch:
        """Rows that could not be read are bad for that reason, whatever else is missing.

        Raises `BadInput` for a column of a type that cannot be what the schema says.
        """
        raw = file_rows.rows
        self._moments.clear()
        numbers: dict[str, NDArray[np.float64]] = {}
        categories: dict[str, pa.DictionaryArray] = {}
        batch = Batch(self.source, first_row, raw, raw, numbers, categories, None)
        batch.texts, batch.written = file_rows.texts, str(file_rows.dialect or "")

        def reject(rows: NDArray[np.bool_], reason: str) -> None:
            batch.reject(np.flatnonzero(rows), reason)

        self._check_times(raw, batch, reject)
        for column in self.columns:
            if column.is_category:
                texts = categories[column.name] = categories_of(self._given(raw, column), column, self.source)
                if texts.null_count and not column.nullable:
                    reject(np.asarray(texts.is_null()), f"{column.name} is missing")
            else:
                values = numbers[column.name] = self._numbers_of(raw, column, numbers)
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
        self._check_lengths(raw, categories, batch.ids, reject)
        absent = is_no_id(batch.ids, self.schema.text.missing_values)
        if absent.any():
            identity = self._identity(batch.raw, batch.numbers, batch.categories)
            # Where ids are usual, a row without one that came before is a repeat.
            make_ids(batch, absent, identity, None if self.schema.row.id else self.equal_rows)
        if self.seen is not None:
            reject(self.seen.repeats(batch.ids), REPEATED)
        batch.reasons |= {row: [reason] for row, reason in file_rows.unread.items()}
        return batch

    def refuse_doubtful(self) -> None:
        """After the last batch. Raises `BadInput` for a column that can be read in two ways, or in none."""
        for reader in (*self._numbers.values(), *self._times.values(), self._outcome):
            if reader is not None:
                reader.refuse_doubtful()

    def _given(self, raw: pa.RecordBatch, column: Column) -> pa.Array:
        return without(self._column(raw, column.in_file), column.missing_values or ())

    def _column(self, raw: pa.RecordBatch, name: str) -> pa.Array:
        """A schema may write one source in two ways."""
        folded = name.casefold()
        return raw.column(next(at for at, found in enumerate(raw.schema.names) if found.casefold() == folded))

    def _numbers_of(self, raw: pa.RecordBatch, column: Column, above: dict[str, Any]) -> NDArray[np.float64]:
        if column.derive is None:
            return self._as_numbers(self._given(raw, column), column.in_file)

        def value_of(name: str, kind: Kind) -> Any:
            other = self.schema.above(column, name)
            if other is not None and kind == "number":
                return above[other.name] if other.name in above else self._numbers_of(raw, other, above)
            found = self._column(raw, name) if other is None else self._given(raw, other)
            in_file = name if other is None else other.in_file
            if kind == "time":
                return self._as_times(found, in_file)
            return trimmed(found) if kind == "text" else self._as_numbers(found, in_file)

        return column.derive.compute(value_of, column.minimum)

    def _as_numbers(self, values: pa.Array, name: str) -> NDArray[np.float64]:
        reader = self._numbers.setdefault(name, NumberReader(name, self.source, self.schema.text))
        return numbers_of(values, reader)

    def _as_times(self, values: pa.Array, name: str) -> pa.Array:
        if name not in self._moments:
            reader = self._times.setdefault(name, TimeReader(name, self.source, self.schema.text))
            self._moments[name] = reader.read(values)
        return self._moments[name]

    def _check_times(self, raw: pa.RecordBatch, batch: Batch, reject: Any) -> None:
        """Launch and end of a row, where the schema names them and the file has them."""
        existing = {name.casefold() for name in raw.schema.names}
        times = {
            name: self._as_times(self._column(raw, name), name)
            for name in (self.schema.row.launch, self.schema.row.end)
            if name.casefold() in existing
        }
        for name, moments in times.items():
            given = is_given(self._column(raw, name))
            reject(given & np.asarray(moments.is_null()), f"{name} is no time")
            reject(_where(pc.less(pc.year(moments), FIRST_YEAR)), f"{name} is before {FIRST_YEAR}")
        if self.schema.row.launch in times:
            batch.times["launch"] = seconds_of(times[self.schema.row.launch])
        if self.schema.row.end in times:
            batch.times["end"] = seconds_of(times[self.schema.row.end])
        if len(times) == 2:
            launch, end = times.values()
            reject(_where(pc.less(end, launch)), f"{self.schema.row.end} is before {self.schema.row.launch}")

    def _check_lengths(
        self, raw: pa.RecordBatch, categories: dict[str, pa.DictionaryArray], ids: pa.Array, reject: Any
    ) -> None:
        if longest_bytes(ids) > MAX_CHARACTERS:
            reject(long_texts(ids, MAX_CHARACTERS), f"{ID} is longer than {MAX_CHARACTERS} characters")
        for name, values in categories.items():
            if values.dictionary.nbytes > MAX_CHARACTERS:  # else none of them can be
                long = pa.array(long_texts(values.dictionary, MAX_CHARACTERS)).take(values.indices)
                reject(_where(long), f"{name} is longer than {MAX_CHARACTERS} characters")
        for name in self._texts():
            reject(long_texts(self._column(raw, name), MAX_TEXT_CHARACTERS),
                   f"{name} is longer than {MAX_TEXT_CHARACTERS:,} characters")  # fmt: skip

    def _texts(self) -> set[str]:
        """The sources that derived columns read as texts."""
        names = set()
        for column in self.columns:
            for argument, kind in column.derive.takes if column.derive else ():
                above = self.schema.above(column, argument)
                if kind == "text":
                    names.add(above.in_file if above else argument)
        return names

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
        there = all(name in raw.schema.names for name in outcome.sources)
        if there and isinstance(outcome.success, AtLeast):
            amounts, goals = (self._as_numbers(raw.column(name), name) for name in outcome.sources)
            return reached(amounts, goals)
        name = outcome.column if there else LABEL
        if self._outcome is None:
            self._outcome = OutcomeReader(name, self.source, outcome)
        return self._outcome.read(raw.column(name))

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
                found[0].append(pa.array(self._numbers_of(raw, column, {}) if values is None else values))
        return [*found[0], *found[1], *found[2]]


def _where(claims: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(claims, False))
