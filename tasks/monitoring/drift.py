"""How a day differs from what the model that scored it knew: Evidently on its inputs and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from campaign.schema import Column
from campaign.settings import Settings
from tasks.monitoring.metric_rows import DRIFTED, NOT_COMPUTABLE, OK, TOO_FEW_ROWS, MetricRow

if TYPE_CHECKING:  # it takes a third of a second to import, and flows that need none of it import this file
    import pandas as pd

PROBABILITY = "probability"


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
    """How far a feature, or the predicted probability, is from the reference. No distance: `status` says why."""

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
    def prediction_distance(self) -> float | None:
        return next((column.distance for column in self.columns if column.is_prediction), None)

    @property
    def share(self) -> float | None:
        """Share of drifted features, of those that could be compared; None if none could."""
        compared = sum(not column.is_prediction and column.distance is not None for column in self.columns)
        return len(self.drifted_columns) / compared if compared else None

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
    current: pd.DataFrame, reference: pd.DataFrame, features: tuple[Column, ...], settings: Settings
) -> Drift:
    """Drift of each feature and of the predictions.

    Methods are fixed, for Evidently's own choice changes with the size of the reference. A column that cannot be
    compared is left out of the report and marked; below `drift_min_rows` nothing is computed: small samples differ by
    chance.
    """
    methods = {
        column.name: DriftMethod.JENSEN_SHANNON if column.is_category else DriftMethod.WASSERSTEIN
        for column in features
    }
    methods[PROBABILITY] = DriftMethod.JENSEN_SHANNON
    thresholds = dict.fromkeys(methods, settings.column_drift_threshold)
    thresholds[PROBABILITY] = settings.prediction_drift_threshold
    share_threshold = settings.drifted_share_threshold
    if len(current) < settings.drift_min_rows:
        too_few = [ColumnDrift(name, method, thresholds[name], None, TOO_FEW_ROWS) for name, method in methods.items()]
        return Drift(too_few, share_threshold)
    comparable = {
        name: method for name, method in methods.items() if _is_comparable(current, reference, name, settings)
    }
    distances, html = _run_evidently(current, reference, comparable, settings) if comparable else ({}, None)
    columns = [_column_drift(name, method, thresholds[name], distances.get(name)) for name, method in methods.items()]
    return Drift(columns, share_threshold, html)


def _column_drift(name: str, method: DriftMethod, threshold: float, distance: float | None) -> ColumnDrift:
    if distance is None or np.isnan(distance):
        return ColumnDrift(name, method, threshold, None, NOT_COMPUTABLE)
    return ColumnDrift(name, method, threshold, distance, DRIFTED if distance >= threshold else OK)


def _is_comparable(current: pd.DataFrame, reference: pd.DataFrame, name: str, settings: Settings) -> bool:
    """Whether both sides have enough values. On an absent or empty column Evidently raises, and the report is lost."""
    return all(name in frame and frame[name].notna().sum() >= 2 for frame in (current, reference)) and bool(
        current[name].notna().sum() >= settings.drift_min_rows
    )


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
    samples = [Dataset.from_pandas(frame[list(methods)], data_definition=definition) for frame in (current, reference)]
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
