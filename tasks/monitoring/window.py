"""What a day is judged on: its own rows, and of a day that has few, those of the days before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from campaign.errors import BadInput, CampaignError
from campaign.schema import Schema
from campaign.settings import Settings
from campaign.store import Store
from tasks.manifest import Manifest, read_manifest
from tasks.monitoring.drift import PROBABILITY
from tasks.monitoring.inputs import sample_inputs, sample_predictions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Window:
    """A sample of inputs with `probability` beside them, row by row of no campaign in particular.

    `rows` and `days` are what the inputs were drawn from, `prediction_days` what the predictions were.
    """

    sample: pd.DataFrame
    rows: int
    days: int
    prediction_days: int


def read_window(store: Store, manifest: Manifest, schema: Schema, settings: Settings) -> Window:
    """The day, and the days before it until there are `drift_min_rows`, at most `judged_days` back.

    Inputs of whatever version scored them; predictions of the day's own version alone.
    """
    import pandas as pd

    inputs, predictions = [sample_inputs(manifest, schema)], [sample_predictions(manifest)]
    rows, scored = manifest.rows.read, manifest.rows.scored
    earlier = earlier_manifests(store, manifest, settings.judged_days)
    while min(rows, scored) < settings.drift_min_rows and (before := next(earlier, None)):
        if rows < settings.drift_min_rows:
            with suppress(CampaignError):  # deleted since, or without a column that this version asks for
                inputs.append(sample_inputs(before, schema))
                rows += before.rows.read
        if scored < settings.drift_min_rows and before.model_version == manifest.model_version:
            with suppress(CampaignError):  # that day's own monitoring says so
                predictions.append(sample_predictions(before))
                scored += before.rows.scored
    probability = np.concatenate([table[PROBABILITY].to_numpy() for table in predictions])
    sample = pd.concat(inputs, ignore_index=True)
    sample = sample.reindex(range(max(len(sample), len(probability))))
    sample[PROBABILITY] = pd.Series(probability, dtype=float).reindex(sample.index)
    return Window(sample, rows, len(inputs), len(predictions))


def earlier_manifests(store: Store, manifest: Manifest, most_days: int) -> Iterator[Manifest]:
    """Those of the scored days before, the nearest first. Nothing is listed before the first is asked for."""
    day = date.fromisoformat(manifest.day)
    for earlier in reversed(store.days("predictions")):
        if not day - timedelta(days=most_days) <= earlier < day:
            continue
        try:
            found = read_manifest(store, earlier)
        except BadInput:  # that day's own monitoring says so
            continue
        if found:
            yield found
