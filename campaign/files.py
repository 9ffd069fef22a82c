"""A Parquet or text file as batches of the columns that are wanted, or a refusal that names it."""

import string
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from campaign.errors import BadInput, StoreError
from campaign.packing import unpacked
from campaign.raw import RawBatch, RawColumns
from campaign.schema_parts import Text
from campaign.store import REMEDY, filesystem_of
from campaign.text_file import INVISIBLE, text_batches

TEXT_NAMES = (".csv", ".tsv")
PACKED_TEXT_NAMES = (*(f"{name}.gz" for name in TEXT_NAMES), ".zip")
# What a name may stand between.
WHITE_SPACE = string.whitespace + "\u00a0" + INVISIBLE


def raw_batches(
    uri: str,
    source: str,
    wanted: RawColumns,
    batch_rows: int,
    groups: Sequence[int] | None,
    text: Text,
    likely: Iterable[str] = (),
    most_bytes: int | None = None,
) -> Iterator[RawBatch]:
    """Batches with the columns that are chosen, under their own names.

    Of a Parquet file only the row groups that are named, or all of them; a text file is written as `text` says, and
    `likely` are names that its header may have. Of a text, unpacked, at most `most_bytes` are read.
    """
    filesystem, path = filesystem_of(uri)
    with _errors(uri, source):
        _refuse_missing_or_empty(filesystem, path, uri, source)
        if is_text_file(path):
            with filesystem.open_input_file(path) as file:
                yield from text_batches(unpacked(file, source, most_bytes), source, wanted, text, likely)
        else:
            for rows in _parquet(filesystem, path, source, wanted, batch_rows, groups):
                yield RawBatch(rows)


def metadata_of(uri: str, source: str) -> pq.FileMetaData:
    """What a Parquet file says of itself."""
    filesystem, path = filesystem_of(uri)
    with _errors(uri, source):
        _refuse_missing_or_empty(filesystem, path, uri, source)
        with filesystem.open_input_file(path) as file:
            _refuse_unless_parquet(file, source)
            return pq.ParquetFile(file).metadata


def count_rows(uri: str, source: str, text: Text) -> int:
    """The rows of a file: of a Parquet file by its own account, of a text by looking."""
    if not is_text_file(uri):
        return int(metadata_of(uri, source).num_rows)
    first = RawColumns(lambda names: {names[0]: names[0]})
    return sum(len(batch.rows) for batch in raw_batches(uri, source, first, 0, None, text))


def names_of(uri: str, source: str, text: Text, likely: Iterable[str]) -> list[str]:
    """The columns of a file, as its schema or header calls them."""
    if not is_text_file(uri):
        return list(metadata_of(uri, source).schema.to_arrow_schema().names)
    found: list[str] = []

    def choose(names: list[str]) -> dict[str, str]:
        found.extend(names)
        return {names[0]: names[0]}

    next(raw_batches(uri, source, RawColumns(choose), 0, None, text, likely), None)
    return found


def is_parquet_file(path: str) -> bool:
    return path.lower().endswith((".parquet", ".parq", ".pq"))


def is_text_file(path: str) -> bool:
    return path.lower().endswith((*TEXT_NAMES, *PACKED_TEXT_NAMES))


def _refuse_missing_or_empty(filesystem: pafs.FileSystem, path: str, uri: str, source: str) -> None:
    info = filesystem.get_file_info(path)
    if info.type != pafs.FileType.File:
        raise BadInput(f"{uri}: there is no such file.", "Check the path.")
    if info.size == 0:
        raise BadInput(f"{source}: the file is empty.", "Write it again.")


@contextmanager
def _errors(uri: str, source: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # Arrow's decoders raise OSError too; only that of an operating system or a store has a number or a name.
        if isinstance(error, OSError) and (error.errno or "AWS Error" in str(error)):
            raise StoreError(f"Cannot read {uri}: {error}.", REMEDY) from error
        kind = "CSV" if is_text_file(uri) else "Parquet"
        raise BadInput(
            f"{source}: it is damaged or truncated and cannot be read as {kind} ({str(error).splitlines()[0]}).",
            "Copy or write it again.",
        ) from error


def _refuse_unless_parquet(file: pa.NativeFile, source: str) -> None:
    start = file.read(64)
    if start[:4] != b"PAR1":
        raise BadInput(
            f"{source}: it is not a Parquet file (it begins with {_excerpt(start)}).",
            "Write it as Parquet, or give it a name that ends in .csv if it is CSV.",
        )


def _parquet(
    filesystem: pafs.FileSystem,
    path: str,
    source: str,
    wanted: RawColumns,
    batch_rows: int,
    groups: Sequence[int] | None,
) -> Iterator[pa.RecordBatch]:
    with filesystem.open_input_file(path) as file:
        _refuse_unless_parquet(file, source)
        schema = pq.ParquetFile(file).schema_arrow
        at = wanted.choose(schema.names)
        texts = [at[name] for name in at if name in wanted.categories and is_text(schema.field(at[name]).type)]
        # Buffered ahead, what is read is held whole: worth it over a network, where every read waits.
        ahead = not isinstance(filesystem, pafs.LocalFileSystem)
        parquet = pq.ParquetFile(file, read_dictionary=texts, pre_buffer=ahead)
        for batch in parquet.iter_batches(batch_rows, row_groups=groups, columns=list(at.values())):
            batch.validate(full=True)  # else a damaged page may end as text that no one can decode
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield pa.RecordBatch.from_arrays([columns[name] for name in at.values()], list(at))


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _excerpt(data: bytes) -> str:
    return repr(data.split(b"\n")[0][:24].decode("utf-8", "replace"))


def match_header(found: Iterable[str], wanted: Iterable[str], source: str) -> dict[str, str]:
    """Where each wanted column stands in a file, matched without regard to case or outer spaces: {wanted: found}.

    Columns that nobody wants are ignored. Raises `BadInput` naming every missing column, or one that is there twice.
    """
    found = list(found)
    spelled: dict[str, list[str]] = {}
    for name in found:
        spelled.setdefault(str(name).strip(WHITE_SPACE).casefold(), []).append(name)
    wanted = list(wanted)
    missing = [name for name in wanted if name.casefold() not in spelled]
    if missing:
        many = len(missing) > 1
        raise BadInput(
            f"{source}: {'columns' if many else 'column'} {', '.join(missing)} {'are' if many else 'is'} missing "
            f"(found: {', '.join(map(str, found)) or 'none'}).",
            "Add them, or rename the columns that hold them."
            if many
            else "Add it, or rename the column that holds it.",
        )
    for name in wanted:
        if len(spelled[name.casefold()]) > 1:
            raise BadInput(
                f"{source}: column {name} is there {len(spelled[name.casefold()])} times "
                f"({', '.join(spelled[name.casefold()])}).",
                "Keep one of them.",
            )
    return {name: spelled[name.casefold()][0] for name in wanted}
