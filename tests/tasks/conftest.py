import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaign.settings import Settings


@pytest.fixture(scope="module")
def own_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose home has an MLflow of its own, which a module's tests share."""
    import mlflow  # seconds, for tests that need none

    folder: Path = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CAMPAIGN_METRICS_URL", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        patch.setenv("CAMPAIGN_HOME", str(folder / "home"))
        (folder / "home").mkdir()
        yield folder
    mlflow.set_tracking_uri(Settings().mlflow_tracking_uri)  # MLflow remembers where it was,
    os.environ.pop("MLFLOW_TRACKING_URI", None)  # there too
