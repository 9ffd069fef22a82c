"""A Parquet or CSV file as record batches with the columns that are wanted, or a refusal that names it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from campaign.errors import BadInput, StoreError
from campaign.schema import ID, match_header
from campaign.store import REMEDY, filesystem_of

CSV_BLOCK_BYTES = 1 << 24
NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


def raw_batches(
    uri: str, source: str, wanted: list[str], categories: list[str], batch_rows: int, groups: Sequence[int] | None
) -> Iterator[pa.RecordBatch]:
    """Batches with the wanted columns under their own names, and the id where the file has one.

    Of a Parquet file only the row groups that are named, or all of them.
    """
    filesystem, path = filesystem_of(uri)
    with _errors(uri, source):
        _refuse_missing_or_empty(filesystem, path, uri, source)
        if is_csv(path):
            yield from _csv(filesystem, path, source, wanted, categories)
        else:
            yield from _parquet(filesystem, path, source, wanted, categories, batch_rows, groups)


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
    wanted: list[str],
    categories: list[str],
    batch_rows: int,
    groups: Sequence[int] | None,
) -> Iterator[pa.RecordBatch]:
    with filesystem.open_input_file(path) as file:
        _refuse_unless_parquet(file, source)
        schema = pq.ParquetFile(file).schema_arrow
        at = _match_columns(schema.names, wanted, source)
        texts = [at[name] for name in categories if is_text(schema.field(at[name]).type)]
        # Buffered ahead, what is read is held whole: worth it over a network, where every read waits.
        ahead = not isinstance(filesystem, pafs.LocalFileSystem)
        parquet = pq.ParquetFile(file, read_dictionary=texts, pre_buffer=ahead)
        for batch in parquet.iter_batches(batch_rows, row_groups=groups, columns=list(at.values())):
            batch.validate(full=True)  # else a damaged page may end as text that no one can decode
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield pa.RecordBatch.from_arrays([columns[name] for name in at.values()], list(at))


def _csv(
    filesystem: pafs.FileSystem, path: str, source: str, wanted: list[str], categories: list[str]
) -> Iterator[pa.RecordBatch]:
    compression = "gzip" if path.lower().endswith(".gz") else None
    with filesystem.open_input_stream(path, compression=compression) as stream:
        at = _match_columns(_header(stream.read(1 << 16), source), wanted, source)
    convert = pacsv.ConvertOptions(
        # Types are found row by row: guessed from the first block, one word in a later one would cost the file.
        column_types={name: pa.string() for name in at.values()},
        include_columns=list(at.values()),
        null_values=NULLS,
        strings_can_be_null=True,
    )
    read = pacsv.ReadOptions(block_size=CSV_BLOCK_BYTES)
    parse = pacsv.ParseOptions(newlines_in_values=True)
    with filesystem.open_input_stream(path, compression=compression) as stream:
        for batch in pacsv.open_csv(stream, convert_options=convert, read_options=read, parse_options=parse):
            columns = [batch.column(name) for name in at.values()]
            yield pa.RecordBatch.from_arrays(columns, list(at))


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


def _match_columns(names: list[str], wanted: list[str], source: str) -> dict[str, str]:
    at = match_header(names, wanted, source)
    if any(name.strip().casefold() == ID.casefold() for name in names):
        at = match_header(names, [ID], source) | at
    return at


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _excerpt(data: bytes) -> str:
    return repr(data.split(b"\n")[0][:24].decode("utf-8", "replace"))
