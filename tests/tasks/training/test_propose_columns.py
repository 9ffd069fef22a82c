import numpy as np
import pyarrow as pa
import pytest

from tasks.training.column_profile import profile_column
from tasks.training.proposal import Proposal, ProposedColumn
from tasks.training.propose_columns import propose_column, propose_derived
from tasks.training.propose_schema import WAYS

ROWS = 400
CHANCE = np.random.default_rng(3)
LABEL = (np.arange(ROWS) % 2).astype(float)
NOISE = CHANCE.permutation(ROWS)


def proposed(name: str, values: list | np.ndarray, label: np.ndarray = LABEL) -> ProposedColumn:
    proposal = proposal_of(name, values, label)
    [column] = proposal.columns
    return column


def proposal_of(name: str, values: list | np.ndarray, label: np.ndarray = LABEL) -> Proposal:
    proposal = Proposal("a.csv", len(values))
    propose_column(proposal, profile_column(name, pa.array(values), WAYS), label)
    return proposal


def signal(strength: float) -> np.ndarray:
    return np.round(CHANCE.normal(size=ROWS) + strength * LABEL + 9, 3)


@pytest.mark.parametrize(
    ("name", "values", "known", "note"),
    [
        ("goal", signal(0.0), "at launch", ""),
        ("goal", signal(1.4), "at the end", "? alone tells much of the outcome (0.8"),
        ("goal", -signal(1.4), "at the end", "? alone tells much of the outcome (0.8"),  # it may point down as well
        ("goal", signal(6.0), "at the end", "? alone decides the outcome (1.00)"),
        ("backers", signal(0.0), "at the end", "? by its name it is known later"),
        ("kind", np.where(LABEL > 0, "film", "book").tolist(), "at the end", "? alone decides the outcome (1.00)"),
        ("kind", np.where(NOISE % 2, "film", "book").tolist(), "at launch", "2 values"),
    ],
)
def test_what_tells_too_much_or_is_called_what_comes_later_is_set_aside(name, values, known, note):
    column = proposed(name, values)
    assert column.keys["known"] == known
    assert column.note.startswith(note)
    assert bool(column.note) == bool(note)


def test_rows_that_are_undecided_say_nothing_of_what_a_column_tells():
    label = np.where(np.arange(ROWS) < 100, np.nan, LABEL)
    values = np.where(np.isnan(label), CHANCE.normal(size=ROWS), 3 * LABEL + CHANCE.normal(size=ROWS))
    assert proposed("goal", values, label).alone == pytest.approx(proposed("goal", values[100:], LABEL[100:]).alone)


@pytest.mark.parametrize(("lowest", "minimum"), [(0.0, 0), (5.0, 0), (-1.5, None)])
def test_a_number_that_is_never_negative_may_not_be(lowest, minimum):
    assert proposed("goal", [lowest, *range(6, 40)], LABEL[:35]).keys.get("minimum") == minimum


def test_where_values_are_missing_they_may_be():
    column = proposed("goal", [None] * 100 + [*range(300)])
    assert (column.keys["nullable"], column.note) == (True, "25% missing")
    assert "nullable" not in proposed("goal", [*range(ROWS)]).keys


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([-1] * 300 + [*range(100)], "-1"),  # far more frequent than any other
        ([-1] * 5 + [*range(395)], "-1"),  # or alone below zero
        ([-1] * 3 + [*range(397)], ""),  # and not a slip
        ([-1] * 5 + [-2.5, -3] + [*range(393)], ""),
        ([-9, -1] * 5 + [*range(390)], ""),
        ([999] * 200 + [*range(200)], "999"),
        ([999] * 5 + [*range(395)], ""),  # a large value like others
        ([999] * 200 + [*range(500, 700)], ""),  # and no further from them than they are from one another
        ([99] * 200 + [*range(40)] * 5, "99"),
        ([999] * 60 + [0] * 20 + [*range(1, 321)], "999"),  # thrice as frequent as any other
        ([999] * 59 + [0] * 20 + [*range(1, 322)], ""),
        ([7] * 200 + [*range(200)], ""),
        ([-1, 0] * 200, ""),
    ],
)
def test_a_number_that_stands_for_a_missing_value_is_found(values, word):
    column = proposed("days", values)
    assert column.keys.get("missingValues", ["", ""])[1] == word
    assert bool(column.keys.get("nullable")) == bool(word)
    assert (f"? {word} stands for a missing value" in column.note) == bool(word)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("empty", [None] * ROWS, "it holds nothing"),
        ("platform", ["ours"] * ROWS, "it always holds the same"),
        ("customer_id", [*range(ROWS)], "every value differs, as of an id"),
        ("title", [f"A thing called {n}" for n in range(ROWS)], "a text: columns are derived from it"),
        ("launched", ["2026-11-22", "2026-11-23"] * 200, "a time: columns are derived from it"),
    ],
)
def test_what_no_schema_can_use_is_left_out_with_the_reason(name, values, reason):
    proposal = proposal_of(name, values)
    assert (proposal.columns, proposal.left_out) == ([], {name: reason})


@pytest.mark.parametrize(("name", "values"), [("goal", [*range(ROWS)]), ("customer_id", [*range(200)] * 2)])
def test_a_number_is_no_id_by_its_values_or_its_name_alone(name, values):
    assert proposal_of(name, values).left_out == {}


@pytest.mark.parametrize(
    ("codes", "odd"),
    [
        (["US", "GB", "DE", "FR", "IT", 'N,0"'], "? not like the others: N,0"),
        (["US", "GB", "DE", "art", "film"], ""),
        (["US", "GB", "DE", "x"], ""),
        (["US", "GB", "DE", "FR", "IT", "ES"], ""),
    ],
)
def test_among_codes_the_values_that_are_none_are_named_first(codes, odd):
    note = proposed("country", np.resize(codes, ROWS)[NOISE].tolist()).note
    assert note.startswith(odd or f"{len(codes)} values")


PROSE = [f"A project about thing {number}" for number in range(ROWS)]
LAUNCHED = [f"2026-{1 + number % 12:02}-{1 + number % 28:02} {number % 24:02}:00:00" for number in range(ROWS)]
ENDED = [f"2027-{1 + number % 12:02}-{1 + number % 28:02}" for number in range(ROWS)]


def derived(row: dict[str, str], given: tuple[str, ...] = (), **values: list) -> dict[str, dict]:
    proposal = Proposal("a.csv", ROWS, row=row)
    proposal.columns = [ProposedColumn({"name": name, "known": "at launch"}, 0.5) for name in given]
    profiles = {name: profile_column(name, pa.array(column), WAYS) for name, column in values.items()}
    propose_derived(proposal, profiles, LABEL)
    return {column.name: column.keys for column in proposal.columns if "derive" in column.keys}


def test_of_begin_and_end_come_the_days_between_and_when_it_was():
    found = derived({"launch": "launched", "end": "deadline"}, launched=LAUNCHED, deadline=ENDED)
    assert [*found] == ["DurationDays", "LaunchMonth", "LaunchWeekday", "LaunchHour"]
    assert found["DurationDays"] == {
        "name": "DurationDays", "type": "number", "known": "at launch",
        "derive": {"days_between": ["launched", "deadline"]}, "minimum": 0,
    }  # fmt: skip
    assert [*derived({"launch": "launched"}, launched=LAUNCHED)] == ["LaunchMonth", "LaunchWeekday", "LaunchHour"]
    assert derived({"end": "deadline"}, deadline=ENDED) == {}


def test_days_without_a_time_have_no_hour_and_a_column_that_is_there_is_not_made_again():
    days = [moment[:10] for moment in LAUNCHED]
    assert [*derived({"launch": "launched"}, launched=days)] == ["LaunchMonth", "LaunchWeekday"]
    assert [*derived({"launch": "launched"}, ("launchmonth",), launched=days)] == ["LaunchWeekday"]


def test_of_texts_the_two_most_like_titles_are_measured_and_none_that_comes_later():
    slugs = [f"a-project-{number}" for number in range(ROWS)]
    found = derived({}, slug=slugs, final_updates=PROSE, story=PROSE, about=PROSE, project_title=PROSE)
    assert [*found] == ["ProjectTitleLength", "ProjectTitleWords", "StoryLength", "StoryWords"]
    assert found["StoryWords"]["derive"] == {"words": "story"}
