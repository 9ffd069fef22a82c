import numpy as np
import pyarrow as pa
import pytest

from campaign.errors import BadInput
from tasks.training.guess_outcome import propose_outcome
from tasks.training.proposal import Proposal


def guessed(columns: dict[str, list], wanted: str = "", success: tuple[str, ...] = ()) -> tuple[Proposal, list]:
    proposal = Proposal("a.csv", 0)
    label = propose_outcome(proposal, pa.table(columns), wanted, success)
    return proposal, label.tolist()


def words(**counts: int) -> list[str]:
    return [word for word, count in counts.items() for _ in range(count)]


def test_the_word_for_success_is_labelled_1_that_for_failure_0_and_what_waits_nothing():
    state = ["successful", "failed", "live", None]
    proposal, label = guessed({"state": state})
    np.testing.assert_equal(label, [1, 0, np.nan, np.nan])
    assert proposal.outcome == {"column": "state", "success": ["successful"], "failure": ["failed"]}
    assert proposal.notes["outcome.column"] == "? 3 words; 67% of rows are decided"
    assert proposal.notes["outcome.failure"] == "? others wait: live"


@pytest.mark.parametrize(
    ("given", "success", "failure"),
    [
        (words(ja=3, nein=9), ["ja"], ["nein"]),
        (words(yes=9, no=3), ["yes"], ["no"]),
        ([True, False], ["true"], ["false"]),
        ([1, 0, 0], ["1"], ["0"]),
        (words(made=3, missed=9), ["made"], ["missed"]),  # of unknown words the rarer one
        (words(yes=3, refused=9), ["yes"], ["refused"]),
        (words(yes=3, asked=2, refused=9), ["yes"], ["refused"]),  # the most frequent of the others
        (words(yes=3, no=1, refused=9), ["yes"], ["no"]),
        (words(Successful=3, FAILED=9), ["Successful"], ["FAILED"]),
    ],
)
def test_which_words_are_a_success_and_a_failure(given, success, failure):
    proposal, label = guessed({"outcome": given})
    assert (proposal.outcome["success"], proposal.outcome["failure"]) == (success, failure)
    texts = [str(word).lower() if isinstance(word, bool) else str(word) for word in given]
    known = {success[0]: 1.0, failure[0]: 0.0}
    np.testing.assert_equal(label, [known.get(text, np.nan) for text in texts])


@pytest.mark.parametrize(
    ("given", "is_unsure"),
    [(words(yes=3, no=9), False), (words(yes=3, no=9, later=2), True), (words(made=3, missed=9), True)],
)
def test_what_is_guessed_of_the_success_is_marked_to_be_looked_at(given, is_unsure):
    proposal, _ = guessed({"outcome": given})
    assert (proposal.notes.get("outcome.success") == "?") == is_unsure
    said, _ = guessed({"outcome": given}, success=(given[0],))
    assert "outcome.success" not in said.notes


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"state": ["a", "b"], "video": ["yes", "no"]}, "state"),  # by its name
        ({"video": ["yes", "no"], "name": ["x", "y"], "reply": ["yes", "no"]}, "reply"),  # the last one
        ({"result": ["x", "y"], "outcome": ["yes", "no"]}, "outcome"),  # by its words, too
        ({"state": ["x", "y"], "status": ["x", "y"], "age": [1, 2]}, "state"),  # the first of equals
        ({"state": ["on", "on"], "status": ["x", "y"], "age": [1, 2]}, "status"),  # a constant decides nothing
        ({"state": [f"word {n}" for n in range(13)], "y": [1, 0] * 6 + [1]}, "y"),
        ({"state": [f"word {n}" for n in range(12)], "age": [1] * 12}, "state"),
        ({"outcome": [["a"], ["b"]], "y": [1, 0]}, "y"),
    ],
)
def test_the_column_that_looks_most_like_an_outcome_is_taken(columns, name):
    assert guessed(columns)[0].outcome["column"] == name


def test_yes_and_no_in_a_column_before_the_last_are_no_outcome():
    with pytest.raises(BadInput, match=r"no column looks like an outcome \(found: video, name\)"):
        guessed({"video": ["yes", "no"], "name": ["x", "y"]})


def test_a_column_and_words_that_are_said_are_found_however_they_are_spelled():
    columns = {"What became of it": words(Made=1, missed=2, soon=1), "y": [1, 0, 1, 0]}
    proposal, label = guessed(columns, "what_became-of it", (" made", "SOON"))
    assert proposal.outcome == {"column": "What became of it", "success": ["Made", "soon"], "failure": ["missed"]}
    assert label == [1, 0, 0, 1]
    assert not proposal.notes["outcome.column"].startswith("?")


@pytest.mark.parametrize("success", [("won",), ("made", "won")])
def test_a_word_that_the_column_does_not_hold_is_refused_with_those_that_it_holds(success):
    with pytest.raises(BadInput, match=r"column y does not hold .*won \(but missed, made\)"):
        guessed({"y": words(made=1, missed=2)}, success=success)
