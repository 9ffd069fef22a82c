"""Look at one scored day: its inputs and predictions against the reference, its predictions against outcomes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html import escape

from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from campaign.errors import ModelMismatch, NoChampion
from campaign.settings import Settings
from campaign.store import Store
from tasks.days import scheduled_day, select_days
from tasks.manifest import Manifest, manifest_path, read_manifest
from tasks.metrics_database import database
from tasks.monitoring.changes import changed_days, fingerprint_of, stored_fingerprint, write_fingerprint
from tasks.monitoring.drift import PROBABILITY, measure_drift
from tasks.monitoring.drift_error import sampling_errors
from tasks.monitoring.estimated_quality import estimated_quality
from tasks.monitoring.metric_rows import (
    JUDGED,
    MetricRow,
    day_drifted_row,
    day_state_row,
    incomplete_row,
    read_metrics,
    write_metrics,
)
from tasks.monitoring.monitored_day import MonitoredDay
from tasks.monitoring.outcome_days import OutcomeDay, read_outcome_days, write_outcome_day
from tasks.monitoring.quality import ScoringVersion, is_of_outcomes, label_day, measure_quality, remarks_on_outcomes
from tasks.monitoring.unseen_values import share_of_unseen
from tasks.monitoring.window import read_window
from tasks.retries import RETRIES

BATCH = "batch"  # the source of these rows in the metrics table
# Wherever the report is opened from: its scripts show it, and ask and send nothing.
REPORT_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"script-src 'unsafe-inline'; connect-src 'none'; img-src data:; form-action 'none'\">"
)


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


def measure_inputs(
    store: Store, manifest: Manifest, version: ScoringVersion, settings: Settings, with_report: bool = True
) -> tuple[list[MetricRow], str | None]:
    """Counts, drift against the reference of the version that scored the day, the quality to be expected, and
    Evidently's report of the drift, if one is wanted."""
    window, reference = read_window(store, manifest, version.model.schema, settings), version.reference
    probability = window.sample[PROBABILITY].dropna().to_numpy()
    unseen = share_of_unseen(window.sample, version.model, reference)
    drift = measure_drift(window.sample, reference, version.model.encoder.features, settings, with_report)
    rows = [
        *count_rows(manifest),
        MetricRow("sample_rows", float(len(window.sample))),
        MetricRow("days_judged", float(window.days)),
        MetricRow("days_judged", float(window.prediction_days), column_name=PROBABILITY),
        *drift.rows(),
        *sampling_errors(window.sample, reference, drift, window.rows),
        *estimated_quality(probability, unseen, version.model, version.bar(settings), settings),
        day_drifted_row(drift.is_drifted, drift.is_judged),
    ]
    return rows, drift.html


def report_path(day: date) -> str:
    return f"reports/day={day}/drift.html"


def headed(html: str, manifest: Manifest) -> str:
    """Evidently's report under a line that says of what it is."""
    of = f"{manifest.model} version {manifest.model_version}, campaigns of {manifest.day}"
    title = f"{REPORT_POLICY}<title>Drift of {escape(of)}</title>"
    line = f'<h1 style="font:600 20px system-ui,sans-serif;margin:16px 24px">{escape(of)}, beside its reference</h1>'
    whole = re.sub(r"<title>.*?</title>", "", html, count=1, flags=re.DOTALL)
    whole = re.sub(r"(<head[^>]*>)", lambda found: found[0] + title, whole, count=1)
    return re.sub(r"(<body[^>]*>)", lambda found: found[0] + line, whole, count=1)


def point_to(report: str, day: date, settings: Settings) -> None:
    """An artifact of the run: a link where a web service shows the report, else where it is, for no browser opens a
    file that a page links to."""
    described = f"Evidently's report of {day}"
    if settings.web_url:
        create_link_artifact(f"{settings.web_url}/reports/{day}", key=f"drift-{day}", description=described)
    else:
        create_markdown_artifact(f"{described} is in `{report}`.", key=f"drift-{day}", description=described)


def read_verdict(record: OutcomeDay | None, number: str) -> list[MetricRow]:
    """On the window in which a day's outcomes were judged, where it stands beside a later day."""
    if record is None or record.judged_until is None or record.judged_until == record.day:
        return []
    with database().connect() as connection:
        return [row for row in read_metrics(connection, record.judged_until, BATCH, number) if row.metric in JUDGED]


def scored_days_due(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Named days, else new and changed ones of the lookback, and any whose outcomes have changed."""
    store = Store(Settings().store)
    scored = [
        day
        for day, entries in store.entries_by_day("predictions").items()
        if any(entry.path == manifest_path(day) for entry in entries)
    ]
    days, by_name = select_days(store, "predictions", day, from_day, to_day)
    days = [day for day in days if day in scored]
    if not by_name:
        days = changed_days(store, BATCH, scored, days, lambda day: store.read(manifest_path(day)))
    return days


def version_of(manifest: Manifest) -> ScoringVersion:
    """Raises `NoChampion` or `ModelMismatch` where the registry has lost it, with what to do for the day."""
    try:
        return ScoringVersion.find(manifest.model, manifest.model_version)
    except (NoChampion, ModelMismatch) as error:
        raise type(error)(
            f"{manifest.day} was scored by a version that is lost: {error.cause}",
            f"Have today's champion score it: `campaign score --day {manifest.day}`.",
        ) from error


@task(timeout_seconds=120, **RETRIES)
def find_scored_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days to monitor."""
    days = scored_days_due(day, from_day, to_day)
    get_run_logger().info("Days to monitor: %s", ", ".join(map(str, days)) or "none is new or changed")
    return days


@task(name="monitor day", task_run_name="monitor {day}", timeout_seconds=3600, **RETRIES)
def monitor_day(day: date, with_report: bool = True) -> MonitoredDay:
    """Measure one day, publish its report if one is wanted, write its rows.

    Where only outcomes came, drift stays as it was measured.
    """
    store, settings = Store(Settings().store), Settings()
    # Taken first: what changes while the day is looked at makes it a changed day for the next run.
    fingerprint = fingerprint_of(store, day, store.read(manifest_path(day)))
    manifest = read_manifest(store, day)
    assert manifest is not None
    number, version = manifest.model_version, version_of(manifest)
    with database().connect() as connection:
        before = stored_fingerprint(connection, BATCH, day)
        stored = read_metrics(connection, day, BATCH, number)
        records = {record.day: record for record in read_outcome_days(connection, number)}
    outcomes = label_day(store, manifest, version)  # before the inputs: millions of ids take room that Evidently needs
    if stored and before and before.predictions == fingerprint.predictions and before.outcomes != fingerprint.outcomes:
        rows = [row for row in stored if not is_of_outcomes(row)]
        report = store.at(report_path(day)) if store.exists(report_path(day)) else ""
    else:
        rows, html = measure_inputs(store, manifest, version, settings, with_report)
        report = store.publish(report_path(day), headed(html, manifest).encode()).uri if html else ""
    record, before_that = None, records.pop(day, None)
    if outcomes:
        for remark in remarks_on_outcomes(store, manifest, outcomes, version.model.schema):
            get_run_logger().warning("%s", remark)
        if outcomes.empty:
            get_run_logger().info("%s: %d files of outcomes have no row yet", day, len(outcomes.empty))
        labelled = outcomes.labelled
        record = OutcomeDay(
            day, number, labelled.rows, labelled.expected_successes, outcomes.share, scheduled_day(),
            before_that.judged_until if before_that else None,
        )  # fmt: skip
        if before_that and before and before.outcomes == fingerprint.outcomes:
            record = replace(record, last_change=before_that.last_change)
        quality, record = measure_quality(store, outcomes, record, list(records.values()), version, settings)
        rows += quality
    rows.append(incomplete_row(len(manifest.faults) + len(outcomes.unread if outcomes else ())))
    verdict = read_verdict(record, number)
    rows.append(day_state_row(rows, verdict))
    with database().begin() as connection:
        write_metrics(connection, day, BATCH, {number: rows})
        if record:
            write_outcome_day(connection, record)
        write_fingerprint(connection, BATCH, day, fingerprint)
    if report:
        point_to(report, day, settings)
    result = MonitoredDay.of(day, number, rows, report)
    get_run_logger().info(
        "%s: %s, drifted columns: %s", day, result.verdict, ", ".join(result.drifted_columns) or "none"
    )
    return result
