import hashlib
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.errors import BadInput, StoreError
from campaign.store import Store, filesystem_of

AWKWARD = ["a b.parquet", "50%20.parquet", "100%.parquet", "a#1.parquet", "what?.parquet", "größe+1.parquet"]
HOUR = timedelta(hours=1)


@pytest.fixture(params=["file", "path", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        return Store(f"s3://campaign/{uuid.uuid4().hex}")
    folder = tmp_path / "with space" / "store"
    return Store(folder.as_uri() if request.param == "file" else str(folder))


@pytest.fixture(params=["file", "s3"])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store that nothing can be written to: a folder that is a file, or a bucket that nobody made."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        return Store("s3://nobody-made-this/store")
    (tmp_path / "file").write_text("in the way")
    return Store((tmp_path / "file").as_uri())


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 4 KiB."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def everything(store: Store) -> list[str]:
    return [entry.path for entry in store.entries("", hidden=True)]


def test_what_is_published_is_there_whole_with_its_digest(store: Store) -> None:
    published = store.publish("predictions/day=2026-11-22/a.bin", b"campaigns" * 1_000)
    assert published.sha256 == hashlib.sha256(b"campaigns" * 1_000).hexdigest()
    assert published.uri == store.at("predictions/day=2026-11-22/a.bin")
    assert store.read("predictions/day=2026-11-22/a.bin") == b"campaigns" * 1_000
    assert everything(store) == ["predictions/day=2026-11-22/a.bin"]


def test_publishing_again_replaces(store: Store) -> None:
    store.publish("a.bin", b"long and old")
    store.publish("a.bin", b"new")
    assert store.read("a.bin") == b"new"
    assert everything(store) == ["a.bin"]


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.publish("a.bin", b"")
    assert store.exists("a.bin")
    assert store.read("a.bin") == b""


def test_a_parquet_file_is_streamed_into_it_and_its_digest_is_that_of_its_bytes(store: Store) -> None:
    table = pa.table({"x": range(10_000)})
    with store.writing("t.parquet") as sink, pq.ParquetWriter(sink, table.schema) as writer:
        for start in range(0, 10_000, 1_000):
            writer.write_table(table.slice(start, 1_000))
    filesystem, path = filesystem_of(store.at("t.parquet"))
    assert pq.read_table(path, filesystem=filesystem).equals(table)
    assert sink.sha256 == hashlib.sha256(store.read("t.parquet")).hexdigest()


@pytest.mark.parametrize("before", [None, b"what was there"], ids=["new", "replacing"])
@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, BadInput], ids=lambda error: error.__name__)
def test_a_write_that_fails_leaves_what_was_there(store: Store, before: bytes | None, stop: Any) -> None:
    if before:
        store.publish("day=1/a.bin", before)
    error = stop("cause", "remedy")
    with pytest.raises(stop), store.writing("day=1/a.bin") as sink:  # noqa: PT012
        sink.write(b"half of it")
        raise error
    assert everything(store) == (["day=1/a.bin"] if before else [])
    if before:
        assert store.read("day=1/a.bin") == before


def test_nobody_sees_an_object_before_it_is_whole(store: Store) -> None:
    store.publish("day=1/a.bin", b"before")
    with store.writing("day=1/a.bin") as sink:
        sink.write(b"after")
        sink.flush()
        assert store.read("day=1/a.bin") == b"before"
        assert [entry.path for entry in store.entries("day=1")] == ["day=1/a.bin"]
    assert store.read("day=1/a.bin") == b"after"


def test_two_writers_of_one_name_leave_one_of_the_two_whole(store: Store) -> None:
    with store.writing("a.bin") as first:
        first.write(b"1" * 10)
        with store.writing("a.bin") as second:
            second.write(b"2" * 5)
        first.write(b"1" * 10)
    assert store.read("a.bin") == b"1" * 20


def test_objects_are_listed_by_path_with_size_and_time_and_hidden_ones_only_on_request(store: Store) -> None:
    for path in ["in/day=2/b", "in/day=1/c", "in/day=1/.half", "inside/a"]:
        store.publish(path, b"12345")
    assert [entry.path for entry in store.entries("in")] == ["in/day=1/c", "in/day=2/b"]
    assert [entry.path for entry in store.entries("in", hidden=True)] == ["in/day=1/.half", "in/day=1/c", "in/day=2/b"]
    entry = store.entries("in")[0]
    assert entry.size == 5
    assert abs(entry.changed - datetime.now(UTC)) < HOUR


def test_a_folder_that_is_not_there_is_empty(store: Store) -> None:
    assert store.entries("incoming") == []
    assert store.days("incoming") == []
    assert store.folders("incoming") == []
    assert not store.exists("incoming/a")


def test_days_are_the_folders_named_after_one_oldest_first(store: Store) -> None:
    days = ["day=2026-11-22", "day=2025-01-31", "day=2026-02-30", "day=20261123", "2026-11-24", "day=", "days", "x"]
    for name in days:
        store.publish(f"incoming/{name}/a", b"x")
    store.publish("incoming/day=2026-11-25", b"a file")
    store.publish("incoming/day=2026-11-26/.half", b"x")
    store.publish("outcomes/day=2026-11-27/a", b"x")
    assert store.days("incoming") == [date(2025, 1, 31), date(2026, 11, 22)]


def test_what_is_not_there_is_said_to_be_so(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("manifest.json")


def test_deleting_twice_is_as_good_as_once(store: Store) -> None:
    store.publish("a/b", b"x")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")


@pytest.mark.parametrize("name", AWKWARD)
def test_an_object_with_an_awkward_name_is_found_by_its_uri(store: Store, name: str) -> None:
    path = f"incoming/day=2026-11-22/{name}"
    published = store.publish(path, b"x")
    assert [entry.path for entry in store.entries("incoming")] == [path]
    assert store.path_of(published.uri) == path
    filesystem, place = filesystem_of(published.uri)
    with filesystem.open_input_stream(place) as stream:
        assert stream.read() == b"x"


def test_a_sweep_takes_what_is_old_and_not_kept_the_half_written_included(store: Store) -> None:
    for name in ["kept", "old", ".half.1234"]:
        store.publish(f"parts/{name}", b"x")
    store.publish("elsewhere/old", b"x")
    assert store.sweep("parts", {"parts/kept"}, HOUR) == 0
    time.sleep(1.1)  # S3 counts whole seconds
    assert store.sweep("parts", {"parts/kept"}, timedelta(0)) == 2
    assert everything(store) == ["elsewhere/old", "parts/kept"]


def test_a_slash_at_the_end_of_the_store_changes_nothing(tmp_path: Path) -> None:
    Store(f"{tmp_path.as_uri()}/").publish("a/b", b"x")
    assert (tmp_path / "a" / "b").read_bytes() == b"x"


def test_a_relative_path_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store("store").publish("a", b"x")
    assert (tmp_path / "store" / "a").read_bytes() == b"x"


@pytest.mark.parametrize(
    "uri", ["ftp://host/store", "file://store", "file://./store", "s3://", "s3:///store", "http://host"]
)
def test_a_uri_that_names_no_store_is_refused_before_anything_is_written(uri: str) -> None:
    with pytest.raises(BadInput) as caught:
        Store(uri)
    assert caught.value.cause.startswith(uri)
    assert caught.value.remedy == "Give a path, file:///absolute/path or s3://bucket/prefix."


@pytest.mark.parametrize("endpoint", ["localhost:7070", "s3.local", "ftp://s3:7070"])
def test_an_endpoint_that_is_no_web_address_does_not_lead_to_amazon(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(BadInput, match=f"AWS_ENDPOINT_URL is {endpoint}, .*http://host:port"):
        Store("s3://campaign")


@pytest.mark.parametrize(
    ("endpoint", "region", "options"),
    [
        ("http://objects:7070", None, ("objects:7070", "http", "us-east-1")),
        ("https://objects", "eu-west-1", ("objects", "https", "eu-west-1")),
        (None, "eu-west-1", (None, None, "eu-west-1")),
    ],
)
def test_objects_are_where_the_endpoint_says(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, region: str | None, options: tuple[str | None, ...]
) -> None:
    opened: list[dict[str, Any]] = []
    monkeypatch.setattr("pyarrow.fs.S3FileSystem", lambda **given: opened.append(given))
    for name, value in (("AWS_ENDPOINT_URL", endpoint), ("AWS_REGION", region), ("AWS_DEFAULT_REGION", None)):
        monkeypatch.delenv(name, raising=False)
        if value:
            monkeypatch.setenv(name, value)
    assert filesystem_of("s3://bucket/folder")[1] == "bucket/folder"
    [given] = opened
    assert (given.get("endpoint_override"), given.get("scheme"), given["region"]) == options


def test_a_store_that_cannot_be_written_says_so_and_what_to_check(broken: Store) -> None:
    with pytest.raises(StoreError, match=f"(?s)Cannot write {broken.uri}/in/a.bin: .* Check CAMPAIGN_STORE"):
        broken.publish("in/a.bin", b"x")


class Fence(BaseHTTPRequestHandler):
    """An object store as one sees it who may list `incoming/` of a bucket, which is empty, and nothing else."""

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.end_headers()

    def do_GET(self) -> None:
        allowed = "prefix=incoming" in self.path
        body = LISTING if allowed else b""
        self.send_response(200 if allowed else 403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


LISTING = b"""<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Name>campaign</Name><Prefix>incoming/</Prefix><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"""


@pytest.fixture
def fence(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fence)
    thread = Thread(target=server.serve_forever)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "traffic",
        "AWS_SECRET_ACCESS_KEY": "of-traffic",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        yield Store("s3://campaign")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_bucket_that_may_be_seen_in_part_alone_is_taken_to_be_there(fence: Store) -> None:
    assert fence.days("incoming") == []
    with pytest.raises(StoreError, match="Cannot list s3://campaign/base"):
        fence.days("base")


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_not_taken_for_an_empty_one() -> None:
    with pytest.raises(StoreError, match=r"There is no bucket nobody-made-this .* Make it, or correct CAMPAIGN_STORE"):
        Store("s3://nobody-made-this/store").days("incoming")


def test_a_disk_that_is_full_midway_leaves_what_was_there(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store = Store(tmp_path.as_uri())
    store.publish("a.bin", b"before")
    request.getfixturevalue("small_disk")
    with pytest.raises(StoreError, match=f"Cannot write {store.at('a.bin')}: .*Check .* free space"):
        store.publish("a.bin", b"x" * 10_000)
    assert everything(store) == ["a.bin"]
    assert store.read("a.bin") == b"before"


@pytest.fixture
def nobody_listens(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")


@pytest.mark.outer
@pytest.mark.usefixtures("nobody_listens")
@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "action",
    [lambda store: store.publish("a", b"x"), lambda store: store.days("in"), lambda store: store.read("a")],
    ids=["write", "list", "read"],
)
def test_an_endpoint_that_is_away_is_a_store_error_within_seconds(action: Callable[[Store], Any]) -> None:
    with pytest.raises(StoreError, match=r"s3://campaign.*AWS_ENDPOINT_URL"):
        action(Store("s3://campaign/x"))
