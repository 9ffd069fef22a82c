"""Bodies that are small on the wire and large in memory, four at once: each is refused, and nobody else notices."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from web_world import FILM, client_of, process

from campaign import synthetic
from deployments.web_service.parquet import ParquetDecoder
from deployments.web_service.refusals import TooLarge

CEILING = 300 << 20  # bytes beyond what an idle service takes
ROWS = 10_000
CSV, JSON, PARQUET, LINES = "text/csv", "application/json", "application/vnd.apache.parquet", "application/x-ndjson"


def parquet(columns: dict[str, pa.Array], **options: object) -> bytes:
    """Campaigns with some columns in place of theirs, or beside them."""
    usual = pa.Table.from_batches(synthetic.campaigns(len(next(iter(columns.values())))))
    out = io.BytesIO()
    table = pa.table(dict(zip(usual.column_names, usual.columns, strict=True)) | columns)
    pq.write_table(table, out, compression="zstd", store_schema=False, **options)  # a dictionary is a text then
    return out.getvalue()


def said_once(text: str, rows: int = ROWS) -> pa.Array:
    """One text in a dictionary, meant so many times."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [text])


def with_a_forged_size() -> bytes:
    """A page of 1.1 MB that says it is one of 134 MB."""
    honest = parquet({"Title": pa.array(["x" * 110] * ROWS)}, use_dictionary=False, data_page_size=1 << 22)
    for size in range(2 * ROWS * 110, 2 * ROWS * 120, 2):  # Thrift writes an integer twice, in pieces of seven bits
        written = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
        if honest.count(b"\x15\x00\x15" + written) == 1:
            return honest.replace(b"\x15\x00\x15" + written, b"\x15\x00\x15\xfe\xff\xff\x7f")
    raise AssertionError("there is no such page")


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("campaigns.csv", content)
    return out.getvalue()


def zip_of_many(files: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(files):
            archive.writestr(f"{number:x}", b"")
    return out.getvalue()


def json_of(value: str, times: int) -> bytes:
    return b'{"campaigns":[' + ",".join([value] * times).encode() + b"]}"


def wide_row(columns: int) -> bytes:
    return json.dumps({f"x{at}": at for at in range(columns)}).encode()


def csv_of(more_columns: int, rows: int) -> bytes:
    names = [*FILM, *(f"x{at}" for at in range(more_columns))]
    return ",".join(names).encode() + b"\n" + (b"," * (len(names) - 1) + b"\n") * rows


BODIES = {
    "an id said ten thousand times": lambda: (PARQUET, parquet({"CampaignID": said_once("7" * 12_500)})),
    "a category": lambda: (PARQUET, parquet({"Category": said_once("F" * 40_000)})),
    "a number as text": lambda: (PARQUET, parquet({"GoalAmount": said_once("0" * 100_000)})),
    "a column that comes back": lambda: (PARQUET, parquet({"Title": said_once("x" * 200_000)})),
    "bytes of one length": lambda: (
        PARQUET,
        parquet({"Country": pa.array([b"x" * 40_000] * ROWS, pa.binary(40_000))}),
    ),
    "a page of 400 MB": lambda: (
        PARQUET,
        parquet({"Country": pa.array(["x" * 40_000] * ROWS)}, use_dictionary=False, data_page_size=1 << 30),
    ),
    "a page that says it is larger": lambda: (PARQUET, with_a_forged_size()),
    "lists": lambda: (PARQUET, parquet({"Currency": pa.array([[["x" * 1_000] * 100]] * ROWS)})),
    "twenty thousand columns": lambda: (PARQUET, parquet({f"c{at}": pa.array([0]) for at in range(20_000)})),
    "six million commas": lambda: (CSV, b"," * 6_000_000 + b"\n1,2\n"),
    "four million lines": lambda: (CSV, b"GoalAmount\n" + b"1\n" * 4_000_000),
    "a zip of 256 MB": lambda: (CSV, zipped(b"GoalAmount\n" + b"1" * (1 << 28))),
    "a zip of many files": lambda: (CSV, zip_of_many(80_000)),
    "a header of one long name": lambda: (CSV, b"a" * 8_000_000),
    "a gzip of 256 MB": lambda: (CSV, gzip.compress(b"GoalAmount,Title\n" + b"1,2\n" * (1 << 26), 1)[: 1 << 23]),
    "objects": lambda: (JSON, json_of("{}", 2_700_000)),
    "lists in JSON": lambda: (JSON, json_of("[[]]", 1_600_000)),
    "keys that differ": lambda: (JSON, json.dumps({"campaigns": [{f"{at:x}": 0 for at in range(700_000)}]}).encode()),
    "rows without columns": lambda: (JSON, json_of("{}", 9_999)[:-2] + b"," + wide_row(1_000) + b"]}"),
    "columns without rows": lambda: (CSV, csv_of(900, 8_000)),
    "a line of lists": lambda: (LINES, b'{"a":[' + b"[]," * 2_000_000 + b"0]}\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def service(champion: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[psutil.Process, str]]:
    with process(champion, tmp_path_factory.mktemp("memory")) as (server, url), client_of(url) as client:
        usual = parquet({"Title": said_once("x", 100)})
        for kind, body in ((PARQUET, usual), (JSON, json_of(json.dumps(FILM), 100))):
            assert client.post("/predict/batch", content=body, headers={"content-type": kind}).status_code == 200
        yield psutil.Process(server.pid), url


def memory_of(service: psutil.Process) -> int:
    """Bytes that it and its processes have in memory."""
    total = 0
    for member in [service, *service.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += member.memory_info().rss
    return total


@pytest.mark.parametrize("name", BODIES)
def test_what_swells_in_memory_is_refused_and_nobody_else_notices(service, name: str) -> None:
    server, url = service
    kind, body = BODIES[name]()
    assert len(body) <= 1 << 23
    idle, most, done = memory_of(server), 0, Event()
    others: list[int] = []

    def watch() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, memory_of(server))

    def ask() -> None:
        with client_of(url) as client:
            while not (others and done.is_set()):  # once at least: four refusals may come before its first answer
                others.append(client.post("/predict", json=FILM).status_code)
                others.append(client.get("/healthz").status_code)

    def attack(_: int) -> int:
        headers = {"content-type": kind, "accept": "text/csv"}
        with client_of(url, timeout=120) as client:
            return client.post("/predict/batch", content=body, headers=headers).status_code

    threads = [Thread(target=watch), Thread(target=ask)]
    for thread in threads:
        thread.start()
    try:
        with ThreadPoolExecutor(4) as attackers:
            answers = list(attackers.map(attack, range(4)))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert all(400 <= status < 500 for status in answers), answers
    assert most - idle < CEILING, f"{(most - idle) >> 20} MB"
    assert set(others) == {200}


def test_a_process_that_dies_of_a_body_is_replaced() -> None:
    usual, decoder = parquet({"Title": said_once("x", 100)}), ParquetDecoder()
    decoder.start()
    try:
        first = decoder._process
        assert first is not None

        def kill(names: dict[str, bool]) -> list[str]:
            first.kill()
            return list(names)

        with pytest.raises(TooLarge):
            decoder.read(usual, kill)
        assert len(decoder.read(usual, list)) == 100
        assert decoder._process is not first
    finally:
        decoder.stop()
