"""A Parquet or CSV file as record batches with the columns that are wanted, or a refusal that names it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from campaign.errors import BadInput, StoreError
from campaign.store import REMEDY, filesystem_of

CSV_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class RawColumns:
    """`choose` says, of the names in a header, which columns are read, and as what: {their name: the file's}.

    `categories` are texts of which few differ. In text files `missing_words` stand for a missing value, or those of
    `own_missing_words`, by column.
    """

    choose: Callable[[list[str]], dict[str, str]]
    categories: Collection[str] = ()
    missing_words: Sequence[str] = ("",)
    own_missing_words: Mapping[str, Sequence[str]] = field(default_factory=dict)


def raw_batches(
    uri: str, source: str, wanted: RawColumns, batch_rows: int, groups: Sequence[int] | None
) -> Iterator[pa.RecordBatch]:
    """Batches with the columns that are chosen, under their own names.

    Of a Parquet file only the row groups that are named, or all of them.
    """
    filesystem, path = filesystem_of(uri)
    with _errors(uri, source):
        _refuse_missing_or_empty(filesystem, path, uri, source)
        if is_csv(path):
            yield from _csv(filesystem, path, source, wanted)
        else:
            yield from _parquet(filesystem, path, source, wanted, batch_rows, groups)


def metadata_of(uri: str, source: str) -> pq.FileMetaData:
    """What a Parquet file says of itself."""
    filesystem, path = filesystem_of(uri)
    with _errors(uri, source):
        _refuse_missing_or_empty(filesystem, path, uri, source)
        with filesystem.open_input_file(path) as file:
            _refuse_unless_parquet(file, source)
            return pq.ParquetFile(file).metadata


def is_csv(path: str) -> bool:
    return path.lower().endswith((".csv", ".csv.gz"))


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
        kind = "CSV" if is_csv(uri) else "Parquet"
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


def _csv(filesystem: pafs.FileSystem, path: str, source: str, wanted: RawColumns) -> Iterator[pa.RecordBatch]:
    compression = "gzip" if path.lower().endswith(".gz") else None
    with filesystem.open_input_stream(path, compression=compression) as stream:
        at = wanted.choose(_header(stream.read(1 << 16), source))
    own = {name: pa.array(words, pa.string()) for name, words in wanted.own_missing_words.items()}
    convert = pacsv.ConvertOptions(
        # Types are found row by row: guessed from the first block, one word in a later one would cost the file.
        column_types={name: pa.string() for name in at.values()},
        include_columns=list(at.values()),
        null_values=[] if own else wanted.missing_words,
        strings_can_be_null=True,
    )
    read = pacsv.ReadOptions(block_size=CSV_BLOCK_BYTES)
    parse = pacsv.ParseOptions(newlines_in_values=True)
    with filesystem.open_input_stream(path, compression=compression) as stream:
        for batch in pacsv.open_csv(stream, convert_options=convert, read_options=read, parse_options=parse):
            columns = [batch.column(name) for name in at.values()]
            if own:  # Arrow's reader knows one list of words for all columns
                usual = pa.array(wanted.missing_words, pa.string())
                columns = [_without(column, own.get(name, usual)) for name, column in zip(at, columns, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, list(at))


def _without(texts: pa.Array, words: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_in(texts, words), pa.scalar(None, pa.string()), texts)


def _header(start: bytes, source: str) -> list[str]:
    """The names in the first line that is not empty, as Arrow's own reader will call them."""
    line = next(filter(None, start.splitlines()), b"")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or line.startswith(b"PAR1"):
        raise BadInput(
            f"{source}: it is not a CSV file in UTF-8 (it begins with {_excerpt(line)}).",
            "Write it as such, or give it the name of what it is: one that ends in .parquet, or in .csv.gz.",
        )
    return list(pacsv.read_csv(pa.py_buffer(line + b"\n")).schema.names) if text else []


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
        spelled.setdefault(str(name).strip().casefold(), []).append(name)
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
