from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.errors import BadInput
from campaign.schema import (
    BY_NAME,
    CATEGORIES,
    FEATURES,
    MAX_NUMBER,
    NAMES,
    NUMBERS,
    features_of,
    match_header,
    model_name,
)

CASES = st.sampled_from([str.lower, str.upper, str.title, str.swapcase, str])
SPACES = st.text(" \t", max_size=3)


@st.composite
def respelled(draw: Any) -> dict[str, str]:
    """Every feature in any case between any spaces, in any order."""
    names = draw(st.permutations(NAMES))
    return {name: draw(SPACES) + draw(CASES)(name) + draw(SPACES) for name in names}


@given(respelled(), st.lists(st.text(max_size=8)))
def test_a_column_is_found_in_any_case_order_and_company(spelling: dict[str, str], others: list[str]) -> None:
    wanted = {name.casefold() for name in NAMES}
    others = [name for name in others if name.strip().casefold() not in wanted]
    assert match_header([*others, *spelling.values()], NAMES, "a.csv") == spelling


def test_every_missing_column_is_named_with_what_was_found_and_what_to_do() -> None:
    with pytest.raises(BadInput) as caught:
        match_header(["goal", "Category"], ["GoalAmount", "Category", "Country"], "day=1/a.csv")
    assert caught.value.cause == "day=1/a.csv: columns GoalAmount, Country are missing (found: goal, Category)."
    assert caught.value.remedy == "Add them, or rename the columns that hold them."


def test_a_file_without_columns_says_so() -> None:
    with pytest.raises(BadInput, match=r"column Country is missing \(found: none\)"):
        match_header([], ["Country"], "a.csv")


def test_a_column_in_two_spellings_is_refused_with_both() -> None:
    with pytest.raises(BadInput) as caught:
        match_header(["Country", "country ", "x"], ["Country"], "a.csv")
    assert str(caught.value) == "a.csv: column Country is there 2 times (Country, country ). Keep one of them."


def test_an_unwanted_column_may_be_there_twice() -> None:
    assert match_header(["x", "X", "Country"], ["Country"], "a.csv") == {"Country": "Country"}


def test_the_launch_set_holds_what_is_known_at_launch_and_the_published_set_everything() -> None:
    assert features_of("published") == FEATURES
    assert [column.name for column in features_of("launch")] == [
        "GoalAmount", "DurationDays", "Category", "LaunchMonth", "Country", "Currency", "OwnerExperience",
        "VideoIncluded", "SocialMediaPresence",
    ]  # fmt: skip


def test_a_column_is_a_number_or_a_category() -> None:
    assert sorted(NUMBERS + CATEGORIES) == sorted(NAMES)
    assert not set(NUMBERS) & set(CATEGORIES)


@pytest.mark.parametrize(("name", "zero"), [("DurationDays", False), ("RaisedAmount", True)])
def test_physics_allows_no_campaign_of_zero_days_but_an_amount_of_zero(name: str, zero: bool) -> None:
    values = np.array([0.0, 1.0, MAX_NUMBER, -1.0, np.nan, np.inf, 1e39])
    assert BY_NAME[name].is_possible(values).tolist() == [zero, True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("feature_set", "name"), [("published", "campaign-success"), ("launch", "campaign-success-launch")]
)
def test_a_feature_set_has_its_own_registered_model(feature_set: str, name: str) -> None:
    assert model_name(feature_set) == name


@pytest.mark.parametrize("ask", [features_of, model_name])
def test_an_unknown_feature_set_is_refused_with_the_known_ones(ask: Any) -> None:
    with pytest.raises(BadInput, match=r"no feature set 'early'.*published.*launch"):
        ask("early")
