from dataclasses import replace

import numpy as np
import pytest

from campaign.schema_file import parse_schema
from tasks.measures import paired_gains, roc_auc
from tasks.replay.figures import Figure, Predictions, spans_of
from tasks.replay.gains import REPLICATES, Gain, advice, advice_on_always, gain_of
from tasks.replay.history import read_history
from tasks.replay.periods import periods_of, read_first_day
from tests.made_up_history import TOML, make_projects, write_projects


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Four months of thirty projects a day, and what a model that knows nothing makes of them."""
    data, _ = write_projects(tmp_path_factory.mktemp("history"), make_projects(121, 30))
    history = read_history(str(data), parse_schema(TOML))
    spans = spans_of(history, periods_of(history, read_first_day("2024-01"), "month"), ~np.isnan(history.label))
    guess = np.random.default_rng(1).uniform(0.3, 0.7, len(history.rows))
    return history, spans, Predictions(guess, np.ones(len(guess), np.int64))


def better(world, by: float, from_row: int = 1_500) -> Predictions:
    """From a row on another version, which knows so much more."""
    history, _, never = world
    probability, version = never.probability.copy(), never.version.copy()
    probability[from_row:] = np.clip(probability + by * (history.label - 0.5), 0.01, 0.99)[from_row:]
    version[from_row:] = 2
    return Predictions(probability, version)


def test_only_what_another_version_scored_is_compared(world):
    history, spans, never = world
    gain = gain_of(history, better(world, 0.2), never, spans, ~np.isnan(history.label))
    assert gain.outcomes == len(history.rows) - 1_500
    assert gain.is_better
    assert gain.roc_auc.low > 0.1
    assert gain.roc_auc_of[0] - gain.roc_auc_of[1] == pytest.approx(gain.roc_auc.value, abs=0.01)
    assert gain.roc_auc_of[1] == pytest.approx(roc_auc(history.label[1_500:], never.probability[1_500:]), abs=0.02)
    assert gain_of(history, never, never, spans, ~np.isnan(history.label)) is None


def test_an_interval_of_no_gain_holds_zero(world):
    history, spans, never = world
    other = Predictions(np.random.default_rng(5).uniform(0.3, 0.7, len(history.rows)), never.version + 1)
    gain = gain_of(history, other, never, spans, ~np.isnan(history.label))
    assert gain.roc_auc.holds(0)
    assert not gain.is_better
    assert not gain.is_worse


def test_worse_is_said_to_be_worse(world):
    history, spans, never = world
    assert gain_of(history, better(world, -0.2), never, spans, ~np.isnan(history.label)).is_worse


CLEAR = Gain(2_000, Figure(0.05, 0.03, 0.07), Figure(0.02, 0.01, 0.03), (0.74, 0.69))


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (CLEAR, "kept ROC-AUC 0.740 where the first model fell to 0.690"),
        (CLEAR, "4 trainings, 6.0 CPU min"),
        (CLEAR, "(ROC-AUC +0.0500 (+0.0300 to +0.0700), log loss -0.0200 (-0.0300 to -0.0100), on 2,000 outcomes"),
        (replace(CLEAR, roc_auc=Figure(-0.05, -0.07, -0.03), log_loss=Figure(0, -0.01, 0.01)), "made it worse"),
        (replace(CLEAR, roc_auc=Figure(0, -0.02, 0.003), log_loss=Figure(0, -0.01, 0.002)), "not worth it"),
        (replace(CLEAR, roc_auc=Figure(0, -0.02, 0.003), log_loss=Figure(0, -0.01, 0.02)), "too small to tell"),
        (replace(CLEAR, roc_auc=Figure(0.01, -0.03, 0.05), log_loss=Figure(0, -0.01, 0.01)), "too small to tell"),
        # Better in one measure and worse in the other is no clear gain.
        (replace(CLEAR, log_loss=Figure(-0.02, -0.03, -0.01)), "too small to tell"),
        (None, "none of 4 trainings"),
    ],
)
def test_the_sentence_says_what_to_do(gain, words):
    assert words in advice(gain, 4, 360.0, 12)


def test_what_always_would_have_gained_stands_beside_it():
    assert advice_on_always(CLEAR, 12, 600.0) == (
        "Retraining at the end of every period would have brought ROC-AUC +0.0500 (+0.0300 to +0.0700), log loss "
        "-0.0200 (-0.0300 to -0.0100) (12 trainings, 10.0 CPU min)."
    )


def test_where_nothing_called_it_says_so():
    assert advice(None, 0, 0.0, 12).startswith("Nothing called for retraining")


def test_each_span_counts_by_its_outcomes(world):
    """Better in the first, of all its outcomes, and worse in the second, of which few are known."""
    history, (first, second, *_), never = world
    judged = np.zeros(len(history.rows), bool)
    judged[first.rows] = True
    judged[second.rows.start : second.rows.start + 60] = True
    good, bad = better(world, 0.2, 0), better(world, -0.2, 0)
    probability = np.where(np.arange(len(judged)) < second.rows.start, good.probability, bad.probability)
    gain = gain_of(history, Predictions(probability, good.version), never, [first, second], judged)
    known = first.rows, slice(second.rows.start, second.rows.start + 60)
    sides = probability, never.probability
    areas = [[roc_auc(history.label[rows], side[rows]) for rows in known] for side in sides]
    weights = [first.rows.stop - first.rows.start, 60]
    expected = [np.average(of_side, weights=weights) for of_side in areas]
    assert gain.roc_auc_of == pytest.approx(expected)
    assert gain.roc_auc.value == pytest.approx(expected[0] - expected[1], abs=0.01)


def test_the_interval_is_that_of_95_of_100_replicates(world):
    history, (first, *_), never = world
    course, label = better(world, 0.05, 0), history.label[first.rows]
    gain = gain_of(history, course, never, [first], ~np.isnan(history.label))
    drawn = paired_gains(label, course.probability[first.rows], never.probability[first.rows], REPLICATES, seed=0)
    for name, figure in (("roc_auc", gain.roc_auc), ("log_loss", gain.log_loss)):
        assert (figure.low, figure.high) == pytest.approx(np.quantile(drawn[name], [0.025, 0.975]), abs=1e-4)


@pytest.mark.parametrize(("rarer", "is_enough"), [(1, False), (2, True)])
def test_a_span_of_one_outcome_of_a_kind_says_nothing(world, rarer, is_enough):
    history, (first, *_), never = world
    for kind in (0, 1):
        label = np.full(len(history.rows), 1.0 - kind)
        label[:rarer] = kind
        own, judged = replace(history, label=label), np.arange(len(label)) < 100
        gain = gain_of(own, Predictions(never.probability, never.version + 1), never, [first], judged)
        assert (gain is not None) == is_enough


@pytest.mark.parametrize("measure", ["roc_auc", "log_loss"])
def test_who_is_surely_not_better_is_worse_and_who_may_be_as_good_is_neither(measure):
    for high, is_worse in ((-1e-9, True), (0.0, False)):
        gain = replace(CLEAR, roc_auc=Figure(-0.01, -0.02, 0.01), log_loss=Figure(-0.01, -0.02, 0.01))
        gain = replace(gain, **{measure: Figure(-0.01, -0.02, high)})
        assert (gain.is_worse_in_one, gain.is_worse, gain.is_better) == (is_worse, is_worse, False)
        # Better in one measure and worse in the other is neither.
        mixed = replace(CLEAR, **{measure: Figure(-0.01, -0.02, high)})
        assert (mixed.is_worse_in_one, mixed.is_worse, mixed.is_better) == (is_worse, False, not is_worse)


@pytest.mark.parametrize(("high", "is_small"), [(0.0049, True), (0.005, False)])
@pytest.mark.parametrize("measure", ["roc_auc", "log_loss"])
def test_a_gain_is_small_where_it_cannot_matter_in_either_measure(measure, high, is_small):
    small = replace(CLEAR, roc_auc=Figure(0, -0.02, 0.001), log_loss=Figure(0, -0.02, 0.001))
    assert replace(small, **{measure: Figure(0, -0.02, high)}).is_small is is_small
