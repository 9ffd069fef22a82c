from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaign import synthetic
from campaign.settings import Settings
from tasks.monitoring.drift import ColumnDrift, Drift, DriftMethod, measure_drift
from tasks.monitoring.drift_error import sampling_errors
from tests.published import FEATURES


def day(seed: int, rows: int) -> pd.DataFrame:
    frame = pa.Table.from_batches(synthetic.campaigns(rows, seed, drift=1.0 + 0.5 * (seed > 1))).to_pandas()
    for column in FEATURES:
        frame[column.name] = frame[column.name].astype("str" if column.is_category else float)
    return frame.assign(probability=np.clip(frame["RaisedAmount"] / frame["GoalAmount"] - 0.5, 0, 1))


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    return day(1, 5_000)


def errors_of(current: pd.DataFrame, reference: pd.DataFrame, rows: int) -> dict[str, float]:
    drift = measure_drift(current, reference, FEATURES, Settings(), with_report=False)
    return {row.column_name or row.metric: row.value for row in sampling_errors(current, reference, drift, rows)}


def test_the_error_is_how_much_the_distance_of_other_samples_differs(reference):
    amounts = ("GoalAmount", "RaisedAmount")
    columns = [column for column in FEATURES if column.name in amounts]
    whole = day(2, 60_000)
    samples = [whole.sample(2_000, random_state=seed) for seed in range(12)]
    distances = []
    for sample in samples:
        drift = measure_drift(sample, reference, columns, Settings(), with_report=False)
        distances.append({column.name: column.distance for column in drift.columns})
    errors = errors_of(samples[0], reference, len(whole))
    for name in amounts:
        assert errors[name] == pytest.approx(np.std([of_sample[name] for of_sample in distances]), rel=0.7)
    assert errors["prediction_drift_error"] > 0
    assert errors.keys() == {*(column.name for column in FEATURES), "prediction_drift_error"}


def test_a_day_that_is_looked_at_whole_has_no_error_of_sampling(reference):
    assert set(errors_of(day(2, 1_500), reference, 1_500).values()) == {0.0}


def test_a_distance_that_cannot_be_computed_has_no_error_either(reference):
    current = day(2, 1_500)
    current["NumBackers"] = np.nan
    assert "NumBackers" not in errors_of(current, reference, 9_000)


@pytest.mark.parametrize(("rows", "share_left"), [(2_000, 0.5), (4_000, 0.75), (10**9, 1.0)])
def test_the_error_of_a_mean_is_that_of_its_ten_groups_means(rows, share_left):
    """Beside a reference that is 0 throughout, the distance is the mean (over Evidently's least deviation, 0.001)."""
    values = np.random.default_rng(4).lognormal(size=1_000)
    column = ColumnDrift("GoalAmount", DriftMethod.WASSERSTEIN, 0.1, 1.0, "ok")
    prediction = replace(column, name="probability")
    frames = [pd.DataFrame(dict.fromkeys(("GoalAmount", "probability"), given)) for given in (values, [0.0] * 50)]
    error, other = sampling_errors(*frames, Drift([column, prediction], 0.5), rows)
    of_groups = values.reshape(100, 10).mean(axis=0).std(ddof=1) / 10**0.5
    assert error.value == pytest.approx(1_000 * of_groups * share_left**0.5)
    assert (error.metric, error.column_name, error.method) == ("column_drift_error", "GoalAmount", "jackknife")
    assert (other.metric, other.column_name, other.value) == ("prediction_drift_error", "", error.value)
