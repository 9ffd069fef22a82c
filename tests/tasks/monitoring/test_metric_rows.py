from datetime import date

import pytest
import sqlalchemy as sa

from tasks.metrics_database import database, metrics
from tasks.monitoring.metric_rows import (
    DECAYED,
    DRIFTED,
    LEARNT,
    NOT_COMPUTABLE,
    NOT_JUDGED,
    OK,
    QUALITY_HOLDS,
    MetricRow,
    day_drifted_row,
    day_state_row,
    read_metrics,
    write_day_state,
    write_metrics,
)

DAY, NEXT = date(2026, 11, 22), date(2026, 11, 23)


@pytest.fixture(autouse=True)
def _own_database(own_home, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_METRICS_URL", f"sqlite:///{tmp_path}/metrics.db")


def written() -> set[tuple]:
    with database().connect() as connection:
        rows = connection.execute(sa.select(metrics)).all()
    return {(row.day, row.source, row.model_version, row.metric, row.column_name, row.value) for row in rows}


def write(day: date, source: str, rows: dict[str, list[MetricRow]]) -> None:
    with database().begin() as connection:
        write_metrics(connection, day, source, rows)


def test_what_was_measured_takes_the_place_of_the_days_earlier_rows_and_of_no_others():
    write(DAY, "batch", {"1": [MetricRow("rows_read", 1.0), MetricRow("missing_share", 0.5, column_name="a")]})
    write(DAY, "captured", {"1": [MetricRow("rows_scored", 9.0)]})
    write(NEXT, "batch", {"1": [MetricRow("rows_read", 2.0)]})
    write(DAY, "batch", {"2": [MetricRow("rows_read", 3.0)]})
    assert written() == {
        (DAY, "batch", "2", "rows_read", "", 3.0),
        (DAY, "captured", "1", "rows_scored", "", 9.0),
        (NEXT, "batch", "1", "rows_read", "", 2.0),
    }


def test_what_was_written_is_read_as_it_was():
    rows = [
        MetricRow("column_drift", 0.2, DRIFTED, "a", "distance", 0.1),
        MetricRow("realised_f1", None, "not computable"),
    ]
    write(DAY, "batch", {"1": rows, "2": [MetricRow("rows_read", 3.0)]})
    with database().connect() as connection:
        assert sorted(read_metrics(connection, DAY, "batch", "1"), key=lambda row: row.metric) == rows


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([day_drifted_row(False)], OK),
        ([day_drifted_row(True)], DRIFTED),
        ([day_drifted_row(False, is_judged=False)], NOT_JUDGED),
        ([day_drifted_row(True), MetricRow("judged_roc_auc", 0.5, DECAYED)], DECAYED),
        ([day_drifted_row(False), MetricRow("judged_success_rate", 0.5, DECAYED)], DECAYED),
        ([day_drifted_row(False, False), MetricRow("judged_roc_auc", 0.9, OK)], NOT_JUDGED),
        ([day_drifted_row(True), MetricRow("learnt_rows", 17.0, LEARNT)], LEARNT),
        ([day_drifted_row(False), MetricRow("learnt_rows", 0.0, OK)], OK),
    ],
)
def test_a_day_comes_to_one_word(rows, state):
    assert day_state_row(rows) == MetricRow("day_state", None, state)


def verdict(roc_auc: str, success_rate: str = OK) -> list[MetricRow]:
    return [MetricRow("judged_roc_auc", 0.9, roc_auc), MetricRow("judged_success_rate", 0.3, success_rate)]


@pytest.mark.parametrize(
    ("drifted", "own", "of_window", "state"),
    [
        (True, verdict(OK), [], QUALITY_HOLDS),
        (True, [], verdict(OK), QUALITY_HOLDS),  # it was judged with later days
        (True, verdict(DECAYED), [], DECAYED),
        (True, verdict(OK, DECAYED), [], DECAYED),
        (True, [], verdict(DECAYED), DRIFTED),  # the window's last day is the one that decayed
        (True, verdict(NOT_COMPUTABLE), [], DRIFTED),
        (True, [], [], DRIFTED),
        (False, verdict(OK), [], OK),
        (False, [], verdict(OK), OK),
    ],
)
def test_outcomes_outrank_drift(drifted, own, of_window, state):
    assert day_state_row([day_drifted_row(drifted), *own], of_window).status == state


def test_drift_of_a_day_that_was_learnt_from_proves_nothing():
    rows = [day_drifted_row(True), MetricRow("learnt_rows", 17.0, LEARNT), *verdict(OK)]
    assert day_state_row(rows).status == LEARNT


def test_a_days_state_changes_and_nothing_else_of_it_or_of_others():
    rows = [MetricRow("day_state", None, DRIFTED), MetricRow("rows_read", 1.0)]
    for day in (DAY, NEXT):
        write(day, "batch", {"1": rows})
    with database().begin() as connection:
        write_day_state(connection, DAY, "batch", "1", MetricRow("day_state", None, QUALITY_HOLDS))
        found = [read_metrics(connection, day, "batch", "1") for day in (DAY, NEXT)]
    assert [sorted(of_day, key=lambda row: row.metric) for of_day in found] == [
        [MetricRow("day_state", None, QUALITY_HOLDS), rows[1]], rows,
    ]  # fmt: skip


@pytest.mark.parametrize(("drifted", "value", "status"), [(True, 1.0, DRIFTED), (False, 0.0, "ok")])
def test_whether_a_day_is_drifted_is_a_row_of_its_own(drifted, value, status):
    row = day_drifted_row(drifted)
    assert (row.metric, row.value, row.status) == ("day_drifted", value, status)
