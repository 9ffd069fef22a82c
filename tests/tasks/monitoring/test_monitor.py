import re
from datetime import date

from tasks.manifest import Manifest, Rows
from tasks.monitoring.monitor import REPORT_POLICY, count_rows, find_scored_days, headed, monitor_day

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


REPORT = """<!doctype html><html><head lang="en"><meta charset="utf-8"><title>Evidently
</title></head><body class="wide"><header>Drift</header><svg><title>a mark</title></svg>
<script>const template = "<head></head><body></body>"</script></body></html>"""


def test_a_report_says_of_what_it_is_and_stays_as_it_was_otherwise():
    page = headed(REPORT, Manifest(str(DAY), "<m>", "2", [], [], [], Rows(0, 0, 0), "", 0))
    of = "&lt;m&gt; version 2, campaigns of 2026-11-22"
    heading = re.compile(rf"<h1[^>]*>{of}, beside its reference</h1>")
    assert page.startswith(f'<!doctype html><html><head lang="en">{REPORT_POLICY}<title>Drift of {of}</title><meta')
    assert re.search(rf'<body class="wide">{heading.pattern}<header>Drift</header>', page)
    without = heading.sub("", page).replace(f"{REPORT_POLICY}<title>Drift of {of}</title>", "")
    assert without == REPORT.replace("<title>Evidently\n</title>", "")


def test_the_steps_of_monitoring_stand_in_prefect_under_their_names():
    assert [step.name for step in (find_scored_days, monitor_day)] == ["find_scored_days", "monitor day"]
