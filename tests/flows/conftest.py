"""A home with a champion, and worlds that begin anew in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.training import training
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import make_champion
from tasks.synthetic_days import write_training_data
from tasks.training import evaluation_plots, explore

OF_THE_WORLD = ("CAMPAIGN_STORE", "CAMPAIGN_METRICS_URL", "CAMPAIGN_OPTUNA_URL")  # it may have set them for the session


@pytest.fixture(scope="module", autouse=True)
def without_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """To draw takes much of a small training. The world's has its pictures, and tests/tasks looks at each of them."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__ != "test_loop":
            patch.setattr(explore, "figures", lambda *_: {})
            patch.setattr(evaluation_plots, "figures", lambda *_: {})
        yield


@pytest.fixture(scope="session")
def trained_once(prefect_api: None, of_all_processes: Path) -> Path:
    """A home with a champion, of which each module gets a copy. The process that is first makes it for all."""
    home, made = of_all_processes / "trained", of_all_processes / "trained.made"
    with FileLock(of_all_processes / "trained.lock"), pytest.MonkeyPatch.context() as patch:
        if made.exists():
            return home
        patch.setenv("CAMPAIGN_HOME", str(home))
        for name in OF_THE_WORLD:
            patch.delenv(name, raising=False)
        write_training_data(Store(Settings().store), 4_000)
        training(trials=2)
        made.touch()
    return home


@pytest.fixture(scope="module")
def trained(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a champion. Its MLflow is shared by a module's tests, which have stores and metrics of their own."""
    home = tmp_path_factory.mktemp("embedded") / "my home"
    shutil.copytree(trained_once, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMPAIGN_HOME", str(home))
        for name in OF_THE_WORLD:
            patch.delenv(name, raising=False)
        yield home


@pytest.fixture
def store(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Version 1 is champion; the store is empty, and the metrics database too."""
    monkeypatch.setenv("CAMPAIGN_HOME", str(trained))
    monkeypatch.setenv("CAMPAIGN_DATASET", str(trained / "store/base/campaigns.parquet"))
    monkeypatch.setenv("CAMPAIGN_STORE", f"file://{tmp_path}/store")
    monkeypatch.setenv("CAMPAIGN_METRICS_URL", f"sqlite:///{tmp_path}/metrics.db")
    make_champion(served_model(), "1", "the world begins anew")
    return Store(Settings().store)


def register_again() -> str:
    """Another version, the equal of the first one."""
    client = mlflow_client()
    first = client.get_model_version(served_model(), "1")
    again = client.create_model_version(served_model(), first.source, first.run_id, model_id=first.model_id)
    return str(again.version)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a `campaign` that is a process of its own, with a home of its own."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "CAMPAIGN_", "AWS_"))
    }
    # A profile that the user has elsewhere must not matter.
    return inherited | {"CAMPAIGN_HOME": str(tmp_path / "home"), "PREFECT_PROFILE": "somebody-elses"}
