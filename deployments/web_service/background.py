"""The campaigns that explanations start from: of the model's own reference, or drawn from what training saw."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.checking import Checker
from campaign.model import QUANTILES, ScoringModel
from campaign.raw import RawBatch
from campaign.schema import Column

MAX_ROWS, MIN_ROWS = 128, 16
MAX_WALKS = 1 << 14  # trees times rows: a contribution walks each tree once for each row


def background_of(model: ScoringModel, reference: pa.Table | None) -> NDArray[np.float32]:
    """[rows, features], the same ones each time."""
    rows = int(np.clip(MAX_WALKS // model.predictor.size, MIN_ROWS, MAX_ROWS))
    if reference is not None and len(reference):
        places = np.unique(np.linspace(0, len(reference) - 1, rows).astype(np.int64))
        table = reference.take(pa.array(places))
    else:
        table = _drawn(model, rows)
    return np.ascontiguousarray(model.encoder.encode(stored_batch(model, table)))  # read row by row


def stored_batch(model: ScoringModel, table: pa.Table) -> Batch:
    """Rows under the names of the schema, as the project's own files hold them."""
    schema = model.schema.stored
    rows = RawBatch(table.combine_chunks().to_batches()[0])
    return Checker(schema, schema.features, "the reference").check(rows, 0)


def _drawn(model: ScoringModel, rows: int) -> pa.Table:
    """Each column by itself, as training saw it, or else over the range that the schema names."""
    rng = np.random.default_rng(1)
    return pa.table({column.name: _column(model, column, rows, rng) for column in model.encoder.features})


def _column(model: ScoringModel, column: Column, rows: int, rng: np.random.Generator) -> pa.Array:
    seen: dict[str, Any] = dict(model.columns.get(column.name, {}))
    if column.is_category:
        names = model.encoder.categories[column.name]
        counts = np.array([seen.get("categories", {}).get(name, 1) for name in names], float)
        if not counts.sum():
            return pa.nulls(rows, pa.string())
        return pa.array(rng.choice(np.array(names, object), rows, p=counts / counts.sum()), pa.string())
    if quantiles := seen.get("quantiles"):
        return pa.array(np.interp(rng.random(rows), QUANTILES, quantiles))
    low, high = column.low or 0.0, column.high or 1.0
    return pa.array(rng.integers(int(low), int(high) + 1, rows).astype(float))
