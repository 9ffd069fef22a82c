"""A home with a champion, and worlds that begin anew in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.training import training
from tasks.model_versions import make_champion
from tasks.synthetic_days import write_training_data

OF_THE_WORLD = ("CAMPAIGN_STORE", "CAMPAIGN_METRICS_URL", "CAMPAIGN_OPTUNA_URL")  # it may have set them for the session


@pytest.fixture(scope="session")
def trained_once(prefect_api: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a champion, of which each module gets a copy."""
    home = tmp_path_factory.mktemp("trained") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMPAIGN_HOME", str(home))
        for name in OF_THE_WORLD:
            patch.delenv(name, raising=False)
        write_training_data(Store(Settings().store), 4_000)
        training(trials=2)
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


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a `campaign` that is a process of its own, with a home of its own."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "CAMPAIGN_", "AWS_"))
    }
    # A profile that the user has elsewhere must not matter.
    return inherited | {"CAMPAIGN_HOME": str(tmp_path / "home"), "PREFECT_PROFILE": "somebody-elses"}
