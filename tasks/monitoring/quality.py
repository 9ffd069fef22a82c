"""What outcomes say of a scored day: figures of it, with days before where it is small, and whether quality decayed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from campaign.errors import BadInput
from campaign.files import reading_errors
from campaign.identity import digests_of
from campaign.model import NEWEST, REFERENCE, ScoringModel
from campaign.schema import ID, Schema
from campaign.settings import Settings
from campaign.store import Entry, Store
from tasks.day_files import readable_files
from tasks.learnt_ids import LearntIds
from tasks.manifest import Manifest, read_manifest, read_part, read_predictions
from tasks.model_versions import files_of, find_version, load_version
from tasks.monitoring.decay import Bar, bar_of, is_enough, judge_decay
from tasks.monitoring.inputs import KEPT_DAYS, SMALL_DAY, sample_predictions
from tasks.monitoring.labelled_predictions import (
    DayOutcomes,
    LabelledPredictions,
    label_predictions,
)
from tasks.monitoring.metric_rows import OK, MetricRow
from tasks.monitoring.outcome_days import OutcomeDay, days_back_until
from tasks.monitoring.realised_quality import realised_quality
from tasks.outcome_ids import ids_of_outcomes, why_unjoined
from tasks.outcomes import NO_DIGESTS, Digests, Outcomes

if TYPE_CHECKING:
    import pandas as pd

OF_OUTCOMES, OF_DECAY = "outcomes", "decay"  # as the column of `days_judged`: the days that figures and verdict span


@dataclass(frozen=True, eq=False)
class ScoringVersion:
    """The version that scored a day, and the folder of its files, which do not change."""

    model: ScoringModel
    folder: Path

    @classmethod
    def find(cls, model: str, number: str) -> ScoringVersion:
        """Raises `NoChampion` or `ModelMismatch` for a version that the registry does not hold."""
        return _load_version(Settings().mlflow_tracking_uri, model, number)

    def bar(self, settings: Settings) -> Bar:
        """What its ROC-AUC is held against."""
        about = self.model.about
        return bar_of(about["metrics"], about.get("rows_test", 0), self.folder, settings)

    @cached_property
    def reference(self) -> pd.DataFrame:
        """What its drift is measured against: of its test rows those of the newest days, where they are marked."""
        import pandas as pd

        rows = pd.read_parquet(self.folder / REFERENCE)
        return rows[rows[NEWEST]].reset_index(drop=True) if NEWEST in rows else rows


@lru_cache(4)
def _load_version(_registry: str, model: str, number: str) -> ScoringVersion:
    """Looked up and read once for all days of a run."""
    version = find_version(model, number)
    return ScoringVersion(load_version(version), files_of(version))


def is_of_outcomes(row: MetricRow) -> bool:
    """Whether a row is measured anew when outcomes come; the others are of inputs and predictions."""
    return row.metric in ("outcomes", "outcomes_share", "learnt_rows", "unjoined", "incomplete", "day_state") or (
        row.metric.startswith(("realised_", "test_", "judged_")) or row.column_name in (OF_OUTCOMES, OF_DECAY)
    )


def read_outcomes(store: Store, files: Iterable[Entry], schema: Schema) -> Outcomes | None:
    """The outcomes that have come for a day, in these files; None if no file has."""
    uris = tuple(store.at(entry.path) for entry in files)
    return Outcomes.read(uris, schema) if uris else None


def label_day(store: Store, manifest: Manifest, version: ScoringVersion) -> DayOutcomes | None:
    """The outcomes of a day's predictions. None where none has come, and the version had learnt from none of them."""
    files = tuple(readable_files(store, "outcomes", manifest.day))
    label = _label_small_day if manifest.rows.read < SMALL_DAY else _label_day
    return label(store.uri, manifest, files, version)


def _label_day(
    store_uri: str, manifest: Manifest, files: tuple[Entry, ...], version: ScoringVersion
) -> DayOutcomes | None:
    store, schema = Store(store_uri), version.model.schema
    learnt = LearntIds.of_day(version.folder, version.model.about, manifest.day, sample_predictions(manifest))
    outcomes = read_outcomes(store, files, schema)
    if learnt is None and outcomes is None:
        return None
    quarantined = quarantined_ids(manifest, schema) if outcomes else NO_DIGESTS
    return label_predictions(read_predictions(manifest), outcomes, learnt, quarantined)


# A small day is read again with every day whose outcomes are judged with its own.
_label_small_day = lru_cache(KEPT_DAYS)(_label_day)


def quarantined_ids(manifest: Manifest, schema: Schema) -> Digests:
    """The digests of the ids of a day's bad rows; of rows that have none, nothing."""
    found = [NO_DIGESTS]
    for part in manifest.quarantine:
        with reading_errors(part.uri, part.uri):
            rows = pq.ParquetFile(read_part(part, manifest.day))
            for name in {schema.row.id, ID}.intersection(rows.schema_arrow.names):
                ids = rows.read([name]).column(0).combine_chunks().cast(pa.string())
                found.append(digests_of(ids.drop_null()))
    return np.unique(np.concatenate(found))


def remarks_on_outcomes(store: Store, manifest: Manifest, outcomes: DayOutcomes, schema: Schema) -> list[str]:
    """Sentences on files that could not be read, and on outcomes that are of no campaign of the day."""
    remarks = [f"{manifest.day} is judged without {cause}" for cause in outcomes.unread.values()]
    if outcomes.do_not_join:
        files = [store.at(entry.path) for entry in readable_files(store, "outcomes", manifest.day)]
        campaigns = (batch.column(ID) for batch in read_predictions(manifest))
        theirs = ids_of_outcomes(files, schema)
        remarks.append(why_unjoined(manifest.day, outcomes.unjoined, outcomes.in_files, campaigns, theirs))
    return remarks


def label_days(store: Store, days: Iterable[OutcomeDay], version: ScoringVersion) -> LabelledPredictions:
    """Those of some days together; a day that another version has scored since is left out."""
    together = LabelledPredictions()
    for day in days:
        try:
            manifest = read_manifest(store, day.day)
            if manifest is None or manifest.model_version != version.model.version:
                continue
            outcomes = label_day(store, manifest, version)
        except BadInput:  # that day's own monitoring says so
            continue
        if outcomes:
            together.merge(outcomes.labelled)
    return together


def decay_rows(
    labelled: LabelledPredictions, days: int, version: ScoringVersion, settings: Settings
) -> list[MetricRow]:
    """The verdict on the outcomes of a window of days, as rows of its last day."""
    verdict = judge_decay(labelled, version.bar(settings), settings)
    return [*verdict, MetricRow("days_judged", float(days), OK, OF_DECAY)]


def measure_quality(
    store: Store, outcomes: DayOutcomes, record: OutcomeDay, others: list[OutcomeDay], version: ScoringVersion,
    settings: Settings,
) -> tuple[list[MetricRow], OutcomeDay]:  # fmt: skip
    """Rows of a day's outcomes, and the day's record, which says whether they were judged.

    `others` are the other days that the version scored. A day that has enough outcomes by itself is judged at once; one
    that closed a window is judged again with the days of that window.
    """
    rows = outcomes.rows()
    own, model = outcomes.labelled, version.model
    if not own.rows:
        return rows, record
    before = days_back_until(others, record.day, own.rows, settings)
    figures = label_days(store, before, version)
    figures.merge(own)
    decide = model.schema.outcome.decide
    rows += realised_quality(figures, model.about["metrics"], settings, model.threshold, decide)
    rows.append(MetricRow("days_judged", float(1 + len(before)), OK, OF_OUTCOMES))
    enough = is_enough(record.outcomes, record.expected_successes, settings)
    if record.judged_until is None and enough and record.is_whole(record.last_change, settings):
        record = replace(record, judged_until=record.day)
    if record.judged_until == record.day:
        window = [other for other in others if other.judged_until == record.day]
        judged = label_days(store, window, version)
        judged.merge(own)
        rows += decay_rows(judged, 1 + len(window), version, settings)
    return rows, record
