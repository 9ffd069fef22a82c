"""Look at what the web service answered on a day, as at a scored day. It never calls for retraining by itself."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import get_run_logger, task

from campaign.errors import CampaignError
from campaign.schema import ID
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store, filesystem_of
from tasks.day_files import readable_files
from tasks.days import select_days
from tasks.learnt_ids import LearntIds
from tasks.metrics_database import database
from tasks.monitoring.changes import changed_days, digest_of_files, fingerprint_of, write_fingerprint
from tasks.monitoring.drift import PROBABILITY, measure_drift
from tasks.monitoring.estimated_quality import estimated_quality
from tasks.monitoring.labelled_predictions import DayOutcomes, label_predictions
from tasks.monitoring.metric_rows import MetricRow, day_drifted_row, day_state_row, write_metrics
from tasks.monitoring.quality import ScoringVersion, read_outcomes
from tasks.monitoring.realised_quality import realised_quality
from tasks.monitoring.unseen_values import share_of_unseen
from tasks.outcomes import Outcomes
from tasks.retries import RETRIES

if TYPE_CHECKING:
    import pandas as pd

CAPTURED = "captured"  # the folder, and the source of these rows in the metrics table


def describe_answers(store: Store, day: date) -> bytes:
    """Changes when a file of answers does."""
    return digest_of_files(store.entries(f"{CAPTURED}/day={day}")).encode()


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


def latest_answers(answers: pd.DataFrame) -> pd.DataFrame:
    """The last one of each campaign: somebody who tries other goals asks many times about one."""
    return answers.dropna(subset=[ID]).sort_values("answered_at").drop_duplicates(ID, keep="last")


def label_answers(answers: pd.DataFrame, outcomes: Outcomes | None, learnt: LearntIds | None = None) -> DayOutcomes:
    """The last answer of each campaign beside its outcome."""
    latest = latest_answers(answers)
    batch = pa.record_batch({ID: pa.array(latest[ID].tolist(), pa.string()), "probability": latest["probability"]})
    return label_predictions([batch], outcomes, learnt)


def measure_answers(store: Store, day: date, answers: pd.DataFrame, number: str) -> list[MetricRow]:
    """Counts, drift against the version's reference, the quality to be expected of each campaign's last answer, and
    realised quality of the campaigns that have an outcome.

    Raises `NoChampion` or `ModelMismatch` for a version that the registry does not hold.
    """
    settings, version = Settings(), ScoringVersion.find(served_model(), number)
    model, reference, latest = version.model, version.reference, latest_answers(answers)
    drift = measure_drift(answers, reference, model.schema.features, settings)
    ids = pa.table({ID: pa.array(answers[ID].dropna().tolist(), pa.string())})
    known = LearntIds.of_day(version.folder, model.about, str(day), ids)
    outcomes = read_outcomes(store, readable_files(store, "outcomes", day), model.schema)
    rows = [
        MetricRow("rows_scored", float(len(answers))),
        MetricRow("predicted_success_rate", float(answers["success"].mean())),
        *drift.rows(),
        *estimated_quality(
            latest[PROBABILITY].to_numpy(), share_of_unseen(latest, model, reference), model, version.bar(settings),
            settings,
        ),
        day_drifted_row(drift.is_drifted, drift.is_judged),
    ]  # fmt: skip
    if known is not None or outcomes is not None:
        labelled = label_answers(answers, outcomes, known)
        decide = model.schema.outcome.decide
        quality = realised_quality(labelled.labelled, model.about["metrics"], settings, model.threshold, decide)
        # Most of a day's outcomes are of campaigns that nobody asked about here.
        rows += [*(row for row in labelled.rows() if row.metric != "unjoined"), *quality]
    return [*rows, day_state_row(rows)]


def captured_days_due(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Named days of captured predictions, else those that are new or changed."""
    store = Store(Settings().store)
    if day is not None:
        return [day] if day in store.days(CAPTURED) else []
    days, by_name = select_days(store, CAPTURED, None, from_day, to_day)
    if by_name:
        return days
    return changed_days(store, CAPTURED, store.days(CAPTURED), days, partial(describe_answers, store))


@task(timeout_seconds=120, **RETRIES)
def find_captured_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days of captured predictions to monitor."""
    return captured_days_due(day, from_day, to_day)


@task(name="monitor captured day", task_run_name="monitor captured {day}", timeout_seconds=3600, **RETRIES)
def monitor_captured_day(day: date) -> int:
    """Measure each version's answers of a day and write their rows; gives how many answers there were."""
    store, logger = Store(Settings().store), get_run_logger()
    before = fingerprint_of(store, day, describe_answers(store, day))
    answers, rows = read_answers(store, day), {}
    for version, answers_of_version in answers.groupby("model_version"):
        try:
            frame = answers_of_version.reset_index(drop=True)
            rows[str(version)] = measure_answers(store, day, frame, str(version))
        except CampaignError as error:  # the service may have answered with a model that was exported elsewhere
            logger.warning("%d answers of version %s are not measured: %s", len(answers_of_version), version, error)
    with database().begin() as connection:
        write_metrics(connection, day, CAPTURED, rows)
        write_fingerprint(connection, CAPTURED, day, before)
    logger.info("%s: %d captured predictions", day, len(answers))
    return len(answers)
