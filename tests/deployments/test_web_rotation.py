import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from web_world import FILM, Web, client_of, free_port, write_bundle

from deployments.champion import MLFLOW_LIMITS

MODEL = "campaign-success"


class Registry:
    """A real MLflow server, and the versions of the model in it."""

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient

        self.uri = uri
        self.client = MlflowClient(uri)
        self.client.create_registered_model(MODEL)
        self.experiment = self.client.create_experiment(MODEL)

    def register(self, files: Path) -> str:
        """What `tasks/register.py` leaves: the model's own files beside MLflow's."""
        run = self.client.create_run(self.experiment).info.run_id
        self.client.log_artifacts(run, str(files), "model/extra_files")
        self.client.log_text(run, "flavors: {}\n", "model/MLmodel")
        root = self.client.get_run(run).info.artifact_uri
        return str(self.client.create_model_version(MODEL, f"{root}/model", run).version)

    def promote(self, version: str) -> None:
        self.client.set_registered_model_alias(MODEL, "champion", version)


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    log = (folder / "log").open("w")
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # as the stack's has it
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()
                threading.Event().wait(0.1)
        yield uri
    finally:
        os.killpg(server.pid, 15)
        server.wait()
        log.close()


@pytest.fixture(scope="module")
def registry(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory, home: Path) -> Registry:
    """Versions 1 and 2 are sound, 3 asks clients for more, 4 answers other than was recorded, 5 recorded nothing."""
    made, folder = Registry(mlflow_server), tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in MLFLOW_LIMITS.items():  # else they would outlive the tests
            patch.setenv(name, value)
        made.register(write_bundle(folder / "1", "1", trees=5))
        made.register(write_bundle(folder / "2", "2", trees=9))
        made.register(write_bundle(folder / "3", "3", feature_set="wider"))
        disagrees = write_bundle(folder / "4", "4")
        recorded = pq.read_table(disagrees / "reference.parquet")
        at = recorded.column_names.index("probability")
        shifted = pa.array(np.clip(recorded.column(at).to_numpy() + 0.01, 0, 1))
        pq.write_table(recorded.set_column(at, "probability", shifted), disagrees / "reference.parquet")
        made.register(disagrees)
        silent = write_bundle(folder / "5", "5")
        (silent / "reference.parquet").unlink()
        made.register(silent)
    made.promote("1")
    return made


@pytest.fixture
def web(serve: Callable[..., Web], registry: Registry) -> Web:
    registry.promote("1")
    return of_registry(serve, registry)


def of_registry(serve: Callable[..., Web], registry: Registry) -> Web:
    started = serve(MLFLOW_TRACKING_URI=registry.uri, **MLFLOW_LIMITS)
    started.service.rotation.refresh()
    return started


def version(web: Web) -> str:
    return str(web.ask.post("/predict", json=FILM).json()["model_version"])


def test_the_alias_names_the_model_in_service_after_a_promotion_and_a_rollback(web: Web, registry: Registry) -> None:
    answers = []
    for number in ("1", "2", "1"):
        registry.promote(number)
        web.service.rotation.refresh()
        answers.append((version(web), web.ask.get("/readyz").json()["version"]))
    assert answers == [("1", "1"), ("2", "2"), ("1", "1")]
    assert "500 recorded predictions" in web.ask.get("/readyz").json()["checked"]


@pytest.mark.parametrize(
    ("number", "why"), [("3", "asks for mood, which clients of version 1 need not send"), ("4", "differs by 0.01")]
)
def test_a_model_that_does_not_fit_or_agree_is_refused_and_the_old_one_stays(
    web: Web, registry: Registry, number: str, why: str
) -> None:
    registry.promote(number)
    web.service.rotation.refresh()
    assert version(web) == "1"
    readiness = web.ask.get("/readyz").json()
    assert (readiness["version"], readiness["refused"]["version"]) == ("1", number)
    assert why in readiness["refused"]["reason"]
    assert web.count(f'campaign_model_refused{{version="{number}"}}') == 1
    registry.promote("1")
    web.service.rotation.refresh()
    assert web.ask.get("/readyz").json()["refused"] is None
    assert web.count(f'campaign_model_refused{{version="{number}"}}') == 0


def test_a_model_without_recorded_predictions_serves_and_says_so(web: Web, registry: Registry) -> None:
    registry.promote("5")
    web.service.rotation.refresh()
    assert version(web) == "5"
    assert "no recorded predictions" in web.ask.get("/readyz").json()["checked"]


def test_a_version_that_is_no_model_of_this_project_is_refused(web: Web, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "model.pkl").write_text("no")
    registry.promote(registry.register(tmp_path / "files"))
    web.service.rotation.refresh()
    assert version(web) == "1"
    assert web.ask.get("/readyz").json()["refused"]


def test_after_a_restart_the_last_good_model_serves_while_mlflow_is_away(
    web: Web, registry: Registry, serve: Callable[..., Web]
) -> None:
    registry.promote("2")
    web.service.rotation.refresh()
    again = serve(MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    wait_until_ready(again)
    again.service.rotation.refresh()
    assert version(again) == "2"
    assert "500 recorded predictions" in again.ask.get("/readyz").json()["checked"]
    assert "127.0.0.1:9 does not say who is champion" in again.ask.get("/readyz").json()["registry"]
    assert again.count("campaign_registry_silent") == 1


@pytest.mark.parametrize("file", ["forest.npz", "reference.parquet", "model.json"])
def test_a_last_good_model_that_was_torn_is_not_used(web: Web, serve: Callable[..., Web], file: str) -> None:
    kept = web.service.rotation.last_good
    folder = kept.folder / (kept.folder / "current").read_text()
    (folder / file).write_bytes((folder / file).read_bytes()[:100])
    again = serve(MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    again.service.rotation.refresh()
    answer = again.ask.post("/predict", json=FILM)
    assert answer.status_code == 503
    assert "127.0.0.1:9" in answer.json()["detail"]


def test_what_is_kept_for_a_restart_does_not_grow(web: Web, registry: Registry) -> None:
    for number in ("2", "1", "2", "1"):
        registry.promote(number)
        web.service.rotation.refresh()
    assert len([path for path in web.service.rotation.last_good.folder.iterdir() if path.is_dir()]) <= 2


def test_a_home_that_cannot_be_written_to_does_not_keep_a_model_from_service(
    serve: Callable[..., Web], registry: Registry, own_home: Path
) -> None:
    registry.promote("1")
    (own_home / "cache").mkdir(parents=True)
    (own_home / "cache" / "web").write_text("no folder")
    assert version(of_registry(serve, registry)) == "1"


def test_fifty_swaps_under_load_lose_no_request(web: Web, tmp_path: Path) -> None:
    from deployments.web_service.origin import Bundle

    folders = [write_bundle(tmp_path / number, number, trees=trees) for number, trees in (("8", 5), ("9", 9))]
    origins = [Bundle(folder) for folder in folders]
    probabilities, failures = {}, []
    for origin in origins:
        web.service.rotation.origin = origin
        web.service.rotation.refresh()
        answer = web.ask.post("/predict", json=FILM).json()
        probabilities[answer["model_version"]] = answer["probability"]
    swapped = threading.Event()
    answered = [0, 0]

    def load(place: int) -> None:
        with client_of(f"http://127.0.0.1:{web.port}") as client:
            while not swapped.is_set():
                answer = client.post("/predict", json=FILM)
                answered[place] += 1
                # Version and probability are of one model, never half of one and half of the other.
                if (
                    answer.status_code != 200
                    or probabilities[answer.json()["model_version"]] != answer.json()["probability"]
                ):
                    failures.append(answer.text)

    threads = [threading.Thread(target=load, args=(place,)) for place in range(len(answered))]
    for thread in threads:
        thread.start()
    swaps = web.service.rotation.live
    for at in range(50):
        web.service.rotation.origin = origins[at % 2]
        web.service.rotation.refresh()
        assert web.service.rotation.live is not swaps
        swaps = web.service.rotation.live
    swapped.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(answered) > 0


def wait_until_ready(web: Web) -> None:
    for _ in range(300):
        if web.ask.get("/readyz").status_code == 200:
            return
        threading.Event().wait(0.05)
    pytest.fail(json.dumps(web.ask.get("/readyz").json()))
