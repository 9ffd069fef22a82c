"""What Prometheus is told: every request once, whatever became of it, and each worker's present."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from web_world import FILM, Web, process

KEY = "a-key-of-some-length"
Labels = tuple[tuple[str, str], ...]
Samples = dict[tuple[str, Labels], float]


def samples(text: str) -> Samples:
    """Every sample of `/metrics`, by its name and labels, as Prometheus would read it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def requests_counted(text: str) -> Counter[tuple[str, str]]:
    """Answers by route and status, but for what is asked for the metrics themselves."""
    counted: Counter[tuple[str, str]] = Counter()
    for (name, labels), value in samples(text).items():
        by = dict(labels)
        if name == "campaign_requests_total" and by["route"] != "/metrics":
            counted[by["route"], by["status"]] = int(value)
    return counted


def total(text: str, name: str, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(value for (found, by), value in samples(text).items() if found == name and wanted <= set(by))


def metrics_of(web: Web, key: str = KEY) -> str:
    answer = web.ask.get("/metrics", headers={"x-api-key": key})
    assert answer.status_code == 200
    return answer.text


def exchange(web: Web, *pieces: bytes) -> bytes:
    """What is answered to bytes that httpx would not send."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answered = b""
        while received := connection.recv(4096):
            answered += received
        return answered


def test_every_answer_is_counted_once_by_its_route_and_status(serve: Callable[..., Web], champion: Path) -> None:
    web = serve(CAMPAIGN_BUNDLE=str(champion), CAMPAIGN_API_KEYS=KEY)
    web.service.rotation.refresh()
    before = requests_counted(metrics_of(web))
    key, foreign = {"x-api-key": KEY}, {"host": "evil.example"}
    as_csv = {"content-type": "text/csv", **key}
    asked: list[tuple[str, str, dict[str, object], str, int, int]] = [
        ("POST", "/predict", {"json": FILM, "headers": key}, "/predict", 200, 5),
        ("POST", "/predict", {"json": FILM}, "/predict", 401, 2),
        ("POST", "/predict", {"json": FILM, "headers": foreign}, "/predict", 403, 2),
        ("POST", "/predict", {"content": b" " * 70_000, "headers": key | {"content-type": "application/json"}},
         "/predict", 413, 1),
        ("POST", "/predict", {"content": b"x", "headers": key}, "/predict", 415, 1),
        ("POST", "/predict", {"json": {}, "headers": key}, "/predict", 422, 3),
        ("POST", "/predict/batch", {"json": [FILM, {}], "headers": key}, "/predict/batch", 200, 2),
        ("POST", "/predict/batch", {"content": b" " * (1 << 23) + b"x", "headers": as_csv}, "/predict/batch", 413, 1),
        ("POST", "/explain", {"json": FILM, "headers": key}, "/explain", 200, 1),
        ("GET", "/model", {"headers": key}, "/model", 200, 2),
        ("GET", "/model", {}, "/model", 401, 1),
        ("GET", "/model", {"headers": foreign}, "none", 403, 2),
        ("GET", "/reports/2026-11-23", {"headers": key}, "/reports/{day}", 404, 1),
        ("GET", "/readyz", {}, "/readyz", 200, 1),
        ("GET", "/predict", {"headers": key}, "/predict", 405, 1),
        ("GET", "/", {}, "/", 200, 1),
        ("GET", "/static/page.js", {}, "/static", 200, 1),
        ("GET", "/static/no-such.js", {}, "/static", 404, 1),
        ("GET", "/openapi.json", {}, "/openapi.json", 200, 1),
        ("GET", "/wp-login.php", {}, "none", 404, 3),
        ("GET", "/.env", {}, "none", 404, 1),
    ]  # fmt: skip
    expected: Counter[tuple[str, str]] = Counter()
    for method, path, said, route, status, times in asked:
        for _ in range(times):
            assert web.ask.request(method, path, **said).status_code == status, (method, path)  # type: ignore[arg-type]
        expected[route, str(status)] += times
    assert requests_counted(metrics_of(web)) - before == expected


def test_a_service_without_a_model_counts_that_it_is_not_ready(serve: Callable[..., Web], tmp_path: Path) -> None:
    web = serve(CAMPAIGN_BUNDLE=str(tmp_path / "none"))
    before = requests_counted(metrics_of(web))
    for _ in range(3):
        assert web.ask.post("/predict", json=FILM).status_code == 503
    assert web.ask.get("/readyz").status_code == 503
    assert requests_counted(metrics_of(web)) - before == {("/predict", "503"): 3, ("/readyz", "503"): 1}


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 70_000,), 431),
        ((b"no HTTP at all\r\n\r\n",), 400),
    ],
    ids=["a head without end", "no HTTP"],
)
def test_what_never_becomes_a_request_is_counted_as_well(web: Web, pieces: tuple[bytes, ...], status: int) -> None:
    before = requests_counted(metrics_of(web))
    assert exchange(web, *pieces).startswith(b"HTTP/1.1 %d" % status)
    assert requests_counted(metrics_of(web)) - before == {("none", str(status)): 1}


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_body_that_stays_away_is_counted_once_and_by_its_route(
    web: Web, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deployments.web_service import connection_limits

    monkeypatch.setattr(connection_limits, "REQUEST_SECONDS", 0.2)
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
    before = requests_counted(metrics_of(web))
    assert exchange(web, head.encode(), b"{").startswith(b"HTTP/1.1 408")
    counted = lambda: requests_counted(metrics_of(web)) - before  # noqa: E731
    wait_until(lambda: bool(counted()))
    assert counted() == {(path, "408"): 1}


@pytest.mark.parametrize("route", ["/predict", "/predict/batch", "/explain", "/model"])
def test_the_first_failure_is_a_step_from_0(web: Web, route: str) -> None:
    """A counter that appears with 1 is no increase to Prometheus."""
    for status in ("500", "503"):
        assert ("campaign_requests_total", (("route", route), ("status", status))) in samples(metrics_of(web))


def test_latency_has_room_from_microseconds_to_seconds(web: Web) -> None:
    web.ask.post("/predict", json=FILM)
    name, by = "campaign_request_seconds_bucket", {"route": "/predict"}
    bounds = sorted(
        float(dict(labels)["le"]) for (found, labels) in samples(metrics_of(web)) if found == name
        and by.items() <= dict(labels).items()
    )  # fmt: skip
    assert bounds[0] <= 5e-5
    assert bounds[-2] >= 10
    assert all(wide <= 4 * narrow for narrow, wide in pairwise(bounds[:-1]))  # so quantiles mean much


def test_each_worker_s_present_is_told(web: Web) -> None:
    wait_until(lambda: total(metrics_of(web), "campaign_ready") == 1)
    assert 50e6 < total(metrics_of(web), "campaign_resident_memory_bytes") < 20e9
    for _ in range(3):
        web.ask.post("/predict", json=FILM)
    wait_until(lambda: total(metrics_of(web), "campaign_capture_waiting") == 3)
    web.service.capture.flush()
    wait_until(lambda: total(metrics_of(web), "campaign_capture_waiting") == 0)


def test_a_blocked_event_loop_is_told(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked, of = iter([0.8]), web.service.addresses.of
    monkeypatch.setattr(web.service.addresses, "of", lambda scope: (time.sleep(next(blocked, 0)), of(scope))[1])
    web.ask.get("/healthz")
    wait_until(lambda: total(metrics_of(web), "campaign_event_loop_lag_seconds") > 0.2)


def test_two_workers_are_summed_and_one_that_died_leaves_its_counts_alone(champion: Path, own_home: Path) -> None:
    rows, campaigns = 40, 3
    with process(champion, own_home, "--workers", "2") as (server, url):
        for _ in range(rows):
            httpx.post(f"{url}/predict", json=FILM, verify=False).raise_for_status()
        for _ in range(campaigns):
            httpx.post(f"{url}/predict/batch", json=[FILM, FILM | {"category": "Never seen"}, {}]).raise_for_status()
            assert httpx.get(f"{url}/model", headers={"host": "evil.example"}).status_code == 403
        metrics = lambda: httpx.get(f"{url}/metrics", verify=False).text  # noqa: E731
        asked = {("/predict", "200"): rows, ("/predict/batch", "200"): campaigns, ("none", "403"): campaigns}
        # A request is counted once its answer is on its way; and the other worker may have no model yet.
        wait_until(lambda: asked.items() <= requests_counted(metrics()).items() and swaps(metrics()) == 2)
        wait_until(lambda: total(metrics(), "campaign_ready") == 1)
        assert total(metrics(), "campaign_predictions_total") == rows + 2 * campaigns
        assert total(metrics(), "campaign_unknown_categories_total", feature="Category") == campaigns
        assert total(metrics(), "campaign_rejected_rows_total") == campaigns
        assert total(metrics(), "campaign_request_seconds_count", route="/predict") == rows
        assert total(metrics(), "campaign_model_info", version="7") == 1
        two = total(metrics(), "campaign_resident_memory_bytes")
        [worker, *_] = workers = workers_of(server.pid)
        assert len(workers) == 2
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(workers_of(server.pid) - workers) == 1 and swaps(metrics()) == 3)
        assert total(metrics(), "campaign_resident_memory_bytes") < 1.25 * two
        assert requests_counted(metrics())["/predict", "200"] == rows
        server.terminate()  # the workers as well, which would outlive it if it were killed
        server.wait()


def swaps(text: str) -> float:
    return total(text, "campaign_model_swaps_total")


def workers_of(supervisor: int) -> set[int]:
    """Its processes that serve, and not the one that keeps track of shared memory."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    found = set()
    for child in children:
        with suppress(OSError):  # it has just ended
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(int(child))
    return found


def wait_until(claim: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)
