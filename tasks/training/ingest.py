"""Find what a model is to learn from: the data set to begin with, and every day whose outcomes have arrived."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from prefect import get_run_logger, task

from campaign.errors import BadInput, StoreError
from campaign.settings import Settings
from campaign.store import Store, filesystem_of
from tasks.retries import RETRIES


@dataclass(frozen=True)
class LabelledDay:
    """A day's campaigns and the outcomes that have come for it, as URIs."""

    day: str
    campaigns: tuple[str, ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class Sources:
    """`origin` is what the user named, `base` where its bytes can be read."""

    origin: str
    base: str
    days: tuple[LabelledDay, ...]


def find_labelled_days(store: Store) -> tuple[LabelledDay, ...]:
    """Days that have both campaigns and outcomes, oldest first."""
    days = []
    for day in store.days("outcomes"):
        campaigns, outcomes = (
            tuple(
                store.at(entry.path)
                for entry in store.entries(f"{folder}/day={day}")
                if entry.path.endswith(".parquet")
            )
            for folder in ("incoming", "outcomes")
        )
        if campaigns and outcomes:
            days.append(LabelledDay(day.isoformat(), campaigns, outcomes))
    return tuple(days)


def count_outcome_rows(day: LabelledDay) -> int:
    """How many outcomes have come for a day, from the files' own metadata: what is twice or empty counts too."""
    total = 0
    for uri in day.outcomes:
        filesystem, path = filesystem_of(uri)
        total += pq.read_metadata(path, filesystem=filesystem).num_rows
    return total


def fetch(dataset: str, folder: Path) -> str:
    """A path or URI that Arrow can open: what is on the web or on Kaggle is downloaded first."""
    if dataset.startswith(("http://", "https://")):
        return _download(dataset, folder)
    if dataset.startswith("kaggle://"):
        return _from_kaggle(dataset.removeprefix("kaggle://"))
    return dataset


def _download(url: str, folder: Path) -> str:
    import httpx

    name = hashlib.sha256(url.encode()).hexdigest()[:12] + "-" + Path(httpx.URL(url).path).name
    folder.mkdir(parents=True, exist_ok=True)
    partial, target = folder / f".{name}", folder / name
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=60) as answer:
            answer.raise_for_status()
            with partial.open("wb") as file:
                for piece in answer.iter_bytes():
                    file.write(piece)
    except httpx.HTTPError as error:
        partial.unlink(missing_ok=True)
        why, *_ = str(error).split("\n")
        # What was refused once is refused again; a site that is away may come back.
        refused = isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error
        raise (BadInput if refused else StoreError)(
            f"{url}: cannot be downloaded ({why}).", "Check the address, or download it by hand."
        ) from error
    partial.replace(target)
    return str(target)


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
        found = ", ".join(path.name for path in files) or "none"
        raise BadInput(
            f"kaggle://{handle} holds not one CSV or Parquet file but {len(files)} ({found}).",
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
