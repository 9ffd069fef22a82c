from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from campaign.batch import Batch
from campaign.encoding import MISSING_CATEGORY, MISSING_NUMBER, UNKNOWN_CATEGORY, Encoder
from campaign.errors import BadInput
from campaign.identity import SeenIds
from campaign.reading import read_campaigns, read_outcomes
from campaign.schema import LABEL
from campaign.schema_file import parse_schema

PROJECTS = """
[model]
name = "projects"
[row]
id = "ID"
[outcome]
column = "state"
success = ["successful"]
failure = ["failed"]
[[column]]
name = "GoalUSD"
source = "usd_goal"
type = "number"
known = "at launch"
minimum = 0
[[column]]
name = "age"
type = "number"
known = "at launch"
nullable = true
missingValues = ["", "-1"]
[[column]]
name = "country"
type = "category"
known = "at launch"
nullable = true
missingValues = [""]
[[column]]
name = "Days"
type = "number"
known = "at launch"
derive = { days_between = ["launched", "deadline"] }
minimum = 0
"""
SCHEMA = parse_schema(PROJECTS)
NO_ID = parse_schema(PROJECTS.replace('[row]\nid = "ID"\n', ""))
ROWS = pd.DataFrame({
    "ID": [1, 2, 3, 4],
    "usd_goal": [100.0, 250.0, 0.0, 75.0],
    "age": [30.0, -1.0, None, 41.0],
    "country": ["NA", "de", None, "fr"],
    "launched": ["2015-08-01", "2015-08-02 06:00:00", "2015-08-03", "2015-08-09"],
    "deadline": ["2015-08-31", "2015-09-01", "2015-09-02", "2015-08-08"],
    "state": ["successful", "failed", "live", "FAILED "],
})  # fmt: skip


def write(folder: Path, frame: pd.DataFrame, name: str) -> str:
    path = folder / name
    frame.to_csv(path, index=False) if name.endswith(".csv") else frame.to_parquet(path, index=False)
    return str(path)


@pytest.fixture(params=["a.parquet", "a.csv"])
def batch(request: Any, tmp_path: Path) -> Batch:
    (batch,) = read_campaigns(write(tmp_path, ROWS, request.param), SCHEMA, seen=SeenIds(), label=True)
    return batch


def test_columns_are_read_from_their_sources_under_their_own_names(batch: Batch) -> None:
    assert batch.numbers["GoalUSD"].tolist() == [100, 250, 0, 75]
    assert batch.numbers["Days"][:3].tolist() == [30, 29.75, 30]
    assert [*batch.categories] == ["country"]


def test_a_missing_value_of_a_nullable_column_is_a_value_and_not_a_bad_row(batch: Batch) -> None:
    assert np.isnan(batch.numbers["age"]).tolist() == [False, True, True, False]
    assert batch.categories["country"].to_pylist() == ["NA", "de", None, "fr"]
    assert batch.missing()["age"] == 2
    matrix = Encoder.fit(SCHEMA.features, {"country": ["DE", "NA"]}).encode(batch)
    assert matrix[:, 1].tolist() == [30, MISSING_NUMBER, MISSING_NUMBER, 41]
    assert matrix[:, 2].tolist() == [1, 0, MISSING_CATEGORY, UNKNOWN_CATEGORY]
    assert Encoder.fit(SCHEMA.features, {"country": ["DE", "NA"]}).count_unknown(matrix) == {"country": 1}


def test_a_span_that_ends_before_it_begins_is_missing_and_so_its_row_is_bad(batch: Batch) -> None:
    assert batch.reasons == {3: ["Days is missing"]}
    [rejected] = batch.rejected().to_pylist()
    assert (rejected["usd_goal"], rejected["row"], rejected["reasons"]) == ("75.0", 4, "Days is missing") or (
        rejected["usd_goal"], rejected["row"]) == ("75", 4)  # fmt: skip


def test_words_tell_outcomes_and_another_word_is_not_decided_yet(batch: Batch) -> None:
    assert batch.label is not None
    assert batch.label[:2].tolist() == [1, 0]
    assert np.isnan(batch.label[2])
    assert batch.label[3] == 0


def test_a_rule_over_two_numbers_tells_outcomes_too(tmp_path: Path) -> None:
    rule = SCHEMA.to_table() | {"outcome": {"success": {"at_least": ["pledged", "usd_goal"]}}}
    schema = type(SCHEMA).model_validate(rule)
    frame = ROWS.assign(pledged=[100.0, 249.0, None, 80.0])
    (batch,) = read_campaigns(write(tmp_path, frame, "a.parquet"), schema, label=True)
    assert batch.label is not None
    assert batch.label.tolist()[:2] == [1, 0]
    assert np.isnan(batch.label[2])


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (pd.DataFrame({"ID": [1.0, 2.0], "state": ["failed", "successful"]}), [0, 1]),
        (pd.DataFrame({"CampaignID": ["1", "2"], LABEL: [0, 1]}), [0, 1]),
        (pd.DataFrame({"id": [" 1", "2"], "STATE": ["Failed", "Successful"]}), [0, 1]),
        (pd.DataFrame({"ID": [1, 2], LABEL: ["no", "yes"]}), [0, 1]),
    ],
    ids=["the schema's names", "the project's names", "any case", "mixed"],
)
def test_outcome_files_may_use_the_names_of_either(tmp_path: Path, frame: pd.DataFrame, expected: list[int]) -> None:
    (batch,) = read_outcomes(write(tmp_path, frame, "a.parquet"), SCHEMA)
    assert batch.label is not None
    assert batch.label.tolist() == expected
    first = SeenIds()
    assert not first.repeats(batch.ids).any()
    assert first.repeats(pd_ids(["1", "2"])).all()


def pd_ids(names: list[str]) -> Any:
    import pyarrow as pa

    return pa.array(names, pa.string())


def test_rows_without_an_id_are_told_apart_by_what_is_known_at_launch_and_equal_ones_by_their_count(
    tmp_path: Path,
) -> None:
    frame = pd.concat([ROWS.head(3), ROWS.head(1), ROWS.head(1)]).drop(columns=["ID"])
    whole = read_campaigns(write(tmp_path, frame, "a.parquet"), NO_ID, seen=SeenIds())
    ids = [name for batch in whole for name in batch.ids.to_pylist()]
    assert len(set(ids)) == 5
    assert ids[3:] == [f"{ids[0]}-2", f"{ids[0]}-3"]
    in_csv = read_campaigns(write(tmp_path, frame, "a.csv"), NO_ID, batch_rows=2)
    assert [name for batch in in_csv for name in batch.ids.to_pylist()] == ids
    later = frame[["usd_goal", "age", "country", "launched", "deadline", "state"]]
    outcomes = read_outcomes(write(tmp_path, later, "outcomes.parquet"), NO_ID)
    assert [name for batch in outcomes for name in batch.ids.to_pylist()] == ids


@pytest.mark.parametrize("name", ["usd_goal", "country", "launched"])
def test_rows_without_an_id_are_told_apart_by_any_of_what_is_known_at_launch(tmp_path: Path, name: str) -> None:
    frame = pd.concat([ROWS.head(1)] * 2, ignore_index=True).drop(columns=["ID"])
    frame.loc[1, name] = next(value for value in ROWS[name] if value != frame[name][0])
    [batch] = read_campaigns(write(tmp_path, frame, "a.csv"), NO_ID)
    first, second = batch.ids.to_pylist()
    assert second not in (first, f"{first}-2")


def test_outcomes_without_what_tells_rows_apart_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.parquet: column launched is missing"):
        list(read_outcomes(write(tmp_path, ROWS.drop(columns=["launched"]), "a.parquet"), NO_ID))
    with pytest.raises(BadInput, match=r"a\.parquet: column ID is missing"):
        list(read_outcomes(write(tmp_path, ROWS.drop(columns=["ID"]), "a.parquet"), SCHEMA))


def test_a_column_of_no_times_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.parquet: column launched has the type bool, not a time's"):
        list(read_campaigns(write(tmp_path, ROWS.assign(launched=True), "a.parquet"), SCHEMA))
    with pytest.raises(BadInput, match=r"a\.parquet: column launched holds '1' and no time"):
        list(read_campaigns(write(tmp_path, ROWS.assign(launched=1), "a.parquet"), SCHEMA))


def test_a_file_in_which_no_outcome_is_decided_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"column state holds neither failed nor successful"):
        list(read_campaigns(write(tmp_path, ROWS.assign(state="live"), "a.parquet"), SCHEMA, label=True))


WITH_TIMES = parse_schema(PROJECTS.replace('id = "ID"', 'id = "ID"\nlaunch = "launched"\nend = "deadline"'))


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_an_impossible_date_costs_its_row_with_that_reason(tmp_path: Path, name: str) -> None:
    frame = ROWS.assign(
        launched=["2015-08-01", "1970-01-01 01:00:00", "soon", "2015-08-09"],
        deadline=["2015-08-31", "2015-09-01", "2015-09-02", "2015-08-08"],
    )
    (batch,) = read_campaigns(write(tmp_path, frame, name), WITH_TIMES)
    assert {row: reasons[0] for row, reasons in batch.reasons.items()} == {
        1: "launched is before 1971",
        2: "launched is no time",
        3: "deadline is before launched",
    }


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_text_that_is_too_long_costs_its_row_and_its_beginning_is_kept(tmp_path: Path, name: str) -> None:
    words = '[[column]]\nname = "Words"\ntype = "number"\nknown = "at launch"\nderive = { words = "title" }\n'
    described = parse_schema(PROJECTS + words)
    frame = ROWS.head(3).assign(
        ID=["1", "2" * 201, "3"], country=["c" * 201, "de", "fr"], title=["a b", "a b", "long " * 4_001]
    )
    (batch,) = read_campaigns(write(tmp_path, frame, name), described)
    assert batch.reasons == {
        0: ["country is longer than 200 characters"],
        1: ["CampaignID is longer than 200 characters"],
        2: ["title is longer than 20,000 characters"],
    }
    assert len(batch.rejected().column("title")[2].as_py()) == 20_000


def test_numbers_and_times_follow_what_the_schema_says_of_its_texts(tmp_path: Path) -> None:
    european = parse_schema(PROJECTS + '[text]\ndecimalChar = ","\ngroupChar = "."\ndateOrder = "DMY"\n')
    frame = ROWS.head(2).assign(
        usd_goal=["1.234,50 €", "43.445"], age=["-1", "2,5"], launched=["01.08.2015", "2.8.2015 06:00"],
        deadline=["31.08.2015", "1439294400"],
    )  # fmt: skip
    file = tmp_path / "a.csv"
    frame.to_csv(file, sep=";", encoding="cp1252", index=False)
    (batch,) = read_campaigns(str(file), european)
    assert batch.reasons == {}
    assert batch.numbers["GoalUSD"].tolist() == [1234.5, 43_445]
    assert batch.numbers["age"].tolist()[1] == 2.5
    assert batch.numbers["Days"].tolist() == [30, 9.25]
    assert batch.written == "cp1252, delimiter ;"


@pytest.mark.parametrize("written", ["True", "TRUE", "yes", "Y", "1", "1.0", "t", "on"])
def test_a_yes_is_one_in_any_usual_form(tmp_path: Path, written: str) -> None:
    frame = ROWS.head(2).assign(country=[written, "no"])
    (batch,) = read_campaigns(write(tmp_path, frame, "a.csv"), SCHEMA)
    encoder = Encoder.fit(SCHEMA.features, {"country": ["false", "true"]})
    assert encoder.encode(batch)[:, 2].tolist() == [1, 0]


def test_rows_in_json_lines_are_those_of_any_other_file(tmp_path: Path) -> None:
    ROWS.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    (batch,) = read_campaigns(str(tmp_path / "a.jsonl"), SCHEMA, label=True)
    (same,) = read_campaigns(write(tmp_path, ROWS, "a.parquet"), SCHEMA, label=True)
    assert batch.ids.to_pylist() == same.ids.to_pylist()
    assert batch.reasons == same.reasons
    np.testing.assert_array_equal(batch.numbers["Days"], same.numbers["Days"])
    np.testing.assert_array_equal(batch.label, same.label)
    assert batch.written == "utf-8, JSON lines"
