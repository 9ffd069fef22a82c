"""The days whose outcomes have arrived, from which a model can learn."""

from dataclasses import dataclass

from campaign.model import ScoringModel
from campaign.store import Store
from tasks.day_files import readable_files_by_day


@dataclass(frozen=True)
class LabelledDay:
    """A day's campaigns and the outcomes that have come for it, as URIs."""

    day: str
    campaigns: tuple[str, ...]
    outcomes: tuple[str, ...]


def find_labelled_days(store: Store) -> tuple[LabelledDay, ...]:
    """Days that have both campaigns and outcomes, oldest first."""
    campaigns, outcomes = (readable_files_by_day(store, folder) for folder in ("incoming", "outcomes"))
    return tuple(
        LabelledDay(
            day.isoformat(), *(tuple(store.at(entry.path) for entry in files[day]) for files in (campaigns, outcomes))
        )
        for day in outcomes
        if day in campaigns
    )


def unseen_labels(model: ScoringModel, joined_rows: dict[str, int]) -> dict[str, int]:
    """Of the outcome rows per labelled day that are of its campaigns, the days that have more than were learnt from."""
    learnt = model.about.get("days", {})
    return {day: rows for day, rows in joined_rows.items() if rows > learnt.get(day, 0)}
