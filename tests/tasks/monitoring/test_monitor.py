from datetime import date

from tasks.manifest import Manifest, Rows
from tasks.monitoring.monitor import count_rows

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
