"""How a day differs from what the model that scored it knew: Evidently on its inputs and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from campaign.schema import Column
from campaign.settings import Settings
from tasks.monitoring.chance import chance_limit
from tasks.monitoring.metric_rows import CALENDAR, DRIFTED, NOT_COMPUTABLE, OK, TOO_FEW_ROWS, MetricRow

if TYPE_CHECKING:  # it takes a third of a second to import, and flows that need none of it import this file
    import pandas as pd

PROBABILITY = "probability"
MIN_VALUES = 100  # of a nullable column, below which its distance says nothing


class DriftMethod(Enum):
    """A distance between two samples of a column, by Evidently's name for it."""

    WASSERSTEIN = "wasserstein"
    JENSEN_SHANNON = "jensenshannon"

    @property
    def title(self) -> str:
        """As the metrics database and Grafana show it."""
        return {
            DriftMethod.WASSERSTEIN: "Wasserstein distance (normed)",
            DriftMethod.JENSEN_SHANNON: "Jensen-Shannon distance",
        }[self]


@dataclass(frozen=True)
class ColumnDrift:
    """How far a feature, or the predicted probability, is from the reference. No distance: `status` says why.

    `threshold` is the setting's, or what chance gives where that is more.
    """

    name: str
    method: DriftMethod
    threshold: float
    distance: float | None
    status: str

    @property
    def is_prediction(self) -> bool:
        return self.name == PROBABILITY

    @property
    def metric(self) -> str:
        return "prediction_drift" if self.is_prediction else "column_drift"

    @property
    def column_name(self) -> str:
        """In the metrics table, where predictions have none."""
        return "" if self.is_prediction else self.name

    def row(self) -> MetricRow:
        """As it is written to the metrics table."""
        return MetricRow(self.metric, self.distance, self.status, self.column_name, self.method.title, self.threshold)


@dataclass(frozen=True)
class Drift:
    """The drift of each feature and of the predictions, Evidently's report of it, and the share that is too much.

    `html` is None where there was nothing to compare.
    """

    columns: list[ColumnDrift]
    share_threshold: float
    html: str | None = None

    @property
    def drifted_columns(self) -> list[str]:
        return [column.name for column in self.columns if not column.is_prediction and column.status == DRIFTED]

    @property
    def share(self) -> float | None:
        """Share of drifted features, of those that could be compared and count; None if none could."""
        compared = sum(not column.is_prediction and column.status in (OK, DRIFTED) for column in self.columns)
        return len(self.drifted_columns) / compared if compared else None

    @property
    def is_judged(self) -> bool:
        """Whether there were enough rows, of inputs and of predictions."""
        return all(column.status != TOO_FEW_ROWS for column in self.columns)

    @property
    def is_drifted(self) -> bool:
        """A day is drifted when its predictions are, or enough of its columns."""
        predictions_drifted = any(column.is_prediction and column.status == DRIFTED for column in self.columns)
        return predictions_drifted or (self.share is not None and self.share >= self.share_threshold)

    def rows(self) -> list[MetricRow]:
        """As it is written to the metrics table: a row a column, then number and share of drifted ones."""
        rows = [column.row() for column in self.columns]
        if all(column.status == TOO_FEW_ROWS for column in self.columns):
            return rows
        if self.share is None:
            return [
                *rows,
                *(MetricRow(name, None, NOT_COMPUTABLE) for name in ("drifted_columns", "drifted_columns_share")),
            ]
        status = DRIFTED if self.share >= self.share_threshold else OK
        return [
            *rows,
            MetricRow("drifted_columns", float(len(self.drifted_columns)), status),
            MetricRow("drifted_columns_share", self.share, status, threshold=self.share_threshold),
        ]


def measure_drift(
    current: pd.DataFrame,
    reference: pd.DataFrame,
    features: tuple[Column, ...],
    settings: Settings,
    with_report: bool = True,
) -> Drift:
    """Drift of each feature and of the predictions.

    Methods are fixed, for Evidently's own choice changes with the size of the reference. A column that cannot be
    compared is left out of the report and marked; below `drift_min_rows`, of inputs or of predictions, nothing of those
    is computed. A distance counts from its threshold on, and only above what chance gives.
    """
    methods = {
        column.name: DriftMethod.JENSEN_SHANNON if column.is_category else DriftMethod.WASSERSTEIN
        for column in features
    }
    methods[PROBABILITY] = DriftMethod.JENSEN_SHANNON
    thresholds = dict.fromkeys(methods, settings.column_drift_threshold)
    thresholds[PROBABILITY] = settings.prediction_drift_threshold
    calendar = {column.name for column in features if column.derive and column.derive.is_calendar}
    too_few = {name for name in methods if _rows_of(current, name) < settings.drift_min_rows}
    comparable = {
        name: method
        for name, method in methods.items()
        if name not in too_few and all(_has_values(frame, name) for frame in (current, reference))
    }
    distances: dict[str, float] = {}
    html = None
    if comparable and with_report:
        distances, html = _run_evidently(current, reference, comparable, settings)
    elif comparable:
        distances = {name: distance_of(reference[name], current[name], method) for name, method in comparable.items()}
    columns = []
    for name, method in methods.items():
        distance, threshold, status = distances.get(name), thresholds[name], OK
        if distance is None or np.isnan(distance):
            distance, status = None, TOO_FEW_ROWS if name in too_few else NOT_COMPUTABLE
        elif name in calendar:
            status = CALENDAR
        elif distance >= threshold:
            counted = method is DriftMethod.JENSEN_SHANNON
            threshold = max(
                threshold, chance_limit(reference[name].dropna(), current[name].dropna(), counted, distance)
            )
            status = DRIFTED if distance >= threshold else OK
        columns.append(ColumnDrift(name, method, threshold, distance, status))
    return Drift(columns, settings.drifted_share_threshold, html)


def distance_of(reference: pd.Series, current: pd.Series, method: DriftMethod) -> float:
    """Evidently's own distance of one column, without a report."""
    import pandas as pd
    from evidently.legacy.calculations.stattests import jensenshannon_stat_test, wasserstein_stat_test
    from evidently.legacy.core import ColumnType

    test = wasserstein_stat_test if method is DriftMethod.WASSERSTEIN else jensenshannon_stat_test
    kind = ColumnType.Numerical if pd.api.types.is_numeric_dtype(reference) else ColumnType.Categorical
    return float(test.func(reference.dropna(), current.dropna(), kind, 0.1)[0])


def _rows_of(current: pd.DataFrame, name: str) -> int:
    """How many rows there are to judge a column by. Predictions are those of one version, and may be fewer."""
    return int(current[name].notna().sum()) if name == PROBABILITY and name in current else len(current)


def _has_values(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column has enough of them. On an absent or empty one Evidently raises, and the report is lost."""
    return name in frame and bool(frame[name].notna().sum() >= MIN_VALUES)


def _without_markup(frame: pd.DataFrame, categories: list[str]) -> pd.DataFrame:
    """What somebody wrote into a category is data: in the report it must not become part of the page."""
    marked = [name for name in categories if frame[name].astype(str).str.contains("[<>&]").any()]
    return frame.assign(**{name: frame[name].map(escape, na_action="ignore") for name in marked})


def _run_evidently(
    current: pd.DataFrame, reference: pd.DataFrame, methods: dict[str, DriftMethod], settings: Settings
) -> tuple[dict[str, float], str]:
    """The distance of each column, and the report as HTML."""
    # Imported here: it takes seconds, which only those who measure drift should pay.
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift
    from evidently.presets import DataDriftPreset

    numbers = [name for name, method in methods.items() if method is DriftMethod.WASSERSTEIN or name == PROBABILITY]
    categories = [name for name in methods if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    frames = [_without_markup(frame[list(methods)], categories) for frame in (current, reference)]
    samples = [Dataset.from_pandas(frame, data_definition=definition) for frame in frames]
    inputs = {name: method.value for name, method in methods.items() if name != PROBABILITY}
    parts: list[Any] = []
    if inputs:
        preset = DataDriftPreset(
            columns=list(inputs),
            per_column_method=inputs,
            per_column_threshold=dict.fromkeys(inputs, settings.column_drift_threshold),
            drift_share=settings.drifted_share_threshold,
        )
        parts.append(preset)
    if PROBABILITY in methods:
        # Beside the preset, not in it: the share of drifted columns is one of inputs.
        threshold = settings.prediction_drift_threshold
        parts.append(ValueDrift(column=PROBABILITY, method=methods[PROBABILITY].value, threshold=threshold))
    snapshot = Report(parts).run(*samples)
    distances = {}
    for metric in snapshot.dict()["metrics"]:
        config: dict[str, Any] = metric["config"]
        if config["type"].endswith("ValueDrift"):
            distances[config["column"]] = float(metric["value"])
    with TemporaryDirectory() as folder:
        page = Path(folder) / "drift.html"
        snapshot.save_html(str(page))
        return distances, page.read_text()
