"""A day of two files, and a model of which everybody sees what it predicts."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.schema_file import parse_schema
from campaign.store import Store
from campaign.warm_up import smallest_forest

DAY = date(2026, 11, 22)
CALLS = """
[model]
name = "calls"
[outcome]
column = "y"
success = ["yes"]
failure = ["no"]
"""


@pytest.fixture
def model() -> ScoringModel:
    """Its rows have no id; a success is an age above 50,000."""
    names = ["age", *(f"x{n}" for n in range(11))]
    columns = "".join(
        f'[[column]]\nname = "{name}"\ntype = "number"\nknown = "at launch"\nminimum = 0\n' for name in names
    )
    schema = parse_schema(CALLS + columns)
    return ScoringModel("calls", "3", schema, Encoder(schema.features, {}), smallest_forest())


@pytest.fixture
def store(tmp_path, model) -> Store:
    """A day of two files: of 40 rows ten are equal, in row groups of seven, and one is bad."""
    store = Store(tmp_path.as_uri())
    ages = [20_000.0, 60_000.0] * 10 + [70_000.0] * 10 + list(range(9)) + [-1.0]
    for name, rows in (("a", ages), ("b", [1e5, 1e5])):
        frame = pd.DataFrame({column.name: np.zeros(len(rows)) for column in model.schema.features}).assign(age=rows)
        with store.writing(f"incoming/day={DAY}/{name}.parquet") as sink:
            pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink, row_group_size=7)
    return store
