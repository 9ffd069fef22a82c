import json

import pytest

from campaign.errors import BadInput
from campaign.json_lines import is_json, json_batches
from campaign.raw import RawBatch, RawColumns

EVERY = RawColumns(lambda names: {name: name for name in names})


def read(text: str, wanted: RawColumns = EVERY, chunk: int = 1 << 20) -> list[RawBatch]:
    data = text.encode()
    pieces = (data[at : at + chunk] for at in range(0, len(data), chunk))
    return list(json_batches(pieces, "a.jsonl", wanted))


@pytest.mark.parametrize("chunk", [3, 20, 1 << 20])
def test_values_come_as_they_are_written(chunk: int) -> None:
    rows = (
        '{"id": 007e0, "goal": 1.50}\n'.replace("007e0", "7e0")
        + '\n{"id": "C7", "goal": true}\r\n{"id": null, "goal": 12345678901234567890}'
    )
    batches = read(rows, RawColumns(lambda names: {"ID": "id", "goal": "goal"}), chunk)
    table = [row for batch in batches for row in batch.rows.to_pylist()]
    assert table == [
        {"ID": "7e0", "goal": "1.50"}, {"ID": "C7", "goal": "true"}, {"ID": None, "goal": "12345678901234567890"},
    ]  # fmt: skip


def test_a_key_that_is_absent_is_missing_and_a_nested_value_is_its_text() -> None:
    [batch] = read('{"a": 1, "b": [1, {"c": 2}]}\n{"b": "NA"}\n', RawColumns(EVERY.choose, missing_words=("NA",)))
    assert batch.rows.to_pylist() == [{"a": "1", "b": json.dumps(["1", {"c": "2"}])}, {"a": None, "b": None}]


@pytest.mark.parametrize("line", ["{", "[1, 2]", "12", '{"a": 1} {"a": 2}', "[" * 100_000])
def test_a_line_that_holds_no_object_costs_that_line(line: str) -> None:
    [batch] = read(f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    assert batch.rows.column("a").to_pylist() == ["1", None, "2"]
    assert batch.unread == {1: "is no JSON object"}
    assert batch.texts == {1: line}


def test_an_array_is_refused_with_the_way_to_write_it() -> None:
    with pytest.raises(BadInput, match=r"a\.jsonl: it is one JSON array\. Write JSON lines"):
        read('[{"a": 1},\n{"a": 2}]')


def test_a_line_that_would_take_many_times_its_length_is_refused() -> None:
    with pytest.raises(BadInput, match=r"a\.jsonl: a line is longer than 1,048,576 bytes"):
        read('{"a": 1}\n{"a": [' + "[]," * 400_000 + "0]}\n")


def test_json_is_told_from_a_header() -> None:
    assert is_json(b' \n{"a": 1}')
    assert is_json(b'[{"a": 1}]')
    assert not is_json(b"[id],goal\n")
    assert not is_json(b"id,goal\n")
