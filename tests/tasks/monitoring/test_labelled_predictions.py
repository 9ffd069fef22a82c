import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaign.identity import digests_of
from campaign.schema import ID, LABEL
from tasks.learnt_ids import LearntIds
from tasks.measures import classification_metrics
from tasks.monitoring.labelled_predictions import LabelledPredictions, label_predictions
from tasks.outcomes import NO_OUTCOME, Outcomes
from tests.published import SCHEMA


def predictions(names: str) -> pa.RecordBatch:
    return pa.record_batch({ID: list(names), "probability": np.arange(1, len(names) + 1) / 10})


def learnt_ids(names: str) -> LearntIds:
    return LearntIds(np.sort(digests_of(pa.array(list(names)))))


@pytest.fixture
def outcomes(tmp_path) -> Outcomes:
    """a and b are decided, c waits, d has no row."""
    pd.DataFrame({ID: ["a", "b", "c"], LABEL: ["1", "0", ""]}).to_parquet(tmp_path / "o.parquet")
    return Outcomes.read((str(tmp_path / "o.parquet"),), SCHEMA)


def test_outcomes_have_come_for_what_has_a_row_whatever_its_word(outcomes):
    day = label_predictions([predictions("ab"), predictions("cd")], outcomes)
    assert (day.scored, day.came, day.share, day.labelled.rows) == (4, 3, 0.75, 2)
    assert day.labelled.expected_successes == pytest.approx(0.3)


def test_campaigns_that_the_version_learnt_from_are_left_out(outcomes):
    day = label_predictions([predictions("abcd")], outcomes, learnt_ids("bd"))
    assert (day.learnt, day.learnt_outcomes, day.labelled.rows, day.came) == (2, 1, 1, 3)
    assert not day.is_learnt


@pytest.mark.parametrize(
    ("learnt", "is_learnt"), [("abcd", True), ("ab", True), ("a", False), ("c", False), ("x", False)]
)
def test_a_day_of_which_nothing_is_left_is_learnt(outcomes, learnt, is_learnt):
    day = label_predictions([predictions("abcd")], outcomes, learnt_ids(learnt))
    assert day.is_learnt == is_learnt
    assert {row.metric: row.status for row in day.rows()}["learnt_rows"] == ("learnt" if is_learnt else "ok")


@pytest.mark.parametrize("held", [1, 100, 1 << 20])
def test_pairs_that_are_counted_together_measure_like_their_rows(monkeypatch, held):
    monkeypatch.setattr("tasks.monitoring.labelled_predictions.MAX_PAIRS", held)
    rng = np.random.default_rng(1)
    probability = rng.choice(rng.random(40), 3_000)
    label = np.where(rng.random(3_000) < 0.2, NO_OUTCOME, rng.random(3_000) < probability).astype(np.int8)
    predictions = LabelledPredictions()
    for start in range(0, 3_000, 300):
        predictions.add(probability[start : start + 300], label[start : start + 300])
    assert len(predictions.pairs()[0]) <= 80
    known = label != NO_OUTCOME
    expected = classification_metrics(label[known], probability[known])
    assert classification_metrics(*predictions.pairs()) == pytest.approx(expected, abs=1e-12)


def test_days_are_put_together():
    both, other = LabelledPredictions(), LabelledPredictions()
    both.add(np.array([0.2, 0.4]), np.array([0, 1], np.int8))
    other.add(np.array([0.4, 0.9]), np.array([1, NO_OUTCOME], np.int8))
    both.merge(other)
    assert [part.tolist() for part in both.pairs()] == [[0, 1], [0.2, 0.4], [1.0, 2.0]]


def test_what_is_held_grows_with_the_probabilities_that_differ_and_not_with_the_rows(monkeypatch):
    monkeypatch.setattr("tasks.monitoring.labelled_predictions.MAX_PAIRS", 100)
    predictions, all_differ = LabelledPredictions(), LabelledPredictions()
    for start in range(0, 100_000, 100):
        predictions.add(np.arange(start, start + 100) % 40 / 40, np.ones(100, np.int8))
    assert predictions.rows == 100_000
    assert len(pickle.dumps(predictions)) < 10_000
    for start in range(0, 2_000, 100):
        all_differ.add(np.arange(start, start + 100) / 2_000, np.zeros(100, np.int8))
    assert [part.tolist() for part in all_differ.pairs()] == [
        [0] * 2_000, [row / 2_000 for row in range(2_000)], [1.0] * 2_000,
    ]  # fmt: skip
