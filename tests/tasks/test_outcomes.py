import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.schema import ID, LABEL
from campaign.settings import Settings
from tasks.monitoring.metric_rows import NOT_COMPUTABLE, OK, TOO_FEW_ROWS
from tasks.measures import classification_metrics
from tasks.monitoring.metric_rows import DECAYED
from tasks.monitoring.realised_quality import LabelledPredictions, calibration_error, realised_quality
from tasks.outcomes import NO_OUTCOME, Outcomes

TEST = {"roc_auc": 0.9, "accuracy": 0.85}


def judged(rows: int, wrong: float, label: int | None = None) -> LabelledPredictions:
    """Predictions that are right but for a share of `wrong` ones."""
    labels = np.arange(rows) % 2 if label is None else np.full(rows, label)
    said = labels.copy()
    said[: int(rows * wrong)] = 1 - said[: int(rows * wrong)]
    found = LabelledPredictions()
    found.add(0.1 + 0.8 * said, labels.astype(np.int8))
    return found


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (judged(500, wrong=0.0), OK),
        (judged(500, wrong=0.11), OK),  # 0.89, within the margin of 0.02
        (judged(500, wrong=0.13), DECAYED),
        (judged(498, wrong=0.13), TOO_FEW_ROWS),
        (judged(500, wrong=0.0, label=1), NOT_COMPUTABLE),
    ],
)
def test_roc_auc_is_judged_by_that_on_test_rows(frame, status):
    found = {one.metric: one for one in realised_quality(frame, TEST, Settings())}
    one = found["realised_roc_auc"]
    assert one.status == status
    assert one.threshold == pytest.approx(0.88)
    assert (one.value is None) == (status == NOT_COMPUTABLE)
    assert found["outcomes"].value == frame.pairs()[2].sum()
    assert found["test_roc_auc"].value == TEST["roc_auc"]
    assert found["test_accuracy"].value == TEST["accuracy"]
    assert found["realised_accuracy"].status == OK


def test_values_are_plain_floats():
    assert {type(one.value) for one in realised_quality(judged(500, 0.1), TEST, Settings())} == {float}


def test_a_day_whose_outcomes_name_no_scored_campaign_has_a_count_alone():
    [one] = realised_quality(LabelledPredictions(), TEST, Settings())
    assert (one.metric, one.value) == ("outcomes", 0.0)


@pytest.mark.parametrize(
    ("label", "probability", "error"),
    [
        ([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0], 0.0),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.0),  # says nothing, and is right about that
        ([0, 0, 0, 1], [0.75, 0.75, 0.75, 0.75], 0.5),
        ([1, 1, 0, 0], [0.0, 0.0, 1.0, 1.0], 1.0),
        ([1, 0], [0.9, 0.3], 0.2),
        ([1, 0], [0.9, 1.0], 0.45),  # the last bin includes its upper end
    ],
)
def test_calibration_error_is_the_distance_of_what_was_said_from_what_happened(label, probability, error):
    assert calibration_error(np.array(label), np.array(probability), np.ones(len(label))) == pytest.approx(error)


def written(path, ids: list, labels: list) -> str:
    pq.write_table(pa.table({ID: pa.array(ids, pa.string()), LABEL: labels}), path)
    return str(path)


def test_the_first_outcome_of_a_campaign_counts(tmp_path):
    uris = (
        written(tmp_path / "b.parquet", ["a", "b", None], [1, None, 1]),
        written(tmp_path / "c.parquet", ["a", "c"], [0, 1]),
    )
    outcomes = Outcomes.read(uris)
    assert outcomes.of(pa.array(["c", "b", "a", "nobody"])).tolist() == [1, NO_OUTCOME, 1, NO_OUTCOME]
    assert len(outcomes.packed) == 2


def test_where_no_outcome_has_come_none_is_known():
    assert Outcomes.read(()).of(pa.array(["a"])).tolist() == [NO_OUTCOME]


@pytest.mark.parametrize("held", [1, 100, 1 << 20])
def test_pairs_that_are_counted_together_measure_like_their_rows(monkeypatch, held):
    monkeypatch.setattr("tasks.outcomes.MOST_HELD", held)
    rng = np.random.default_rng(1)
    probability = rng.choice(rng.random(40), 3_000)
    label = np.where(rng.random(3_000) < 0.2, NO_OUTCOME, rng.random(3_000) < probability).astype(np.int8)
    found = LabelledPredictions()
    for start in range(0, 3_000, 300):
        found.add(probability[start : start + 300], label[start : start + 300])
    assert len(found.pairs()[0]) <= 80
    known = label != NO_OUTCOME
    assert classification_metrics(*found.pairs()) == pytest.approx(classification_metrics(label[known], probability[known]), abs=1e-12)
