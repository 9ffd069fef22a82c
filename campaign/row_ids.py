"""The ids of a file's rows: as they came, or made of a row's values where it has none."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.errors import BadInput
from campaign.identity import SeenIds, id_of_values
from campaign.schema import ID, Schema


@dataclass
class RowCounts:
    """How often each set of values came so far among rows without an id: equal rows of one file are told apart."""

    seen: SeenIds = field(default_factory=SeenIds)
    counts: dict[str, int] = field(default_factory=dict)

    def numbered(self, ids: list[str]) -> dict[int, str]:
        """New ids of those that came before: the first of equal rows keeps its id, the second gets -2 behind it."""
        numbered = {}
        for row in np.flatnonzero(self.seen.repeats(pa.array(ids, pa.string()))):
            count = self.counts[ids[row]] = self.counts.get(ids[row], 1) + 1
            numbered[int(row)] = f"{ids[row]}-{count}"
        return numbered


def given_ids(raw: pa.RecordBatch, schema: Schema, source: str) -> pa.Array:
    """The ids that rows came with, in the schema's column or in CampaignID; null where there is none."""
    name = next((name for name in (schema.row.id, ID) if name in raw.schema.names), "")
    if not name:
        return pa.nulls(len(raw), pa.string())
    given = raw.column(name)
    try:
        return given.cast(pa.string())
    except pa.ArrowException as error:
        cause = f"{source}: column {name} has the type {given.type}, not text."
        raise BadInput(cause, "Write it as text.") from error


def make_ids(batch: Batch, absent: NDArray[np.bool_], values: Sequence[pa.Array], equal_rows: RowCounts | None) -> None:
    """Give rows without an id a digest of their values, the same for CSV and Parquet, and equal ones a count.

    Null where there are no values.
    """
    batch.ids = pc.if_else(absent, None, batch.ids)
    if not values:
        return
    rows = zip(*(column.filter(pa.array(absent)).to_pylist() for column in values), strict=True)
    made = [id_of_values(row) for row in rows]
    batch.ids = pc.replace_with_mask(batch.ids, pa.array(absent), pa.array(made, pa.string()))
    if equal_rows is not None:
        places = np.flatnonzero(absent)
        batch.rename({int(places[row]): name for row, name in equal_rows.numbered(made).items()})
