"""The bytes of a file that may be packed: gzip, or a zip of one file. What a file is, its first bytes say."""

import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from campaign.errors import BadInput

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
CHUNK_BYTES = 1 << 22
MAX_LIST_BYTES = 1 << 20  # of a zip's list of members: some ten thousand


def unpacked(file: Any, source: str, most_bytes: int | None = None, chunk_bytes: int | None = None) -> Iterator[bytes]:
    """Chunks of at most `chunk_bytes`, or 4 MB, also where a few bytes are packed for many more.

    Raises `BadInput` for a zip of several files, and once more than `most_bytes` have come.
    """
    chunk_bytes = chunk_bytes or CHUNK_BYTES
    start = file.read(4)
    file.seek(0)
    if start[:2] == GZIP:
        chunks = _gunzipped(file, source, chunk_bytes)
    elif start == ZIP:
        chunks = _unzipped(file, source, chunk_bytes)
    else:
        chunks = iter(lambda: file.read(chunk_bytes), b"")
    total = 0
    for chunk in chunks:
        total += len(chunk)
        refuse_longer(total, most_bytes, source)
        yield chunk


def refuse_longer(total: int, most_bytes: int | None, source: str) -> None:
    """The meter: what a file says of its own length is never asked."""
    if most_bytes is not None and total > most_bytes:
        raise BadInput(f"{source}: it is longer than {most_bytes:,} bytes.", "Send it in several pieces.")


def _gunzipped(file: Any, source: str, chunk_bytes: int) -> Iterator[bytes]:
    inflater, waiting = zlib.decompressobj(31), b""
    try:
        while True:
            waiting = waiting or file.read(chunk_bytes)
            if not waiting:
                break
            if inflater.eof:  # files packed apart and put one behind the other
                inflater = zlib.decompressobj(31)
            yield inflater.decompress(waiting, chunk_bytes)
            waiting = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    except zlib.error as error:
        raise BadInput(f"{source}: its gzip is damaged ({error}).", "Copy or write it again.") from error
    if not inflater.eof:
        raise BadInput(f"{source}: its gzip ends before it is complete.", "Copy or write it again.")


def _unzipped(file: Any, source: str, chunk_bytes: int) -> Iterator[bytes]:
    opening = _ListOfMembers(file)
    try:
        with zipfile.ZipFile(opening) as archive:
            opening.limit = None
            names = [info for info in archive.infolist() if not info.is_dir() and not _is_hidden(info.filename)]
            if any(info.filename.startswith("xl/") for info in names):
                raise BadInput(f"{source}: it is an Excel workbook.", "Save its sheet as CSV.")
            if len(names) != 1:
                raise BadInput(
                    f"{source}: it is a zip of {len(names)} files.", "Pack one file, or give the files unpacked."
                )
            with archive.open(names[0]) as member:
                while chunk := member.read(chunk_bytes):
                    yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"{source}: it cannot be unzipped ({error}).", "Copy or write it again.") from error


class _ListOfMembers:
    """A file of which ZipFile reads the list of members at once: a few megabytes of it become hundreds in memory."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.limit: int | None = MAX_LIST_BYTES

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int | None = None) -> bytes:
        if self.limit is not None and (size or 0) > self.limit:
            raise zipfile.BadZipFile("it holds too many files")
        content: bytes = self._file.read(size)
        return content


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith((".", "_"))
