from dataclasses import replace
from datetime import date

import pytest

from tasks.monitoring.metric_rows import DRIFTED, INCOMPLETE, NOT_JUDGED, NOT_TRUSTED, OK, TOO_FEW_ROWS, MetricRow
from tasks.monitoring.monitored_day import MonitoredDay

DAY = date(2026, 11, 22)


def measured(state: str = OK, **values: float) -> list[MetricRow]:
    """What each day has."""
    values = {"days_judged": 1.0, "day_drifted": 0.0, "prediction_drift": 0.05, "sample_rows": 1_000.0} | values
    return [MetricRow("day_state", None, state), *(MetricRow(name, value) for name, value in values.items())]


ESTIMATE = MetricRow("estimated_roc_auc", 0.748, OK, method="99.9% interval 0.731 to 0.765, if the world keeps still")


def realised(share: float) -> list[MetricRow]:
    return [MetricRow("realised_roc_auc", 0.7524), MetricRow("outcomes_share", share)]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "ROC-AUC -"),
        (realised(1.0), "ROC-AUC 0.7524"),
        (realised(0.9), "ROC-AUC 0.7524"),
        (realised(0.47), "ROC-AUC 0.7524 by 47% of the outcomes"),
        ([ESTIMATE], "ROC-AUC -, estimated 0.7480 (99.9% interval 0.731 to 0.765)"),
        ([*realised(1.0), ESTIMATE], "ROC-AUC 0.7524, estimated 0.7480 (99.9% interval 0.731 to 0.765)"),
        (
            [replace(ESTIMATE, status=NOT_TRUSTED), MetricRow("unseen_rows_share", 0.67, NOT_TRUSTED)],
            "ROC-AUC -, no estimate: 67% of the rows hold what training never saw",
        ),
        ([MetricRow("estimated_roc_auc", None, TOO_FEW_ROWS), MetricRow("unseen_rows_share", 0.0)], "ROC-AUC -"),
    ],
)
def test_quality_is_told_with_what_it_is_by_and_what_was_to_be_expected(rows, sentence):
    assert MonitoredDay.of(DAY, "1", [*measured(), *rows], "").quality == sentence


@pytest.mark.parametrize(
    ("state", "rows", "unread", "verdict"),
    [
        (OK, 2_000, 0, "ok"),
        (DRIFTED, 2_000, 2, "drifted (incomplete: 2 unreadable)"),
        (NOT_JUDGED, 1_000, 0, "not judged: 1,000 rows, needs 1,000"),
        (NOT_JUDGED, 200, 1, "not judged: 200 rows, needs 1,000 (incomplete: 1 unreadable)"),
    ],
)
def test_a_verdict_says_why_a_day_was_not_judged_and_what_could_not_be_read(state, rows, unread, verdict):
    given = [*measured(state, sample_rows=rows), MetricRow("incomplete", float(unread), INCOMPLETE if unread else OK)]
    assert MonitoredDay.of(DAY, "1", given, "").verdict == verdict


def test_a_day_without_figures_has_none_and_its_drifted_columns_are_named():
    rows = measured(days_judged=3.0)
    rows += [MetricRow("column_drift", 0.2, DRIFTED, "a"), MetricRow("column_drift", 0.01, OK, "b")]
    rows += [MetricRow("days_judged", 9.0, column_name="probability")]
    day = MonitoredDay.of(DAY, "1", rows, "report.html")
    assert (day.day, day.model_version, day.report, day.days, day.rows) == ("2026-11-22", "1", "report.html", 3, 1_000)
    assert (day.drifted, day.drifted_columns, day.prediction_drift) == (False, ["a"], 0.05)
    assert (day.roc_auc, day.outcomes_share, day.incomplete, day.unseen, day.interval) == (None, 0.0, 0, 0.0, "")
