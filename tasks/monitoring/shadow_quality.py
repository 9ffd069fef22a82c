"""How right the challenger was on the days that it scored in the shadow. It takes no part in drift, decay and calls."""

from datetime import date
from functools import partial

from prefect import get_run_logger, task

from campaign.errors import CampaignError
from campaign.settings import Settings
from campaign.store import Store
from tasks.days import select_days
from tasks.manifest import PREDICTED, SHADOW, Manifest, manifest_path, read_manifest
from tasks.metrics_database import database
from tasks.monitoring.changes import changed_days, fingerprint_of, write_fingerprint
from tasks.monitoring.metric_rows import MetricRow, write_metrics
from tasks.monitoring.quality import ScoringVersion, label_day
from tasks.monitoring.realised_quality import realised_quality
from tasks.retries import RETRIES


def describe_shadow(store: Store, day: date) -> bytes:
    """Changes when the day is scored again, by either version."""
    paths = [manifest_path(day, folder) for folder in (PREDICTED, SHADOW)]
    return b"".join(store.read(path) for path in paths if store.exists(path))


def measure_shadow(store: Store, manifest: Manifest, settings: Settings) -> list[MetricRow]:
    """Counts, and realised quality of the campaigns that have an outcome and that the challenger had not learnt from.

    Raises `NoChampion` or `ModelMismatch` for a version that the registry does not hold.
    """
    version = ScoringVersion.find(manifest.model, manifest.model_version)
    outcomes, model = label_day(store, manifest, version), version.model
    rows = [MetricRow("rows_scored", float(manifest.rows.scored))]
    if outcomes is None:
        return rows
    decide = model.schema.outcome.decide
    quality = realised_quality(outcomes.labelled, model.about["metrics"], settings, model.threshold, decide)
    # Whether outcomes join is said of the day itself.
    return [*rows, *(row for row in outcomes.rows() if row.metric != "unjoined"), *quality]


def shadow_days_due(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Named days in the shadow, else those that are new or changed; none where the shadow is off."""
    if not Settings().shadow:
        return []
    store = Store(Settings().store)
    shadowed = [day for day in store.days(SHADOW) if store.exists(manifest_path(day, SHADOW))]
    if day is not None:
        return [day] if day in shadowed else []
    days, by_name = select_days(store, SHADOW, None, from_day, to_day)
    days = [day for day in days if day in shadowed]
    return days if by_name else changed_days(store, SHADOW, shadowed, days, partial(describe_shadow, store))


@task(timeout_seconds=120, **RETRIES)
def find_shadow_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days in the shadow to monitor."""
    return shadow_days_due(day, from_day, to_day)


@task(name="monitor shadow day", task_run_name="monitor shadow {day}", timeout_seconds=3600, **RETRIES)
def monitor_shadow_day(day: date) -> None:
    """Measure the challenger's predictions of a day, and write the rows."""
    store, logger, rows = Store(Settings().store), get_run_logger(), dict[str, list[MetricRow]]()
    fingerprint = fingerprint_of(store, day, describe_shadow(store, day))
    try:
        manifest = read_manifest(store, day, SHADOW)
        assert manifest is not None
        rows[manifest.model_version] = measure_shadow(store, manifest, Settings())
        logger.info("%s: version %s measured in the shadow", day, manifest.model_version)
    except CampaignError as error:  # deleted since, or damaged: nothing hangs on it
        logger.warning("%s is not measured in the shadow: %s", day, error)
    with database().begin() as connection:
        write_metrics(connection, day, SHADOW, rows)
        write_fingerprint(connection, SHADOW, day, fingerprint)
