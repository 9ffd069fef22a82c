"""The campaigns that champion and challenger both scored before anybody knew, beside what became of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.errors import BadInput
from campaign.identity import digests_of
from campaign.model import ScoringModel
from campaign.schema import ID
from campaign.settings import Settings
from campaign.store import Store
from tasks.day_files import readable_files
from tasks.learnt_ids import LearntIds
from tasks.manifest import SHADOW, Manifest, read_manifest, read_predictions
from tasks.model_versions import Version, files_of, load_version
from tasks.outcomes import NO_OUTCOME, Outcomes
from tasks.sampling import is_in_sample

DAY_ROWS = 10_000  # of a larger day an even sample is judged


@dataclass(frozen=True)
class RealisedDay:
    """Outcomes of a day's campaigns, and what both sides had foretold."""

    day: date
    label: NDArray[np.int8]
    champion: NDArray[np.float64]
    challenger: NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """A version that scored, and the folder of its files."""

    model: ScoringModel
    folder: Path

    @classmethod
    def of(cls, version: Version) -> "Side":
        """Raises `ModelMismatch` for a version that is lost."""
        return cls(load_version(version), files_of(version))

    def has_learnt_from(self, day: date, campaigns: pa.Table) -> NDArray[np.bool_]:
        """Which of a day's campaigns the version was fitted or judged on."""
        learnt = LearntIds.of_day(self.folder, self.model.about, str(day), campaigns)
        return np.zeros(len(campaigns), bool) if learnt is None else learnt.has(campaigns[ID].combine_chunks())


def realised_days(store: Store, champion: Side, challenger: Side, today: date) -> Iterator[RealisedDay]:
    """Of the last `judged_days`, those that these two scored and whose outcomes have come, oldest first."""
    first = today - timedelta(days=Settings().judged_days)
    for day in store.days(SHADOW):
        if not first <= day <= today:
            continue
        try:
            found = read_realised_day(store, day, champion, challenger, today)
        except BadInput:  # that day's own monitoring says so
            continue
        if found and len(found.label):
            yield found


def read_realised_day(store: Store, day: date, champion: Side, challenger: Side, today: date) -> RealisedDay | None:
    """None for a day of other versions, or whose outcomes are still to come.

    Left out are campaigns that one of the two did not score or had learnt from.
    """
    predictions, shadow = read_manifest(store, day), read_manifest(store, day, SHADOW)
    files = readable_files(store, "outcomes", day)
    if not (predictions and shadow and files and are_of_one_day(predictions, shadow, champion, challenger)):
        return None
    outcomes = Outcomes.read(tuple(store.at(entry.path) for entry in files), champion.model.schema)
    every = max(1, predictions.rows.scored // DAY_ROWS)
    of_champion, of_challenger = (sample_by_id(manifest, every) for manifest in (predictions, shadow))
    ours, theirs = (digests_of(sampled[ID].combine_chunks()) for sampled in (of_champion, of_challenger))
    share = outcomes.has_row(ours).mean() if len(ours) else 0.0
    waited = today - max(entry.changed for entry in files).date() >= timedelta(days=Settings().outcomes_wait_days)
    if share < Settings().outcomes_share and not waited:  # failures may come first: who expects them would seem right
        return None
    _, at, theirs_at = np.intersect1d(ours, theirs, return_indices=True)
    campaigns = of_champion.take(pa.array(at))
    label = outcomes.of(campaigns[ID].combine_chunks())
    judged = label != NO_OUTCOME
    for side in (champion, challenger):
        judged &= ~side.has_learnt_from(day, campaigns)
    probabilities = campaigns["probability"].to_numpy(), of_challenger["probability"].to_numpy()[theirs_at]
    return RealisedDay(day, label[judged], *(probability[judged] for probability in probabilities))


def are_of_one_day(predictions: Manifest, shadow: Manifest, champion: Side, challenger: Side) -> bool:
    """Whether these two versions scored the same files."""
    versions = predictions.model_version, shadow.model_version
    inputs = [{(part.uri, part.sha256) for part in manifest.inputs} for manifest in (predictions, shadow)]
    return versions == (champion.model.version, challenger.model.version) and inputs[0] == inputs[1]


def sample_by_id(manifest: Manifest, every: int) -> pa.Table:
    """Id and probability of one in `every` campaigns, the same ones whoever scored them."""
    schema = pa.schema([(ID, pa.string()), ("probability", pa.float64())])
    batches = (
        batch.filter(pa.array(is_in_sample(digests_of(batch[ID]), every))) for batch in read_predictions(manifest)
    )
    return pa.Table.from_batches(batches, schema)
