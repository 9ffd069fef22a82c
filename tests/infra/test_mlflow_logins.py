"""MLflow's server with its logins, as the stack starts it, on SQLite: who may what, and what its clients make of it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from campaign.errors import NoChampion
from deployments.champion import registered_champion
from tasks.model_versions import find_champion

ROOT = Path(__file__).parents[2]
LOGINS = {"admin": "the-password-of-admin", "trainer": "the-password-of-trainer", "reader": "the-password-of-reader"}
SET_UP = """
import json, sys
from infra.mlflow.set_up import set_up
for logins in sys.argv[2:]:
    set_up(sys.argv[1], json.loads(logins))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def set_up(database: str, *logins: dict[str, str]) -> None:
    """One after the other."""
    command = [sys.executable, "-c", SET_UP, database, *map(json.dumps, logins)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("logins")
    database, config, port = f"sqlite:///{folder}/mlflow.db", folder / "auth.ini", free_port()
    text = (ROOT / "infra" / "mlflow" / "basic_auth.ini").read_text()
    config.write_text(text.replace("postgresql+psycopg2:///?service=mlflow", f"sqlite:///{folder}/auth.db"))
    before = LOGINS | {"reader": "the-password-of-before"}
    set_up(f"sqlite:///{folder}/auth.db", before, LOGINS, LOGINS)  # it is changed, then nothing is
    own = {
        "MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-this-test",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }  # fmt: skip
    words = [
        "server", f"--backend-store-uri={database}", f"--artifacts-destination={folder}/artifacts",
        "--app-name=basic-auth", "--enable-workspaces", "--host=127.0.0.1", f"--port={port}", "--workers=1",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "mlflow"), *words],
            env=os.environ | own,
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/health").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def log_in(monkeypatch: pytest.MonkeyPatch, url: str, user: str, password: str | None = None) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password or LOGINS[user])
    return MlflowClient(url, url)


def test_each_login_may_what_it_is_for(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert httpx.get(f"{server}/api/2.0/mlflow/experiments/search?max_results=1").status_code == 401
    trainer = log_in(monkeypatch, server, "trainer")
    experiment = trainer.create_experiment("of-the-trainer")
    trainer.create_registered_model("of-the-trainer")
    run = trainer.create_run(experiment).info.run_id
    reader = log_in(monkeypatch, server, "reader")
    assert reader.get_run(run).info.run_id == run
    assert reader.get_registered_model("of-the-trainer").name == "of-the-trainer"
    for write in (
        lambda: reader.create_experiment("of-the-reader"),
        lambda: reader.create_registered_model("of-the-reader"),
        lambda: reader.log_metric(run, "test_roc_auc", 1.0),
        lambda: reader.delete_run(run),
        lambda: reader.set_registered_model_tag("of-the-trainer", "by", "reader"),
    ):
        with pytest.raises(MlflowException, match="403"):
            write()
    with pytest.raises(MlflowException, match="401"):
        log_in(monkeypatch, server, "reader", "the-password-of-before").search_experiments()


def test_a_model_that_is_not_there_has_no_champion(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow with logins answers 403, as if it were forbidden."""
    for user in ("trainer", "reader"):
        log_in(monkeypatch, server, user)
        assert find_champion("of-nobody") is None
        with pytest.raises(NoChampion, match="of-nobody has no champion yet"):
            registered_champion("of-nobody")


def test_who_has_no_login_is_told_which_one(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch, server, "reader", "a-wrong-password")
    with pytest.raises(NoChampion, match=r"asks for a login.*MLFLOW_READER_PASSWORD"):
        registered_champion("of-nobody")
    command = [sys.executable, "-c", "from flows.cli import main; main()", "champion"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "asks for another login" in ended.stderr
    assert "MLFLOW_TRACKING_PASSWORD" in ended.stderr
