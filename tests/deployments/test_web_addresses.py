"""Who may ask, how often, and what an address that is known may take of the rest."""

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from web_world import FILM, Web

from campaign.errors import BadInput
from deployments.web_service import connection_limits
from deployments.web_service.addresses import MAX_AT_ONCE, Addresses
from deployments.web_service.keys import MAX_WRONG, Keys
from deployments.web_service.refusals import NoKey, TooMany

KEY = "a-key-of-some-length"
WRONG = [(b"x-api-key", b"no")]


def scope(peer: str, forwarded: str = "") -> dict[str, object]:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return {"client": (peer, 1), "headers": headers}


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "expected"),
    [
        ("", "127.0.0.1", "", None),
        ("", "172.17.0.1", "8.8.8.8", None),  # whoever says so
        ("", "8.8.8.8", "1.1.1.1", "8.8.8.8"),
        ("", "::1", "", None),
        ("", "2a00:1450:4001:81b::200e", "", "2a00:1450:4001:81b::/64"),
        ("", "::ffff:8.8.8.8", "", "8.8.8.8"),
        ("10.0.0.0/8", "10.0.0.1", "8.8.8.8", "8.8.8.8"),
        ("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 8.8.8.8, 10.0.0.2", "8.8.8.8"),
        ("10.0.0.0/8", "10.0.0.1", "192.168.0.7", "192.168.0.7"),
        ("10.0.0.0/8", "10.0.0.1", "", None),
        ("10.0.0.0/8", "10.0.0.1", "nonsense", None),
        ("10.0.0.0/8", "192.168.0.7", "8.8.8.8", "192.168.0.7"),
        ("10.0.0.1, ::1", "::1", "8.8.8.8", "8.8.8.8"),
    ],
)
def test_whose_request_it_is(trusted: str, peer: str, forwarded: str, expected: str | None) -> None:
    assert Addresses(trusted).of(scope(peer, forwarded)) == expected


def test_a_proxy_that_is_no_address_is_a_setting_that_cannot_be() -> None:
    with pytest.raises(BadInput, match="CAMPAIGN_TRUSTED_PROXIES"):
        Addresses("nginx")


def test_one_address_takes_its_share_and_no_more() -> None:
    addresses = Addresses("")
    held = [addresses.one_more("8.8.8.8") for _ in range(MAX_AT_ONCE)]
    for one in held:
        one.__enter__()
    with pytest.raises(TooMany), addresses.one_more("8.8.8.8"):
        pass
    with addresses.one_more("1.1.1.1"), addresses.one_more(None):
        pass
    held[0].__exit__(None, None, None)
    with addresses.one_more("8.8.8.8"):
        pass


def test_an_address_that_guesses_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("deployments.web_service.keys.monotonic", lambda: now)
    keys, right = Keys(KEY), [(b"x-api-key", KEY.encode())]
    for _ in range(MAX_WRONG):
        with pytest.raises(NoKey):
            keys.check(WRONG, "8.8.8.8")
    for given in (WRONG, right):
        with pytest.raises(TooMany):
            keys.check(given, "8.8.8.8")
    keys.check(right, "1.1.1.1")
    now = 61.0
    keys.check(right, "8.8.8.8")


def test_whoever_may_be_anyone_locks_nobody_out() -> None:
    keys = Keys(KEY)
    for _ in range(MAX_WRONG):
        with pytest.raises(NoKey):
            keys.check(WRONG, None)
    with pytest.raises(TooMany):
        keys.check(WRONG, None)
    keys.check([(b"x-api-key", KEY.encode())], None)


def test_asking_without_a_key_is_no_guess() -> None:
    keys = Keys(KEY)
    for _ in range(3 * MAX_WRONG):
        with pytest.raises(NoKey):
            keys.check([], "8.8.8.8")


def test_a_key_that_could_be_guessed_is_refused_at_the_start() -> None:
    with pytest.raises(BadInput, match="fewer than 16 characters"):
        Keys(f"{KEY},short")


def test_guesses_are_refused_by_the_service_too(serve: Callable[..., Web], champion: Path) -> None:
    web = serve(CAMPAIGN_BUNDLE=str(champion), CAMPAIGN_API_KEYS=KEY, CAMPAIGN_TRUSTED_PROXIES="127.0.0.1")
    web.service.rotation.refresh()

    def ask(key: str, address: str) -> httpx.Response:
        return web.ask.post("/predict", json=FILM, headers={"x-api-key": key, "x-forwarded-for": address})

    statuses = [ask("wrong", "8.8.8.8").status_code for _ in range(MAX_WRONG + 1)]
    assert statuses == [401] * MAX_WRONG + [429]
    refused = ask(KEY, "8.8.8.8")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert ask(KEY, "8.8.4.4").status_code == 200


def test_metrics_need_a_key_where_keys_are_set_unless_they_are_open(serve: Callable[..., Web], champion: Path) -> None:
    locked = serve(CAMPAIGN_BUNDLE=str(champion), CAMPAIGN_API_KEYS=KEY)
    assert locked.ask.get("/metrics").status_code == 401
    assert locked.ask.get("/metrics", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
    assert serve(CAMPAIGN_METRICS_OPEN="1").ask.get("/metrics").status_code == 200
    assert serve(CAMPAIGN_METRICS_OPEN="0", CAMPAIGN_API_KEYS="").ask.get("/metrics").status_code == 200


def test_an_address_that_is_known_has_its_share_of_connections(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "MAX_PER_ADDRESS", 3)
    monkeypatch.setattr(web.service.addresses, "of_peer", lambda host: host)
    web.ask.close()
    held = [socket.create_connection(("127.0.0.1", web.port), timeout=30) for _ in range(4)]
    try:
        assert held[3].recv(12) == b"HTTP/1.1 429"
        held[0].sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert held[0].recv(12) == b"HTTP/1.1 200"
    finally:
        for one in held:
            one.close()
