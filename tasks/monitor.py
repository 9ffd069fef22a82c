"""Look at one scored day: its inputs and predictions against the reference, its predictions against outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact
from sqlalchemy import delete, insert, select

from campaign.identity import digests_of
from campaign.reading import Batch, read_campaigns
from campaign.schema import ID, Column
from campaign.settings import Settings
from campaign.store import Store, filesystem_of
from tasks.days import days_in_question
from tasks.drift import DRIFTED, OK, Measure, compare, is_drifted
from tasks.drift_error import sampling_errors
from tasks.manifest import Manifest, manifest_path, read_manifest
from tasks.metrics_db import database, metrics, monitored, now
from tasks.outcomes import Judged, Outcomes, realised
from tasks.patience import PATIENT
from tasks.registry import REFERENCE, files_of, load, version_of

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "batch"
SAMPLE_ROWS, SAMPLE_SEED = 50_000, 1


@dataclass(frozen=True)
class MonitoredDay:
    """What was found. ROC-AUC is None without outcomes."""

    day: str
    model_version: str
    drifted: bool
    drifted_columns: list[str]
    prediction_drift: float | None
    roc_auc: float | None
    report: str


def fingerprint(store: Store, day: date) -> str:
    """A digest of the day's manifest and outcomes: another one means that the day has to be looked at again."""
    outcomes = "\n".join(f"{e.path} {e.size} {e.changed.isoformat()}" for e in outcome_files(store, day))
    return hashlib.sha256(store.read(manifest_path(day)) + outcomes.encode()).hexdigest()


def outcome_files(store: Store, day: date) -> list:
    return [entry for entry in store.entries(f"outcomes/day={day}") if entry.path.endswith(".parquet")]


def sample_inputs(manifest: Manifest, features: tuple[Column, ...]) -> pd.DataFrame:
    """At most 50,000 campaigns of all that were read, drawn evenly; what physics rules out counts as missing.

    Quarantined rows are among them, so that a column that is missing everywhere costs that column, not the report.
    """
    import pandas as pd

    rng = np.random.default_rng(SAMPLE_SEED)
    wanted = np.sort(rng.permutation(manifest.rows.read)[:SAMPLE_ROWS])
    frames, start = [], 0
    for part in manifest.inputs:
        for batch in read_campaigns(part.uri, features):
            first, last = np.searchsorted(wanted, [start, start + len(batch)])
            frames.append(_frame(batch, wanted[first:last] - start))
            start += len(batch)
    return pd.concat(frames, ignore_index=True)


def _frame(batch: Batch, rows: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, object] = {ID: batch.ids.take(pa.array(rows)).to_pandas()}
    for name, values in batch.numbers.items():
        taken = values[rows]
        columns[name] = np.where((taken >= 0) & (taken <= np.finfo(np.float32).max), taken, np.nan)
    for name, texts in batch.categories.items():
        columns[name] = texts.take(pa.array(rows)).cast(pa.string()).to_pandas()
    return pd.DataFrame(columns)


def predictions(manifest: Manifest) -> Iterator[pa.RecordBatch]:
    """Id and probability of every scored campaign, batch by batch."""
    for part in manifest.parts:
        filesystem, path = filesystem_of(part.uri)
        with filesystem.open_input_file(path) as file:
            yield from pq.ParquetFile(file).iter_batches(columns=[ID, "probability"])


def look_through(
    manifest: Manifest, ids: pd.Series, outcomes: Outcomes | None
) -> tuple[NDArray[np.float64], Judged | None]:
    """The probability of each of these campaigns (NaN where none was scored), and all that have an outcome judged."""
    wanted = digests_of(pa.array(ids.tolist(), pa.string()))
    order = np.argsort(wanted, kind="stable")
    ascending, found = wanted[order], np.full(len(wanted), np.nan)
    judged = None if outcomes is None else Judged()
    for batch in predictions(manifest):
        probability, digests = batch["probability"].to_numpy(), digests_of(batch[ID])
        first, last = (np.searchsorted(ascending, digests, side) for side in ("left", "right"))
        for row in np.flatnonzero(last > first):
            found[order[first[row] : last[row]]] = probability[row]
        if outcomes is not None and judged is not None:
            judged.add(probability, outcomes.of(batch[ID]))
    return found, judged


def counts(manifest: Manifest) -> list[Measure]:
    """Rows, missing shares (of all rows read) and unknown categories, all exact."""
    read = max(manifest.rows.read, 1)
    shares = [Measure("missing_share", missing / read, column_name=name) for name, missing in manifest.missing.items()]
    unknown = [Measure("unknown_categories", float(rows), column_name=name) for name, rows in manifest.unknown.items()]
    whole = sum(manifest.missing.values()) / (read * max(len(manifest.missing), 1))
    scored = manifest.rows.scored
    rate = manifest.predicted_success / scored if scored else None
    return [
        Measure("rows_read", float(manifest.rows.read)),
        Measure("rows_scored", float(scored)),
        Measure("rows_quarantined", float(manifest.rows.quarantined)),
        Measure("missing_values_share", whole),
        Measure("predicted_success_rate", rate),
        *shares,
        *unknown,
    ]


def write(day: date, source: str, measures: Mapping[str, list[Measure]], mark: str) -> None:
    """Put what was measured of each version in place of the day's earlier rows, in one transaction."""
    moment = now()
    rows = [
        {"day": day, "source": source, "model_version": version, "computed_at": moment, **vars(one)}
        for version, found in measures.items()
        for one in found
    ]
    with database().begin() as connection:
        for table in (metrics, monitored):
            connection.execute(delete(table).where(table.c.day == day, table.c.source == source))
        if rows:
            connection.execute(insert(metrics), rows)
        connection.execute(insert(monitored).values(day=day, source=source, fingerprint=mark, monitored_at=moment))


def changed(days: list[date], source: str, mark_of: Callable[[date], str]) -> list[date]:
    """The days whose fingerprint differs from what was last looked at."""
    with database().connect() as connection:
        rows = connection.execute(select(monitored.c.day, monitored.c.fingerprint).where(monitored.c.source == source))
        marks = {row.day: row.fingerprint for row in rows}
    return [day for day in days if marks.get(day) != mark_of(day)]


@task(timeout_seconds=120, **PATIENT)
def find_scored_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days to monitor: named ones, else those whose predictions or outcomes differ from what was last looked at."""
    store = Store(Settings().store)
    days, named = days_in_question(store, "predictions", day, from_day, to_day)
    days = [one for one in days if store.exists(manifest_path(one))]
    if not named:
        days = changed(days, SOURCE, partial(fingerprint, store))
    get_run_logger().info("Days to monitor: %s", ", ".join(map(str, days)) or "none is new or changed")
    return days


@task(name="monitor day", task_run_name="monitor {day}", timeout_seconds=3600, **PATIENT)
def monitor_day(day: date) -> MonitoredDay:
    """Measure one day, publish its report, write its rows."""
    import pandas as pd

    store, settings, logger = Store(Settings().store), Settings(), get_run_logger()
    # Taken first: what changes while the day is looked at makes it a changed day for the next run.
    mark = fingerprint(store, day)
    manifest = read_manifest(store, day)
    assert manifest is not None
    version = version_of(manifest.model, manifest.model_version)
    model = load(version)
    features = model.encoder.features
    files = outcome_files(store, day)
    current = sample_inputs(manifest, features)
    outcomes = Outcomes.read(tuple(store.at(entry.path) for entry in files)) if files else None
    current["probability"], judged = look_through(manifest, current[ID], outcomes)
    del outcomes
    reference = pd.read_parquet(files_of(version) / REFERENCE)
    drift, html = compare(current, reference, features, settings)
    drifted = is_drifted(drift)
    errors = sampling_errors(current, reference, drift, manifest.rows.read)
    measures = [*counts(manifest), Measure("sample_rows", float(len(current))), *drift, *errors]
    measures.append(Measure("day_drifted", float(drifted), DRIFTED if drifted else OK))
    roc_auc = None
    if judged is not None:
        realisation = realised(judged, model.about["metrics"], settings)
        measures += realisation
        roc_auc = next((one.value for one in realisation if one.metric == "realised_roc_auc"), None)
    report = ""
    if html:
        report = store.publish(f"reports/day={day}/drift.html", html.encode()).uri
        shown = f"{settings.web_url}/reports/{day}" if settings.web_url else report
        create_link_artifact(shown, key=f"drift-{day}", description=f"Evidently's report of {day}")
    write(day, SOURCE, {manifest.model_version: measures}, mark)
    names = [one.column_name for one in measures if one.metric == "column_drift" and one.status == DRIFTED]
    distance = next((one.value for one in measures if one.metric == "prediction_drift"), None)
    logger.info("%s: %s, drifted columns: %s", day, "drifted" if drifted else "no drift", ", ".join(names) or "none")
    return MonitoredDay(str(day), manifest.model_version, drifted, names, distance, roc_auc, report)
