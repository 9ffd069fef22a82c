"""Campaigns out of files: Parquet or CSV in, checked batches out.

A file that cannot be read as campaigns is refused whole, by name. A row that physics rules out is kept apart with its
reasons. What the world does differently from what training saw (ranges, categories) passes: the drift report shows it.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote

import numpy as np

from campaign.batch import Batch
from campaign.checking import Checker
from campaign.errors import BadInput
from campaign.files import WHITE_SPACE, match_header, names_of, raw_batches
from campaign.identity import SeenIds
from campaign.raw import RawColumns
from campaign.schema import ID, LABEL, Column, Schema
from campaign.values import refuse_undecided

BATCH_ROWS = 1 << 16


def read_campaigns(
    uri: str,
    schema: Schema,
    columns: Sequence[Column] | None = None,
    seen: SeenIds | None = None,
    label: bool = False,
    batch_rows: int = BATCH_ROWS,
    groups: Sequence[int] | None = None,
    first_row: int = 0,
    kept: Iterable[str] = (),
    most_bytes: int | None = None,
) -> Iterator[Batch]:
    """Stream the campaigns of one file, with these columns of the schema, or all of its features.

    Only what is asked for is read; other columns, the outcome's included, are ignored. `kept` are sources that stay in
    `raw` where the file has them. `seen` spans what may not hold an id twice: the files of a day, or a data set;
    without it ids are not compared. `groups` are the row groups of a Parquet file to read, `first_row` is where they
    begin. Of a text file at most `most_bytes` are read, as they are once unpacked.
    Raises `BadInput` naming the file, after the last batch if a column held nothing but words.
    """
    columns = schema.features if columns is None else columns
    source, start = source_of(uri), first_row
    wanted = _wanted(schema, columns, source, label, tuple(kept))
    checker = Checker(schema, columns, source, label, seen)
    unread = {column.name: "" for column in columns if not column.is_category and column.derive is None}
    undecided = label
    for raw in raw_batches(uri, source, wanted, batch_rows, groups, schema.text, likely_names(schema), most_bytes):
        batch = checker.check(raw.rows, first_row, raw.unread, raw.texts)
        _drop_readable(unread, schema, batch)
        undecided = undecided and batch.label is not None and bool(np.isnan(batch.label).all())
        first_row += len(batch)
        yield batch
    if first_row == start:
        raise BadInput(f"{source}: it holds no rows.", "Write it again with its rows, or remove it.")
    _refuse_unreadable(unread, source)
    if undecided:
        names = schema.outcome.sources
        refuse_undecided(names[0] if names[0] in batch.raw.schema.names else LABEL, schema.outcome, source)


def likely_names(schema: Schema) -> list[str]:
    """What the header of a file of such campaigns, or of their outcomes, may hold."""
    return [*schema.sources_of(schema.columns), *schema.outcome.sources, schema.row.id, ID, LABEL]


def read_outcomes(uri: str, schema: Schema) -> Iterator[Batch]:
    """Stream an outcome file: whose outcome, and what it is, in the schema's names or the project's own."""
    return read_campaigns(uri, schema, (), label=True)


def count_ignored(uri: str, schema: Schema) -> int:
    """How many columns of a file are neither the id nor what a feature is read from."""
    known = {name.casefold() for name in (ID, schema.row.id, *schema.sources_of(schema.features))}
    names = names_of(uri, source_of(uri), schema.text, likely_names(schema))
    return sum(name.strip().casefold() not in known for name in names)


def source_of(uri: str) -> str:
    """A file as its user knows it: by its day and the folder of days, or else by its name."""
    path = unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri
    folder, day, name = path.rpartition("/day=")
    if day:
        return PurePosixPath(folder).name + day + name
    return path if "://" in path else PurePosixPath(path).name


def _wanted(schema: Schema, columns: Sequence[Column], source: str, label: bool, kept: tuple[str, ...]) -> RawColumns:
    """Which columns of a file are read, under which names, and how."""
    required = schema.sources_of(columns)

    def choose(names: list[str]) -> dict[str, str]:
        present = {name.strip(WHITE_SPACE).casefold() for name in names}

        def existing(candidates: Iterable[str]) -> list[str]:
            return [name for name in candidates if name and name.casefold() in present]

        ids = existing(dict.fromkeys((schema.row.id, ID)))[:1]
        wanted = [*required]
        if label:
            outcome = existing(schema.outcome.sources)
            complete = len(outcome) == len(schema.outcome.sources)
            wanted += outcome if complete else existing([LABEL]) or schema.outcome.sources
            if not (columns or ids):
                # An outcome says nothing without the campaign that it is of; one without an id is told by its values.
                wanted = [*([schema.row.id or ID] if schema.row.id else schema.identity_columns), *wanted]
        optional = [*ids, *existing(kept)]
        if columns or not ids:
            optional += existing(schema.identity_columns)
        return match_header(names, optional, source) | match_header(names, wanted, source)

    texts = {column.in_file for column in columns if column.is_category}
    words = {
        column.in_file: column.missing_values
        for column in schema.columns
        if column.derive is None and column.missing_values is not None
    }
    return RawColumns(choose, texts, schema.text.missing_values, words)


def _drop_readable(unread: dict[str, str], schema: Schema, batch: Batch) -> None:
    """Keep the columns without a readable value so far, each with an example of what stands there instead."""
    for name in list(unread):
        if not np.isnan(batch.numbers[name]).all():
            del unread[name]
            continue
        for row, reasons in batch.reasons.items():
            if f"{name} is not a number" in reasons:
                unread[name] = str(batch.raw.column(schema.column(name).in_file)[row])
                break


def _refuse_unreadable(unread: dict[str, str], source: str) -> None:
    for name, example in unread.items():
        if example:
            raise BadInput(
                f"{source}: column {name} holds text such as {example!r}, not numbers.",
                "Write it as numbers, or rename the columns if two were exchanged.",
            )
