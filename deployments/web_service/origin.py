"""Where champions come from: MLflow's registry, or a folder that was exported."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from campaign.model import DESCRIPTION, REFERENCE, ScoringModel
from campaign.schema_file import served_model
from deployments.champion import TRACKING, bundle_folder, bundled_model, registered_champion, registered_files

Fetched = tuple[ScoringModel, Path | None]  # the model, and its reference if it has one


class Origin(Protocol):
    """Both raise `NoChampion` or `ModelMismatch`."""

    def champion(self) -> str:
        """A name for whoever should be in service; another name means another model."""

    def fetch(self, champion: str) -> AbstractContextManager[Fetched]:
        """That model; the file of its reference lasts as long as the block."""


@dataclass(frozen=True)
class Registry:
    """The alias of a registered model."""

    model: str

    def champion(self) -> str:
        return registered_champion(self.model)

    @contextmanager
    def fetch(self, champion: str) -> Iterator[Fetched]:
        with TemporaryDirectory(prefix="campaign-") as folder:
            files = registered_files(self.model, champion, folder)
            reference = files / REFERENCE
            yield ScoringModel.load(files, champion), reference if reference.is_file() else None


@dataclass(frozen=True)
class Bundle:
    """A folder that `campaign champion export` wrote, and may write again."""

    folder: Path

    def champion(self) -> str:
        description = self.folder / DESCRIPTION
        return str(description.stat().st_mtime_ns) if description.is_file() else "none"

    @contextmanager
    def fetch(self, champion: str) -> Iterator[Fetched]:
        reference = self.folder / REFERENCE
        yield bundled_model(self.folder), reference if reference.is_file() else None


def champion_source() -> Origin:
    """MLflow when MLFLOW_TRACKING_URI is set, else the exported folder."""
    return Registry(served_model()) if os.environ.get(TRACKING) else Bundle(bundle_folder())
