"""Clients that mean no good, or know no better: each gets an answer or is let go, and the service stays up."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from web_world import FILM, Web

from campaign import synthetic
from deployments.web_service import connection_limits

BODY = json.dumps(FILM).encode()
HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@contextmanager
def connection(web: Web) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as open_one:
        yield open_one


def answer(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


def still_up(web: Web) -> bool:
    return web.ask.post("/predict", json=FILM).status_code == 200


@pytest.fixture
def impatient(web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.setattr(connection_limits, "REQUEST_SECONDS", 0.3)
    return web


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /pre", HEAD, HEAD + b"content-length: 900\r\n\r\n", HEAD + b"content-length: 900\r\n\r\n" + BODY[:20]],
    ids=["nothing", "half a line", "half a head", "no body", "half a body"],
)
def test_a_client_that_does_not_finish_is_let_go(impatient: Web, sent: bytes) -> None:
    with connection(impatient) as slow:
        slow.sendall(sent)
        assert answer(slow).startswith(b"HTTP/1.1 408 ")
    assert still_up(impatient)


ELSEWHERE = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
KINDS: list[dict[str, str]] = [{"content-type": "application/json"}, {"content-type": "application/octet-stream"}, {}]


@pytest.mark.parametrize(
    "headers",
    [
        ELSEWHERE, ELSEWHERE | {"sec-fetch-mode": "navigate"}, {"origin": "http://evil.example"}, {"origin": "null"},
        {"sec-fetch-site": "same-site", "origin": "http://localhost:5000"},
    ],
    ids=["a script", "a form", "an older browser", "a file or sandbox", "another port"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
def test_no_page_of_another_site_can_ask(web: Web, path: str, headers: dict[str, str]) -> None:
    for kind in KINDS:
        refused = web.ask.post(path, content=b"[" + BODY + b"]", headers=headers | kind)
        assert (refused.status_code, refused.json()["detail"][:14]) == (403, "A page of anot")
    web.service.capture.flush()
    assert web.service.store.entries("captured") == []


def test_what_another_site_may_not_read_it_may_link_to(web: Web) -> None:
    for path in ("/model", "/reports/2026-11-22", "/metrics"):
        assert web.ask.get(path, headers=ELSEWHERE).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    for path in ("/", "/model", "/docs"):
        assert web.ask.get(path, headers=followed).status_code == 200
    own = {"sec-fetch-site": "same-origin", "origin": f"http://127.0.0.1:{web.port}"}
    assert web.ask.post("/predict", json=FILM, headers=own).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
def test_a_body_without_a_content_type_is_refused(web: Web, path: str) -> None:
    assert web.ask.post(path, content=b"[" + BODY + b"]").status_code == 415


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:8000"])
def test_a_name_that_somebody_made_lead_here_is_refused(web: Web, host: str) -> None:
    for path in ("/model", "/", "/reports/2026-11-22"):
        refused = web.ask.get(path, headers={"host": host})
        assert (refused.status_code, "CAMPAIGN_ALLOWED_HOSTS" in refused.text) == (403, True)
    assert web.ask.post("/predict", json=FILM, headers={"host": host}).status_code == 403
    assert web.ask.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "[::1]:8000", "[::1]", "web:8000", "127.0.0.1:1"])
def test_its_own_names_are_not(web: Web, host: str) -> None:
    assert web.ask.get("/model", headers={"host": host}).status_code == 200


def test_other_names_are_a_setting(serve: Callable[..., Web], champion: Path) -> None:
    web = serve(CAMPAIGN_BUNDLE=str(champion), CAMPAIGN_ALLOWED_HOSTS="scores.example, localhost")
    web.service.rotation.refresh()
    assert web.ask.get("/model", headers={"host": "scores.example:443"}).status_code == 200
    assert web.ask.get("/model", headers={"host": "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/docs", "/model", "/static/page.js", "/healthz", "/nowhere"])
def test_every_answer_tells_browsers_what_it_is_not(web: Web, path: str) -> None:
    told = web.ask.get(path).headers
    assert told["x-content-type-options"] == "nosniff"
    assert told["referrer-policy"] == "no-referrer"
    policy = told["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.replace("style-src 'self' 'unsafe-inline'", "")


@pytest.mark.parametrize("piece", [b"x-more: %s\r\n" % (b"y" * 50), b"y" * 60], ids=["many", "one without end"])
def test_trailers_without_end_are_kept_nowhere(web: Web, piece: bytes) -> None:
    assert still_up(web)
    before = psutil.Process().memory_info().rss
    begin = b"" if b":" in piece else b"x-more: "
    with connection(web) as endless, suppress(OSError):
        endless.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n" + begin)
        for _ in range(600):
            endless.sendall(piece * 1_000)
        raise AssertionError("36 MB were taken")
    assert psutil.Process().memory_info().rss - before < 60 << 20
    assert still_up(web)


def test_a_client_that_sends_byte_by_byte_is_answered_if_it_ends_in_time(web: Web) -> None:
    with connection(web) as slow:
        request = HEAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
        for at in range(len(request)):
            slow.sendall(request[at : at + 1])
        assert b'"probability":' in answer(slow)


def test_many_slow_clients_keep_nobody_waiting(web: Web) -> None:
    slow = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(100)]
    try:
        for client in slow:
            client.sendall(HEAD + b"content-length: 900\r\n\r\n{")
        assert still_up(web)
    finally:
        for client in slow:
            client.close()


def test_those_who_say_nothing_make_room_for_those_who_ask(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "MAX_CONNECTIONS", 50)
    idle = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(120)]
    try:
        for client in idle[:60]:
            with suppress(OSError):
                client.sendall(HEAD + b"content-length: 900\r\n\r\n{")
        for _ in range(3):
            with connection(web) as client:
                client.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                assert b'"alive"' in answer(client)
        assert still_up(web)
    finally:
        for client in idle:
            client.close()


def test_slow_tables_take_nobodys_turn(web: Web, table_body: bytes) -> None:
    head = HEAD.replace(b"/predict", b"/predict/batch") + b"content-length: 8000000\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(60)]
    try:
        for client in slow:
            client.sendall(head + b'{"campaigns": [')
        headers = {"content-type": "application/json"}
        assert web.ask.post("/predict/batch", content=table_body, headers=headers).status_code == 200
    finally:
        for client in slow:
            client.close()


@pytest.fixture
def table_body() -> bytes:
    return json.dumps({"campaigns": [FILM] * 2_000}).encode()


def test_an_answer_that_nobody_takes_is_let_go(web: Web, table_body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(connection_limits, "ANSWER_SECONDS", 0.3)
    head = HEAD.replace(b"/predict", b"/predict/batch") + b"accept: application/json\r\n"
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", web.port))
        request = head + b"content-length: %d\r\n\r\n" % len(table_body) + table_body
        for _ in range(8):  # more than the buffers of both sides hold
            deaf.sendall(request)
        server = web.service.uploads
        deaf.settimeout(30)
        ended = False
        while not ended:
            threading.Event().wait(0.1)
            ended = not any(c.laddr[1] == web.port and c.status == "ESTABLISHED" and c.raddr[1] == deaf.getsockname()[1]
                            for c in psutil.Process().net_connections())  # fmt: skip
    assert still_up(web)
    assert not server._answers


def test_requests_that_are_sent_ahead_are_few(web: Web) -> None:
    with connection(web) as hasty, suppress(ConnectionError):
        hasty.sendall((HEAD + b"content-length: 900\r\n\r\n" + b" " * 900) * 200)
        assert answer(hasty).count(b"HTTP/1.1 200") < 200
    assert still_up(web)


def test_a_head_without_end_is_refused(web: Web) -> None:
    with connection(web) as long:
        long.sendall(HEAD)
        with suppress(ConnectionError):  # it may be reset, with what was not read
            while True:
                long.sendall(b"x-more: " + b"y" * 4000 + b"\r\n")
    assert still_up(web)


def test_a_client_that_goes_in_the_middle_harms_nobody(web: Web) -> None:
    for sent in (HEAD, HEAD + b"content-length: 900\r\n\r\n{", HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY):
        with connection(web) as gone:
            gone.sendall(sent)
    assert still_up(web)


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", HEAD + b"content-length: -1\r\n\r\n"])
def test_what_is_not_http_is_refused(web: Web, sent: bytes) -> None:
    with connection(web) as strange:
        strange.sendall(sent)
        assert answer(strange).startswith(b"HTTP/1.1 400 ")
    assert still_up(web)


def test_a_gigabyte_is_refused_without_being_kept(web: Web) -> None:
    before = resident()
    with connection(web) as huge:
        huge.sendall(HEAD + b"content-length: %d\r\n\r\n" % (1 << 30))
        for _ in range(1 << 10):
            huge.sendall(b" " * (1 << 17))
        assert huge.recv(12) == b"HTTP/1.1 413"
    assert resident() - before < 1 << 25
    assert still_up(web)


def test_a_table_of_a_million_columns_does_not_come_back(web: Web) -> None:
    rows = [FILM | {f"{row}-{column}": 0 for column in range(10)} for row in range(5_000)]
    sent = {"json": rows, "headers": {"accept": "text/csv"}}
    assert web.ask.post("/predict/batch", **sent).status_code == 413
    assert still_up(web)


@pytest.mark.parametrize("dictionary", [False, True], ids=["compressed", "said once"])
def test_a_table_that_swells_when_it_is_unpacked_is_refused(web: Web, dictionary: bool) -> None:
    out = io.BytesIO()
    table = pa.Table.from_batches(synthetic.campaigns(9_000)).drop_columns("GoalAmount")
    table = table.append_column("GoalAmount", pa.array(["0" * 40_000] * 9_000))
    pq.write_table(table, out, compression="zstd", use_dictionary=dictionary)
    sent = {"content": out.getvalue(), "headers": {"content-type": "application/octet-stream"}}
    assert len(out.getvalue()) < 1 << 20
    assert web.ask.post("/predict/batch", **sent).status_code == 413
    assert still_up(web)


def test_schemathesis_finds_nothing_between_the_service_and_its_openapi_document(web: Web, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("st"), "run", f"http://127.0.0.1:{web.port}/openapi.json"]
    command += ["--checks", "all", "--max-examples", "25", "--seed", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout[:4000]


def test_load_without_end_leaves_memory_flat(web: Web) -> None:
    """A minute's worth in miniature: what is answered is written and let go."""
    request = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY

    def ask(times: int) -> None:
        with connection(web) as client:
            for _ in range(times):
                client.sendall(request)
                received = b""
                while not received.endswith(b"}"):
                    received += client.recv(4096)
                assert received.startswith(b"HTTP/1.1 200")
        web.service.capture.flush()

    ask(5_000)
    before = resident()
    for _ in range(4):
        ask(5_000)
    assert resident() - before < 1 << 24


def resident() -> int:
    """Bytes of memory of this process, in which the service runs."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
