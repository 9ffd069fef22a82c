import pytest

from campaign.dialect import Utf8, find_delimiter, is_binary, is_western
from campaign.errors import BadInput

TEXT = "id;goal\nC1;1,5\nC2;2,5 €\n"


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16-le"), ("utf-16-le", "utf-16-le"),
     ("utf-16-be", "utf-16-be"), ("cp1252", "cp1252")],
)  # fmt: skip
@pytest.mark.parametrize("chunk", [1, 7, 1_000])
def test_text_comes_as_utf8_in_whatever_encoding_and_wherever_it_is_cut(encoding: str, found: str, chunk: int) -> None:
    data = TEXT.encode(encoding)
    first = max(chunk, 24)  # what it is, its beginning says
    pieces = [data[:first], *(data[at : at + chunk] for at in range(first, len(data), chunk))]
    decoded = Utf8(pieces, "", "a.csv")
    assert b"".join(decoded).decode() == TEXT
    assert decoded.encoding == found


def test_an_encoding_that_is_said_is_kept_to() -> None:
    assert b"".join(Utf8([TEXT.encode("cp1252")], "cp1252", "a.csv")).decode() == TEXT
    with pytest.raises(BadInput, match=r"a\.csv: line 3 is not in utf-8, which \[text\] encoding says"):
        list(Utf8([TEXT.encode("cp1252")], "utf-8", "a.csv"))


@pytest.mark.parametrize("data", [b"PAR1 and more", bytes(range(256)), bytes(100)])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"a\.csv: it is not a text file"):
        list(Utf8([data], "", "a.csv"))


def test_a_few_nuls_and_control_characters_are_text() -> None:
    assert not is_binary(b"id,goal\nC\0001,5\n" + b"C2,7\n" * 50)
    assert is_binary(b"\0\1\2\3" * 10)


def test_western_is_what_is_mostly_no_utf8() -> None:
    assert is_western("Åland é".encode("cp1252"))
    assert not is_western("Åland é".encode())
    assert not is_western("Åland é ü ö".encode() + b"\xc3")  # one that is cut
    assert is_western("é".encode() + b"\xe9 ") is False  # as many that are as are none


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_columns(delimiter: str) -> None:
    rows = [["id", "goal", "name"], ["C1", "1.5", "a b"], ["C2", "2.5", '"one, two; three | four"']]
    text = "\n".join(delimiter.join(row) for row in rows).encode()
    assert find_delimiter(text, "", ["id"]) == delimiter
    assert find_delimiter(text, "#", ["id"]) == "#"


def test_names_that_are_looked_for_tell_a_delimiter_from_commas_in_numbers() -> None:
    assert find_delimiter(b"id;goal\nC1;1,5\nC2;2,5\n", "", ["id", "goal"]) == ";"
    assert find_delimiter(b"sep=|\r\na,b|c\n1,2|3\n", "", []) == "|"


def test_columns_that_most_rows_have_are_better_than_one_that_all_have() -> None:
    assert find_delimiter(b"a;b\n1;2\n1;2;3\n", "", []) == ";"
