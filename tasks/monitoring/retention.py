"""Delete what is older than the settings say: days of each folder, versions that never won."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from prefect import get_run_logger, task

from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from tasks.days import scheduled_day
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import Version, list_versions
from tasks.retries import RETRIES


def expired_days(store: Store, folder: str, today: date, keep_days: int) -> list[date]:
    """The days of a folder that are older than they are kept."""
    return [day for day in store.days(folder) if day < today - timedelta(days=keep_days)]


def expired_bad_rows(store: Store, settings: Settings, today: date) -> list[str]:
    """The files of bad rows of data sets, which belong to no day, that were written before they are kept."""
    if settings.keep_quarantine_days is None:
        return []
    limit = today - timedelta(days=settings.keep_quarantine_days)
    entries = store.entries("quarantine")
    return [entry.path for entry in entries if "/dataset=" in entry.path and entry.changed.date() < limit]


def delete_day(store: Store, folder: str, day: date) -> None:
    """Every file of a day, the hidden ones too."""
    for entry in store.entries(f"{folder}/day={day}", hidden=True):
        store.delete(entry.path)


def expired_versions(model: str, now: datetime, keep_days: int) -> list[Version]:
    """Versions that never were champion and have no alias, registered longer ago than they are kept."""
    limit = now - timedelta(days=keep_days)
    old = [version for version in list_versions(model) if version.created < limit and not version.promoted_at]
    if not old:
        return []
    with_alias = {str(number) for number in mlflow_client().get_registered_model(model).aliases.values()}
    return [version for version in old if version.number not in with_alias]


def delete_version(version: Version) -> None:
    """Remove a version and its artifacts. Its run stays, with parameters and metrics, to be compared with."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client = mlflow_client()
    model_id = client.get_model_version(version.model, version.number).source.removeprefix("models:/")
    logged = client.get_logged_model(model_id)
    # Artifacts first: a deletion that was interrupted finds its version again.
    for uri in (logged.artifact_location, client.get_run(version.run_id).info.artifact_uri):
        get_artifact_repository(uri).delete_artifacts()
    client.delete_model_version(version.model, version.number)
    client.delete_logged_model(model_id)


def find_expired_days(store: Store, settings: Settings, today: date) -> dict[str, list[date]]:
    """The days of each folder that has an age at which they are deleted."""
    ages = {
        "reports": settings.keep_reports_days,
        "captured": settings.keep_captured_days,
        "incoming": settings.keep_incoming_days,
        "outcomes": settings.keep_outcomes_days,
        "predictions": settings.keep_predictions_days,
        "shadow": settings.keep_predictions_days,
        "quarantine": settings.keep_quarantine_days,
    }
    return {folder: expired_days(store, folder, today, age) for folder, age in ages.items() if age is not None}


def has_expired_files(store: Store, settings: Settings, today: date) -> bool:
    """Whether some day, or bad rows of a data set, are older than they are kept."""
    return any(find_expired_days(store, settings, today).values()) or bool(expired_bad_rows(store, settings, today))


@dataclass(frozen=True)
class Expired:
    """What is older than it is kept."""

    days: dict[str, list[date]]
    bad_rows: list[str]
    versions: list[Version]

    def counts(self) -> dict[str, int]:
        """How many days of each folder, files of bad rows, and versions; what has none is left out."""
        counts = {folder: len(days) for folder, days in self.days.items()}
        counts |= {"files of bad rows": len(self.bad_rows), "versions": len(self.versions)}
        return {what: count for what, count in counts.items() if count}


def find_expired(store: Store, settings: Settings, today: date) -> Expired:
    """Days and bad rows by the run's day, versions by the clock."""
    return Expired(
        find_expired_days(store, settings, today),
        expired_bad_rows(store, settings, today),
        expired_versions(served_model(), datetime.now(UTC), settings.keep_losers_days),
    )


@task(timeout_seconds=900, **RETRIES)
def delete_expired() -> dict[str, int]:
    """Delete what is older than it is kept; gives how many days, files and versions that were."""
    settings = Settings()
    store = Store(settings.store)
    expired = find_expired(store, settings, scheduled_day())
    for folder, days in expired.days.items():
        for day in days:
            delete_day(store, folder, day)
    for path in expired.bad_rows:
        store.delete(path)
    for version in expired.versions:
        delete_version(version)
    deleted = expired.counts()
    if deleted:
        get_run_logger().info("Deleted: %s", ", ".join(f"{count} {what}" for what, count in deleted.items()))
    return deleted
