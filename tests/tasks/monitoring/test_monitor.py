from dataclasses import replace
from datetime import date

import pytest

from tasks.manifest import Manifest, Rows
from tasks.monitoring.metric_rows import NOT_TRUSTED, OK, TOO_FEW_ROWS, MetricRow
from tasks.monitoring.monitor import count_rows
from tasks.monitoring.monitored_day import MonitoredDay

DAY = date(2026, 11, 22)
MANIFEST = Manifest(
    str(DAY), "m", "1", [], [], [], Rows(200, 150, 50), "", 30, missing={"a": 20, "b": 0}, unknown={"c": 4}
)


def test_shares_are_of_all_rows_read_and_the_success_rate_of_those_scored():
    rows = {(row.metric, row.column_name): row.value for row in count_rows(MANIFEST)}
    assert rows["missing_share", "a"] == 0.1
    assert rows["missing_share", "b"] == 0.0
    assert rows["missing_values_share", ""] == 20 / 400
    assert rows["unknown_categories", "c"] == 4
    assert rows["predicted_success_rate", ""] == 0.2
    assert (rows["rows_read", ""], rows["rows_scored", ""], rows["rows_quarantined", ""]) == (200, 150, 50)


def test_a_day_without_a_scored_row_has_no_success_rate():
    empty = Manifest(str(DAY), "m", "1", [], [], [], Rows(5, 0, 5), "", 0)
    rows = {row.metric: row.value for row in count_rows(empty)}
    assert rows["predicted_success_rate"] is None
    assert rows["missing_values_share"] == 0


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
    always = [MetricRow("day_state", None), MetricRow("days_judged", 1.0), MetricRow("day_drifted", 0.0)]
    always += [MetricRow("prediction_drift", 0.05), MetricRow("sample_rows", 1_000.0)]
    assert MonitoredDay.of(DAY, "1", [*always, *rows], "").quality == sentence
