from typing import Any

import numpy as np
import pytest

from campaign.schema import MAX_NUMBER, Schema
from campaign.schema_file import parse_schema
from tests.published import BY_NAME, FEATURES, LAUNCH, NAMES, SCHEMA

KICKSTARTER = """
[model]
name = "kickstarter"

[row]
launch = "launched"
end = "deadline"

[outcome]
column = "state"
success = ["successful"]
failure = ["failed"]
noun = "project"

[[column]]
name = "GoalUSD"
source = "usd_goal_real"
type = "number"
known = "at launch"
minimum = 0

[[column]]
name = "Days"
type = "number"
known = "at launch"
derive = { days_between = ["launched", "deadline"] }

[[column]]
name = "GoalADay"
type = "number"
known = "at launch"
derive = { ratio = ["GoalUSD", "Days"] }

[[column]]
name = "backers"
type = "number"
known = "while running"

[[column]]
name = "pledged"
type = "number"
known = "at the end"
"""


@pytest.fixture(scope="module")
def kickstarter() -> Schema:
    return parse_schema(KICKSTARTER)


@pytest.mark.parametrize(
    ("feature_set", "names"),
    [
        ("launch", ["GoalUSD", "Days", "GoalADay"]),
        ("running", ["GoalUSD", "Days", "GoalADay", "backers"]),
        ("all", ["GoalUSD", "Days", "GoalADay", "backers", "pledged"]),
    ],
)
def test_a_feature_set_holds_what_is_known_by_then(kickstarter: Schema, feature_set: Any, names: list[str]) -> None:
    assert [column.name for column in kickstarter.select(feature_set).features] == names


def test_another_feature_set_than_the_default_is_a_model_of_its_own(kickstarter: Schema) -> None:
    assert kickstarter.name == kickstarter.select("launch").name == "kickstarter"
    assert kickstarter.select("all").name == "kickstarter-all"
    assert kickstarter.select("all").digest != kickstarter.digest
    assert (SCHEMA.name, LAUNCH.name) == ("campaign-success", "campaign-success-launch")


def test_the_published_schema_holds_twelve_columns_of_which_nine_are_known_at_launch() -> None:
    assert len(NAMES) == 12
    assert [column.name for column in LAUNCH.features] == [
        "GoalAmount", "DurationDays", "Category", "LaunchMonth", "Country", "Currency", "OwnerExperience",
        "VideoIncluded", "SocialMediaPresence",
    ]  # fmt: skip


def test_a_file_has_to_hold_sources_and_what_derived_columns_are_computed_from(kickstarter: Schema) -> None:
    assert kickstarter.sources_of(kickstarter.features) == ("usd_goal_real", "launched", "deadline")
    [_, _, ratio, *_] = kickstarter.columns
    assert kickstarter.sources_of([ratio]) == ("usd_goal_real", "launched", "deadline")


def test_rows_without_an_id_are_told_apart_by_what_is_known_at_launch_whatever_the_feature_set(
    kickstarter: Schema,
) -> None:
    expected = ("usd_goal_real", "launched", "deadline")
    assert kickstarter.identity_columns == kickstarter.select("all").identity_columns == expected
    assert SCHEMA.identity_columns == LAUNCH.identity_columns == NAMES  # bytes of predictions depend on it


def test_a_schema_survives_being_stored(kickstarter: Schema) -> None:
    for schema in (kickstarter, kickstarter.select("all"), SCHEMA):
        again = Schema.model_validate(schema.to_table())
        assert again == schema
        assert (again.digest, again.features) == (schema.digest, schema.features)


def test_the_projects_own_files_hold_derived_columns_under_their_names(kickstarter: Schema) -> None:
    stored = kickstarter.stored
    assert stored.sources_of(stored.features) == ("GoalUSD", "Days", "GoalADay")
    assert [column.name for column in stored.features] == [column.name for column in kickstarter.features]


@pytest.mark.parametrize(("name", "zero"), [("DurationDays", False), ("RaisedAmount", True)])
def test_physics_allows_no_campaign_of_zero_days_but_an_amount_of_zero(name: str, zero: bool) -> None:
    values = np.array([0.0, 1.0, MAX_NUMBER, -1.0, np.nan, np.inf, 1e39])
    assert BY_NAME[name].is_possible(values).tolist() == [zero, True, True, False, False, False, False]


def test_without_a_minimum_any_sign_is_possible(kickstarter: Schema) -> None:
    values = np.array([-1.0, 0.0, -MAX_NUMBER, np.nan, -np.inf])
    assert kickstarter.column("PLEDGED").is_possible(values).tolist() == [True, True, True, False, False]


def test_the_roles_of_the_published_columns_are_said() -> None:
    roles = {column.role: column.name for column in FEATURES if column.role}
    assert roles == {"goal": "GoalAmount", "raised": "RaisedAmount", "currency": "Currency"}
    assert LAUNCH.with_role("raised") is None
