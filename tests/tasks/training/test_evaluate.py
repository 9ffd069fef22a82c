from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.forest import Forest
from campaign.identity import TEST, bucket_of
from campaign.model import ScoringModel
from campaign.schema import ID, LABEL
from tasks.measures import classification_metrics
from tasks.training.encode import Parts, write_parts
from tasks.training.evaluate import (
    by_segment,
    matrix_of_test_rows,
    permutation_importance,
    reference_of,
    score_test_rows,
)
from tasks.training.examples import rows_at
from tasks.training.fit import fit_recipe
from tasks.training.ingest import Sources
from tasks.training.search_space import Recipe
from tasks.training.split import buckets_of
from tasks.training.validate import Dataset, gather
from tests.published import NAMES, SCHEMA

ROWS = 3_000


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Dataset, Parts, ScoringModel]:
    folder: Path = tmp_path_factory.mktemp("trained")
    pq.write_table(pa.Table.from_batches(synthetic.campaigns(ROWS)), folder / "base.parquet")
    data = gather(Sources("base", str(folder / "base.parquet"), ()), folder, SCHEMA)[0]
    parts = write_parts(data.path, buckets_of(data.path), SCHEMA, folder / "published")
    recipe = Recipe(
        n_estimators=16, min_samples_leaf=1, max_features=0.7, max_samples=1.0, linear=False, half_life=None
    )  # fmt: skip
    labels = parts.labels("train")
    prepared, trees = fit_recipe(rows_at(parts, np.ones(len(labels), bool), 10**6, "train"), recipe, seed=1)
    predictor = prepared.predictor(Forest.from_sklearn(trees))
    return data, parts, ScoringModel("model", "1", SCHEMA, prepared.encoder, predictor)


@pytest.fixture
def judged(trained) -> pd.DataFrame:
    return score_test_rows(*trained)


def test_judged_alone_are_judged_each_with_its_own_prediction(trained, judged):
    data, parts, model = trained
    assert {bucket_of(campaign_id) for campaign_id in judged[ID]} == {TEST}
    assert len(judged) == sum(
        bucket_of(campaign_id) == TEST for campaign_id in pq.read_table(data.path).column(ID).to_pylist()
    )
    assert (judged[LABEL].to_numpy() == parts.labels("test")).all()
    assert (judged["probability"].to_numpy() == model.predict(matrix_of_test_rows(parts, model))).all()
    assert classification_metrics(judged[LABEL].to_numpy(), judged["probability"].to_numpy())["roc_auc"] > 0.9


@pytest.mark.parametrize("most", [10, 10_000])
def test_the_reference_is_at_most_so_many_judged_with_their_predictions(trained, judged, most):
    reference, described = reference_of(judged, trained[2], most, 100)
    assert described == f"{len(reference):,} of its test rows, of whatever time"
    assert len(reference) == min(most, len(judged))
    assert [*reference.columns] == [ID, *NAMES, LABEL, "probability", "success"]
    pd.testing.assert_frame_equal(
        reference.drop(columns="success"), judged.loc[reference.index].drop(columns="LabelledDay"), check_like=True
    )
    assert (reference["success"] == (reference["probability"] > 0.5)).all()
    pd.testing.assert_frame_equal(reference_of(judged, trained[2], most, 100)[0], reference)


@pytest.mark.parametrize("newest", [0, 300])
def test_the_reference_is_an_even_sample_and_not_the_rows_that_came_first(trained, judged, newest):
    """Of the newest labelled days, where they are enough, and of the others."""
    labelled = judged.assign(LabelledDay=["2026-11-03"] * newest + [""] * (len(judged) - newest)).reset_index(drop=True)
    reference, _ = reference_of(labelled, trained[2], 200, 100)
    last = newest or len(judged)
    halves = np.bincount(reference.index.to_numpy() * 2 // last, minlength=2)
    assert halves.sum() == 200
    assert halves.min() > 70


@pytest.mark.parametrize(
    ("newest_rows", "rows", "days"),
    [(40, 50, ["03"]), (51, 100, ["03", "02"]), (100, 100, ["03", "02"]), (110, 110, ["03", "02", "01"])],
)
def test_drift_is_measured_against_the_newest_labelled_days_that_are_enough(trained, judged, newest_rows, rows, days):
    """Fifty test rows of each of two days, ten of the one before; the others came with the data set."""
    labelled = judged.assign(LabelledDay=["2026-11-01"] * 10 + ["2026-11-02"] * 50 + ["2026-11-03"] * 50
                             + [""] * (len(judged) - 110))  # fmt: skip
    reference, described = reference_of(labelled, trained[2], 10_000, newest_rows)
    assert len(reference) == len(judged)  # the others stay, as what tells one data set from another
    newest = labelled.loc[reference.index[reference["is_newest"]], "LabelledDay"]
    assert set(newest) == {f"2026-11-{day}" for day in days}
    span = "2026-11-03" if len(days) == 1 else f"2026-11-{days[-1]} to 2026-11-03"
    assert described == f"{rows} of its test rows, those of the newest labelled days ({span})"


def test_the_newest_labelled_days_come_before_others_where_not_all_rows_are_kept(trained, judged):
    labelled = judged.assign(LabelledDay=["2026-11-03"] * 100 + [""] * (len(judged) - 100))
    assert reference_of(labelled, trained[2], 150, 100)[0]["is_newest"].sum() == 100
    assert reference_of(labelled, trained[2], 50, 100)[0]["is_newest"].sum() == 50


def test_days_whose_outcomes_are_still_coming_are_no_reference_for_drift(trained, judged):
    """What has come of them is of the shortest campaigns."""
    labelled = judged.assign(LabelledDay=["2026-11-02"] * 100 + ["2026-11-03"] * 150 + [""] * (len(judged) - 250))
    reference, described = reference_of(labelled, trained[2], 10_000, 100, incomplete=["2026-11-03"])
    assert set(labelled.loc[reference.index[reference["is_newest"]], "LabelledDay"]) == {"2026-11-02"}
    assert described == "100 of its test rows, those of the newest labelled days (2026-11-02)"
    assert "is_newest" not in reference_of(labelled, trained[2], 10_000, 101, incomplete=["2026-11-03"])[0]


def test_labelled_days_of_too_few_test_rows_are_not_told_apart(trained, judged):
    labelled = judged.assign(LabelledDay=["2026-11-03"] * 99 + [""] * (len(judged) - 99))
    assert "is_newest" not in reference_of(labelled, trained[2], 10_000, 100)[0]


def test_segments_hold_every_row_once_per_kind(trained, judged):
    segments = by_segment(judged, trained[2])
    assert segments.groupby("segment")["rows"].sum().to_dict() == dict.fromkeys(
        ("Category", "Country", "GoalAmount"), len(judged)
    )
    assert segments["segment"].value_counts().to_dict() == {"Category": 5, "Country": 5, "GoalAmount": 4}
    film = judged[judged["Category"] == "Film"]
    [row] = segments[segments["value"] == "Film"].to_dict("records")
    assert row["roc_auc"] == classification_metrics(film[LABEL].to_numpy(), film["probability"].to_numpy())["roc_auc"]


def test_a_goal_that_all_campaigns_share_is_one_segment(trained, judged):
    segments = by_segment(judged.assign(GoalAmount=5_000.0), trained[2])
    assert segments.loc[segments["segment"] == "GoalAmount", "rows"].to_list() == [len(judged)]


def test_what_decides_the_label_is_missed_the_most(trained):
    _, parts, model = trained
    X, names = parts.matrix("test"), [column.name for column in parts.encoder.features]
    before = np.array(X)
    lost = permutation_importance(X, parts.labels("test"), model, names)
    assert {*list(lost)[:2]} == {"RaisedAmount", "GoalAmount"}
    assert lost["GoalAmount"] > 0.2
    assert max(list(lost.values())[2:]) < 0.05
    assert {*lost} == {*NAMES}
    assert np.array_equal(X, before)


def test_of_many_rows_an_even_sample_says_what_is_missed_and_not_those_that_came_first(monkeypatch):
    """A column that told nothing at first, and then all."""
    monkeypatch.setattr("tasks.training.evaluate.PERMUTED_ROWS", 100)
    label = np.tile([0, 1], 200).astype(np.int8)
    X = np.where(np.arange(400) < 100, 0, label)[:, None].astype(np.float32)
    lost = permutation_importance(X, label, SimpleNamespace(predict=lambda X: X[:, 0].astype(float)), ["signal"])
    assert lost["signal"] > 0.2
