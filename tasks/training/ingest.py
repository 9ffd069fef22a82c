"""Find what a model is to learn from: the data set to begin with, and every day whose outcomes have arrived."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs as pafs
from prefect import get_run_logger, task

from campaign.download import download, is_web
from campaign.errors import BadInput, CampaignError
from campaign.files import is_readable_name
from campaign.masking import shown
from campaign.settings import Settings
from campaign.store import Store, filesystem_of
from tasks.labelled_days import LabelledDay, find_labelled_days
from tasks.model_versions import find_champion, load_version
from tasks.retries import RETRIES


@dataclass(frozen=True)
class Sources:
    """`origin` is what the user named, `base` where its bytes can be read."""

    origin: str
    base: str
    days: tuple[LabelledDay, ...]

    @property
    def shown(self) -> str:
        """The origin without what is secret in an address."""
        return shown(self.origin)

    @property
    def most_bytes(self) -> int | None:
        """Of what came from the web, how many bytes are read, once they are unpacked."""
        return Settings().download_limit if is_web(self.origin) else None


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
    files = sorted(path for path in folder.rglob("*") if is_readable_name(str(path.relative_to(folder))))
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise BadInput(
            f"kaggle://{handle} holds not one CSV or Parquet file but {len(files)} ({names}).",
            f"Give the path of the one that is meant, below {folder}.",
        )
    return str(files[0])


def default_dataset(model: str, store: Store) -> str:
    """What a training takes that is told nothing: CAMPAIGN_DATASET, else what the champion was trained on, else base/.

    Raises `BadInput` naming all three when there is none to read.
    """
    if configured := Settings().dataset:
        return configured
    origin, base = champion_origin(model), store.at("base/campaigns.parquet")
    for candidate in filter(None, (origin, base)):
        if is_readable(candidate):
            return candidate
    of_champion = f"what the champion was trained on ({shown(origin)}) is gone" if origin else "there is no champion"
    raise BadInput(
        f"There is nothing to train on: CAMPAIGN_DATASET is not set, {of_champion}, and there is no {base}.",
        "Name a file: `campaign train FILE`.",
    )


def champion_origin(model: str) -> str:
    """The data set that the champion was trained on; empty if there is none, or it cannot be loaded."""
    champion = find_champion(model)
    try:
        return str(load_version(champion).about.get("origin", "")) if champion else ""
    except CampaignError:  # the gate says so
        return ""


def is_readable(dataset: str) -> bool:
    """Whether there is such a file or folder; what is on the web or on Kaggle is taken at its word."""
    if is_web(dataset) or dataset.startswith("kaggle://"):
        return True
    try:
        filesystem, path = filesystem_of(dataset)
        return filesystem.get_file_info(path).type in (pafs.FileType.File, pafs.FileType.Directory)
    except (CampaignError, OSError):
        return False


@task(timeout_seconds=1800, **RETRIES)
def ingest(dataset: str | None, model: str) -> Sources:
    """Fetch the data set, and list the labelled days of the store."""
    settings = Settings()
    origin = dataset or default_dataset(model, Store(settings.store))
    sources = Sources(origin, fetch(origin, settings.cache / "downloads"), find_labelled_days(Store(settings.store)))
    get_run_logger().info("Learning from %s and %d labelled days", sources.shown, len(sources.days))
    return sources
