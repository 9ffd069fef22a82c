"""Campaigns out of files: Parquet or CSV in, checked batches out.

A file that cannot be read as campaigns is refused whole, by name. A row that physics rules out is kept apart with its
reasons. What the world does differently from what training saw (ranges, categories) passes: the drift report shows it.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote

from campaign.batch import Batch
from campaign.checking import Checker
from campaign.errors import NoRows
from campaign.files import files_of, names_of, raw_batches, too_large
from campaign.header import Header, match_header
from campaign.identity import SeenIds
from campaign.raw import RawColumns
from campaign.row_ids import RowCounts
from campaign.schema import ID, LABEL, Column, Schema

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
    """Stream the campaigns of a file or a folder of files, with these columns of the schema, or all of its features.

    Only what is asked for is read; other columns, the outcome's included, are ignored. `kept` are sources that stay in
    `raw` where the file has them. `seen` spans what may not hold an id twice: the files of a day, or a data set;
    without it ids are not compared. `groups` are the row groups of a Parquet file to read, `first_row` is where they
    begin. At most `most_bytes` are read, as they are once unpacked and decoded.
    Raises `BadInput` naming the file, after the last batch if a column can be read in two ways, or in none; `NoRows`
    if there is no row.
    """
    columns = schema.features if columns is None else columns
    rows, equal_rows, likely = 0, RowCounts(), likely_names(schema)
    for file in files_of(uri):
        source, at = source_of(file), first_row
        wanted = wanted_columns(schema, columns, source, label, tuple(kept))
        checker = Checker(schema, columns, source, label, seen, equal_rows)
        for raw in raw_batches(file, source, wanted, batch_rows, groups, schema.text, likely, most_bytes):
            try:
                batch = checker.check(raw, at)
            except MemoryError as error:
                raise too_large(source) from error
            at += len(batch)
            yield batch
        checker.refuse_doubtful()
        rows += at - first_row
    if not rows:
        raise NoRows(f"{source_of(uri)}: it holds no rows.", "Write it again with its rows, or remove it.")


def likely_names(schema: Schema) -> list[str]:
    """What the header of a file of such campaigns, or of their outcomes, may hold."""
    return [*schema.sources_of(schema.columns), *schema.outcome.sources, schema.row.id, ID, LABEL]


def read_outcomes(uri: str, schema: Schema) -> Iterator[Batch]:
    """Stream an outcome file: whose outcome, and what it is, in the schema's names or the project's own."""
    return read_campaigns(uri, schema, (), label=True)


def count_ignored(uri: str, schema: Schema) -> int:
    """How many columns of a file are neither the id nor what a feature is read from."""
    header = Header(names_of(uri, source_of(uri), schema.text, likely_names(schema)))
    known = (ID, schema.row.id, *schema.sources_of(schema.features))
    return len(header.names) - len({found for name in known if name for found in header.find(name)})


def source_of(uri: str) -> str:
    """A file as its user knows it: by its day and the folder of days, or else by its name."""
    path = unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri
    folder, day, name = path.rpartition("/day=")
    if day:
        return PurePosixPath(folder).name + day + name
    return path if "://" in path else PurePosixPath(path).name


def wanted_columns(
    schema: Schema, columns: Sequence[Column], source: str, label: bool = False, kept: Sequence[str] = ()
) -> RawColumns:
    """Which columns of a file are read, under which names, and how."""
    required = schema.sources_of(columns)

    def choose(names: list[str]) -> dict[str, str]:
        header = Header(names)

        def existing(candidates: Iterable[str]) -> list[str]:
            return [name for name in candidates if name and header.find(name)]

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
        if columns:
            optional += existing((schema.row.launch, schema.row.end))
        if columns or not ids:
            optional += existing(schema.identity_columns)
        return match_header(header, optional, source) | match_header(header, wanted, source)

    texts = {column.in_file for column in columns if column.is_category}
    words = {
        column.in_file: column.missing_values
        for column in schema.columns
        if column.derive is None and column.missing_values is not None
    }
    return RawColumns(choose, texts, schema.text.missing_values, words)
