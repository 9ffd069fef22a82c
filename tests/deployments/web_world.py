"""A web service that runs on a real uvicorn and a loopback port, and small models for it."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import uvicorn

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.schema_file import served_model
from tests.published import KNOWN_CATEGORIES, SCHEMAS

ROOT = Path(__file__).parents[2]
FILM = {
    "goalamount": 20_000, "raisedamount": 26_000, "durationdays": 30, "numbackers": 400, "category": "Film",
    "launchmonth": "June", "country": "UK", "currency": "GBP", "ownerexperience": 3, "videoincluded": "Yes",
    "socialmediapresence": 12_000, "numupdates": 9,
}  # fmt: skip


def write_bundle(folder: Path, version: str, trees: int = 5, feature_set: str = "published", about: Any = None) -> Path:
    """What `campaign champion export` writes: a model, its version, and its reference."""
    from sklearn.ensemble import RandomForestClassifier

    folder.mkdir(parents=True)
    made_up = pa.Table.from_batches(synthetic.campaigns(2000))
    pq.write_table(made_up.append_column("Mood", pa.array(range(2000))), folder / "rows.parquet")
    schema = SCHEMAS[feature_set]
    batch = next(read_campaigns(str(folder / "rows.parquet"), schema, label=True))
    encoder = Encoder.fit(schema.features, KNOWN_CATEGORIES)
    forest = Forest.from_sklearn(
        RandomForestClassifier(trees, random_state=trees).fit(encoder.encode(batch), batch.label)
    )
    name = f"{served_model()}-launch" if feature_set == "launch" else served_model()
    model = ScoringModel(name, version, schema, encoder, forest, about or {})
    model.save(folder)
    rows = pq.read_table(folder / "rows.parquet").slice(0, 500)
    probabilities = pa.array(forest.predict(encoder.encode(batch))[:500])
    pq.write_table(rows.append_column("probability", probabilities), folder / "reference.parquet")
    (folder / "rows.parquet").unlink()
    (folder / "version.txt").write_text(f"{version}\n")
    return folder


def client_of(url: str, timeout: float = 30) -> httpx.Client:
    """Without the certificates of the world's authorities, which take longer to read than most requests."""
    return httpx.Client(base_url=url, timeout=timeout, verify=False)


class Web:
    """A service that runs: `ask` for a client's side, `service` for its parts."""

    def __init__(self, app: Any, port: int) -> None:
        self.port = port
        self.service = app.state.service
        self.ask = client_of(f"http://127.0.0.1:{port}")

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *_: object) -> None:
        self.ask.close()

    def captured(self) -> pa.Table:
        """Everything that was captured so far."""
        self.service.capture.flush()
        files = self.service.store.entries("captured")
        return pa.concat_tables(pq.read_table(pa.BufferReader(self.service.store.read(file.path))) for file in files)

    def count(self, metric: str) -> float:
        """A metric's present value, 0 if it was never counted."""
        lines = self.ask.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))


@contextmanager
def running(app: Any) -> Iterator[Web]:
    from deployments.web_service.connection_limits import LimitedHttpProtocol

    server = uvicorn.Server(
        uvicorn.Config(
            app, port=0, http=LimitedHttpProtocol, proxy_headers=False, log_level="warning", access_log=False
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended"
            threading.Event().wait(0.01)
        with Web(app, server.servers[0].sockets[0].getsockname()[1]) as web:
            yield web
    finally:
        server.should_exit = True
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    champion: Path, home: Path, *arguments: str, ready: str = "/readyz"
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service as it is started in the field, and its address, once it answers there."""
    own = {"CAMPAIGN_HOME": str(home), "CAMPAIGN_BUNDLE": str(champion), "PYTHONPATH": str(ROOT)}
    port = str(free_port())
    command = [sys.executable, "-m", "deployments.web_service", "--port", port, *arguments]
    home.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(command, cwd=home, env=os.environ | own, stdout=subprocess.DEVNULL) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            with client_of(url) as client:
                for _ in range(1200):
                    try:
                        if client.get(ready).status_code == 200:
                            break
                    except httpx.TransportError:
                        assert server.poll() is None, "the service ended"
                    threading.Event().wait(0.05)
            yield server, url
        finally:
            server.kill()
