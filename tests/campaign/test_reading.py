import gzip
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from campaign import synthetic
from campaign.batch import Batch
from campaign.encoding import Encoder
from campaign.errors import BadInput, StoreError
from campaign.identity import SeenIds
from campaign.reading import count_ignored, read_campaigns, read_outcomes
from campaign.schema import ID, LABEL
from campaign.schema_file import parse_schema
from campaign.store import Store
from tests.published import CATEGORIES, FEATURES, NAMES, NUMBERS, PUBLISHED_TOML, SCHEMA

ENCODER = Encoder.fit(FEATURES, {column.name: column.categories for column in FEATURES})
LARGEST = float(np.finfo(np.float32).max)
slow_fixture = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

Write = Callable[..., str]


@pytest.fixture
def campaigns() -> pd.DataFrame:
    """Twenty good campaigns with their label."""
    frame = pa.Table.from_batches(synthetic.campaigns(20)).to_pandas()
    return frame.astype(dict.fromkeys(CATEGORIES, "str"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Put a frame, table or bytes into the file of the day; gives its path."""

    def put(content: Any, name: str = "a.parquet", **options: Any) -> str:
        path = tmp_path / "incoming" / "day=2026-11-22" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif name.endswith(".parquet"):
            table = (
                pa.Table.from_pandas(content, preserve_index=False) if isinstance(content, pd.DataFrame) else content
            )
            pq.write_table(table, path, **options)
        else:
            content.to_csv(path, index=False, **options)
        return str(path)

    return put


def read(uri: str, seen: SeenIds | None = None, **options: Any) -> list[Batch]:
    return list(read_campaigns(uri, SCHEMA, seen=seen, **options))


def matrix(batches: list[Batch]) -> Any:
    return np.concatenate([ENCODER.encode(batch) for batch in batches])


def reasons(batches: list[Batch]) -> dict[int, list[str]]:
    """What is wrong with each bad row, counted from 1 in the file."""
    return {batch.first_row + row + 1: listed for batch in batches for row, listed in sorted(batch.reasons.items())}


def refusal(uri: str, **options: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(uri, **options)
    return caught.value


def text(frame: pd.DataFrame, **options: Any) -> str:
    return str(frame.to_csv(index=False, **options))


def zipped(frame: pd.DataFrame, *names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("data/campaigns.csv",):
            archive.writestr(name, text(frame))
        archive.writestr("__MACOSX/._campaigns.csv", b"\0\1")
    return packed.getvalue()


# What reads alike


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "A.CSV", "A.CSV.GZ"])
def test_good_campaigns_come_out_as_they_went_in(campaigns: pd.DataFrame, write: Write, name: str) -> None:
    options = {"compression": "gzip"} if name.lower().endswith("gz") else {}
    (batch,) = read(write(campaigns, name, **options), SeenIds(), label=True)
    assert batch.good.all()
    assert batch.reasons == {}
    assert batch.ids.to_pylist() == campaigns[ID].tolist()
    assert batch.label is not None
    assert batch.label.tolist() == campaigns[LABEL].tolist()
    for column in NUMBERS:
        assert batch.numbers[column].tolist() == campaigns[column].tolist()
    for column in CATEGORIES:
        assert batch.categories[column].to_pylist() == campaigns[column].tolist()


SPELLING = st.tuples(
    st.sampled_from([str, str.lower, str.upper, str.swapcase]),
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from(["", " "]),
)


@slow_fixture
@given(headers=st.lists(SPELLING, min_size=14, max_size=14), values=st.lists(SPELLING, min_size=20, max_size=20),
       order=st.permutations(range(14)), is_csv=st.booleans())  # fmt: skip
def test_case_and_spaces_of_headers_and_categories_and_the_order_of_columns_do_not_matter(
    campaigns: pd.DataFrame, write: Write, headers: Any, values: Any, order: Any, is_csv: bool
) -> None:
    def respell(text: str, spelling: Any) -> str:
        case, before, after = spelling
        return before + case(text) + after

    other = campaigns.copy()
    for name in CATEGORIES:
        other[name] = [respell(value, spelling) for value, spelling in zip(campaigns[name], values, strict=True)]
    other.columns = pd.Index(
        [respell(name, spelling) for name, spelling in zip(campaigns.columns, headers, strict=True)]
    )
    uri = write(other.iloc[:, list(order)], "b.csv" if is_csv else "b.parquet")
    batches = read(uri, SeenIds(), label=True)
    assert reasons(batches) == {}
    np.testing.assert_array_equal(matrix(batches), matrix(read(write(campaigns))))
    assert batches[0].ids.to_pylist() == campaigns[ID].tolist()


TEXTS: list[Any] = [
    pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int32(), pa.large_string()),
]  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS, ids=str)
@pytest.mark.parametrize("name", [ID, "Category", "GoalAmount"])
def test_every_type_of_text_reads_alike(campaigns: pd.DataFrame, write: Write, name: str, kind: pa.DataType) -> None:
    usual = read(write(campaigns))
    table = pa.Table.from_pandas(campaigns, preserve_index=False)
    at = table.schema.get_field_index(name)
    texts = table.column(at).cast(pa.string()).combine_chunks()
    if pa.types.is_dictionary(kind):
        encoded = texts.dictionary_encode()
        values = pa.DictionaryArray.from_arrays(
            encoded.indices.cast(kind.index_type), encoded.dictionary.cast(kind.value_type)
        )
    else:
        values = texts.cast(kind)
    batches = read(write(table.set_column(at, name, values)), SeenIds())
    assert reasons(batches) == {}
    np.testing.assert_array_equal(matrix(batches), matrix(usual))
    assert batches[0].ids.equals(usual[0].ids)


@pytest.mark.parametrize(
    "kind",
    [pa.uint8(), pa.int16(), pa.int32(), pa.float16(), pa.float32(), pa.decimal128(9, 2), pa.decimal256(40, 3)],
    ids=str,
)
def test_every_type_of_number_reads_alike(campaigns: pd.DataFrame, write: Write, kind: pa.DataType) -> None:
    table = pa.Table.from_pandas(campaigns, preserve_index=False)
    at = table.schema.get_field_index("DurationDays")
    durations = pa.array(campaigns["DurationDays"].to_numpy(), pa.float64())
    batches = read(write(table.set_column(at, "DurationDays", durations.cast(kind))))
    assert reasons(batches) == {}
    np.testing.assert_array_equal(matrix(batches), matrix(read(write(campaigns))))


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
@pytest.mark.parametrize(
    "yes_no", [(True, False), (1, 0), ("yes", "NO"), ("true", "False"), ("1", "0")], ids=lambda pair: repr(pair[0])
)
def test_a_video_is_yes_or_no_in_any_usual_form(campaigns: pd.DataFrame, write: Write, name: str, yes_no: Any) -> None:
    usual = matrix(read(write(campaigns)))
    other = campaigns.assign(VideoIncluded=[yes_no[value == "No"] for value in campaigns["VideoIncluded"]])
    np.testing.assert_array_equal(matrix(read(write(other, name))), usual)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
@pytest.mark.parametrize(
    "one_zero",
    [(1, 0), (1.0, 0.0), (True, False), ("1", "0"), ("Yes", "no "), ("TRUE", "false")],
    ids=lambda pair: repr(pair[0]),
)
def test_a_label_is_read_in_any_usual_form(campaigns: pd.DataFrame, write: Write, name: str, one_zero: Any) -> None:
    other = campaigns.assign(**{LABEL: [one_zero[value == 0] for value in campaigns[LABEL]]})
    (batch,) = read(write(other, name), label=True)
    assert batch.label is not None
    assert batch.label.tolist() == campaigns[LABEL].tolist()


@pytest.mark.parametrize("options", [{"row_group_size": 1}, {"row_group_size": 7}, {"compression": "snappy"}], ids=str)
@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_rows_do_not_depend_on_how_a_file_is_cut(
    campaigns: pd.DataFrame, write: Write, options: Any, batch_rows: int
) -> None:
    campaigns["NumUpdates"] = campaigns["NumUpdates"].astype("str")
    campaigns.loc[[0, 13, 19], "NumUpdates"] = "several"
    campaigns.loc[[0, 19], LABEL] = -1
    campaigns.loc[19, ID] = campaigns.loc[0, ID]
    whole, cut = (read(uri, SeenIds(), label=True, batch_rows=rows) for uri, rows in (
        (write(campaigns), 1000), (write(campaigns, "b.parquet", **options), batch_rows),
    ))  # fmt: skip
    assert reasons(cut) == reasons(whole)
    assert sorted(reasons(whole)) == [1, 14, 20]
    np.testing.assert_array_equal(matrix(cut), matrix(whole))
    assert [campaign_id for batch in cut for campaign_id in batch.ids.to_pylist()] == whole[0].ids.to_pylist()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: b"\r\n\n" + text,
        lambda text: text.rstrip(b"\n"),
        lambda text: b"\n".join(b",".join(b'"%s"' % cell for cell in line.split(b",")) for line in text.splitlines()),
        lambda text: text.replace(b"CampaignID", b'"Story, ""long""",CampaignID').replace(b"\nCID", b'\n"a,\nb",CID'),
    ],
    ids=["BOM", "CRLF", "CR", "blank lines first", "no last line end", "quoted", "line breaks in a quoted text"],
)
def test_a_csv_file_of_another_program_reads_alike(campaigns: pd.DataFrame, write: Write, change: Any) -> None:
    text = campaigns.to_csv(index=False).encode()
    batches = read(write(change(text), "a.csv"), SeenIds())
    assert reasons(batches) == {}
    assert batches[0].ids.to_pylist() == campaigns[ID].tolist()
    np.testing.assert_array_equal(matrix(batches), matrix(read(write(campaigns))))


def changed(old: str, new: str, *count: int) -> Any:
    return lambda frame: text(frame).replace(old, new, *count).encode()


def encoded(encoding: str) -> Any:
    return lambda frame: text(frame).encode(encoding)


def separated(delimiter: str, first: str = "") -> Any:
    return lambda frame: (first + text(frame, sep=delimiter)).encode()


WRITTEN = {
    "UTF-8 with BOM": ("a.csv", encoded("utf-8-sig")),
    "UTF-16": ("a.csv", encoded("utf-16")),
    "UTF-16 without BOM": ("a.csv", encoded("utf-16-le")),
    "cp1252": ("a.csv", encoded("cp1252")),
    "gzip": ("a.csv.gz", lambda frame: gzip.compress(text(frame).encode())),
    "gzip in two pieces": (
        "a.csv.gz",
        lambda frame: b"".join(gzip.compress(half.encode()) for half in (text(frame)[:500], text(frame)[500:])),
    ),
    "gzip called CSV": ("a.csv", lambda frame: gzip.compress(text(frame).encode())),
    "CSV called gzip": ("a.csv.gz", encoded("utf-8")),
    "zip": ("a.zip", zipped),
    "semicolons": ("a.csv", separated(";")),
    "tabs": ("a.tsv", separated("\t")),
    "bars": ("a.csv", separated("|")),
    "a delimiter said by a spreadsheet": ("a.csv", separated(";", "sep=;\r\n")),
    "comments": ("a.csv", separated(",", "# made, by hand\n#\n")),
    "an index": ("a.csv", lambda frame: frame.to_csv().encode()),
    "R's row names": ("a.csv", lambda frame: frame.to_csv().removeprefix(",").encode()),
    "a delimiter behind each row": ("a.csv", changed("\n", ",\n")),
    "behind each but the header": (
        "a.csv",
        lambda frame: text(frame).replace("\n", ",\n").replace(",\n", "\n", 1).encode(),
    ),
    "blank lines": ("a.csv", changed("\n", "\n\n \n,,,,,,,,,,,,,,\n")),
    "NUL bytes": ("a.csv", changed("CID", "C\0ID")),
    "texts of a spreadsheet": (
        "a.csv",
        lambda frame: re.sub("(CID_[0-9]+)", r'="\1"', text(frame, sep=";")).encode(),
    ),
    "zero-width spaces": (
        "a.csv",
        lambda frame: text(frame).replace("CID", "\u200bCID").replace("GoalA", "\ufeffGoalA").encode(),
    ),
}


@pytest.mark.parametrize(("name", "content"), WRITTEN.values(), ids=WRITTEN)
def test_a_text_reads_alike_however_it_is_written(
    campaigns: pd.DataFrame, write: Write, name: str, content: Any
) -> None:
    campaigns["Country"] = ["Côte d'Or", "Åland"] * 10
    batches = read(write(content(campaigns), name), SeenIds())
    assert reasons(batches) == {}
    assert batches[0].ids.to_pylist() == campaigns[ID].tolist()
    assert batches[0].categories["Country"].to_pylist() == campaigns["Country"].tolist()
    np.testing.assert_array_equal(matrix(batches), matrix(read(write(campaigns))))


def test_characters_that_are_broken_cost_themselves_alone(campaigns: pd.DataFrame, write: Write) -> None:
    campaigns["Country"] = ["Côte d'Or", "Åland"] * 10
    file = write(text(campaigns).encode().replace("Côte".encode(), b"C\xc3te", 1), "a.csv")
    (batch,) = read(file)
    assert batch.categories["Country"].to_pylist() == ["C\ufffdte d'Or", *campaigns["Country"][1:]]
    assert batch.written == "utf-8 (1 broken character), delimiter ,"


def test_a_file_that_is_not_in_the_encoding_that_the_schema_says_is_refused_by_line(
    campaigns: pd.DataFrame, write: Write
) -> None:
    said = parse_schema(PUBLISHED_TOML + '\n[text]\nencoding = "utf-8"\n')
    campaigns.loc[6, "Country"] = "Åland"
    file = write(text(campaigns).encode("latin-1"), "a.csv")
    with pytest.raises(BadInput, match=r"a.csv: line 8 is not in utf-8, which \[text\] encoding says"):
        list(read_campaigns(file, said))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("CID_1,3", "has 2 fields, the header has 14"),
        ("x" + ",1" * 14, "has 15 fields, the header has 14"),
        ('"CID_1' + ",1" * 13, "opens a quote that does not close"),
        (None, "is the header again"),
    ],
)
def test_a_line_that_is_no_row_costs_that_line(
    campaigns: pd.DataFrame, write: Write, line: str | None, reason: str
) -> None:
    header, *lines = text(campaigns).splitlines()
    file = write("\n".join([header, *lines[:5], line or header, *lines[5:]]).encode(), "a.csv")
    (batch,) = read(file, SeenIds())
    assert reasons([batch]) == {6: [reason]}
    assert batch.ids.filter(pa.array(batch.good)).to_pylist() == campaigns[ID].tolist()
    np.testing.assert_array_equal(matrix([batch])[batch.good], matrix(read(write(campaigns))))
    assert batch.rejected().select(["text", "row"]).to_pylist() == [{"text": line or header, "row": 6}]


@pytest.mark.parametrize("block", [400, 1_000, 1_500])
def test_a_csv_file_may_be_longer_than_a_block(
    campaigns: pd.DataFrame, write: Write, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("campaign.packing.CHUNK_BYTES", block)
    monkeypatch.setattr("campaign.text_file.SAMPLE_BYTES", block)
    campaigns.loc[17, "GoalAmount"] = -1
    batches = read(write(campaigns.assign(Story='one,\n"two"\n, three' * 4), "a.csv"), SeenIds())
    assert len(batches) > 1
    assert reasons(batches) == {18: ["GoalAmount is negative"]}
    np.testing.assert_array_equal(matrix(batches), matrix(read(write(campaigns))))


def test_other_columns_and_the_label_are_neither_read_nor_missed(campaigns: pd.DataFrame, write: Write) -> None:
    usual = matrix(read(write(campaigns.drop(columns=LABEL))))
    odd = campaigns.assign(**{LABEL: "maybe", "Story": [["a"]] * 20, "category_id": 3})
    batches = read(write(odd))
    assert reasons(batches) == {}
    assert batches[0].label is None
    np.testing.assert_array_equal(matrix(batches), usual)
    assert count_ignored(write(odd), SCHEMA) == 3


def test_a_category_that_nobody_has_heard_of_is_fashion_not_an_error(campaigns: pd.DataFrame, write: Write) -> None:
    campaigns.loc[3, "Category"] = " Podcast"
    (batch,) = read(write(campaigns))
    assert batch.good.all()
    assert batch.categories["Category"][3].as_py() == "Podcast"


@pytest.mark.parametrize("kind", ["file", "path", "relative path", "s3"])
def test_a_file_is_read_wherever_it_lies(
    campaigns: pd.DataFrame, write: Write, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(write(campaigns))
    uri = path.as_uri() if kind == "file" else str(path)
    if kind == "relative path":
        monkeypatch.chdir(path.parents[2])
        uri = "incoming/day=2026-11-22/a.parquet"
    if kind == "s3":
        request.getfixturevalue("s3")
        uri = Store("s3://campaign/reading").publish("incoming/day=2026-11-22/a.parquet", path.read_bytes()).uri
    (batch,) = read(uri)
    assert len(batch) == 20
    assert batch.source == "incoming/day=2026-11-22/a.parquet"


# What is quarantined

BAD_NUMBERS: list[tuple[Any, str]] = [
    (None, "is missing"),
    (float("nan"), "is missing"),
    (float("inf"), "is not finite"),
    (float("-inf"), "is not finite"),
    (1e39, "is not finite"),
    (-1e39, "is not finite"),
    (-1.0, "is negative"),
    (-1e-300, "is negative"),
]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
@pytest.mark.parametrize(("value", "reason"), BAD_NUMBERS)
def test_an_impossible_amount_is_quarantined_with_its_reason(
    campaigns: pd.DataFrame, write: Write, name: str, value: Any, reason: str
) -> None:
    campaigns["RaisedAmount"] = campaigns["RaisedAmount"].astype(object)
    campaigns.loc[4, "RaisedAmount"] = value
    frame = campaigns.astype({"RaisedAmount": "float64"})
    if name.endswith("csv") and value is not None and np.isnan(value):
        frame = frame.astype({"RaisedAmount": "str"})
    assert reasons(read(write(frame, name))) == {5: [f"RaisedAmount {reason}"]}


@pytest.mark.parametrize(
    ("value", "reason"), [(0, "not more than 0"), (-0.0, "not more than 0"), (-3, "not more than 0")]
)
def test_a_campaign_lasts_longer_than_nothing(campaigns: pd.DataFrame, write: Write, value: float, reason: str) -> None:
    campaigns["DurationDays"] = campaigns["DurationDays"].astype(float)
    campaigns.loc[0, "DurationDays"] = value
    assert reasons(read(write(campaigns))) == {1: [f"DurationDays is {reason}"]}


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [("many", "is not a number"), ("1,000", None), ("1,00", "is not a number"), ("", "is missing"),
     ("  ", "is missing"), ("-5", "is negative"), ("1e400", "is not finite"), (" 12 ", None), ("1.5e1", None),
     ("0", None)],
)  # fmt: skip
def test_a_number_written_as_text_is_read_and_other_text_is_quarantined(
    campaigns: pd.DataFrame, write: Write, name: str, text: str, reason: str | None
) -> None:
    campaigns["NumUpdates"] = campaigns["NumUpdates"].astype("str")
    campaigns.loc[6, "NumUpdates"] = text
    assert reasons(read(write(campaigns, name))) == ({7: [f"NumUpdates {reason}"]} if reason else {})


@slow_fixture
@given(
    st.dictionaries(
        st.sampled_from(NUMBERS),
        st.lists(
            st.none() | st.floats() | st.integers(-2, 2).map(float) | st.sampled_from([LARGEST, 3.5e38]),
            min_size=5,
            max_size=5,
        ),
    )
)
@example({"GoalAmount": [LARGEST, float(np.nextafter(LARGEST, np.inf)), -0.0, 5e-324, None]})
def test_a_row_is_good_exactly_when_physics_allows_each_of_its_numbers(
    campaigns: pd.DataFrame, write: Write, changes: dict[str, list[float | None]]
) -> None:
    frame = campaigns.head(5).assign(**{name: pd.Series(values, dtype=float) for name, values in changes.items()})
    (batch,) = read(write(frame))
    for row in range(5):
        wrong = []
        for name, values in changes.items():
            value = values[row]
            possible = value is not None and (value > 0 if name == "DurationDays" else value >= 0) and value <= LARGEST
            wrong += [] if possible else [name]
        assert batch.good[row] == (not wrong)
        assert sorted(reason.split()[0] for reason in batch.reasons.get(row, [])) == sorted(wrong)
    absent = {name: sum(value is None or np.isnan(value) for value in values) for name, values in changes.items()}
    assert batch.missing() == dict.fromkeys(NAMES, 0) | absent


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_category_that_is_missing_or_blank_is_quarantined(
    campaigns: pd.DataFrame, write: Write, name: str, value: Any
) -> None:
    campaigns.loc[[2, 5], "Country"] = value
    batches = read(write(campaigns, name))
    assert reasons(batches) == {3: ["Country is missing"], 6: ["Country is missing"]}
    assert batches[0].missing() == dict.fromkeys(NAMES, 0) | {"Country": 2}


def test_a_row_has_all_its_reasons_and_is_kept_as_it_came(campaigns: pd.DataFrame, write: Write) -> None:
    frame = campaigns.assign(VideoIncluded=campaigns["VideoIncluded"] == "Yes")
    frame = frame.astype({"NumBackers": "Int64", "GoalAmount": "float64", "DurationDays": "str"})
    frame.loc[8, ["GoalAmount", "NumBackers", "DurationDays", "Category"]] = [1e39, None, "a month", " FILM "]
    frame.loc[11, ID] = frame.loc[3, ID]
    batches = read(write(frame), SeenIds(), batch_rows=10)
    first, second = (batch.rejected().to_pylist() for batch in batches)
    assert first == [
        {name: None if pd.isna(value) else str(value) for name, value in frame.drop(columns=LABEL).loc[8].items()}
        | {
            "GoalAmount": "1e+39",
            "RaisedAmount": first[0]["RaisedAmount"],
            "VideoIncluded": str(frame.loc[8, "VideoIncluded"]).lower(),
            "source": "incoming/day=2026-11-22/a.parquet",
            "row": 9,
            "reasons": "GoalAmount is not finite; DurationDays is not a number; NumBackers is missing",
        }
    ]  # fmt: skip
    assert float(first[0]["RaisedAmount"]) == frame.loc[8, "RaisedAmount"]
    assert [(row["row"], row["reasons"]) for row in second] == [(12, f"{ID} was there before")]


def test_a_batch_without_a_bad_row_rejects_none_in_the_same_columns(campaigns: pd.DataFrame, write: Write) -> None:
    (batch,) = read(write(campaigns))
    assert len(batch.rejected()) == 0
    assert {*batch.rejected().schema.names} == {ID, *NAMES, "source", "row", "reasons"}


@pytest.mark.parametrize("batch_rows", [3, 1000])
def test_of_campaigns_with_one_id_the_first_is_kept(campaigns: pd.DataFrame, write: Write, batch_rows: int) -> None:
    campaigns.loc[[5, 6, 19], ID] = campaigns.loc[2, ID]
    batches = read(write(campaigns), SeenIds(), batch_rows=batch_rows)
    assert reasons(batches) == {row: [f"{ID} was there before"] for row in (6, 7, 20)}


def test_an_id_may_not_come_again_in_another_file_of_the_day(campaigns: pd.DataFrame, write: Write) -> None:
    seen = SeenIds()
    assert reasons(read(write(campaigns.head(12), "a.parquet"), seen)) == {}
    assert sorted(reasons(read(write(campaigns.tail(10), "b.csv"), seen))) == [1, 2]
    assert reasons(read(write(campaigns, "c.parquet"))) == {}  # without the ids seen so far


@pytest.mark.parametrize("bad", [None, 2, -1, 0.5, float("nan")])
def test_a_campaign_with_a_bad_label_is_quarantined(campaigns: pd.DataFrame, write: Write, bad: Any) -> None:
    frame = campaigns.astype({LABEL: "float64"})
    frame.loc[[0, 19], LABEL] = bad
    batches = read(write(frame, row_group_size=1), label=True)
    assert reasons(batches) == {row: [f"{LABEL} is missing or neither 0 nor 1"] for row in (1, 20)}


@pytest.mark.parametrize("content", ["empty", "null", "not a number"])
def test_a_column_of_nothing_costs_its_rows_and_is_counted(campaigns: pd.DataFrame, write: Write, content: str) -> None:
    no_values = {"empty": [""] * 20, "null": pa.nulls(20).to_pandas(), "not a number": np.full(20, np.nan)}[content]
    (batch,) = read(write(campaigns.assign(NumBackers=no_values)))
    assert batch.missing()["NumBackers"] == 20
    assert not batch.good.any()


# Ids of campaigns that have none


@pytest.mark.parametrize("lost", [None, "", "  ", "-", "NA", "null"])
def test_a_campaign_without_an_id_gets_one_of_its_own(campaigns: pd.DataFrame, write: Write, lost: Any) -> None:
    whole = read(write(campaigns.drop(columns=ID)))[0].ids.to_pylist()
    assert len(set(whole)) == 20
    partly = campaigns.copy()
    partly.loc[[1, 4], ID] = lost
    batches = read(write(partly), SeenIds())
    assert reasons(batches) == {}
    expected = campaigns[ID].tolist()
    expected[1], expected[4] = whole[1], whole[4]
    assert batches[0].ids.to_pylist() == expected


def test_that_id_is_the_same_in_every_format_spelling_and_cut(campaigns: pd.DataFrame, write: Write) -> None:
    anonymous = campaigns.drop(columns=ID)
    usual = read(write(anonymous))[0].ids.to_pylist()
    shouting = anonymous.rename(columns=str.upper).astype({"GOALAMOUNT": "float64"})
    shouting["CATEGORY"] = shouting["CATEGORY"].str.upper()
    for uri in (write(anonymous, "a.csv"), write(shouting, "b.csv"), write(shouting, row_group_size=3)):
        assert [campaign_id for batch in read(uri, batch_rows=4) for campaign_id in batch.ids.to_pylist()] == usual


def test_the_same_campaign_twice_without_an_id_counts_once(campaigns: pd.DataFrame, write: Write) -> None:
    twice = pd.concat([campaigns, campaigns.iloc[[7]]]).drop(columns=ID)
    assert sorted(reasons(read(write(twice), SeenIds()))) == [21]


def test_a_number_may_serve_as_an_id(campaigns: pd.DataFrame, write: Write) -> None:
    numbered = campaigns.assign(**{ID: range(20)})
    assert [read(write(numbered, name))[0].ids.to_pylist() for name in ("a.parquet", "a.csv")] == [
        [str(number) for number in range(20)]
    ] * 2


def test_outcomes_are_read_by_id_and_label_alone(campaigns: pd.DataFrame, write: Write) -> None:
    (batch,) = read_outcomes(write(campaigns[[LABEL, ID]]), SCHEMA)
    assert batch.ids.to_pylist() == campaigns[ID].tolist()
    assert batch.label is not None
    assert batch.label.tolist() == campaigns[LABEL].tolist()
    with pytest.raises(BadInput, match=f"column {ID} is missing"):
        list(read_outcomes(write(campaigns[[LABEL]]), SCHEMA))


# What is refused

FOLDER = "incoming/day=2026-11-22/"


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_missing_column_is_named_with_the_file_and_what_it_has(
    campaigns: pd.DataFrame, write: Write, name: str
) -> None:
    error = refusal(write(campaigns.rename(columns={"GoalAmount": "goal"}), name))
    assert error.cause.startswith(f"{FOLDER}{name}: column GoalAmount is missing (found: {ID}, goal, RaisedAmount, ")
    assert error.remedy == "Add it, or rename the column that holds it."


def test_a_label_that_is_asked_for_may_not_be_missing(campaigns: pd.DataFrame, write: Write) -> None:
    assert f"column {LABEL} is missing" in str(refusal(write(campaigns.drop(columns=LABEL)), label=True))


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
@pytest.mark.parametrize("twice", ["Country", ID])
def test_a_column_in_two_spellings_is_refused(campaigns: pd.DataFrame, write: Write, name: str, twice: str) -> None:
    error = refusal(write(campaigns.assign(**{f" {twice.upper()}": "x"}), name))
    assert (
        str(error) == f"{FOLDER}{name}: column {twice} is there 2 times ({twice},  {twice.upper()}). Keep one of them."
    )


MOMENTS = pd.Series(pd.date_range("2026-11-22", periods=20))


@pytest.mark.parametrize(
    ("column", "values", "cause"),
    [
        ("GoalAmount", MOMENTS, "has the type timestamp[us], not a number's"),
        ("GoalAmount", [[1]] * 20, "has the type list<element: int64>, not a number's"),
        ("GoalAmount", [b"\xff"] * 20, "holds bytes that are no text"),
        ("GoalAmount", ["Film"] * 20, "holds text such as 'Film', not numbers"),
        ("GoalAmount", [None, " "] + ["Film"] * 18, "holds text such as 'Film', not numbers"),
        ("LaunchMonth", MOMENTS, "has the type timestamp[us], not text"),
        ("LaunchMonth", range(20), "has the type int64, not text"),
        ("LaunchMonth", ["2026-11-22 17:05:00"] * 20, "holds '2026-11-22 17:05:00', a date"),
        ("Category", [["Film"]] * 20, "has the type list<element: string>, not text"),
        ("Category", [1.5] * 20, "has the type double, not text"),
        (ID, [["Film"]] * 20, "has the type list<element: string>, not text"),
        (ID, [b"\xff"] * 20, "holds bytes that are no text"),
        (LABEL, [[1]] * 20, "has the type list<element: int64>"),
        (LABEL, ["perhaps"] * 20, "holds neither 0 nor 1 (perhaps)"),
        (LABEL, [1, 2] * 10, "holds other words beside 1 (2), and never 0: its outcomes would be half read"),
        (LABEL, [None] * 20, "holds neither 0 nor 1"),
    ],
)
def test_a_column_of_the_wrong_type_is_refused_by_name_with_a_remedy(
    campaigns: pd.DataFrame, write: Write, column: str, values: Any, cause: str
) -> None:
    error = refusal(write(campaigns.assign(**{column: values})), label=True)
    assert error.cause == f"{FOLDER}a.parquet: column {column} {cause}."
    assert error.remedy.startswith("Write ")


def test_exchanged_columns_are_noticed(campaigns: pd.DataFrame, write: Write) -> None:
    exchanged = campaigns.rename(columns={"Category": "GoalAmount", "GoalAmount": "Category"})
    error = refusal(write(exchanged, "a.csv"))
    assert "column GoalAmount holds text such as " in error.cause
    assert "rename the columns if two were exchanged" in error.remedy


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz"])
def test_an_empty_file_is_refused_by_name(write: Write, name: str) -> None:
    assert str(refusal(write(b"", name))) == f"{FOLDER}{name}: the file is empty. Write it again."


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_file_without_rows_is_refused_by_name(campaigns: pd.DataFrame, write: Write, name: str) -> None:
    error = refusal(write(campaigns.head(0).astype({"NumBackers": "int64"}), name))
    assert error.cause == f"{FOLDER}{name}: it holds no rows."


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.9, 0.999, 0.9999])
def test_a_truncated_parquet_file_is_refused_by_name(
    campaigns: pd.DataFrame, write: Write, share: float, compression: str
) -> None:
    path = Path(write(campaigns, compression=compression))
    whole = path.read_bytes()
    path.write_bytes(whole[: max(int(len(whole) * share), 1)])
    error = refusal(str(path))
    assert error.cause.startswith(f"{FOLDER}a.parquet: it is ")
    assert error.remedy.endswith((" again.", "if it is CSV."))


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_damaged_parquet_file_is_refused_by_name_or_read_without_a_crash(
    campaigns: pd.DataFrame, write: Write, compression: str
) -> None:
    path = Path(write(campaigns, compression=compression))
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    causes = []
    for at in rng.integers(4, len(whole) - 8, 150):
        path.write_bytes(whole[:at] + rng.bytes(3) + whole[at + 3 :])
        try:
            for batch in read(str(path), SeenIds()):
                batch.rejected()
        except BadInput as error:
            causes.append(error.cause)
    assert len(causes) > 20
    assert all(cause.startswith(f"{FOLDER}a.parquet: ") for cause in causes)


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.parquet", lambda frame: frame.to_csv(index=False).encode(), "it is not a Parquet file (it begins with 'Ca"),
        ("a.csv", lambda frame: frame.to_parquet(), "it is not a text file"),
        ("a.csv", lambda frame: bytes(range(256)) * 9, "it is not a text file"),
        ("a.csv.gz", lambda frame: gzip.compress(frame.to_csv().encode())[:-30], "its gzip ends before it is complete"),
        ("a.zip", lambda frame: zipped(frame)[:-30], "it cannot be unzipped"),
        ("a.csv", lambda frame: zipped(frame, "xl/workbook.xml"), "it is an Excel workbook"),
        ("a.zip", lambda frame: zipped(frame, "a.csv", "b.csv"), "it is a zip of 2 files"),
        ("a.csv", lambda frame: b"\n\n\n", "it holds no rows"),
    ],
    ids=["CSV as Parquet", "Parquet as CSV", "bytes of all kinds", "truncated gzip", "truncated zip", "Excel",
         "two files", "blank"],
)  # fmt: skip
def test_a_file_that_is_not_what_its_name_says_is_refused_by_name(
    campaigns: pd.DataFrame, write: Write, name: str, content: Any, cause: str
) -> None:
    error = refusal(write(content(campaigns), name))
    assert error.cause.startswith(f"{FOLDER}{name}: {cause}")
    assert error.remedy


@pytest.mark.parametrize("uri", ["nowhere.parquet", "file:///nowhere/a.csv"])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(refusal(uri)) == f"{uri}: there is no such file. Check the path."


@pytest.mark.outer
@pytest.mark.usefixtures("s3")
def test_a_store_that_is_away_is_not_taken_for_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"Cannot read s3://campaign/a.parquet: .* Check CAMPAIGN_STORE"):
        read("s3://campaign/a.parquet")
