from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.encoding import Encoder
from campaign.identity import digests_of
from campaign.model import LEARNT, REFERENCE, ScoringModel
from campaign.schema import ID, LABEL
from campaign.settings import Settings
from campaign.store import Store
from campaign.warm_up import smallest_forest
from tasks.manifest import Manifest, Part, Rows
from tasks.monitoring.labelled_predictions import DayOutcomes, LabelledPredictions
from tasks.monitoring.metric_rows import OK, MetricRow
from tasks.monitoring.outcome_days import OutcomeDay
from tasks.monitoring.quality import OF_DECAY, OF_OUTCOMES, ScoringVersion, label_day, measure_quality
from tests.published import KNOWN_CATEGORIES, SCHEMA

DAY = date(2026, 11, 22)


@pytest.fixture
def version(tmp_path) -> ScoringVersion:
    about = {"metrics": {"roc_auc": 0.7, "accuracy": 0.6}}
    encoder = Encoder(SCHEMA.features, KNOWN_CATEGORIES)
    pd.DataFrame({"probability": [0.1, 0.2, 0.3]}).to_parquet(tmp_path / REFERENCE)
    return ScoringVersion(ScoringModel("m", "1", SCHEMA, encoder, smallest_forest(), about), tmp_path)


@pytest.fixture
def store(own_home, tmp_path) -> Store:
    return Store((tmp_path / "store").as_uri())


def test_drift_is_measured_against_the_rows_of_the_newest_days_where_they_are_marked(tmp_path, version):
    assert version.reference["probability"].tolist() == [0.1, 0.2, 0.3]
    version.reference.assign(is_newest=[False, True, True]).to_parquet(tmp_path / REFERENCE)
    assert ScoringVersion(version.model, tmp_path).reference["probability"].tolist() == [0.2, 0.3]


@pytest.mark.parametrize(
    ("learnt", "has_outcomes", "expected"),
    [("", False, None), ("", True, (2, 0)), ("a", False, (0, 1)), ("a", True, (1, 1)), ("x", True, (2, 0))],
)
def test_a_day_is_labelled_where_outcomes_have_come_or_some_of_it_was_learnt(
    store, tmp_path, version, learnt, has_outcomes, expected
):
    with store.writing(f"predictions/day={DAY}/part.parquet") as sink:
        pq.write_table(pa.table({ID: ["a", "b", "c"], "probability": [0.1, 0.5, 0.9]}), sink)
    part = Part(store.at(f"predictions/day={DAY}/part.parquet"), sink.sha256, 3)
    manifest = Manifest(str(DAY), "m", "1", [], [part], [], Rows(3, 3, 0), "", 0)
    if has_outcomes:
        with store.writing(f"outcomes/day={DAY}/o.parquet") as outcomes:
            pq.write_table(pa.table({ID: ["a", "c"], LABEL: [0, 1]}), outcomes)
    if learnt:
        np.save(tmp_path / LEARNT, digests_of(pa.array([learnt])))
    found = label_day(store, manifest, version)
    assert (found and (found.labelled.rows, found.learnt)) == expected


def came_true(outcomes: int) -> LabelledPredictions:
    """As many as foretold."""
    probability, labelled = np.linspace(0.05, 0.95, outcomes), LabelledPredictions()
    labelled.add(probability, (np.random.default_rng(1).random(outcomes) < probability).astype(np.int8))
    return labelled


def a_day(days_ago: int, outcomes: int = 200, judged_until: date | None = None) -> OutcomeDay:
    day = DAY - timedelta(days=days_ago)
    return OutcomeDay(day, "1", outcomes, outcomes / 2, 1.0, day, judged_until)


def measured(
    store: Store, version: ScoringVersion, record: OutcomeDay, others: list[OutcomeDay]
) -> tuple[dict[tuple[str, str], MetricRow], OutcomeDay]:
    outcomes = DayOutcomes(came_true(record.outcomes), record.outcomes, record.outcomes)
    rows, record = measure_quality(store, outcomes, record, others, version, Settings())
    return {(row.metric, row.column_name): row for row in rows}, record


def test_a_day_without_an_outcome_of_its_own_has_no_figures(store, version):
    rows, record = measured(store, version, a_day(0, outcomes=0), [a_day(1)])
    assert {name for name, _ in rows} == {"outcomes", "outcomes_share", "learnt_rows", "unjoined"}
    assert record == a_day(0, outcomes=0)


def test_a_small_day_has_figures_with_the_days_before_it_and_no_verdict_of_its_own(store, version):
    rows, record = measured(store, version, a_day(0), [a_day(1), a_day(2), a_day(3)])
    assert rows["outcomes", ""].value == 200
    assert rows["realised_roc_auc", ""].value == pytest.approx(0.8, abs=0.05)
    assert rows["days_judged", OF_OUTCOMES] == MetricRow("days_judged", 3.0, OK, OF_OUTCOMES)
    assert ("judged_roc_auc", "") not in rows
    assert record.judged_until is None


def test_a_day_with_enough_outcomes_is_judged_at_once_and_alone(store, version):
    rows, record = measured(store, version, a_day(0, outcomes=500), [a_day(1)])
    assert rows["days_judged", OF_OUTCOMES].value == rows["days_judged", OF_DECAY].value == 1
    assert rows["judged_roc_auc", ""].status == OK
    assert record.judged_until == DAY


@pytest.mark.parametrize("changed_days_ago", [0, 1])
def test_a_day_is_not_judged_while_outcomes_are_still_coming(store, version, changed_days_ago):
    changed = DAY - timedelta(days=changed_days_ago)
    rows, record = measured(store, version, replace(a_day(0, outcomes=500), share=0.5, last_change=changed), [])
    assert ("judged_roc_auc", "") not in rows
    assert record.judged_until is None


def test_a_day_that_closed_a_window_is_judged_again_with_the_days_of_that_window(store, version):
    others = [a_day(3, judged_until=DAY - timedelta(days=3)), a_day(2, judged_until=DAY), a_day(1, judged_until=DAY)]
    rows, record = measured(store, version, a_day(0, judged_until=DAY), others)
    assert rows["days_judged", OF_DECAY].value == 3
    assert record.judged_until == DAY
    rows, _ = measured(store, version, a_day(0, judged_until=DAY + timedelta(days=1)), others)
    assert ("judged_roc_auc", "") not in rows  # its verdict stands beside a later day
