from datetime import date

import pytest
import sqlalchemy as sa

from tasks.metrics_database import database, metrics
from tasks.monitoring.metric_rows import DRIFTED, MetricRow, changed_days, day_drifted_row, write_metrics

DAY, NEXT = date(2026, 11, 22), date(2026, 11, 23)


@pytest.fixture(autouse=True)
def _own_database(own_home, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_METRICS_URL", f"sqlite:///{tmp_path}/metrics.db")


def written() -> set[tuple]:
    with database().connect() as connection:
        rows = connection.execute(sa.select(metrics)).all()
    return {(row.day, row.source, row.model_version, row.metric, row.column_name, row.value) for row in rows}


def test_what_was_measured_takes_the_place_of_the_days_earlier_rows_and_of_no_others():
    write_metrics(
        DAY, "batch", {"1": [MetricRow("rows_read", 1.0), MetricRow("missing_share", 0.5, column_name="a")]}, "x"
    )
    write_metrics(DAY, "captured", {"1": [MetricRow("rows_scored", 9.0)]}, "x")
    write_metrics(NEXT, "batch", {"1": [MetricRow("rows_read", 2.0)]}, "x")
    write_metrics(DAY, "batch", {"2": [MetricRow("rows_read", 3.0)]}, "y")
    assert written() == {
        (DAY, "batch", "2", "rows_read", "", 3.0),
        (DAY, "captured", "1", "rows_scored", "", 9.0),
        (NEXT, "batch", "1", "rows_read", "", 2.0),
    }


def test_a_day_is_looked_at_again_when_its_fingerprint_changes():
    days, prints = [DAY, NEXT], {DAY: "a", NEXT: "b"}
    assert changed_days(days, "batch", prints.__getitem__) == days
    for day in days:
        write_metrics(day, "batch", {}, prints[day])
    assert changed_days(days, "batch", prints.__getitem__) == []
    assert changed_days(days, "captured", prints.__getitem__) == days
    assert changed_days(days, "batch", (prints | {NEXT: "c"}).__getitem__) == [NEXT]


@pytest.mark.parametrize(("drifted", "value", "status"), [(True, 1.0, DRIFTED), (False, 0.0, "ok")])
def test_whether_a_day_is_drifted_is_a_row_of_its_own(drifted, value, status):
    row = day_drifted_row(drifted)
    assert (row.metric, row.value, row.status) == ("day_drifted", value, status)
