"""The days whose outcomes have arrived, from which a model can learn."""

from dataclasses import dataclass

import pyarrow.parquet as pq

from campaign.model import ScoringModel
from campaign.store import Store, filesystem_of
from tasks.days import parquet_files


@dataclass(frozen=True)
class LabelledDay:
    """A day's campaigns and the outcomes that have come for it, as URIs."""

    day: str
    campaigns: tuple[str, ...]
    outcomes: tuple[str, ...]


def find_labelled_days(store: Store) -> tuple[LabelledDay, ...]:
    """Days that have both campaigns and outcomes, oldest first."""
    days = []
    for day in store.days("outcomes"):
        campaigns, outcomes = (
            tuple(store.at(entry.path) for entry in parquet_files(store, folder, day))
            for folder in ("incoming", "outcomes")
        )
        if campaigns and outcomes:
            days.append(LabelledDay(day.isoformat(), campaigns, outcomes))
    return tuple(days)


def count_outcome_rows(day: LabelledDay) -> int:
    """How many outcomes have come for a day, from the files' own metadata: what is twice or empty counts too."""
    total = 0
    for uri in day.outcomes:
        filesystem, path = filesystem_of(uri)
        total += pq.read_metadata(path, filesystem=filesystem).num_rows
    return total


def unseen_labels(model: ScoringModel, outcome_rows: dict[str, int]) -> dict[str, int]:
    """Of the outcome rows per labelled day, the days that have more than the model learnt from."""
    learnt = model.about.get("days", {})
    return {day: rows for day, rows in outcome_rows.items() if rows > learnt.get(day, 0)}
