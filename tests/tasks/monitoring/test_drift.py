import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaign import synthetic
from campaign.schema import Column
from campaign.settings import Settings
from tasks.monitoring.drift import PROBABILITY, ColumnDrift, Drift, DriftMethod, measure_drift
from tasks.monitoring.metric_rows import CALENDAR, DRIFTED, NOT_COMPUTABLE, OK, TOO_FEW_ROWS, MetricRow
from tests.published import FEATURES


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


def rows_of(drift: Drift) -> dict[str, MetricRow]:
    return {row.column_name or row.metric: row for row in drift.rows()}


def test_the_same_world_is_not_drifted(current, reference):
    drift = measure_drift(current, reference, FEATURES, Settings())
    assert not drift.is_drifted
    assert {row.status for row in drift.rows()} == {OK}
    assert {type(row.value) for row in drift.rows()} == {float}  # psycopg2 cannot write NumPy's
    assert len(drift.rows()) == len(FEATURES) + 3
    assert "GoalAmount" in drift.html


def test_tripled_goals_and_amounts_are_drift(current, reference):
    current[["GoalAmount", "RaisedAmount"]] *= 3
    drift = measure_drift(current, reference, FEATURES, Settings(), with_report=False)
    rows = rows_of(drift)
    assert [name for name, row in rows.items() if row.status == DRIFTED] == [
        "GoalAmount", "RaisedAmount", "drifted_columns", "drifted_columns_share",
    ]  # fmt: skip
    assert rows["drifted_columns"].value == 2.0
    assert rows["drifted_columns_share"].value == pytest.approx(2 / 12)
    assert drift.is_drifted


def test_one_drifted_column_of_twelve_is_not_a_drifted_day(current, reference):
    current["GoalAmount"] *= 1.15
    drift = measure_drift(current, reference, FEATURES, Settings(), with_report=False)
    goal = rows_of(drift)["GoalAmount"]
    assert goal.status == DRIFTED
    assert 0.1 <= goal.threshold <= goal.value < 0.3
    assert not drift.is_drifted


def test_drifted_predictions_are_a_drifted_day(current, reference):
    current["probability"] **= 4
    drift = measure_drift(current, reference, FEATURES, Settings(), with_report=False)
    assert rows_of(drift)["prediction_drift"].status == DRIFTED
    assert drift.is_drifted


def absent(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="NumBackers")


def empty(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(NumBackers=np.nan)


def hardly_there(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(NumBackers=frame["NumBackers"].where(frame.index < 99))


@pytest.mark.parametrize("damage", [absent, empty, hardly_there])
def test_a_column_that_cannot_be_compared_costs_itself_alone(current, reference, damage):
    drift = measure_drift(damage(current), reference, FEATURES, Settings())
    rows = rows_of(drift)
    assert [name for name, row in rows.items() if row.status != OK] == ["NumBackers"]
    assert (rows["NumBackers"].status, rows["NumBackers"].value) == (NOT_COMPUTABLE, None)
    assert "GoalAmount" in drift.html


@pytest.mark.parametrize("side", ["current", "reference"])
def test_an_empty_category_costs_itself_alone(current, reference, side):
    sides = {"current": current, "reference": reference}
    sides[side] = sides[side].assign(Category=pd.Series([None] * len(sides[side]), dtype="str"))
    drift = measure_drift(sides["current"], sides["reference"], FEATURES, Settings())
    assert [name for name, row in rows_of(drift).items() if row.status != OK] == ["Category"]
    assert drift.html


def test_nothing_is_computed_on_few_rows(current, reference):
    drift = measure_drift(current.head(999), reference, FEATURES, Settings())
    assert drift.html is None
    assert {(row.value, row.status) for row in drift.rows()} == {(None, TOO_FEW_ROWS)}
    assert len(drift.rows()) == len(FEATURES) + 1
    assert not drift.is_drifted


def test_where_nothing_can_be_compared_there_is_no_report(current, reference):
    drift = measure_drift(current[["CampaignID"]], reference, FEATURES, Settings())
    assert drift.html is None
    assert {row.status for row in drift.rows()} == {NOT_COMPUTABLE}


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_a_number_that_never_varied_drifts_when_it_moves(current, reference, shift):
    drift = measure_drift(
        current.assign(NumUpdates=7.0 + shift), reference.assign(NumUpdates=7.0), FEATURES, Settings()
    )
    assert rows_of(drift)["NumUpdates"].status == (DRIFTED if shift else OK)


@pytest.mark.parametrize(("share", "status"), [(0.01, OK), (0.5, DRIFTED)])
def test_an_unseen_category_is_a_distance_like_any_other(current, reference, share, status):
    current.loc[current.index < share * len(current), "Category"] = "Podcast"
    drift = measure_drift(current, reference, FEATURES, Settings(), with_report=False)
    assert rows_of(drift)["Category"].status == status


def test_columns_of_the_calendar_are_charted_and_never_count(current, reference):
    month = Column(name="Month", type="number", known="at launch", derive={"month": ["launched"]})
    current, reference = current.assign(Month=3.0), reference.assign(Month=np.arange(len(reference)) % 12 + 1.0)
    drift = measure_drift(current, reference, (*FEATURES, month), Settings(), with_report=False)
    row = rows_of(drift)["Month"]
    assert (row.status, row.value > 0.1) == (CALENDAR, True)
    assert not drift.is_drifted
    assert drift.share == 0.0


def test_many_categories_on_few_rows_are_not_drifted_by_chance(reference):
    rng = np.random.default_rng(3)
    names = pd.Series([f"sub-category {number}" for number in range(155)])
    current = day(2, 1_000).assign(Category=rng.choice(names, 1_000))
    drift = measure_drift(
        current, reference.assign(Category=rng.choice(names, len(reference))), FEATURES, Settings(), with_report=False
    )
    row = rows_of(drift)["Category"]
    assert row.status == OK
    assert 0.1 < row.value < row.threshold  # which is what chance gives


def test_predictions_of_one_version_may_be_too_few_where_inputs_suffice(current, reference):
    current["probability"] = current["probability"].where(current.index < 700)
    drift = measure_drift(current, reference, FEATURES, Settings(), with_report=False)
    assert rows_of(drift)["prediction_drift"].status == TOO_FEW_ROWS
    assert rows_of(drift)["GoalAmount"].status == OK
    assert not drift.is_judged


def test_without_a_report_the_distances_are_the_same(current, reference):
    with_report, without = (measure_drift(current, reference, FEATURES, Settings(), wanted) for wanted in (True, False))
    assert without.html is None
    assert [column.name for column in without.columns] == [column.name for column in with_report.columns]
    assert [column.distance for column in without.columns] == pytest.approx(
        [column.distance for column in with_report.columns]
    )


def test_what_somebody_wrote_into_a_category_is_no_part_of_the_reports_page(current, reference):
    written = "</script><script>document.title = 'mine'</script>"
    current.loc[:300, "Category"] = written
    drift = measure_drift(current, reference, FEATURES, Settings())
    assert written not in drift.html
    assert "document.title" in drift.html  # it is shown, as the text that it is
    plain = measure_drift(current.replace(written, "Plain"), reference, FEATURES, Settings())
    assert rows_of(drift)["Category"].value == pytest.approx(rows_of(plain)["Category"].value)


@pytest.mark.parametrize("with_report", [True, False])
def test_a_distance_is_of_the_day_from_the_reference_in_standard_deviations_of_the_reference(
    current, reference, with_report
):
    drift = measure_drift(current.assign(GoalAmount=0.0), reference, FEATURES, Settings(), with_report)
    goals = reference["GoalAmount"]
    assert rows_of(drift)["GoalAmount"].value == pytest.approx(goals.mean() / goals.std(), rel=0.01)


def test_columns_predictions_and_their_share_have_each_the_threshold_that_is_set(current, reference):
    settings = Settings(column_drift_threshold=0.3, prediction_drift_threshold=0.4, drifted_share_threshold=0.5)
    rows = rows_of(measure_drift(current, reference, FEATURES, settings, with_report=False))
    assert {rows[column.name].threshold for column in FEATURES} == {0.3}
    assert (rows["prediction_drift"].threshold, rows["drifted_columns_share"].threshold) == (0.4, 0.5)


@pytest.mark.parametrize(
    ("distance", "chance", "status"), [(0.1, 0.0, DRIFTED), (0.0999, 0.0, OK), (0.2, 0.2, DRIFTED), (0.2, 0.2001, OK)]
)
def test_a_distance_counts_from_its_threshold_and_from_what_chance_gives_on(
    current, reference, monkeypatch, distance, chance, status
):
    monkeypatch.setattr("tasks.monitoring.drift.distance_of", lambda *_: distance)
    monkeypatch.setattr("tasks.monitoring.drift.chance_limit", lambda *_: chance)
    drift = measure_drift(current, reference, FEATURES, Settings(), with_report=False)
    assert {row.status for row in drift.rows()} == {status}
    assert drift.is_drifted is (status == DRIFTED)


@pytest.mark.parametrize(("rows", "judged"), [(1_000, True), (999, False)])
def test_a_day_of_just_enough_rows_is_judged(current, reference, rows, judged):
    assert measure_drift(current.head(rows), reference, FEATURES, Settings(), with_report=False).is_judged is judged


def test_a_column_of_just_enough_values_is_compared(current, reference):
    hundred = current.assign(NumBackers=current["NumBackers"].where(current.index < 100))
    drift = measure_drift(hundred, reference, FEATURES, Settings(), with_report=False)
    assert rows_of(drift)["NumBackers"].value is not None


@pytest.mark.parametrize(("threshold", "drifted"), [(0.5, True), (0.51, False)])
def test_a_share_of_columns_counts_from_its_threshold_on(threshold, drifted):
    """Predictions are no column of the share, nor is one that could not be compared."""
    statuses = {"a": DRIFTED, "b": OK, "c": NOT_COMPUTABLE, "d": CALENDAR, PROBABILITY: OK}
    columns = [ColumnDrift(name, DriftMethod.WASSERSTEIN, 0.1, 0.2, status) for name, status in statuses.items()]
    drift = Drift(columns, threshold)
    assert (drift.share, drift.is_drifted) == (0.5, drifted)
    assert rows_of(drift)["drifted_columns_share"].status == (DRIFTED if drifted else OK)
