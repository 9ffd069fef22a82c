from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from campaign.schema_file import parse_schema
from campaign.store import Store
from tasks.manifest import Manifest, Part, Rows
from tasks.measures import confidence_intervals
from tasks.replay.figures import (
    Figure,
    Predictions,
    Span,
    gather_predictions,
    judged_rows,
    mean_of,
    quality_of,
    rows_of,
    spans_of,
)
from tasks.replay.history import days_of, read_history
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
    foretold = predictions.probability[span.rows]
    foretold = foretold[~np.isnan(foretold)]
    entropy = -(foretold * np.log(foretold) + (1 - foretold) * np.log(1 - foretold)).mean()
    assert quality.estimated_log_loss.value == pytest.approx(entropy)
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


def publish(store: Store, day: date, version: str, probabilities: dict[str, float]) -> None:
    """A day's predictions, as a course leaves them."""
    path = f"predictions/day={day}/part-1.parquet"
    with store.writing(path) as sink:
        table = {"CampaignID": [*probabilities], "probability": [*probabilities.values()]}
        pq.write_table(pa.table(table), sink)
    part, rows = Part(store.at(path), sink.sha256, len(probabilities)), len(probabilities)
    Manifest(str(day), "m", version, [], [part], [], Rows(rows, rows, 0), "2026-11-23T01:00:00+00:00", 0).publish(store)


def test_each_campaign_has_the_probability_and_the_version_that_scored_it_on_its_day(history, tmp_path):
    store, (first, second, third) = Store(tmp_path.as_uri()), (date(2024, 2, day) for day in (5, 6, 8))
    days, ids = days_of(history.launched), np.array(history.ids.to_pylist())
    given = {day: dict(zip(ids[days == np.datetime64(day)], np.linspace(0.1, 0.9, 10), strict=True))
             for day in (first, second, third)}  # fmt: skip
    lost = given[second].popitem()[0]
    publish(store, first, "7", dict(reversed(given[first].items())) | {f"stranger {n}": 0.5 for n in range(50)})
    publish(store, second, "12", given[second])
    publish(store, third, "12", given[third])
    weeks = periods_of(history, first, "day")[:3]  # the third of which nothing was scored on
    found = gather_predictions(store, history, weeks)
    of_campaign = dict(zip(ids, zip(found.probability, found.version, strict=True), strict=True))
    for day, version in ((first, 7), (second, 12)):
        for campaign_id, probability in given[day].items():
            assert of_campaign[campaign_id] == (probability, version)
    assert np.isnan(of_campaign[lost][0])
    assert of_campaign[lost][1] == 0
    assert (~np.isnan(found.probability)).sum() == 19


def test_a_span_goes_from_the_first_day_of_its_first_period_to_the_last_of_its_last(history, predictions):
    months = periods_of(history, date(2024, 1, 15), "month")
    assert months[1].first == date(2024, 2, 1)
    span = Span(months[:2], rows_of(history, months[:2]))
    assert (span.days[0], span.days[-1], len(span.days)) == (date(2024, 1, 15), date(2024, 2, 29), 17 + 29)
    assert str(span) == "2024-01-15 to 2024-02"
    whole = Span(months, rows_of(history, months))
    assert (whole.days[-1], len(whole.days), str(whole)) == (date(2024, 4, 30), 107, "2024-01-15 to 2024-04")
    alone = Span(months[2:3], rows_of(history, months[2:3]))
    assert (len(alone.days), str(alone)) == (31, "2024-03")


def test_five_hundred_outcomes_are_enough_and_ten_of_the_rarer_kind(history):
    weeks = periods_of(history, date(2024, 1, 1), "week")
    judged = np.arange(len(history.rows)) >= 60  # 500 of eight weeks
    for rarer, first in ((10, 8), (9, 9)):
        label = np.ones(len(history.rows))
        label[100 : 100 + rarer] = 0
        label[560:] = np.arange(len(label) - 560) % 2
        assert len(spans_of(replace(history, label=label), weeks, judged)[0].periods) == first
        assert len(spans_of(replace(history, label=1 - label), weeks, judged)[0].periods) == first
    label = np.arange(len(history.rows)) % 2
    for spared, first in ((60, 8), (61, 9)):
        judged = np.arange(len(history.rows)) >= spared
        assert len(spans_of(replace(history, label=label), weeks, judged)[0].periods) == first


def test_too_few_periods_are_one_span(history):
    weeks = periods_of(history, date(2024, 4, 8), "week")
    [span] = spans_of(history, weeks, np.ones(len(history.rows), bool))
    assert [*span.periods] == weeks
    assert spans_of(history, [], np.ones(len(history.rows), bool)) == []


def test_a_campaign_is_judged_that_every_course_scored_and_that_was_decided(history, predictions):
    other = Predictions(predictions.probability.copy(), predictions.version)
    other.probability[10:20] = np.nan
    judged = judged_rows(history, [predictions, other])
    assert not judged[:5].any()
    assert not judged[10:20].any()
    scored = ~np.isnan(predictions.probability) & ~np.isnan(other.probability)
    assert (judged == (scored & ~np.isnan(history.label))).all()


def test_an_interval_is_that_of_95_of_100_means_of_so_many_values():
    values = np.random.default_rng(1).normal(size=(2_000, 50))
    figures = [mean_of(sample) for sample in values]
    assert 0.93 < np.mean([figure.holds(0.0) for figure in figures]) < 0.97
    assert Figure.of(1.0, 4.0).high == pytest.approx(1 + 2 * 1.96, abs=0.001)
