"""Look at one scored day: its inputs and predictions against the reference, its predictions against outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial

from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact

from campaign.model import REFERENCE
from campaign.schema import ID, Schema
from campaign.settings import Settings
from campaign.store import Entry, Store
from tasks.days import readable_files, select_days
from tasks.manifest import Manifest, manifest_path, read_manifest
from tasks.model_versions import files_of, find_version, load_version
from tasks.monitoring.drift import Drift, measure_drift
from tasks.monitoring.drift_error import sampling_errors
from tasks.monitoring.inputs import join_predictions, sample_inputs
from tasks.monitoring.metric_rows import MetricRow, changed_days, day_drifted_row, write_metrics
from tasks.monitoring.realised_quality import realised_quality
from tasks.outcomes import Outcomes
from tasks.retries import RETRIES

BATCH = "batch"  # the source of these rows in the metrics table


@dataclass(frozen=True)
class MonitoredDay:
    """What monitoring found. ROC-AUC is None without outcomes."""

    day: str
    model_version: str
    drifted: bool
    drifted_columns: list[str]
    prediction_drift: float | None
    roc_auc: float | None
    report: str


@dataclass(frozen=True)
class Measurement:
    """A day's rows for the metrics table, and what the flow gives of them."""

    rows: list[MetricRow]
    drift: Drift
    roc_auc: float | None


def describe_files(entries: Iterable[Entry]) -> str:
    """A line per file, which changes when the file does."""
    return "\n".join(f"{entry.path} {entry.size} {entry.changed.isoformat()}" for entry in entries)


def fingerprint(store: Store, day: date) -> str:
    """A digest of the day's manifest and outcomes: another one means that the day has to be looked at again."""
    outcomes = describe_files(readable_files(store, "outcomes", day))
    return hashlib.sha256(store.read(manifest_path(day)) + outcomes.encode()).hexdigest()


def read_outcomes(store: Store, day: date | str, schema: Schema) -> Outcomes | None:
    """The outcomes that have come for a day, None if no file has."""
    files = readable_files(store, "outcomes", day)
    return Outcomes.read(tuple(store.at(entry.path) for entry in files), schema) if files else None


def count_rows(manifest: Manifest) -> list[MetricRow]:
    """Rows, missing shares (of all rows read) and unknown categories, all exact."""
    read = max(manifest.rows.read, 1)
    shares = [
        MetricRow("missing_share", missing / read, column_name=name) for name, missing in manifest.missing.items()
    ]
    unknown = [
        MetricRow("unknown_categories", float(rows), column_name=name) for name, rows in manifest.unknown.items()
    ]
    missing_values = sum(manifest.missing.values()) / (read * max(len(manifest.missing), 1))
    scored = manifest.rows.scored
    return [
        MetricRow("rows_read", float(manifest.rows.read)),
        MetricRow("rows_scored", float(scored)),
        MetricRow("rows_quarantined", float(manifest.rows.quarantined)),
        MetricRow("missing_values_share", missing_values),
        MetricRow("predicted_success_rate", manifest.predicted_success / scored if scored else None),
        *shares,
        *unknown,
    ]


def measure_day(store: Store, manifest: Manifest, settings: Settings) -> Measurement:
    """Counts, drift against the reference of the version that scored the day, and realised quality."""
    import pandas as pd

    version = find_version(manifest.model, manifest.model_version)
    model = load_version(version)
    outcomes = read_outcomes(store, manifest.day, model.schema)
    current = sample_inputs(manifest, model.schema)
    current["probability"], labelled = join_predictions(manifest, current[ID], outcomes)
    del outcomes  # millions of them take room that Evidently needs
    reference = pd.read_parquet(files_of(version) / REFERENCE)
    drift = measure_drift(current, reference, model.encoder.features, settings)
    errors = sampling_errors(current, reference, drift, manifest.rows.read)
    quality = []
    if labelled is not None:
        quality = realised_quality(labelled, model.about["metrics"], settings, model.threshold)
    sample_size = MetricRow("sample_rows", float(len(current)))
    rows = [*count_rows(manifest), sample_size, *drift.rows(), *errors, day_drifted_row(drift.is_drifted), *quality]
    roc_auc = next((row.value for row in quality if row.metric == "realised_roc_auc"), None)
    return Measurement(rows, drift, roc_auc)


def publish_report(store: Store, day: date, html: str | None) -> str:
    """The URI of the day's report; empty if there is none."""
    return store.publish(f"reports/day={day}/drift.html", html.encode()).uri if html else ""


@task(timeout_seconds=120, **RETRIES)
def find_scored_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days to monitor: named ones, else those whose predictions or outcomes differ from what was last looked at."""
    store = Store(Settings().store)
    days, by_name = select_days(store, "predictions", day, from_day, to_day)
    days = [day for day in days if store.exists(manifest_path(day))]
    if not by_name:
        days = changed_days(days, BATCH, partial(fingerprint, store))
    get_run_logger().info("Days to monitor: %s", ", ".join(map(str, days)) or "none is new or changed")
    return days


@task(name="monitor day", task_run_name="monitor {day}", timeout_seconds=3600, **RETRIES)
def monitor_day(day: date) -> MonitoredDay:
    """Measure one day, publish its report, write its rows."""
    store, settings = Store(Settings().store), Settings()
    # Taken first: what changes while the day is looked at makes it a changed day for the next run.
    before = fingerprint(store, day)
    manifest = read_manifest(store, day)
    assert manifest is not None
    measured = measure_day(store, manifest, settings)
    drift, version = measured.drift, manifest.model_version
    report = publish_report(store, day, drift.html)
    if report:
        link = f"{settings.web_url}/reports/{day}" if settings.web_url else report
        create_link_artifact(link, key=f"drift-{day}", description=f"Evidently's report of {day}")
    write_metrics(day, BATCH, {version: measured.rows}, before)
    verdict, columns = "drifted" if drift.is_drifted else "no drift", drift.drifted_columns
    get_run_logger().info("%s: %s, drifted columns: %s", day, verdict, ", ".join(columns) or "none")
    return MonitoredDay(
        str(day), version, drift.is_drifted, columns, drift.prediction_distance, measured.roc_auc, report
    )
