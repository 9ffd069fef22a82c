"""Let go of what is older than the settings say: drift reports, captured predictions, versions that never won."""

from datetime import UTC, date, datetime, timedelta

from prefect import get_run_logger, task

from campaign.settings import Settings
from campaign.store import Store
from tasks.days import scheduled_day
from tasks.patience import PATIENT
from tasks.registry import Version, client, versions


def old_days(store: Store, folder: str, today: date, keep_days: int) -> list[date]:
    """The days of a folder that are past keeping."""
    return [day for day in store.days(folder) if day < today - timedelta(days=keep_days)]


def delete_day(store: Store, folder: str, day: date) -> None:
    """Every file of a day, the hidden ones too."""
    for entry in store.entries(f"{folder}/day={day}", hidden=True):
        store.delete(entry.path)


def losers(model: str, now: datetime, keep_days: int) -> list[Version]:
    """Versions that never were champion and have no alias, registered longer ago than that."""
    limit = now - timedelta(days=keep_days)
    old = [version for version in versions(model) if version.created < limit and not version.promoted_at]
    if not old:
        return []
    named = {str(number) for number in client().get_registered_model(model).aliases.values()}
    return [version for version in old if version.number not in named]


def delete_version(version: Version) -> None:
    """Remove a version and its artifacts. Its run stays, with parameters and metrics, to be compared with."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    connected = client()
    model_id = connected.get_model_version(version.model, version.number).source.removeprefix("models:/")
    logged = connected.get_logged_model(model_id)
    # Artifacts first: a deletion that was interrupted finds its version again.
    for uri in (logged.artifact_location, connected.get_run(version.run_id).info.artifact_uri):
        get_artifact_repository(uri).delete_artifacts()
    connected.delete_model_version(version.model, version.number)
    connected.delete_logged_model(model_id)


@task(timeout_seconds=900, **PATIENT)
def let_go() -> dict[str, int]:
    """Delete what is past keeping; gives how many days and versions that were."""
    settings, today = Settings(), scheduled_day()
    store, gone = Store(settings.store), {}
    for folder, keep_days in (("reports", settings.keep_reports_days), ("captured", settings.keep_captured_days)):
        days = old_days(store, folder, today, keep_days)
        for day in days:
            delete_day(store, folder, day)
        gone[folder] = len(days)
    beaten = losers(settings.model, datetime.now(UTC), settings.keep_losers_days)
    for version in beaten:
        delete_version(version)
    gone["versions"] = len(beaten)
    if any(gone.values()):
        get_run_logger().info("Let go of %s", ", ".join(f"{count} {what}" for what, count in gone.items() if count))
    return gone
