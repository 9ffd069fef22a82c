from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.schema import ID
from tasks.manifest import Manifest, Part, Rows
from tasks.monitoring import inputs
from tasks.monitoring.inputs import sample_inputs, sample_predictions
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
    files = {name: tmp_path / f"{name}.parquet" for name in ("a", "b", "part")}
    parts = {name: Part(str(file), sha256(file.read_bytes()).hexdigest(), 0) for name, file in files.items()}
    counts = Rows(ROWS, ROWS - 3, 3)
    return Manifest("2026-11-22", "m", "1", [parts["a"], parts["b"]], [parts["part"]], [], counts, "", 0)


def test_all_rows_are_sampled_while_they_are_few_and_what_physics_rules_out_is_missing(manifest):
    sample = sample_inputs(manifest, SCHEMA)
    assert sample.index.tolist() == [*range(ROWS)]  # whatever file a row came in
    assert sample["RaisedAmount"].isna().sum() == 2
    assert sample["DurationDays"].isna().tolist().index(True) == 7


def test_of_many_rows_an_even_sample_is_drawn_in_their_order(manifest, monkeypatch):
    monkeypatch.setattr(inputs, "SAMPLE_ROWS", 60)
    assert len(sample_inputs(manifest, SCHEMA)) == 60
    sample = sample_predictions(manifest)
    assert sample.num_rows == 60
    probability = sample["probability"].to_numpy()
    assert (np.diff(probability) > 0).all()
    assert 10 < (probability < 1 / 3).sum() < 30


def test_each_sampled_prediction_is_that_of_its_campaign(manifest):
    sample = sample_predictions(manifest)
    assert sample.num_rows == ROWS - 3
    of = dict(zip(sample[ID].to_pylist(), sample["probability"].to_pylist(), strict=True))
    assert of["CID_00200"] == 200 / ROWS
    assert "CID_00150" not in of
