import pyarrow as pa
import pytest

from tasks.outcome_ids import do_not_join, why_unjoined


@pytest.mark.parametrize(
    ("unjoined", "rows", "expected"),
    [(11, 20, True), (10, 20, False), (19, 19, False), (900, 1_000, True), (0, 0, False)],
)
def test_less_than_half_of_at_least_twenty_rows(unjoined, rows, expected):
    assert do_not_join(unjoined, rows) is expected


@pytest.mark.parametrize(
    ("ours", "theirs", "advice"),
    [
        ("{:06d}", "{}", "They differ in leading zeros"),
        ("abc-{:04d}", "ABC-{:04d}", "They differ in case"),
        ("c{:04d}", "C0{}", "look whether they are of another day"),
        ("a-{:04d}-b", "{{A{:04d}B}}", "They differ in what is neither letter nor digit"),
        ("x{}", "y{}", "look whether they are of another day"),
    ],
)
def test_what_would_make_them_join_is_said_with_three_examples_of_each_side(ours, theirs, advice):
    numbers = range(1, 101)
    campaigns, outcomes = (pa.array([form.format(n) for n in numbers]) for form in (ours, theirs))
    said = why_unjoined("2026-11-22", 100, 100, [campaigns], [outcomes])
    assert "100 of the 100 outcomes of 2026-11-22" in said
    assert f"campaigns are called {', '.join(ours.format(n) for n in (1, 2, 3))}, " in said
    assert f"outcomes {', '.join(theirs.format(n) for n in (1, 2, 3))}." in said
    assert advice.lower() in said.lower()
