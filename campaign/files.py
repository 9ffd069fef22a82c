"""A Parquet or text file as batches of the columns that are wanted, or a refusal that names it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from campaign.arrow_types import as_usual_type
from campaign.dialect import is_binary
from campaign.errors import BadInput, StoreError
from campaign.packing import ZIP, refuse_longer, unpacked
from campaign.raw import RawBatch, RawColumns
from campaign.schema_parts import Text
from campaign.store import REMEDY, filesystem_of
from campaign.text_file import text_batches

PARQUET_NAMES = (".parquet", ".parq", ".pq")
TEXT_NAMES = (".csv", ".tsv", ".jsonl", ".ndjson")
PACKED_TEXT_NAMES = (*(f"{name}.gz" for name in TEXT_NAMES), ".zip")
OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


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
    `likely` are names that its header may have. At most `most_bytes` are read, of a text as it is once unpacked, of
    Parquet as it is decoded.
    """
    filesystem, path = filesystem_of(uri)
    with reading_errors(uri, source):
        _refuse_missing_or_empty(filesystem, path, uri, source)
        if is_text_file(path):
            with filesystem.open_input_file(path) as file:
                yield from text_batches(unpacked(file, source, most_bytes), source, wanted, text, likely)
        else:
            total = 0
            for rows in _parquet(filesystem, path, source, wanted, batch_rows, groups):
                total += rows.nbytes
                refuse_longer(total, most_bytes, source)
                yield RawBatch(rows)


def metadata_of(uri: str, source: str) -> pq.FileMetaData:
    """What a Parquet file says of itself."""
    filesystem, path = filesystem_of(uri)
    with reading_errors(uri, source):
        _refuse_missing_or_empty(filesystem, path, uri, source)
        with filesystem.open_input_file(path) as file:
            _refuse_unless_parquet(file, source)
            return pq.ParquetFile(file).metadata


def count_rows(uri: str, source: str, text: Text, likely: Iterable[str]) -> int:
    """The rows of a file: of a Parquet file by its own account, of a text by looking."""
    if not is_text_file(uri):
        return int(metadata_of(uri, source).num_rows)
    first = RawColumns(lambda names: {names[0]: names[0]})
    return sum(len(batch.rows) for batch in raw_batches(uri, source, first, 0, None, text, likely))


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
    return path.lower().endswith(PARQUET_NAMES)


def is_text_file(path: str) -> bool:
    return path.lower().endswith((*TEXT_NAMES, *PACKED_TEXT_NAMES))


def is_readable_name(path: str) -> bool:
    """Whether a file below a folder holds campaigns, by its path: neither hidden nor unfinished, of a known kind."""
    hidden = any(name.startswith((".", "_", "~$")) for name in path.split("/"))
    return not hidden and (is_parquet_file(path) or is_text_file(path))


def files_of(uri: str) -> list[str]:
    """A file, or those that a folder holds, sorted, without what is hidden, unfinished or of no known kind.

    Raises `BadInput` for a folder that holds none.
    """
    filesystem, path = filesystem_of(uri)
    with reading_errors(uri, uri):
        if filesystem.get_file_info(path).type != pafs.FileType.Directory:
            return [uri]
        found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True))
    names = sorted(info.path[len(path.rstrip("/")) + 1 :] for info in found if info.is_file and info.size)
    readable = [name for name in names if is_readable_name(name)]
    if not readable:
        raise BadInput(
            f"{uri}: it is a folder that holds no file of campaigns (found: {', '.join(names[:5]) or 'none'}).",
            "Name a file, or a folder with files that end in .parquet, .csv or .jsonl.",
        )
    folder = f"{uri.rstrip('/')}/"
    return [folder + (quote(name, safe="/=") if uri.startswith("file://") else name) for name in readable]


def _refuse_missing_or_empty(filesystem: pafs.FileSystem, path: str, uri: str, source: str) -> None:
    info = filesystem.get_file_info(path)
    if info.type == pafs.FileType.Directory:
        raise BadInput(f"{uri}: it is a folder, not a file.", "Name a file in it.")
    if info.type != pafs.FileType.File:
        raise BadInput(f"{uri}: there is no such file.", "Check the path.")
    if info.size == 0:
        raise BadInput(f"{source}: the file is empty.", "Write it again.")


@contextmanager
def reading_errors(uri: str, source: str) -> Iterator[None]:
    """What goes wrong in the block, as an error that names the file: `StoreError` if the store is away."""
    try:
        yield
    except MemoryError as error:  # Arrow's own is one too
        raise too_large(source) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # Arrow's decoders raise OSError too; only that of an operating system or a store has a number or a name.
        if isinstance(error, OSError) and (error.errno or "AWS Error" in str(error)):
            raise StoreError(f"Cannot read {uri}: {error}.", REMEDY) from error
        kind = "CSV" if is_text_file(uri) else "Parquet"
        raise BadInput(
            f"{source}: it is damaged or truncated and cannot be read as {kind} ({str(error).splitlines()[0]}).",
            "Copy or write it again.",
        ) from error


def too_large(source: str) -> BadInput:
    return BadInput(
        f"{source}: it takes more memory than this process may have.",
        "Leave out long texts that nobody asks for, write fewer rows into a row group, or give the process more.",
    )


def _refuse_unless_parquet(file: pa.NativeFile, source: str) -> None:
    start = file.read(1024)
    if start[:4] == b"PAR1":
        return
    if start[:4] == ZIP or start[:8] == OLD_EXCEL:
        raise BadInput(f"{source}: it is an Excel workbook or another packed file.", "Save its sheet as CSV.")
    begins = "holds bytes that are no text" if is_binary(start) else f"begins with {_excerpt(start)}"
    raise BadInput(
        f"{source}: it is not a Parquet file (it {begins}).",
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
            usual = [as_usual_type(columns[found], name, source) for name, found in at.items()]
            yield pa.RecordBatch.from_arrays(usual, list(at))


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _excerpt(data: bytes) -> str:
    return repr(data.split(b"\n")[0][:24].decode("utf-8", "replace"))
