"""Web services that tests start, on a real uvicorn and a loopback port."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from web_world import Web, running, write_bundle

NEVER = 3600.0


@pytest.fixture(autouse=True)
def own_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process of its own: MLflow goes by the last address that anyone gave it, as tests of flows do."""
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """An exported champion, version 7."""
    about = {
        "trained_at": "2026-11-20T10:00:00+00:00",
        "origin": "here",
        "metrics": {"roc_auc": 0.9},
        "leaks": ["All."],
    }
    return write_bundle(tmp_path_factory.mktemp("champion") / "bundle", "7", about=about)


def decode_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that decodes Parquet takes longer to start than most tests: here it waits for the first body."""
    from deployments.web_service.parquet import ParquetDecoder
    from deployments.web_service.service import Service

    class StartedLate(ParquetDecoder):
        def start(self) -> None:
            if self._turn.locked():  # by who reads
                super().start()

    of = Service.of
    monkeypatch.setattr(Service, "of", lambda settings: replace(of(settings), parquet=StartedLate()))


@pytest.fixture
def serve(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Web]]:
    """Starts services with these variables; what threads do now and then, tests do themselves."""
    from deployments.web_service import capture, merging, rotation
    from deployments.web_service.app import create_app

    for module, name in ((capture, "FLUSH_SECONDS"), (merging, "EVERY_SECONDS"), (rotation, "POLL_SECONDS")):
        monkeypatch.setattr(module, name, NEVER)
    decode_late(monkeypatch)
    with ExitStack() as stack:

        def start(**variables: str) -> Web:
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            return stack.enter_context(running(create_app()))

        yield start


@pytest.fixture
def web(serve: Callable[..., Web], champion: Path) -> Web:
    """A service that has the champion."""
    started = serve(CAMPAIGN_BUNDLE=str(champion))
    started.service.rotation.refresh()
    return started
