import uuid

import pyarrow as pa
import pytest

from campaign.arrow_types import as_usual_type
from campaign.errors import BadInput

IDS = [uuid.UUID(int=7), None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["Film", None], pa.string_view()), ["Film", None]),
        (pa.array([b"Film", None]), ["Film", None]),
        (pa.array([b"Film", None], pa.large_binary()), ["Film", None]),
        (pa.array([b"Film", None], pa.binary_view()), ["Film", None]),
        (pa.array([b"C7\0\0", None], pa.binary(4)), ["C7", None]),
        (pa.array([b"Film", None]).dictionary_encode(), ["Film", None]),
        (pa.array([None if each is None else each.bytes for each in IDS], pa.uuid()), [str(IDS[0]), None]),
        (pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1}', None])), ['{"a": 1}', None]),
    ],
    ids=["string_view", "binary", "large_binary", "binary_view", "fixed size", "dictionary", "uuid", "json"],
)
def test_texts_are_read_from_whatever_type_holds_them(values: pa.Array, expected: list[str | None]) -> None:
    usual = as_usual_type(values, "id", "a.parquet")
    kind = usual.type.value_type if pa.types.is_dictionary(usual.type) else usual.type
    assert pa.types.is_string(kind)
    assert usual.to_pylist() == expected


@pytest.mark.parametrize("values", [pa.array(["a"]), pa.array([1]), pa.array([True])])
def test_usual_types_stay_as_they_are(values: pa.Array) -> None:
    assert as_usual_type(values, "id", "a.parquet") is values


def test_bytes_that_are_no_text_are_refused_without_being_shown() -> None:
    with pytest.raises(BadInput, match=r"^a\.parquet: column id holds bytes that are no text\. Write it as text"):
        as_usual_type(pa.array([b"\xff\xfe"]), "id", "a.parquet")
