import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.schema_file import parse_schema
from campaign.warm_up import smallest_forest
from tasks.monitoring.unseen_values import share_of_unseen
from tests.published import FEATURES, KNOWN_CATEGORIES, PUBLISHED_TOML, SCHEMA

ROWS = 1_003  # 59 days of 17


def day(seed: int, rows: int = ROWS, drift: float = 1.0) -> pd.DataFrame:
    frame = pa.Table.from_batches(synthetic.campaigns(rows, seed, drift=drift)).to_pandas()
    return frame.astype({column.name: "str" if column.is_category else float for column in FEATURES})


def trained_on(frame: pd.DataFrame, schema=SCHEMA, **more) -> ScoringModel:
    """A model that remembers the range of each number, as its matrix had it."""
    columns = {
        column.name: {"quantiles": [float(np.float32(edge(frame[column.name]))) for edge in (min, max)]}
        for column in schema.features
        if not column.is_category
    }
    return ScoringModel("m", "1", schema, Encoder(schema.features, KNOWN_CATEGORIES), smallest_forest(), {}, 0.5,
                        columns | more)  # fmt: skip


LEARNT = day(1, 6_000)


@pytest.mark.parametrize(("drift", "least", "most"), [(1.0, 0.0, 0.01), (3.0, 0.6, 0.75), (0.01, 0.9, 1.0)])
def test_a_world_of_other_sizes_holds_what_training_never_saw(drift, least, most):
    assert least <= share_of_unseen(day(2, drift=drift), trained_on(LEARNT), LEARNT) <= most


def test_the_rows_are_counted_not_the_values():
    frame = LEARNT.head(100).copy()
    frame.loc[:9, ["GoalAmount", "RaisedAmount", "NumBackers"]] = 10.0**7
    frame.loc[10:11, "Category"] = "Podcast"
    assert share_of_unseen(frame, trained_on(LEARNT), LEARNT) == pytest.approx(0.12)


def test_categories_are_known_however_they_are_written_and_what_is_missing_is_not_unseen():
    frame = LEARNT.head(100).copy()
    frame["Category"] = frame["Category"].str.upper()
    frame["Country"] = pd.Series([None] * 100, dtype="str")
    frame["NumBackers"] = np.nan
    assert share_of_unseen(frame, trained_on(LEARNT), LEARNT) == 0.0


def test_the_edges_that_training_saw_are_within_although_it_rounded_them():
    learnt = LEARNT.assign(RaisedAmount=LEARNT["RaisedAmount"] + 0.1)
    assert share_of_unseen(learnt, trained_on(learnt), learnt) == 0.0


def test_places_of_predictions_beyond_the_last_campaign_are_no_rows():
    frame = LEARNT.head(10).assign(GoalAmount=10.0**7).reindex(range(100))
    assert share_of_unseen(frame, trained_on(LEARNT), LEARNT) == 1.0
    assert share_of_unseen(frame.iloc[10:], trained_on(LEARNT), LEARNT) == 0.0


def test_a_new_year_is_in_no_training_and_says_nothing():
    year = """
[[column]]
name = "Year"
type = "number"
known = "at launch"
derive = { year = "launched" }
"""
    schema = parse_schema(PUBLISHED_TOML + year)
    frame = LEARNT.assign(Year=2026.0)
    model = trained_on(frame, schema)
    assert share_of_unseen(frame.assign(Year=2027.0), model, frame) == 0.0


def test_of_a_number_that_training_never_had_every_value_is_new():
    model = trained_on(LEARNT, NumBackers={"quantiles": [], "missing": 6_000})
    assert share_of_unseen(LEARNT.head(10), model, LEARNT) == 1.0


@pytest.mark.parametrize(("drift", "least", "most"), [(1.0, 0.0, 0.02), (3.0, 0.6, 0.75)])
def test_a_model_from_before_ranges_were_kept_has_those_of_its_test_rows(drift, least, most):
    old = ScoringModel("m", "1", SCHEMA, Encoder(SCHEMA.features, KNOWN_CATEGORIES), smallest_forest())
    assert least <= share_of_unseen(day(2, drift=drift), old, LEARNT) <= most
