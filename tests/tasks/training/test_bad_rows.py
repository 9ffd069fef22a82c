import pyarrow as pa
import pytest

from campaign.errors import BadInput
from tasks.training.bad_rows import common_reasons, refuse_if_most_are_bad

REJECTED = [
    pa.table({"row": [4, 5, 6], "reasons": ["goal is below 0"] * 2 + ["days is missing; goal is below 0"]}),
    pa.table({"row": [70_000, 70_001], "reasons": ["goal is below 0", "launched is before 1971"]}),
]  # fmt: skip


def test_too_many_bad_rows_are_refused_with_what_is_wrong_and_where() -> None:
    refuse_if_most_are_bad("a.csv", REJECTED, 50, 0.1, "")
    with pytest.raises(BadInput) as error:
        refuse_if_most_are_bad("a.csv", REJECTED, 49, 0.1, "file:///quarantine")
    assert error.value.cause == (
        "a.csv: 5 of 49 rows are bad, more than CAMPAIGN_QUARANTINE_LIMIT (10%): "
        "goal is below 0 in 4 (rows 4, 5, 6, …); days is missing in 1 (row 6); "
        "launched is before 1971 in 1 (row 70001)."
    )
    assert "file:///quarantine" in error.value.remedy


def test_a_log_names_a_few_reasons() -> None:
    assert common_reasons(REJECTED) == "days is missing; goal is below 0, goal is below 0, launched is before 1971"
    assert common_reasons([]) == ""
