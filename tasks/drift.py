"""How a day differs from what the model that scored it knew: Evidently on its inputs and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from campaign.schema import Column
from campaign.settings import Settings

if TYPE_CHECKING:  # it takes a third of a second to import, and flows that need none of it import this file
    import pandas as pd

NUMBER_METHOD, OTHER_METHOD = "wasserstein", "jensenshannon"
METHOD_NAMES = {NUMBER_METHOD: "Wasserstein distance (normed)", OTHER_METHOD: "Jensen-Shannon distance"}
PROBABILITY = "probability"
NOT_COMPUTABLE, TOO_FEW_ROWS, OK, DRIFTED = "not computable", "too few rows", "ok", "drifted"


@dataclass(frozen=True)
class Measure:
    """One row of the metrics table. `value` is None where it cannot be computed, and `status` says why."""

    metric: str
    value: float | None
    status: str = OK
    column_name: str = ""
    method: str | None = None
    threshold: float | None = None


def compare(
    current: pd.DataFrame, reference: pd.DataFrame, features: tuple[Column, ...], settings: Settings
) -> tuple[list[Measure], str | None]:
    """Drift of each feature and of the predictions, and Evidently's report as HTML.

    Methods are fixed, for Evidently's own choice changes with the size of the reference. A column that cannot be
    compared is left out of the report and marked; below `drift_min_rows` nothing is computed: small samples differ by
    chance.
    """
    columns = {column.name: NUMBER_METHOD if not column.is_category else OTHER_METHOD for column in features}
    columns[PROBABILITY] = OTHER_METHOD
    if len(current) < settings.drift_min_rows:
        return [_unknown(name, method, TOO_FEW_ROWS, settings) for name, method in columns.items()], None
    able = {name: method for name, method in columns.items() if _comparable(current, reference, name, settings)}
    distances, html = _evidently(current, reference, able, settings) if able else ({}, None)
    measures = []
    for name, method in columns.items():
        distance = distances.get(name)
        if distance is None or np.isnan(distance):
            measures.append(_unknown(name, method, NOT_COMPUTABLE, settings))
        else:
            threshold = _threshold(name, settings)
            status = DRIFTED if distance >= threshold else OK
            measures.append(Measure(_metric(name), distance, status, _label(name), METHOD_NAMES[method], threshold))
    return measures + _summary(measures, settings), html


def _summary(measures: list[Measure], settings: Settings) -> list[Measure]:
    """Number and share of drifted columns, of those that could be compared."""
    known = [one for one in measures if one.metric == "column_drift" and one.value is not None]
    drifted = sum(one.status == DRIFTED for one in known)
    if not known:
        return [Measure(name, None, NOT_COMPUTABLE) for name in ("drifted_columns", "drifted_columns_share")]
    limit = settings.drifted_share_threshold
    share = drifted / len(known)
    status = DRIFTED if share >= limit else OK
    return [
        Measure("drifted_columns", float(drifted), status),
        Measure("drifted_columns_share", share, status, threshold=limit),
    ]


def is_drifted(measures: list[Measure]) -> bool:
    """A day is drifted when its predictions are, or enough of its columns."""
    return any(
        one.status == DRIFTED and one.metric in ("prediction_drift", "drifted_columns_share") for one in measures
    )


def _metric(name: str) -> str:
    return "prediction_drift" if name == PROBABILITY else "column_drift"


def _label(name: str) -> str:
    return "" if name == PROBABILITY else name


def _threshold(name: str, settings: Settings) -> float:
    return settings.prediction_drift_threshold if name == PROBABILITY else settings.column_drift_threshold


def _unknown(name: str, method: str, status: str, settings: Settings) -> Measure:
    return Measure(_metric(name), None, status, _label(name), METHOD_NAMES[method], _threshold(name, settings))


def _comparable(current: pd.DataFrame, reference: pd.DataFrame, name: str, settings: Settings) -> bool:
    """Whether both sides have enough values. On an absent or empty column Evidently raises, and the report is lost."""
    return all(name in frame and frame[name].notna().sum() >= 2 for frame in (current, reference)) and bool(
        current[name].notna().sum() >= settings.drift_min_rows
    )


def _evidently(
    current: pd.DataFrame, reference: pd.DataFrame, columns: dict[str, str], settings: Settings
) -> tuple[dict[str, float], str]:
    # Imported here: it takes seconds, which only those who measure drift should pay.
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift
    from evidently.presets import DataDriftPreset

    numbers = [name for name, method in columns.items() if method == NUMBER_METHOD or name == PROBABILITY]
    others = [name for name in columns if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=others)
    sides = [Dataset.from_pandas(frame[list(columns)], data_definition=definition) for frame in (current, reference)]
    inputs = {name: method for name, method in columns.items() if name != PROBABILITY}
    parts: list[Any] = []
    if inputs:
        preset = DataDriftPreset(
            columns=list(inputs),
            per_column_method=inputs,
            per_column_threshold=dict.fromkeys(inputs, settings.column_drift_threshold),
            drift_share=settings.drifted_share_threshold,
        )
        parts.append(preset)
    if PROBABILITY in columns:
        # Beside the preset, not in it: the share of drifted columns is one of inputs.
        threshold = settings.prediction_drift_threshold
        parts.append(ValueDrift(column=PROBABILITY, method=columns[PROBABILITY], threshold=threshold))
    snapshot = Report(parts).run(*sides)
    distances = {}
    for metric in snapshot.dict()["metrics"]:
        config: dict[str, Any] = metric["config"]
        if config["type"].endswith("ValueDrift"):
            distances[config["column"]] = float(metric["value"])
    with TemporaryDirectory() as folder:
        page = Path(folder) / "drift.html"
        snapshot.save_html(str(page))
        return distances, page.read_text()
