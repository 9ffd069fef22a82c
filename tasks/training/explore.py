"""Look at campaigns before any model is fitted: pictures, the quality of each column, and what leaks the label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact

from campaign.schema import LABELLED_DAY, Column
from tasks.mlflow_run import Run, reporting_to
from tasks.retries import RETRIES
from tasks.training.exploration_plots import figures
from tasks.training.leakage import audit, audit_table, find_leaks, find_suspects
from tasks.training.leakage_sentences import leak_sentence, misdeclared_sentences, summarise, suspect_sentence
from tasks.training.quality_plot import missing_and_outliers
from tasks.training.validate import Dataset

if TYPE_CHECKING:  # it takes a third of a second to import, and every flow imports this file
    import pandas as pd


def quality(campaigns: pd.DataFrame, features: Sequence[Column]) -> pd.DataFrame:
    """A row per feature: how much is missing, its range, and how much lies outside 1.5 interquartile ranges.

    `outlier_share` is of the values that are there. Categories have no range and no outliers.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    for column in features:
        if column.name not in campaigns:
            continue
        name, values = column.name, campaigns[column.name]
        missing = int(values.isna().sum())
        row: dict[str, object] = {"feature": name, "missing": missing, "missing_share": missing / max(len(values), 1)}
        if not column.is_category:
            numbers = pd.to_numeric(values, errors="coerce").dropna()
            low, high = numbers.quantile(0.25), numbers.quantile(0.75)
            outliers = int((~numbers.between(low - 1.5 * (high - low), high + 1.5 * (high - low))).sum())
            row |= {"min": numbers.min(), "median": numbers.median(), "max": numbers.max()}
            row |= {"outliers": outliers, "outlier_share": outliers / max(len(numbers), 1)}
        rows.append(row | {"distinct": values.nunique()})
    names = ["feature", "missing", "missing_share", "min", "median", "max", "outliers", "outlier_share", "distinct"]
    return pd.DataFrame(rows, columns=names).astype({"outliers": "Int64"})


@dataclass(frozen=True)
class Explored:
    """What gives the label away, in plain words and as names of columns, and what the rest tells.

    `suspicions` is what tells much, or is declared as known earlier than it seems to be.
    """

    findings: list[str]
    summary: str
    decisive: list[tuple[str, ...]] = field(default_factory=list)
    suspicions: list[str] = field(default_factory=list)


@task(timeout_seconds=1800, **RETRIES)
def explore(data: Dataset, run: Run) -> Explored:
    """Draw the data, audit it for leaks, and log both."""
    import mlflow
    import pandas as pd

    campaigns = pd.read_parquet(data.path).drop(columns=[LABELLED_DAY])
    features = data.schema.features
    signals = audit(campaigns, features)
    leaks = find_leaks(signals)
    explored = Explored(
        [leak_sentence(leak) for leak in leaks],
        summarise(signals, features),
        [leak[0].names for leak in leaks],
        [*map(suspect_sentence, find_suspects(signals)), *misdeclared_sentences(signals)],
    )
    table = audit_table(signals)
    for finding in explored.findings:
        get_run_logger().warning("Leak: %s", finding)
    for suspicion in explored.suspicions:
        get_run_logger().warning("%s", suspicion)
    with reporting_to(run):
        for name, figure in figures(campaigns, features).items():
            mlflow.log_figure(figure, f"explore/{name}.png")
        found = quality(campaigns, features)
        mlflow.log_figure(missing_and_outliers(found), "explore/quality.png")
        mlflow.log_text(found.to_csv(index=False), "explore/quality.csv")
        mlflow.log_text(table.to_csv(index=False), "explore/leakage.csv")
    best: list[dict[str, Any]] = json.loads(table.head(12).round(4).to_json(orient="records"))
    create_table_artifact(best, "leakage", "What gives the label away")
    return explored
