from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from campaign import synthetic
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.warm_up import smallest_model
from tests.published import SCHEMA


def test_the_smallest_model_can_be_stored_and_scores_as_its_one_comparison_says(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_batches(synthetic.campaigns(200)), tmp_path / "a.parquet")
    (batch,) = read_campaigns(str(tmp_path / "a.parquet"), SCHEMA)
    smallest_model().save(tmp_path / "model")
    probabilities = ScoringModel.load(tmp_path / "model", "0").probabilities_of(batch)
    assert probabilities.tolist() == (batch.numbers["GoalAmount"] > 50_000).astype(float).tolist()
    assert 0 < probabilities.mean() < 1
