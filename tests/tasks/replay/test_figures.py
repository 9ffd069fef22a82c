import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from campaign.schema_file import parse_schema
from tasks.measures import confidence_intervals
from tasks.replay.figures import Predictions, judged_rows, quality_of, spans_of
from tasks.replay.history import read_history
from tasks.replay.periods import periods_of, read_first_day
from tests.made_up_history import TOML, make_projects, write_projects


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Four months of ten projects a day."""
    projects = make_projects(121, 10)
    projects.loc[projects.index[:50], "state"] = "canceled"
    return read_history(str(write_projects(tmp_path_factory.mktemp("history"), projects)[0]), parse_schema(TOML))


@pytest.fixture(scope="module")
def predictions(history) -> Predictions:
    probability = np.random.default_rng(1).beta(2, 2, len(history.rows))
    probability[:5] = np.nan
    return Predictions(probability, np.ones(len(probability), np.int64))


def test_periods_are_put_together_until_they_have_five_hundred_outcomes(history, predictions):
    months = periods_of(history, read_first_day("2024-01"), "month")
    spans = spans_of(history, months, judged_rows(history, [predictions]))
    assert [str(span) for span in spans] == ["2024-01 to 2024-02", "2024-03 to 2024-04"]
    weeks = periods_of(history, read_first_day("2024-01"), "week")
    spans = spans_of(history, weeks, judged_rows(history, [predictions]))
    # What is left at the end is too little, and joins the last.
    assert [len(span.periods) for span in spans] == [8, 10]
    assert sum(span.rows.stop - span.rows.start for span in spans) == len(history.rows)


def test_figures_are_of_what_was_scored_and_decided(history, predictions):
    (span,) = spans_of(history, periods_of(history, read_first_day("2024-04"), "month"), ~np.isnan(history.label))
    judged = judged_rows(history, [predictions])
    quality = quality_of(history, predictions, span, judged)
    own = judged[span.rows]
    label, probability = history.label[span.rows][own], predictions.probability[span.rows][own]
    assert quality.outcomes == own.sum() < quality.scored == 300
    assert quality.success_rate == label.mean()
    assert quality.roc_auc.value == pytest.approx(roc_auc_score(label, probability))
    assert quality.log_loss.value == pytest.approx(log_loss(label, probability))
    assert quality.calibration.value == pytest.approx(probability.mean() - label.mean())
    # Intervals by formula are those of a bootstrap.
    for name, figure in (("roc_auc", quality.roc_auc), ("log_loss", quality.log_loss)):
        low, high = confidence_intervals(label, probability, 2_000)[name]
        assert (figure.low, figure.high) == pytest.approx((low, high), abs=0.012)


def test_what_calibrated_probabilities_foretell_comes_true_within_the_interval(history, predictions):
    rng = np.random.default_rng(2)
    (span,) = spans_of(history, periods_of(history, read_first_day("2024-01"), "month")[:3], ~np.isnan(history.label))[
        :1
    ]
    held = 0
    for _ in range(40):
        label = (rng.random(len(history.rows)) < np.nan_to_num(predictions.probability, nan=0.5)).astype(float)
        own = type(history)(**{**vars(history), "label": label})
        quality = quality_of(own, predictions, span, judged_rows(own, [predictions]))
        held += quality.roc_auc.holds(quality.estimated_roc_auc.value)
    assert held >= 34


def test_a_span_of_which_nothing_is_decided_has_no_figures(history, predictions):
    (span, *_) = spans_of(history, periods_of(history, read_first_day("2024-01"), "month"), ~np.isnan(history.label))
    quality = quality_of(history, predictions, span, np.zeros(len(history.rows), bool))
    assert quality.outcomes == 0
    assert np.isnan(quality.roc_auc.value)
    assert 0.5 < quality.estimated_roc_auc.value < 1
