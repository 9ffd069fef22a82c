import http.server
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from campaign.errors import BadInput, StoreError
from tasks.training.ingest import fetch

CSV = b"CampaignID,IsSuccessful\na,1\n"


class Site(http.server.BaseHTTPRequestHandler):
    """One file, behind a redirect, and one that breaks; all else is not there."""

    def do_GET(self) -> None:
        if self.path == "/old/campaigns.csv":
            self.send_response(302)
            self.send_header("Location", "/campaigns.csv?version=2")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        exists = self.path.startswith("/campaigns.csv")
        self.send_response(200 if exists else 503 if "broken" in self.path else 404)
        self.send_header("Content-Length", str(len(CSV) + ("cut" in self.path)))
        self.end_headers()
        self.wfile.write(CSV)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch) -> Iterator[str]:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    """A Kaggle whose one data set holds these files."""

    def kaggle(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(CSV)
        hub = SimpleNamespace(dataset_download=lambda handle: {"owner/campaigns": str(tmp_path)}[handle])
        monkeypatch.setitem(sys.modules, "kagglehub", hub)
        return tmp_path

    return kaggle


@pytest.mark.parametrize("path", ["campaigns.csv", "campaigns.csv?token=1", "old/campaigns.csv"])
def test_what_is_on_the_web_is_downloaded_under_its_name(site, tmp_path, path):
    file = Path(fetch(f"{site}/{path}", tmp_path / "downloads"))
    assert file.read_bytes() == CSV
    assert file.name.endswith("-campaigns.csv")  # by which it is known as CSV


def test_files_of_the_same_name_do_not_overwrite_each_other(site, tmp_path):
    assert fetch(f"{site}/campaigns.csv?a", tmp_path) != fetch(f"{site}/campaigns.csv?b", tmp_path)


@pytest.mark.parametrize(
    ("path", "kind"), [("nothing.csv", BadInput), ("broken.csv", StoreError), ("campaigns.csv?cut", StoreError)]
)
def test_a_download_that_fails_is_told_by_its_address_and_leaves_nothing(site, tmp_path, path, kind):
    """A store that was away may come back and is tried again; what is not there is not."""
    with pytest.raises(kind, match="cannot be downloaded") as error:
        fetch(f"{site}/{path}", tmp_path)
    assert f"{site}/{path.partition('?')[0]}" in str(error.value)
    assert [*tmp_path.iterdir()] == []


def test_a_site_that_does_not_answer_is_told_by_its_address(site, tmp_path):
    with pytest.raises(StoreError, match=r"http://127\.0\.0\.1:1/a\.csv: cannot be downloaded"):
        fetch("http://127.0.0.1:1/a.csv", tmp_path)


@pytest.mark.parametrize("dataset", ["/data/campaigns.parquet", "s3://bucket/campaigns.csv", "file:///data/c.csv"])
def test_what_arrow_can_open_stays_where_it_is(tmp_path, dataset):
    assert fetch(dataset, tmp_path) == dataset


def test_the_one_file_of_a_kaggle_data_set_is_taken(kaggle, tmp_path):
    folder = kaggle("nested/campaigns.csv", "readme.md")
    assert fetch("kaggle://owner/campaigns", tmp_path) == str(folder / "nested" / "campaigns.csv")


@pytest.mark.parametrize(
    ("names", "message"), [((), "but 0 .none."), (("a.csv", "b.parquet"), "but 2 .a.csv, b.parquet.")]
)
def test_a_kaggle_data_set_of_another_number_of_files_is_refused(kaggle, tmp_path, names, message):
    kaggle(*names)
    with pytest.raises(BadInput, match=message):
        fetch("kaggle://owner/campaigns", tmp_path)


@pytest.mark.parametrize("error", [ValueError("Invalid dataset handle: owner"), OSError("403 Forbidden")])
def test_what_kaggle_refuses_is_told_without_a_traceback(kaggle, tmp_path, monkeypatch, error):
    def refuse(handle: str) -> str:
        raise error

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=refuse))
    with pytest.raises(BadInput, match=f"kaggle://owner: .*{error}"):
        fetch("kaggle://owner", tmp_path)


def test_without_kagglehub_the_remedy_is_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(BadInput, match=r"pip install \"campaign-success\[kaggle\]\""):
        fetch("kaggle://owner/campaigns", tmp_path)
