"""`campaign ui` as whoever types it sees it: two addresses, and pages that need nothing from elsewhere."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright
from prefect.settings import PREFECT_API_URL
from test_terminal import CAMPAIGN

from campaign.schema_file import served_model
from flows.environment import use_own_prefect
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import find_version

EVIL = "http://evil.example"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 60_000  # milliseconds; MLflow's first page of a server that has just started takes its time


@dataclass
class Served:
    """What was printed, and where the pages are."""

    said: list[str]
    mlflow: str
    prefect: str


@pytest.fixture(scope="module")
def served(trained: Path) -> Iterator[Served]:
    """Started where MLflow's port is taken, in a home whose name has a blank; one Ctrl-C ends it."""
    assert " " in trained.name
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "CAMPAIGN_"))}
    with socket.socket() as somebody_elses:
        with suppress(OSError):  # it is taken already
            somebody_elses.bind(("127.0.0.1", 5000))
            somebody_elses.listen()
        command = subprocess.Popen(
            [CAMPAIGN, "ui"], env=inherited | {"CAMPAIGN_HOME": str(trained)}, stdout=subprocess.PIPE, text=True
        )
        said = []
        for line in command.stdout:
            said.append(line.rstrip())
            if line.startswith("Ctrl-C"):
                break
        addresses = dict(line.split(maxsplit=1) for line in said if "http://" in line)
        yield Served(said, addresses["MLflow"], addresses["Prefect"])
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 130


@pytest.fixture
def page() -> Iterator[Page]:
    """Of a browser that reaches nothing but this machine."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine (apt install chromium)")

    def cut(route: Route) -> None:
        if re.match(r"https?://127\.0\.0\.1:", route.request.url):
            route.continue_()
        else:
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.route("**/*", cut)
        yield context.new_page()
        browser.close()


def test_the_addresses_are_the_last_words_and_a_taken_port_is_named(served):
    assert served.said[0] == "Port 5000 is taken; it is 5001 instead."
    assert [line.split()[0] for line in served.said[-3:]] == ["MLflow", "Prefect", "Ctrl-C"]


def test_mlflow_opens_on_the_runs_of_the_model(served, page):
    page.goto(served.mlflow)
    expect(page.get_by_role("link", name="training-").first).to_be_visible(timeout=SECONDS)


def test_the_page_of_the_search_has_its_marks_in_mlflow(served, trained, page, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_HOME", str(trained))
    run = mlflow_client().get_run(find_version(served_model(), "1").run_id)
    root = served.mlflow.partition("#")[0]
    page.goto(f"{root}#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts/search/study.html")
    shown = page.frame_locator("iframe")
    expect(shown.locator(".js-plotly-plot .point").first).to_be_attached(timeout=SECONDS)


def test_prefects_pages_open(served, page):
    page.goto(f"{served.prefect}/runs")
    expect(page.get_by_text("Runs store the state history").first).to_be_visible(timeout=SECONDS)


def origin_let_in(address: str, origin: str) -> list[str | None]:
    """The origin that the server lets read its answers: asked before a request, and with one."""
    header = {"Origin": origin}
    asked = httpx.options(f"{address}/api/flows/filter", headers=header | {"Access-Control-Request-Method": "POST"})
    answered = httpx.get(f"{address}/api/health", headers=header)
    assert answered.json() is True
    return [answer.headers.get("access-control-allow-origin") for answer in (asked, answered)]


def test_prefects_server_lets_its_own_pages_read_and_those_of_no_other_site(served):
    address, port = served.prefect, served.prefect.rpartition(":")[2]
    assert address == f"http://127.0.0.1:{port}"
    assert origin_let_in(address, EVIL) == [None, None]
    assert origin_let_in(address, f"http://localhost:{int(port) + 1}") == [None, None]
    for own in (address, f"http://localhost:{port}"):
        assert origin_let_in(address, own) == [own, own]


def test_prefects_server_listens_on_this_machine_alone(served):
    with socket.socket() as other_address:
        other_address.settimeout(2)
        assert other_address.connect_ex(("127.0.0.2", int(served.prefect.rpartition(":")[2]))) != 0


def test_pages_of_other_sites_read_nothing_from_a_temporary_server(prefect_api, monkeypatch, tmp_path):
    """A home's has the origins of the tests' own."""
    assert origin_let_in(PREFECT_API_URL.value().removesuffix("/api"), EVIL) == [None, None]
    with_origins = os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]
    for name in ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_SERVER_DATABASE_CONNECTION_URL",
                 "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"):  # fmt: skip
        monkeypatch.setenv(name, "of nobody")  # put back afterwards
    use_own_prefect(tmp_path)
    assert os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == with_origins
