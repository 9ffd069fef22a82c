import csv
import io
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from campaign.errors import BadInput
from campaign.packing import unpacked
from campaign.raw import RawBatch, RawColumns
from campaign.schema_parts import Text
from campaign.text_file import text_batches

NAMES = ["id", "goal", "story"]
EVERY = RawColumns(lambda names: {name: name for name in names}, missing_words=())
# What a value may hold: delimiters, quotes, line breaks and characters of other countries, and no more than spaces.
VALUES = st.text(st.sampled_from('ab7,;|\t"\n #=é€Ж\u00a0'), max_size=12).filter(lambda text: text == text.strip('="'))


def read(data: bytes, text: Text | None = None, wanted: RawColumns = EVERY, chunk: int = 1 << 20) -> list[RawBatch]:
    pieces = (data[at : at + chunk] for at in range(0, len(data), chunk))
    return list(text_batches(pieces, "a.csv", wanted, text or Text(), NAMES))


def rows_of(batches: list[RawBatch]) -> list[list[Any]]:
    return [list(row.values()) for batch in batches for row in batch.rows.to_pylist()]


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.from_regex(r"C[0-9]{1,6}", fullmatch=True), VALUES, VALUES), min_size=1, max_size=12),
    delimiter=st.sampled_from(",;|\t"),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_odd_but_valid_text_comes_back_as_it_was(
    rows: list[tuple[str, str, str]], delimiter: str, ending: str, quoting: Any, encoding: str
) -> None:
    # Lines within quotes that would each be a row are taken for rows behind a lone quote.
    assume(not any("\n" in value and delimiter in value for row in rows for value in row))
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerows([NAMES, *rows])
    batches = read(written.getvalue().encode(encoding), Text(delimiter=delimiter))
    assert rows_of(batches) == [list(row) for row in rows]
    assert all(not batch.unread for batch in batches)


def test_lines_that_are_no_rows_keep_the_places_of_the_others() -> None:
    text = "id;goal;story\nC1;1;a\n# said\nC2;2\n\nid;goal;story\nC3;3;c;more\nC4;4;d;\n"
    [batch] = read(text.encode())
    assert rows_of([batch]) == [["C1", "1", "a"], [None] * 3, [None] * 3, [None] * 3, ["C4", "4", "d"]]
    assert batch.unread == {
        1: "has 2 fields, the header has 3", 2: "is the header again", 3: "has 4 fields, the header has 3"
    }  # fmt: skip
    assert batch.texts == {1: "C2;2", 2: "id;goal;story", 3: "C3;3;c;more"}
    assert str(batch.dialect) == "utf-8, delimiter ;"


def test_a_lone_quote_costs_its_line_and_not_those_behind_it() -> None:
    [batch] = read(b'id,goal,story\nC1,1,"a\nC2,2,b\nC3,3,c\n')
    assert rows_of([batch])[1:] == [["C2", "2", "b"], ["C3", "3", "c"]]
    assert batch.unread == {0: "opens a quote that does not close"}


def test_only_what_is_wanted_is_read_and_words_for_missing_are_null() -> None:
    goals = RawColumns(
        lambda names: {"Goal": "goal", "ID": "id"}, missing_words=("NA",), own_missing_words={"ID": ("-",)}
    )
    [batch] = read(b"id,goal,story\nNA,NA,x\n-,-,y\n", wanted=goals)
    assert batch.rows.to_pylist() == [{"Goal": None, "ID": "NA"}, {"Goal": "-", "ID": None}]


def test_what_is_packed_is_measured_as_it_is_unpacked() -> None:
    import gzip

    packed = gzip.compress(b"id,goal,story\n" + b"C1,1,a\n" * 100_000)
    assert len(packed) < 10_000
    with pytest.raises(BadInput, match=r"a\.csv\.gz: it is longer than 100,000 bytes"):
        list(unpacked(io.BytesIO(packed), "a.csv.gz", 100_000))


def test_a_title_may_stand_before_the_header() -> None:
    text = "Campaigns, exported\nby hand;on 2026-11-22\n\nID;Goal;Story;Extra\nC1;1;a;x\nC2;2;b;y\n"
    [batch] = read(text.encode(), wanted=RawColumns(lambda names: {"id": "ID", "goal": "Goal"}))
    assert rows_of([batch]) == [["C1", "1"], ["C2", "2"]]
    assert not batch.unread


def test_a_header_of_a_million_columns_is_refused_with_its_line() -> None:
    with pytest.raises(BadInput, match=r"line 2 has more than 10,000 fields"):
        read(b"title\n" + b"a," * 1_000_000 + b"\n1,2\n")


def test_a_header_of_one_endless_name_is_refused() -> None:
    with pytest.raises(BadInput, match="a name in line 1, the header, is longer than any is read"):
        read(b"a" * 200_000 + b"\n1\n")


def test_the_header_is_left_out_of_the_first_records_alone() -> None:
    rows = [[f"C{number}", "1", "a" * 90] for number in range(3_000)]
    text = "\n".join(";".join(row) for row in [NAMES, *rows]).encode()
    batches = read(text, chunk=1 << 12)
    assert len(batches) > 1
    assert rows_of(batches) == rows
