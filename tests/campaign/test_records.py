import csv
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import records
from campaign.errors import BadInput
from campaign.records import BLANK, GOOD, LONE_QUOTE, split_records

WIDTH = 3
VALUE = st.text(st.sampled_from('ab "\n\r')) | st.text(st.sampled_from('ab ",é'))
# One value at least keeps the row from being a blank line.
ROWS = st.lists(st.tuples(VALUE.map("x{}".format), *[VALUE] * (WIDTH - 1)), min_size=1, max_size=8)


def cut(data: bytes, seed: int) -> list[bytes]:
    """The same bytes in pieces, from one byte on."""
    places = sorted(random.Random(seed).sample(range(len(data)), min(4, len(data) - 1)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def parts(chunks: list[bytes], fields: int = WIDTH) -> list[tuple[int, str, int]]:
    """Line, text and kind of every record."""
    return [
        (int(line), found.data[start:end].decode(), int(kind))
        for found in split_records(chunks, ",", fields)
        for line, start, end, kind in zip(found.lines, found.starts, found.ends, found.kinds, strict=True)
    ]


@settings(deadline=None)
@given(rows=ROWS, ending=st.sampled_from(["\n", "\r\n"]), closed=st.booleans(), seed=st.integers(0, 99))
def test_what_a_csv_writer_wrote_comes_back_wherever_it_is_cut(rows, ending, closed, seed):
    written = io.StringIO()
    lone_returns = any("\r" in value for row in rows for value in row)  # which csv does not quote by itself
    quoting = csv.QUOTE_ALL if lone_returns else csv.QUOTE_MINIMAL
    csv.writer(written, lineterminator=ending, quoting=quoting).writerows(rows)
    text = written.getvalue() if closed else written.getvalue().removesuffix(ending)
    found = parts(cut(text.encode(), seed))
    assert [kind for _, _, kind in found] == [GOOD] * len(rows)
    assert [tuple(next(csv.reader(io.StringIO(record, newline="")))) for _, record, _ in found] == rows


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("text", "lone"),
    [
        ('1,"lone,3\n4,5,6\n7,8,9\n', ['1,"lone,3']),  # up to the end of the file
        ('1,"lone,3\n4,5,6\n7,"y",9\n', ['1,"lone,3']),  # up to the next quote, which opens another value
        ('1,"lone,3\n4,5,6\n7,x",9\n', ['1,"lone,3']),  # up to a quote that closes, but each line would be a row
        ('1,2,"lone', ['1,2,"lone']),
    ],
)
def test_a_lone_quote_costs_its_line(text, lone, seed):
    found = parts(cut(text.encode(), seed))
    assert [record for _, record, kind in found if kind == LONE_QUOTE] == lone
    assert [record for _, record, kind in found if kind == GOOD] == [
        line for line in text.splitlines() if line not in lone
    ]
    assert [line for line, _, _ in found] == [*range(1, len(found) + 1)]


def test_a_quote_within_a_value_is_a_character():
    assert parts([b'1,7" vinyl,3\n4,say ""hi"",6\n']) == [(1, '1,7" vinyl,3', GOOD), (2, '4,say ""hi"",6', GOOD)]


def test_lines_of_spaces_and_delimiters_are_blank():
    kinds = [kind for _, _, kind in parts([b"1,2,3\n\n  \t\n,,\n , ,\n4,,\n"])]
    assert kinds == [GOOD, BLANK, BLANK, BLANK, BLANK, GOOD]


def test_a_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 1_000)
    with pytest.raises(BadInput, match=r"a.csv: line 2 is longer than 1,000 bytes"):
        list(split_records([b"a,b\n", *[b"x" * 500] * 10], ",", 2, "a.csv"))
