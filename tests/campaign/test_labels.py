from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from campaign.errors import BadInput
from campaign.labels import OutcomeReader
from campaign.schema import LABEL
from campaign.schema_parts import NO, YES, Outcome

WORDS = Outcome(column="y", success=("yes",), failure=("no",))


def read(values: list[Any], outcome: Outcome = WORDS, name: str = "y") -> list[float]:
    reader = OutcomeReader(name, "outcomes.csv", outcome)
    labels = reader.read(pa.array(values)).tolist()
    reader.refuse_doubtful()
    return labels


@pytest.mark.parametrize("values", [["yes", " NO ", "live"], ["Yes", "no", None]])
def test_other_words_than_the_schemas_wait(values: list[Any]) -> None:
    np.testing.assert_array_equal(read(values), [1, 0, np.nan])


@pytest.mark.parametrize("values", [[1, 0, 1], [1.0, 0.0, 1.0], [True, False, True], ["yes", "no", "1"]])
def test_a_label_of_this_project_is_read_in_any_usual_form(values: list[Any]) -> None:
    assert read(values, name=LABEL) == [1, 0, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2, 1, 2], r"beside 1 \(2\), and never 0"),
        ([*[1] * 97, 2, 2, 2], r"beside 1 \(2\), and never 0"),
        ([-1, 1, -1], r"beside 1 \(-1\), and never 0"),
        ([0, 2, 0], r"beside 0 \(2\), and never 1"),
        (["yes", "lost", "yes"], r"beside 1 \(lost\), and never 0"),
    ],
)
def test_a_label_in_another_coding_is_refused_and_never_half_read(values: list[Any], message: str) -> None:
    sentence = rf"outcomes\.csv: column {LABEL} holds other words {message}: its outcomes would be half read"
    with pytest.raises(BadInput, match=sentence) as error:
        read(values, Outcome(column=LABEL, success=YES, failure=NO), LABEL)
    assert "Write 1 for success and 0 for failure" in str(error.value)


def test_numbers_beside_words_are_refused() -> None:
    with pytest.raises(BadInput, match=r"column y holds other words beside yes \(1, 0\)"):
        read(["yes", "no", "1", "0"])
    assert read(["yes", "no"] * 100 + ["3"])[:2] == [1, 0]  # a slip
    assert len(read(["yes"] * 99 + ["3"])) == 100  # one in a hundred still is


def test_another_coding_is_said_in_the_schema() -> None:
    assert read([1, 2], Outcome(column="y", success=("2",), failure=("1",))) == [0, 1]
    np.testing.assert_array_equal(
        read([1, 0, 7], Outcome(column="y", success=("1",), failure=("0",))), [1, 0, np.nan]
    )  # its numbers were chosen: others wait


def test_a_label_that_is_wrong_beside_both_outcomes_costs_its_row() -> None:
    np.testing.assert_array_equal(read([1, 0, 2], name=LABEL), [1, 0, np.nan])


def test_a_file_in_which_nothing_is_decided_is_refused_with_what_it_holds() -> None:
    with pytest.raises(BadInput, match=r"column y holds neither no nor yes \(live, soon\)"):
        read(["live", "soon", None])
