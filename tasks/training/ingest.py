"""Find what a model is to learn from: the data set to begin with, and every day whose outcomes have arrived."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from prefect import get_run_logger, task

from campaign.download import download, is_web
from campaign.errors import BadInput
from campaign.settings import Settings
from campaign.store import Store
from tasks.labelled_days import LabelledDay, find_labelled_days
from tasks.retries import RETRIES


@dataclass(frozen=True)
class Sources:
    """`origin` is what the user named, `base` where its bytes can be read."""

    origin: str
    base: str
    days: tuple[LabelledDay, ...]


def fetch(dataset: str, folder: Path) -> str:
    """A path or URI that Arrow can open: what is on the web or on Kaggle is downloaded first."""
    if is_web(dataset):
        digest = hashlib.sha256(dataset.encode()).hexdigest()[:12]  # files of one name do not overwrite each other
        return str(download(dataset, folder, prefix=f"{digest}-"))
    if dataset.startswith("kaggle://"):
        return _from_kaggle(dataset.removeprefix("kaggle://"))
    return dataset


def _from_kaggle(handle: str) -> str:
    try:
        import kagglehub
    except ImportError as error:
        raise BadInput(
            f"kaggle://{handle} needs kagglehub, which is not installed.", 'Run: pip install "campaign-success[kaggle]"'
        ) from error
    try:
        folder = Path(kagglehub.dataset_download(handle))
    except Exception as error:  # its errors have no family
        raise BadInput(
            f"kaggle://{handle}: cannot be downloaded ({error}).", "Check owner and name, or download it by hand."
        ) from error
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".csv", ".parquet"))
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise BadInput(
            f"kaggle://{handle} holds not one CSV or Parquet file but {len(files)} ({names}).",
            f"Give the path of the one that is meant, below {folder}.",
        )
    return str(files[0])


@task(timeout_seconds=1800, **RETRIES)
def ingest(dataset: str | None = None) -> Sources:
    """Fetch the data set, and list the labelled days of the store."""
    settings = Settings()
    origin = dataset or settings.dataset
    sources = Sources(origin, fetch(origin, settings.cache / "downloads"), find_labelled_days(Store(settings.store)))
    get_run_logger().info("Learning from %s and %d labelled days", origin, len(sources.days))
    return sources
