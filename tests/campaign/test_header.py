import pytest

from campaign.errors import BadInput
from campaign.header import Header, match_header


@pytest.mark.parametrize(
    "found", ["GoalAmount", "goalamount", " GOALAMOUNT ", "goal_amount", "Goal Amount", "goal-amount"]
)
def test_a_column_is_found_however_its_words_are_joined(found: str) -> None:
    assert match_header(Header(["id", found]), ["GoalAmount"], "a.csv") == {"GoalAmount": found}


def test_the_same_name_goes_before_one_of_the_same_letters() -> None:
    header = Header(["goal_amount", "GoalAmount", "a_b", "a b"])
    assert match_header(header, ["GoalAmount"], "a.csv") == {"GoalAmount": "GoalAmount"}
    with pytest.raises(BadInput, match=r"a\.csv: column ab is there 2 times \(a_b, a b\)\. Keep one of them"):
        match_header(header, ["ab"], "a.csv")


def test_a_header_of_many_names_is_not_shown_whole() -> None:
    header = Header([f"column\n{at}" for at in range(5_000)])
    assert header.excerpt.startswith("column 0, column 1, ")
    assert header.excerpt.endswith("column 99 and 4,900 more")
    with pytest.raises(BadInput, match=r"a\.csv: column goal is missing \(found: column 0, .* and 4,900 more\)"):
        match_header(header, ["goal"], "a.csv")
