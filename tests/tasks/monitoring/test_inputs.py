import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.schema import ID, LABEL
from tasks.manifest import Manifest, Part, Rows
from tasks.monitoring import inputs
from tasks.monitoring.inputs import join_predictions, sample_inputs
from tasks.outcomes import Outcomes
from tests.published import SCHEMA

ROWS = 300


@pytest.fixture
def manifest(tmp_path) -> Manifest:
    """Two inputs of which three rows are bad, and predictions of the others: the n-th has the probability n / ROWS."""
    table = pa.Table.from_batches(synthetic.campaigns(ROWS)).to_pandas()
    table["Category"] = table["Category"].astype("str")
    table.loc[[3, 150], "RaisedAmount"] = -1.0
    table.loc[7, "DurationDays"] = 0
    good = table.index.difference([3, 7, 150])
    for name, rows in (("a", table.iloc[:100]), ("b", table.iloc[100:])):
        rows.to_parquet(tmp_path / f"{name}.parquet", index=False)
    predictions = pa.table({ID: pa.array(table[ID][good].tolist()), "probability": good.to_numpy() / ROWS})
    pq.write_table(predictions, tmp_path / "part.parquet")
    table[[ID, LABEL]].iloc[50:].to_parquet(tmp_path / "outcomes.parquet", index=False)
    parts = {name: Part(str(tmp_path / f"{name}.parquet"), "", 0) for name in ("a", "b", "part")}
    counts = Rows(ROWS, ROWS - 3, 3)
    return Manifest("2026-11-22", "m", "1", [parts["a"], parts["b"]], [parts["part"]], [], counts, "", 0)


def test_all_rows_are_sampled_while_they_are_few_and_what_physics_rules_out_is_missing(manifest):
    sample = sample_inputs(manifest, SCHEMA)
    assert len(sample) == ROWS
    assert sample["RaisedAmount"].isna().sum() == 2
    assert sample["DurationDays"].isna().tolist().index(True) == 7


def test_of_many_rows_an_even_sample_is_drawn_in_their_order(manifest, monkeypatch):
    monkeypatch.setattr(inputs, "SAMPLE_ROWS", 60)
    sample = sample_inputs(manifest, SCHEMA)
    assert len(sample) == 60
    assert sample[ID].is_monotonic_increasing
    assert 10 < (sample[ID] < f"CID_{100:05d}").sum() < 35  # of both files


def test_each_sampled_campaign_has_its_own_prediction_and_a_bad_one_has_none(manifest):
    sample = sample_inputs(manifest, SCHEMA)
    probability, labelled = join_predictions(manifest, sample[ID], None)
    assert labelled is None
    assert np.flatnonzero(np.isnan(probability)).tolist() == [3, 7, 150]
    assert probability[200] == 200 / ROWS


def test_every_prediction_that_has_an_outcome_counts_also_outside_the_sample(manifest, tmp_path):
    outcomes = Outcomes.read((str(tmp_path / "outcomes.parquet"),), SCHEMA)
    _, labelled = join_predictions(manifest, pd.Series(["CID_00000"]), outcomes)
    assert labelled is not None
    _, probability, rows = labelled.pairs()
    assert rows.sum() == ROWS - 50 - 1  # row 150 is bad
    assert probability.min() == 50 / ROWS
    assert pq.read_metadata(tmp_path / "part.parquet").num_rows == ROWS - 3
