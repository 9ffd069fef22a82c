"""The last model that served well, on disk, so that a restart works while MLflow is away."""

import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from campaign.errors import CampaignError
from campaign.model import REFERENCE, ScoringModel
from deployments.champion import VERSION, bundled_model
from deployments.web_service.origin import Fetched

CURRENT = "current"
KEPT = 2  # another worker may be reading the one before


@dataclass(frozen=True)
class LastGood:
    """A folder of exported models, and a file that names the current one: it is replaced whole, or not at all."""

    folder: Path

    def load(self) -> Fetched | None:
        """None where there is none that can be read."""
        try:
            kept = self.folder / (self.folder / CURRENT).read_text()
            reference = kept / REFERENCE
            return bundled_model(kept), reference if reference.is_file() else None
        except (OSError, ValueError, CampaignError):
            return None

    def keep(self, model: ScoringModel, reference: Path | None) -> None:
        """Make it the one to come back to. OSError if it cannot be written; the one before is then still whole."""
        name = f"{model.version}-{uuid.uuid4().hex[:8]}"
        model.save(self.folder / name)
        (self.folder / name / VERSION).write_text(model.version)
        if reference is not None:
            shutil.copyfile(reference, self.folder / name / REFERENCE)
        pointer = self.folder / f"{CURRENT}.{uuid.uuid4().hex[:8]}"
        pointer.write_text(name)
        for file in (*(self.folder / name).iterdir(), pointer):
            with file.open("rb") as written:
                os.fsync(written.fileno())
        pointer.replace(self.folder / CURRENT)
        self._forget(name)

    def _forget(self, current: str) -> None:
        folders = [path for path in self.folder.iterdir() if path.is_dir() and path.name != current]
        with suppress(OSError):  # another worker was quicker
            folders.sort(key=lambda path: path.stat().st_mtime)
        for path in folders[: -(KEPT - 1)]:
            shutil.rmtree(path, ignore_errors=True)
