import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import identity
from campaign.identity import TEST, VALIDATION, SeenIds, bucket_of, digests_of, id_of_values, is_no_id, normal_form

IDS = st.text(max_size=3) | st.sampled_from(
    ["", "a", "CID_00001", "CID_00002", "ä", "a\0", "7", "7.0", " 7 ", "-7.", "x.0"]
)
BATCHES = st.lists(st.tuples(st.lists(IDS, max_size=30), st.integers(0, 5), st.integers(0, 5)), max_size=8)


@pytest.mark.parametrize(
    ("campaign_id", "bucket"),
    [("CID_00001", 0), ("CID_00002", 3), ("CID_00004", 2), ("CID_00008", 1), ("", 4), ("Ünïcode", 3)],
)
def test_a_campaign_keeps_its_part_for_ever(campaign_id: str, bucket: int) -> None:
    assert bucket_of(campaign_id) == bucket


def test_a_fifth_of_campaigns_is_for_testing_a_fifth_for_validation_the_rest_for_training() -> None:
    parts = np.array([bucket_of(f"CID_{number:05d}") for number in range(20_000)])
    assert abs((parts == TEST).mean() - 0.2) < 0.01
    assert abs((parts == VALIDATION).mean() - 0.2) < 0.01
    assert set(parts) == {0, 1, 2, 3, 4}


def test_the_id_of_a_row_without_one_is_the_same_in_every_process() -> None:
    values = (1000.0, "Film", None)
    ended = subprocess.run(
        [sys.executable, "-c", f"from campaign.identity import id_of_values; print(id_of_values({values}))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout.strip() == id_of_values(values) == "row-" + hashlib.sha256(b"1000.0|Film|None").hexdigest()[:16]


@settings(deadline=None)
@given(BATCHES)
def test_the_first_campaign_with_an_id_is_new_and_every_later_one_a_repeat(batches: Any) -> None:
    seen, expected_seen = SeenIds(), set()
    for texts, lead, tail in batches:
        # A slice of a longer array: its text does not start at offset 0.
        padded = pa.array(["zzz"] * lead + texts + ["yyy"] * tail, pa.string())
        expected = []
        for text in texts:
            expected.append(normal_form(text) in expected_seen)
            expected_seen.add(normal_form(text))
        assert seen.repeats(padded.slice(lead, len(texts))).tolist() == expected


@pytest.fixture
def always_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put into a table that is too full: in one without a free place the search for it has no end."""
    insert, compiled = identity.compiled(identity._insert), identity.compiled

    def with_room(table: np.ndarray, digests: np.ndarray, repeated: np.ndarray) -> None:
        filled = np.count_nonzero(table) + np.count_nonzero(digests)
        assert filled <= 0.75 * len(table)
        insert(table, digests, repeated)

    monkeypatch.setattr(
        identity, "compiled", lambda kernel: with_room if kernel is identity._insert else compiled(kernel)
    )


@pytest.mark.usefixtures("always_room")
def test_ids_are_told_apart_however_many_there_are() -> None:
    seen, rows = SeenIds(), 60_000
    for start in range(0, rows, 7_000):
        ids = pa.array([f"C{number}" for number in range(start, start + 7_000)])
        assert not seen.repeats(ids).any()
    assert seen.repeats(pa.array([f"C{number}" for number in range(rows)])).all()


@pytest.mark.usefixtures("always_room")
@pytest.mark.parametrize("expected", [0, 10, 50_000])
def test_there_is_room_for_ids_before_they_are_put_anywhere(expected: int) -> None:
    seen = SeenIds(expected)
    for start, rows in ((0, 3_000), (3_000, 72), (3_072, 1), (3_073, 60_000)):
        assert not seen.repeats(pa.array([f"C{number}" for number in range(start, start + rows)])).any()


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("C7", " C7"), ("C7", "C7\t"), ("7", "7.0"), ("7", "7.00"), ("7", "7."), ("-7", "-7.0"),
        ("1000378", "1000378.0"),
    ],
)  # fmt: skip
def test_spaces_and_the_type_of_a_whole_number_do_not_make_another_campaign(written: str, same: str) -> None:
    assert normal_form(same) == written
    assert bucket_of(same) == bucket_of(written)
    first, second = digests_of(pa.array([written, same]))
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"), [("c7", "C7"), ("7", "07"), ("7.5", "7"), ("x.0", "x"), ("1 2", "12"), (".0", ""), ("-.0", "-")]
)
def test_case_and_leading_zeros_tell_campaigns_apart(one: str, other: str) -> None:
    first, second = digests_of(pa.array([one, other]))
    assert first != second
    assert normal_form(one) != normal_form(other)


@pytest.mark.parametrize("cut", [0, 3, 8])
def test_no_id_is_null_blank_a_dash_or_a_word_for_missing(cut: int) -> None:
    ids = ["C1", None, "", " ", "-", "NA", " - ", "\tnull\n", "NAN1", "--", " C1", "0", "nil-1", "          "]
    absent = [False, True, True, True, True, True, True, True, False, False, False, False, False, True]
    found = is_no_id(pa.array(ids, pa.string()).slice(cut), ("", "NA", "null"))
    assert found.tolist() == absent[cut:]
    assert is_no_id(pa.array([], pa.string()), ()).tolist() == []
