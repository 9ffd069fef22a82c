"""A sample of a day's campaigns, and one of its predictions."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.errors import NoRows
from campaign.reading import read_campaigns
from campaign.schema import ID, Column, Schema
from tasks.manifest import Manifest, read_predictions
from tasks.sampling import sample_rows

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 50_000
# A small day is read with every day that is judged with it: for the time of a run it stays in memory.
SMALL_DAY, KEPT_DAYS = 1_000, 400  # rows; and as many as one day may be judged with, and some more


def sample_inputs(manifest: Manifest, schema: Schema) -> pd.DataFrame:
    """At most 50,000 campaigns of all that were read, drawn evenly; what physics rules out counts as missing.

    Quarantined rows are among them, so that a column that is missing everywhere costs that column, not the report.
    """
    return (_sample_small_day if manifest.rows.read < SMALL_DAY else _sample_inputs)(manifest, schema)


def _sample_inputs(manifest: Manifest, schema: Schema) -> pd.DataFrame:
    import pandas as pd

    sampled = sample_rows(manifest.rows.read, SAMPLE_ROWS)
    frames, start = list[pd.DataFrame](), 0
    for part in manifest.inputs:
        if part.fault:
            continue
        with suppress(NoRows):
            for batch in read_campaigns(part.uri, schema):
                first, last = np.searchsorted(sampled, [start, start + len(batch)])
                frames.append(_frame(batch, schema.features, sampled[first:last] - start))
                start += len(batch)
    return pd.concat(frames, ignore_index=True) if frames else _no_rows(schema.features)


_sample_small_day = lru_cache(KEPT_DAYS)(_sample_inputs)


def _no_rows(features: tuple[Column, ...]) -> pd.DataFrame:
    import pandas as pd

    types = {column.name: "str" if column.is_category else "float64" for column in features}
    return pd.DataFrame(columns=[*types]).astype(types)


def _frame(batch: Batch, features: tuple[Column, ...], rows: NDArray[np.int64]) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, object] = {}
    for column in features:
        if column.is_category:
            columns[column.name] = batch.categories[column.name].take(pa.array(rows)).cast(pa.string()).to_pandas()
        else:
            values = batch.numbers[column.name][rows]
            columns[column.name] = np.where(column.is_possible(values), values, np.nan)
    return pd.DataFrame(columns)


def sample_predictions(manifest: Manifest) -> pa.Table:
    """Id and probability of at most 50,000 of the scored campaigns, drawn evenly."""
    return (_predictions_of_small_day if manifest.rows.read < SMALL_DAY else _sample_predictions)(manifest)


def _sample_predictions(manifest: Manifest) -> pa.Table:
    sampled, start = sample_rows(manifest.rows.scored, SAMPLE_ROWS), 0
    batches = []
    for batch in read_predictions(manifest):
        first, last = np.searchsorted(sampled, [start, start + len(batch)])
        batches.append(batch.take(pa.array(sampled[first:last] - start)))
        start += len(batch)
    return pa.Table.from_batches(batches, pa.schema([(ID, pa.string()), ("probability", pa.float64())]))


_predictions_of_small_day = lru_cache(KEPT_DAYS)(_sample_predictions)
