"""One URI in, files and S3 alike out; what is published is whole or not there."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pyarrow.fs as pafs

from campaign.errors import BadInput, StoreError
from campaign.settings import Settings

REMEDY = "Check CAMPAIGN_STORE, free space and permissions (for S3: AWS_ENDPOINT_URL and the keys), then run again."


@dataclass(frozen=True)
class Entry:
    """One object: its path below the store's root, bytes and time of change (UTC)."""

    path: str
    size: int
    changed: datetime


@dataclass(frozen=True)
class Published:
    uri: str
    sha256: str


class HashingSink:
    """A writable file that knows the sha256 of what went through it."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self._digest = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        self._digest.update(data)
        self._sink.write(data)
        return memoryview(data).nbytes

    def flush(self) -> None:
        self._sink.flush()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def filesystem_of(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system of a path, `file://` or `s3://` URI, and the path within it. Opens no connection."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return pafs.LocalFileSystem(), str(Path(uri).expanduser().absolute())
    if scheme == "file" and rest.startswith("/"):
        return pafs.LocalFileSystem(), unquote(rest)
    if scheme == "s3" and rest[:1] not in ("", "/"):
        return _s3(), rest
    raise BadInput(
        f"{uri}: there is no store of this kind.", "Give a path, file:///absolute/path or s3://bucket/prefix."
    )


def _s3() -> pafs.FileSystem:
    options: dict[str, Any] = {"region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")}
    if given := Settings().aws_endpoint_url:
        endpoint = urlsplit(given)
        if endpoint.scheme not in ("http", "https") or not endpoint.netloc:
            raise BadInput(f"AWS_ENDPOINT_URL is {given}, which is no web address.", "Write it as http://host:port.")
        options |= {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme}
        options["region"] = options["region"] or "us-east-1"
    # Without bounds a store that is away is waited for by the minute.
    return pafs.S3FileSystem(connect_timeout=5, request_timeout=60, **options)


def day_of(name: str) -> date | None:
    """The day that a folder's name says; None for any other name."""
    try:
        day = date.fromisoformat(name.removeprefix("day="))
    except ValueError:
        return None
    return day if name == f"day={day}" else None


class Store:
    """Objects by relative path below one URI."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._fs, root = filesystem_of(uri)
        self._root = root.rstrip("/")
        self._local = isinstance(self._fs, pafs.LocalFileSystem)
        self._quoted = self.uri.startswith("file://")

    def at(self, path: str) -> str:
        """The URI of an object."""
        return f"{self.uri}/{quote(path, safe='/=') if self._quoted else path}"

    def path_of(self, uri: str) -> str:
        """The inverse of `at`."""
        path = uri.removeprefix(f"{self.uri}/")
        return unquote(path) if self._quoted else path

    def entries(self, folder: str, hidden: bool = False) -> list[Entry]:
        """All objects below a folder, sorted by path; hidden ones (being written, or left by a kill) on request."""
        selector = pafs.FileSelector(f"{self._root}/{folder}".rstrip("/"), recursive=True, allow_not_found=True)
        with self._errors("list", folder):
            found = self._fs.get_file_info(selector)
            if not found and not self._local:
                self._look_for_bucket()
        entries = [
            Entry(info.path[len(self._root) + 1 :], info.size, info.mtime)
            for info in found
            if info.type == pafs.FileType.File and (hidden or not info.base_name.startswith("."))
        ]
        return sorted(entries, key=lambda entry: entry.path)

    def entries_by_day(self, folder: str) -> dict[date, list[Entry]]:
        """What a folder holds of each day, oldest first, by one listing of all."""
        named: dict[str, list[Entry]] = {}
        for entry in self.entries(folder):
            named.setdefault(entry.path[len(folder) + 1 :].rpartition("/")[0].split("/")[0], []).append(entry)
        days = {}
        for name, entries in named.items():
            if (day := day_of(name)) is not None:
                days[day] = entries
        return dict(sorted(days.items()))

    def folders(self, folder: str) -> list[str]:
        """The names of what lies directly in a folder and is one itself, also if it is empty."""
        selector = pafs.FileSelector(f"{self._root}/{folder}", allow_not_found=True)
        with self._errors("list", folder):
            return sorted(info.base_name for info in self._fs.get_file_info(selector) if not info.is_file)

    def days(self, folder: str) -> list[date]:
        """The days that a folder has objects for, oldest first."""
        return [*self.entries_by_day(folder)]

    def exists(self, path: str) -> bool:
        with self._errors("look for", path):
            return bool(self._fs.get_file_info(f"{self._root}/{path}").type == pafs.FileType.File)

    def read(self, path: str) -> bytes:
        """Raises `FileNotFoundError` when it is not there."""
        with (
            self._errors("read", path, but=FileNotFoundError),
            self._fs.open_input_stream(f"{self._root}/{path}") as stream,
        ):
            return bytes(stream.read())

    def delete(self, path: str) -> None:
        with self._errors("delete", path), suppress(FileNotFoundError):
            self._fs.delete_file(f"{self._root}/{path}")

    def publish(self, path: str, data: bytes) -> Published:
        """Put an object in place, whole."""
        with self.writing(path) as sink:
            sink.write(data)
        return Published(self.at(path), sink.sha256)

    @contextmanager
    def writing(self, path: str) -> Iterator[HashingSink]:
        """Stream an object that appears under its name when the block ends, and not at all when it raises."""
        target = f"{self._root}/{path}"
        folder, _, name = target.rpartition("/")
        # Moved into place when it is whole. An S3 upload would be invisible until it is completed, but Arrow completes
        # it even on an error, and what was there under the name would be lost.
        partial = f"{folder}/.{name}.{uuid.uuid4().hex[:8]}"
        with self._errors("write", path):
            try:
                if self._local:
                    self._fs.create_dir(folder)
                with self._fs.open_output_stream(partial) as stream:
                    sink = HashingSink(stream)
                    yield sink
                    sink.closed = True
                self._fs.move(partial, target)
            except BaseException:
                with suppress(Exception):
                    self._fs.delete_file(partial)
                raise

    def sweep(self, folder: str, keep: set[str], older_than: timedelta) -> int:
        """Delete objects of a folder that are not kept and have not changed for some time; how many went."""
        before = datetime.now(UTC) - older_than
        entries = self.entries(folder, hidden=True)
        stale = [entry.path for entry in entries if entry.path not in keep and entry.changed < before]
        for path in stale:
            self.delete(path)
        return len(stale)

    def _look_for_bucket(self) -> None:
        # A bucket that is not there lists like an empty one. Whoever may see a part of it alone is refused the bucket
        # itself, and only if it is there.
        bucket = self._root.partition("/")[0]
        try:
            kind = self._fs.get_file_info(bucket).type
        except OSError as error:
            if "ACCESS_DENIED" in str(error):
                return
            raise
        if kind == pafs.FileType.NotFound:
            raise StoreError(f"There is no bucket {bucket} for {self.uri}.", "Make it, or correct CAMPAIGN_STORE.")

    @contextmanager
    def _errors(self, verb: str, path: str, but: type[OSError] | tuple[()] = ()) -> Iterator[None]:
        try:
            yield
        except but:
            raise
        except OSError as error:
            raise StoreError(f"Cannot {verb} {self.at(path)}: {error}.", REMEDY) from error
