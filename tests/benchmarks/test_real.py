"""What models are judged on beside each other, and what is said of it."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import real_page, report
from benchmarks.real_figures import LOG_LOSS, ROC_AUC, Difference, difference, figures_of
from benchmarks.real_product import OURS
from benchmarks.real_rivals import CATBOOST, OF_SKLEARN, fit_rival
from benchmarks.real_rows import read_rows, write_sources
from benchmarks.real_splits import BEFORE, BY_ID, LATEST, evaluations_of, split_by_time
from benchmarks.real_targets import MET, MISSED, NOT_TOLD_APART, quality_targets, verdict
from benchmarks.rivals import forest_within
from campaign.identity import bucket_of
from campaign.schema_file import parse_schema

SCHEMA = """
[model]
name = "calls"
[row]
id = "id"
launch = "began"
end = "ended"
[outcome]
column = "y"
success = ["yes"]
failure = ["no"]
[[column]]
name = "age"
type = "number"
known = "at launch"
nullable = true
[[column]]
name = "job"
type = "category"
known = "at launch"
nullable = true
missingValues = ["unknown"]
[[column]]
name = "Days"
type = "number"
known = "at launch"
derive = { days_between = ["began", "ended"] }
[[column]]
name = "seconds"
type = "number"
known = "at the end"
"""


def calls(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    began = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.permutation(rows), "D")
    age = rng.integers(18, 80, rows)
    return pd.DataFrame({
        "id": np.arange(rows), "age": np.where(rng.random(rows) < 0.1, "", age.astype(str)),
        "job": rng.choice(["clerk", "student", "unknown"], rows), "began": began.astype(str),
        "ended": (began + pd.Timedelta(days=30)).astype(str), "seconds": rng.integers(0, 900, rows),
        "y": np.where(rng.random(rows) < 0.05, "open", np.where(rng.random(rows) < age / 100, "yes", "no")),
    })  # fmt: skip


@pytest.fixture
def rows(tmp_path):
    calls(1_000).to_csv(tmp_path / "calls.csv", index=False)
    return read_rows(str(tmp_path / "calls.csv"), parse_schema(SCHEMA))


def test_a_period_is_learnt_from_what_was_decided_when_it_began():
    launch = np.arange(10.0)
    fitted, judged = split_by_time(launch, launch + 2.5, 0.8, 1.0)
    assert fitted.tolist() == [0, 1, 2, 3, 4, 5]
    assert judged.tolist() == [8, 9]
    fitted, judged = split_by_time(launch, None, 0.6, 0.8)
    assert fitted.tolist() == [0, 1, 2, 3, 4, 5]
    assert judged.tolist() == [6, 7]


def test_a_row_without_a_time_is_in_no_period():
    launch, end = np.array([0, np.nan, 1, 2, 3, 4.0]), np.array([0, 0, np.nan, 2, 3, 4.0])
    fitted, judged = split_by_time(launch, end, 0.8, 1.0)
    assert (fitted.tolist(), judged.tolist()) == ([0, 2, 3, 4], [5])


def test_rows_are_those_that_are_decided_under_the_names_of_the_schema(rows):
    assert len(rows) == (calls(1_000)["y"] != "open").sum()
    assert rows.features.columns.tolist() == ["age", "job", "Days"]
    assert set(rows.features["job"].dropna()) == {"clerk", "student"}
    assert rows.features["age"].isna().any()
    assert (rows.features["Days"] == 30).all()


def test_both_periods_and_the_split_by_id_are_judged(rows):
    latest, before, by_id = evaluations_of(rows)
    assert [latest.name, before.name, by_id.name] == [LATEST, BEFORE, BY_ID]
    assert rows.launch[latest.fitted].max() + 30 * 86_400e6 <= rows.launch[latest.judged].min()
    assert rows.launch[before.judged].max() < rows.launch[latest.judged].min()
    ids = rows.sources.column("id").to_pylist()
    assert {bucket_of(ids[row]) for row in by_id.judged} == {0}
    assert len(by_id.given) == len(rows)
    assert np.array_equal(latest.given, latest.fitted)


def test_what_a_training_gets_is_read_as_the_file_was(rows, tmp_path):
    write_sources(rows, np.arange(len(rows)), tmp_path / "given.parquet")
    again = read_rows(str(tmp_path / "given.parquet"), rows.schema)
    pd.testing.assert_frame_equal(again.features, rows.features)
    assert np.array_equal(again.label, rows.label)
    assert np.array_equal(again.buckets, rows.buckets)
    assert np.array_equal(again.launch, rows.launch)


@pytest.mark.parametrize("rival", OF_SKLEARN)
def test_a_rival_takes_missing_values_and_categories_that_it_never_saw(rival, rows):
    predict = fit_rival(rival, rows.features.assign(empty=np.nan, blank=None), rows.label, 1)
    judged = rows.features.head(3).assign(job=["astronaut", None, "clerk"], age=[np.nan, 30, 40], empty=1.0, blank="x")
    assert ((predict(judged) > 0) & (predict(judged) < 1)).all()


def test_figures_are_means_over_seeds_and_differences_are_of_the_same_rows():
    rng = np.random.default_rng(1)
    label = rng.integers(2, size=400).astype(np.int8)
    good, bad = (1 / (1 + np.exp(-rng.normal(strength * (label - 0.5), 1))) for strength in (2, 0.5))
    better, worse, mixed = (figures_of(label, each, 50) for each in ([good], [bad], [good, bad]))
    assert mixed.means[ROC_AUC] == pytest.approx((better.means[ROC_AUC] + worse.means[ROC_AUC]) / 2)
    gain = difference([better], [worse], ROC_AUC)
    assert 0 < gain.low < gain.value < gain.high
    assert difference([better], [worse], LOG_LOSS, -1).low > 0
    assert difference([better], [better], LOG_LOSS) == Difference(0, 0, 0)


def test_what_was_estimated_without_outcomes_stands_beside_what_came():
    rng = np.random.default_rng(1)
    probability = rng.beta(1, 2, 20_000)
    means = figures_of((rng.random(20_000) < probability).astype(np.int8), [probability], 1).means
    for figure in (ROC_AUC, LOG_LOSS):
        assert means[f"estimated {figure}"] == pytest.approx(means[figure], abs=0.01)
    assert means[f"estimated {ROC_AUC}"] != means[ROC_AUC]


def test_a_target_is_missed_only_if_the_whole_interval_lies_beyond_it():
    gain = Difference(0.01, 0.002, 0.02)
    assert [verdict(gain, bound) for bound in (0, 0.015, 0.03)] == [MET, NOT_TOLD_APART, MISSED]


def test_it_is_held_against_whichever_of_the_three_is_best_in_a_figure():
    rng = np.random.default_rng(1)
    label = rng.integers(2, size=2_000).astype(np.int8)

    def figures(strength):
        return figures_of(label, [1 / (1 + np.exp(-rng.normal(strength * (label - 0.5), 1)))], 50)

    strengths = dict(zip((OURS, *OF_SKLEARN, CATBOOST), (2, 1, 1.5, 0.5, 4), strict=True))
    contenders = {name: figures(strength) for name, strength in strengths.items()}
    targets = quality_targets({LATEST: contenders, BEFORE: contenders})
    assert [target.verdict for target in targets] == [MET, MET, MISSED, MET, MET]
    assert targets[0].measured.endswith(f"beside {OF_SKLEARN[1]}")
    # Where time is not known, the split by id is all there is.
    assert next(target.work for target in quality_targets({BY_ID: contenders})) == f"{ROC_AUC}, {BY_ID}"


def test_the_forest_of_a_pipeline_is_found_however_deep_it_stands():
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    X, y = np.arange(20.0).reshape(-1, 1), np.repeat([0, 1], 10)
    forest = make_pipeline("passthrough", RandomForestClassifier(3))
    voting = VotingClassifier([("linear", LogisticRegression()), ("forest", forest)], voting="soft").fit(X, y)
    assert len(forest_within(make_pipeline("passthrough", voting)).estimators_) == 3
    assert forest_within(LogisticRegression().fit(X, y)) is None


def test_a_data_set_that_is_measured_again_replaces_its_part_of_the_page(tmp_path):
    table = [{"contender": "campaign-success", ROC_AUC: "0.7500"}]
    results = {
        "data": "calls", "rows": 950, "features": 3, "trials": 12, "seeds": 3, "scored": 1_000, "catboost": "1",
        "machine": report.load_results()["scoring"]["machine"], "cost": table, "scoring": table, "targets": table,
        "evaluations": {LATEST: {"fitted": 760, "fitted_rate": 0.5, "judged": 190, "judged_rate": 0.5, "table": table}},
    }  # fmt: skip
    real_page.save_results(results, tmp_path)
    real_page.save_results(json.loads(json.dumps(results).replace("0.7500", "0.7600")), tmp_path)
    page = report.render_page(report.load_results(), real_page.load_results(tmp_path))
    assert page.count("### calls") == 1
    assert "0.7600" in page
    assert "0.7500" not in page
