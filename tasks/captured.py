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
from campaign.schema import ID
from campaign.settings import Settings
from campaign.store import Store, filesystem_of
from tasks.days import days_in_question
from tasks.drift import DRIFTED, OK, Measure, compare, is_drifted
from tasks.monitor import changed, outcome_files, write
from tasks.outcomes import Judged, Outcomes, realised
from tasks.patience import PATIENT
from tasks.registry import REFERENCE, files_of, load, version_of

if TYPE_CHECKING:
    import pandas as pd

SOURCE, FOLDER = "captured", "captured"


def fingerprint(store: Store, day: date) -> str:
    """A digest of the day's files and outcomes: another one means that the day has to be looked at again."""
    entries = [*store.entries(f"{FOLDER}/day={day}"), *outcome_files(store, day)]
    text = "\n".join(f"{entry.path} {entry.size} {entry.changed.isoformat()}" for entry in entries)
    return hashlib.sha256(text.encode()).hexdigest()


def answers(store: Store, day: date) -> pd.DataFrame:
    """What was asked and answered. A prediction may be in two files, for writes are tried again: it counts once."""
    import pandas as pd

    frames = []
    for entry in store.entries(f"{FOLDER}/day={day}"):
        filesystem, path = filesystem_of(store.at(entry.path))
        with filesystem.open_input_file(path) as file:
            frames.append(pq.read_table(file).to_pandas())
    found = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"prediction_id": []})
    return found.drop_duplicates("prediction_id", ignore_index=True)


def measure_answers(answered: pd.DataFrame, version: str, outcomes: Outcomes | None) -> list[Measure]:
    """Counts, drift against the version's reference, and realised quality of the campaigns that have an outcome.

    Raises `NoChampion` or `ModelMismatch` for a version that the registry does not hold.
    """
    import pandas as pd

    settings = Settings()
    registered = version_of(settings.model, version)
    model = load(registered)
    drift, _ = compare(answered, pd.read_parquet(files_of(registered) / REFERENCE), model.encoder.features, settings)
    drifted = is_drifted(drift)
    measures = [
        Measure("rows_scored", float(len(answered))),
        Measure("predicted_success_rate", float(answered["success"].mean())),
        *drift,
        Measure("day_drifted", float(drifted), DRIFTED if drifted else OK),
    ]
    if outcomes is not None:
        # Somebody who moves a goal about asks many times about one campaign; its last answer is the one to judge.
        latest = answered.dropna(subset=[ID]).sort_values("answered_at").drop_duplicates(ID, keep="last")
        judged = Judged()
        judged.add(latest["probability"].to_numpy(), outcomes.of(pa.array(latest[ID].tolist(), pa.string())))
        measures += realised(judged, model.about["metrics"], settings)
    return measures


@task(timeout_seconds=120, **PATIENT)
def find_captured_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days of captured predictions to monitor: named ones, else those that are new or changed."""
    store = Store(Settings().store)
    if day is not None:
        return [one for one in store.days(FOLDER) if one == day]
    days, named = days_in_question(store, FOLDER, None, from_day, to_day)
    return days if named else changed(days, SOURCE, partial(fingerprint, store))


@task(name="monitor captured day", task_run_name="monitor captured {day}", timeout_seconds=3600, **PATIENT)
def monitor_captured_day(day: date) -> int:
    """Measure each version's answers of a day and write their rows; gives how many answers there were."""
    store, logger = Store(Settings().store), get_run_logger()
    mark = fingerprint(store, day)
    answered = answers(store, day)
    files = outcome_files(store, day)
    outcomes = Outcomes.read(tuple(store.at(entry.path) for entry in files)) if files else None
    measures = {}
    for version, its in answered.groupby("model_version"):
        try:
            measures[str(version)] = measure_answers(its.reset_index(drop=True), str(version), outcomes)
        except CampaignError as error:  # the service may have answered with a model that was exported elsewhere
            logger.warning("%d answers of version %s are not measured: %s", len(its), version, error)
    write(day, SOURCE, measures, mark)
    logger.info("%s: %d captured predictions", day, len(answered))
    return len(answered)
