import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaign import synthetic
from campaign.schema import FEATURES
from campaign.settings import Settings
from tasks.monitoring.drift import compare, is_drifted
from tasks.monitoring.metric_rows import DRIFTED, MetricRow, NOT_COMPUTABLE, OK, TOO_FEW_ROWS


def day(seed: int, rows: int) -> pd.DataFrame:
    """Campaigns with predictions that follow from them."""
    frame = pa.Table.from_batches(synthetic.campaigns(rows, seed)).to_pandas()
    for column in FEATURES:
        frame[column.name] = frame[column.name].astype("str" if column.is_category else float)
    ratio = frame["RaisedAmount"] / frame["GoalAmount"]
    return frame.assign(probability=1 / (1 + np.exp(-8 * (ratio - 1))))


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    return day(1, 4_000)


@pytest.fixture
def current() -> pd.DataFrame:
    return day(2, 2_000)


def columns_of(measures: list[MetricRow]) -> dict[str, MetricRow]:
    return {one.column_name or one.metric: one for one in measures}


def test_the_same_world_is_not_drifted(current, reference):
    measures, html = compare(current, reference, FEATURES, Settings())
    assert not is_drifted(measures)
    assert {one.status for one in measures} == {OK}
    assert {type(one.value) for one in measures} == {float}  # psycopg2 cannot write NumPy's
    assert len(measures) == len(FEATURES) + 3
    assert "GoalAmount" in html


def test_tripled_goals_and_amounts_are_drift(current, reference):
    current[["GoalAmount", "RaisedAmount"]] *= 3
    measures, _ = compare(current, reference, FEATURES, Settings())
    found = columns_of(measures)
    assert [name for name, one in found.items() if one.status == DRIFTED] == [
        "GoalAmount", "RaisedAmount", "drifted_columns", "drifted_columns_share",
    ]  # fmt: skip
    assert found["drifted_columns"].value == 2.0
    assert found["drifted_columns_share"].value == pytest.approx(2 / 12)
    assert is_drifted(measures)


def test_one_drifted_column_of_twelve_is_not_a_drifted_day(current, reference):
    current["GoalAmount"] *= 1.08
    measures, _ = compare(current, reference, FEATURES, Settings())
    found = columns_of(measures)["GoalAmount"]
    assert found.status == DRIFTED
    assert found.threshold == 0.1 <= found.value < 0.2
    assert not is_drifted(measures)


def test_drifted_predictions_are_a_drifted_day(current, reference):
    current["probability"] **= 4
    measures, _ = compare(current, reference, FEATURES, Settings())
    assert columns_of(measures)["prediction_drift"].status == DRIFTED
    assert is_drifted(measures)


def absent(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="NumBackers")


def empty(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(NumBackers=np.nan)


def hardly_there(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(NumBackers=frame["NumBackers"].where(frame.index < 999))


@pytest.mark.parametrize("damage", [absent, empty, hardly_there])
def test_a_column_that_cannot_be_compared_costs_itself_alone(current, reference, damage):
    measures, html = compare(damage(current), reference, FEATURES, Settings())
    found = columns_of(measures)
    assert [name for name, one in found.items() if one.status != OK] == ["NumBackers"]
    assert (found["NumBackers"].status, found["NumBackers"].value) == (NOT_COMPUTABLE, None)
    assert "GoalAmount" in html


@pytest.mark.parametrize("side", ["current", "reference"])
def test_an_empty_category_costs_itself_alone(current, reference, side):
    sides = {"current": current, "reference": reference}
    sides[side] = sides[side].assign(Category=pd.Series([None] * len(sides[side]), dtype="str"))
    measures, html = compare(sides["current"], sides["reference"], FEATURES, Settings())
    assert [name for name, one in columns_of(measures).items() if one.status != OK] == ["Category"]
    assert html


def test_nothing_is_computed_on_few_rows(current, reference):
    measures, html = compare(current.head(999), reference, FEATURES, Settings())
    assert html is None
    assert {(one.value, one.status) for one in measures} == {(None, TOO_FEW_ROWS)}
    assert len(measures) == len(FEATURES) + 1
    assert not is_drifted(measures)


def test_where_nothing_can_be_compared_there_is_no_report(current, reference):
    measures, html = compare(current[["CampaignID"]], reference, FEATURES, Settings())
    assert html is None
    assert {one.status for one in measures} == {NOT_COMPUTABLE}


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_a_number_that_never_varied_drifts_when_it_moves(current, reference, shift):
    measures, _ = compare(
        current.assign(NumUpdates=7.0 + shift), reference.assign(NumUpdates=7.0), FEATURES, Settings()
    )
    assert columns_of(measures)["NumUpdates"].status == (DRIFTED if shift else OK)


@pytest.mark.parametrize(("share", "status"), [(0.01, OK), (0.5, DRIFTED)])
def test_an_unseen_category_is_a_distance_like_any_other(current, reference, share, status):
    current.loc[current.index < share * len(current), "Category"] = "Podcast"
    measures, _ = compare(current, reference, FEATURES, Settings())
    assert columns_of(measures)["Category"].status == status
