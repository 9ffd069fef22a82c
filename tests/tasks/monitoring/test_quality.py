import pandas as pd

from campaign.encoding import Encoder
from campaign.model import REFERENCE, ScoringModel
from campaign.warm_up import smallest_forest
from tasks.monitoring.quality import ScoringVersion
from tests.published import KNOWN_CATEGORIES, SCHEMA


def test_drift_is_measured_against_the_rows_of_the_newest_days_where_they_are_marked(tmp_path):
    model = ScoringModel("m", "1", SCHEMA, Encoder(SCHEMA.features, KNOWN_CATEGORIES), smallest_forest())
    rows = pd.DataFrame({"probability": [0.1, 0.2, 0.3]})
    rows.to_parquet(tmp_path / REFERENCE)
    assert ScoringVersion(model, tmp_path).reference["probability"].tolist() == [0.1, 0.2, 0.3]
    rows.assign(is_newest=[False, True, True]).to_parquet(tmp_path / REFERENCE)
    assert ScoringVersion(model, tmp_path).reference["probability"].tolist() == [0.2, 0.3]
