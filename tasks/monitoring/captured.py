"""Look at what the web service answered on a day, as at a scored day. It never calls for retraining by itself."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import get_run_logger, task

from campaign.errors import CampaignError
from campaign.model import REFERENCE
from campaign.schema import ID
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store, filesystem_of
from tasks.days import readable_files, select_days
from tasks.model_versions import files_of, find_version, load_version
from tasks.monitoring.drift import measure_drift
from tasks.monitoring.metric_rows import MetricRow, changed_days, day_drifted_row, write_metrics
from tasks.monitoring.monitor import describe_files, read_outcomes
from tasks.monitoring.realised_quality import LabelledPredictions, realised_quality
from tasks.outcomes import Outcomes
from tasks.retries import RETRIES

if TYPE_CHECKING:
    import pandas as pd

CAPTURED = "captured"  # the folder, and the source of these rows in the metrics table


def fingerprint(store: Store, day: date) -> str:
    """A digest of the day's files and outcomes: another one means that the day has to be looked at again."""
    entries = [*store.entries(f"{CAPTURED}/day={day}"), *readable_files(store, "outcomes", day)]
    return hashlib.sha256(describe_files(entries).encode()).hexdigest()


def read_answers(store: Store, day: date) -> pd.DataFrame:
    """What was asked and answered. A prediction may be in two files, for writes are tried again: it counts once."""
    import pandas as pd

    frames = []
    for entry in store.entries(f"{CAPTURED}/day={day}"):
        filesystem, path = filesystem_of(store.at(entry.path))
        with filesystem.open_input_file(path) as file:
            frames.append(pq.read_table(file).to_pandas())
    answers = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"prediction_id": []})
    return answers.drop_duplicates("prediction_id", ignore_index=True)


def label_answers(answers: pd.DataFrame, outcomes: Outcomes) -> LabelledPredictions:
    """The last answer of each campaign beside its outcome: somebody who tries other goals asks many times about one."""
    latest = answers.dropna(subset=[ID]).sort_values("answered_at").drop_duplicates(ID, keep="last")
    labelled = LabelledPredictions()
    labelled.add(latest["probability"].to_numpy(), outcomes.of(pa.array(latest[ID].tolist(), pa.string())))
    return labelled


def measure_answers(store: Store, day: date, answers: pd.DataFrame, version: str) -> list[MetricRow]:
    """Counts, drift against the version's reference, and realised quality of the campaigns that have an outcome.

    Raises `NoChampion` or `ModelMismatch` for a version that the registry does not hold.
    """
    import pandas as pd

    settings = Settings()
    registered = find_version(served_model(), version)
    model, reference = load_version(registered), pd.read_parquet(files_of(registered) / REFERENCE)
    drift = measure_drift(answers, reference, model.schema.features, settings)
    outcomes = read_outcomes(store, day, model.schema)
    rows = [
        MetricRow("rows_scored", float(len(answers))),
        MetricRow("predicted_success_rate", float(answers["success"].mean())),
        *drift.rows(),
        day_drifted_row(drift.is_drifted),
    ]
    if outcomes is not None:
        labelled = label_answers(answers, outcomes)
        rows += realised_quality(labelled, model.about["metrics"], settings, model.threshold)
    return rows


@task(timeout_seconds=120, **RETRIES)
def find_captured_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days of captured predictions to monitor: named ones, else those that are new or changed."""
    store = Store(Settings().store)
    if day is not None:
        return [day] if day in store.days(CAPTURED) else []
    days, by_name = select_days(store, CAPTURED, None, from_day, to_day)
    return days if by_name else changed_days(days, CAPTURED, partial(fingerprint, store))


@task(name="monitor captured day", task_run_name="monitor captured {day}", timeout_seconds=3600, **RETRIES)
def monitor_captured_day(day: date) -> int:
    """Measure each version's answers of a day and write their rows; gives how many answers there were."""
    store, logger = Store(Settings().store), get_run_logger()
    before = fingerprint(store, day)
    answers, rows = read_answers(store, day), {}
    for version, answers_of_version in answers.groupby("model_version"):
        try:
            frame = answers_of_version.reset_index(drop=True)
            rows[str(version)] = measure_answers(store, day, frame, str(version))
        except CampaignError as error:  # the service may have answered with a model that was exported elsewhere
            logger.warning("%d answers of version %s are not measured: %s", len(answers_of_version), version, error)
    write_metrics(day, CAPTURED, rows, before)
    logger.info("%s: %d captured predictions", day, len(answers))
    return len(answers)
