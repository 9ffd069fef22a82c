import http.server
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import quote, unquote

import pytest

from campaign.download import download
from campaign.errors import BadInput, CampaignError, StoreError

CSV = b"CampaignID\n1\n"


class Site(http.server.BaseHTTPRequestHandler):
    """Answers CSV, but for paths that say what is wrong with them; `cut` promises a byte more than it sends."""

    def do_GET(self) -> None:
        if self.path.startswith("/leads-to/"):
            self.send_response(302)
            self.send_header("Location", unquote(self.path.removeprefix("/leads-to/")))
            self.end_headers()
            return
        self.send_response(404 if "missing" in self.path else 503 if "away" in self.path else 200)
        self.send_header("Content-Type", "text/csv; charset=utf-8")
        self.send_header("Content-Length", str(len(CSV) + ("cut" in self.path)))
        self.end_headers()
        self.wfile.write(CSV)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("address", "name"),
    [("day%201.csv?signature=1", "day 1.csv"), ("export?kind=csv", "export.csv"), ("", "campaigns.csv")],
)
def test_a_file_keeps_its_name_and_what_only_the_server_calls_csv_gets_that_ending(
    site: str, tmp_path: Path, address: str, name: str
) -> None:
    path = download(f"{site}/{address}", tmp_path / "new", prefix="1-")
    assert path == tmp_path / "new" / f"1-{name}"
    assert path.read_bytes() == CSV


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:5000/", "http://localhost:5000/", "http://[::1]/a.csv", "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "file:///etc/passwd", "ftp://127.0.0.1/a",
    ],
)  # fmt: skip
def test_a_site_cannot_have_this_machine_ask_its_own_services(site: str, tmp_path: Path, target: str) -> None:
    with pytest.raises(BadInput, match=r"which is no site of the web|not allowed"):
        download(f"{site}/leads-to/{quote(target, safe='')}", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_end_is_refused_and_leaves_nothing(site: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CAMPAIGN_DOWNLOAD_LIMIT", "12")
    with pytest.raises(BadInput, match="it is longer than 12 bytes, CAMPAIGN_DOWNLOAD_LIMIT"):
        download(f"{site}/a.csv", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("missing.csv", BadInput, "404 Not Found"),
        ("away.csv", StoreError, "503 Service Unavailable"),
        ("cut.csv", StoreError, "it ended after 13 of 14 bytes"),
    ],
)
def test_a_download_that_fails_names_its_address_without_the_signature_and_leaves_nothing(
    site: str, tmp_path: Path, name: str, kind: type[CampaignError], reason: str
) -> None:
    with pytest.raises(kind) as caught:
        download(f"{site}/{name}?signature=secret", tmp_path)
    assert caught.value.cause == f"{site}/{name}: cannot be downloaded ({reason})."
    assert list(tmp_path.iterdir()) == []
