import gzip
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.encoding import Encoder
from campaign.errors import BadInput
from campaign.reading import read_campaigns
from campaign.schema_file import parse_schema
from campaign.store import Store
from campaign.warm_up import smallest_forest
from tasks.manifest import read_manifest
from tasks.scoring.pieces import plan_day
from tasks.scoring.score import input_files
from tasks.scoring.scored_pieces import add_counts, score_all, score_inputs

DAY = date(2026, 11, 22)
ONE_COLUMN = smallest_forest(1)
CALLS_OF_ANOTHER_SCHEMA = """
[model]
name = "calls"
[outcome]
column = "y"
success = ["yes"]
failure = ["no"]
[[column]]
name = "age"
type = "number"
known = "at launch"
"""


def test_equal_rows_without_an_id_get_the_same_ids_however_the_day_is_cut(store, model, monkeypatch):
    def ids(piece_rows: int, batch_rows: int = 1_000) -> list[str]:
        monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", piece_rows)
        monkeypatch.setattr(
            "tasks.scoring.scored_pieces.read_campaigns", partial(read_campaigns, batch_rows=batch_rows)
        )
        plan = plan_day(store, DAY, input_files(store, DAY), model)
        pieces = score_all(store, plan.pieces, model)
        assert sum(piece.rows.quarantined for piece in pieces) == 1
        return [name for piece in pieces for name in pd.read_parquet(piece.part.uri)["CampaignID"]]

    whole = ids(1_000)
    assert len(set(whole)) == len(whole) == 41
    assert ids(7) == ids(1_000, batch_rows=3) == whole
    of_file = read_campaigns(store.at(f"incoming/day={DAY}/a.parquet"), model.schema)
    assert [name for batch in of_file for name in batch.ids.to_pylist()][:39] == whole[:39]


def test_the_manifest_counts_all_pieces_together(store, model, monkeypatch):
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", 7)
    manifest = score_inputs(store, DAY, input_files(store, DAY), model, lambda pieces: score_all(store, pieces, model))
    assert (manifest.rows.read, manifest.rows.scored, manifest.rows.quarantined) == (42, 41, 1)
    assert [part.rows for part in manifest.inputs] == [40, 2]
    assert manifest.predicted_success == 22
    assert sum(part.rows for part in manifest.quarantine) == 1
    assert (manifest.model, manifest.model_version) == ("calls", "3")


@pytest.mark.usefixtures("far_from_utc")
def test_a_manifest_says_when_the_day_was_scored_in_utc(store, model):
    before = datetime.now(UTC).replace(microsecond=0)
    manifest = score_inputs(store, DAY, input_files(store, DAY), model, lambda pieces: score_all(store, pieces, model))
    scored_at = datetime.fromisoformat(manifest.scored_at)
    assert scored_at.utcoffset() == timedelta(0)
    assert before <= scored_at <= datetime.now(UTC)


def test_a_repeat_is_rejected_in_its_own_row_whatever_batches_and_row_groups_it_is_read_in(
    tmp_path, model, monkeypatch
):
    store, names = Store(tmp_path.as_uri()), [f"c{number}" for number in range(20)]
    for row in (4, 10, 11, 19):
        names[row] = "c0"
    frame = pd.DataFrame({column.name: np.zeros(20) for column in model.schema.features}).assign(CampaignID=names)
    with store.writing(f"incoming/day={DAY}/a.parquet") as sink:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink, row_group_size=7)
    monkeypatch.setattr("tasks.scoring.scored_pieces.read_campaigns", partial(read_campaigns, batch_rows=3))
    for piece_rows in (1_000, 7):  # three row groups in one span, and in one each
        monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", piece_rows)
        pieces = score_all(store, plan_day(store, DAY, input_files(store, DAY), model).pieces, model)
        rejected = pd.concat([pd.read_parquet(piece.quarantine.uri) for piece in pieces if piece.quarantine])
        assert rejected["row"].tolist() == [5, 11, 12, 20]  # people count from 1
        assert set(rejected["CampaignID"]) == {"c0"}
        scored = pd.concat([pd.read_parquet(piece.part.uri) for piece in pieces])
        assert scored["CampaignID"].tolist() == [name for row, name in enumerate(names) if row == 0 or name != "c0"]


def test_an_input_that_cannot_be_read_is_named_and_the_others_are_scored(store, model):
    store.publish(f"incoming/day={DAY}/aa.parquet", b"no Parquet")
    store.publish(f"incoming/day={DAY}/notes.txt", b"")
    manifest = score_inputs(store, DAY, input_files(store, DAY), model, lambda pieces: score_all(store, pieces, model))
    assert [part.rows for part in manifest.inputs] == [40, 0, 2]
    assert ["aa.parquet" in part.fault for part in manifest.inputs] == [False, True, False]
    assert manifest.rows.scored == 41
    assert manifest.unread == ["notes.txt"]
    assert read_manifest(store, DAY) == manifest
    for name in ("a", "b"):
        store.publish(f"incoming/day={DAY}/{name}.parquet", b"no Parquet")
    with pytest.raises(BadInput):
        score_inputs(store, DAY, input_files(store, DAY), model, lambda pieces: score_all(store, pieces, model))


def test_a_column_without_a_missing_value_is_counted_too(store, model):
    """Or its chart would end on the day on which nothing was missing."""
    manifest = score_inputs(store, DAY, input_files(store, DAY), model, lambda pieces: score_all(store, pieces, model))
    assert manifest.missing == dict.fromkeys((column.name for column in model.schema.features), 0)
    assert manifest.unknown == {}  # it has no categories


def test_counts_of_the_same_names_are_added_up_and_zeros_kept():
    assert add_counts([Counter(a=1, b=0), Counter(a=2, c=3)]) == {"a": 3, "b": 0, "c": 3}


def test_a_day_of_parquet_and_text_loses_no_row(store, model):
    frame = pd.DataFrame({column.name: np.zeros(20) for column in model.schema.features}).assign(age=range(100, 120))
    header, *lines = frame.to_csv(index=False, sep=";").splitlines()
    odd = [*lines[:4], "1;2", "", '"lone' + ";0" * 11, *lines[4:], lines[0].replace("100", "-2")]
    with store.writing(f"incoming/day={DAY}/a.csv.gz") as sink:
        sink.write(gzip.compress("\r\n".join([header, *odd]).encode("utf-16")))
    with store.writing(f"incoming/day={DAY}/c.TSV") as sink:
        sink.write(frame.assign(age=77).to_csv(index=False, sep="\t").encode())
    manifest = score_inputs(store, DAY, input_files(store, DAY), model, lambda pieces: score_all(store, pieces, model))
    assert {part.uri.rpartition("/")[2]: part.rows for part in manifest.inputs} == {
        "a.csv.gz": 23, "a.parquet": 40, "b.parquet": 2, "c.TSV": 20,
    }  # fmt: skip
    assert (manifest.rows.read, manifest.rows.scored, manifest.rows.quarantined) == (85, 81, 4)
    rejected = pd.concat([pd.read_parquet(part.uri) for part in manifest.quarantine])
    assert rejected.set_index("row")["reasons"].to_dict() == {
        5: "has 2 fields, the header has 12",
        6: "opens a quote that does not close",
        23: "age is negative",
        40: "age is negative",
    }
    assert rejected.set_index("row")["text"].dropna().to_dict() == {5: "1;2", 6: '"lone' + ";0" * 11}
    scored = pd.concat([pd.read_parquet(part.uri) for part in manifest.parts])
    assert scored["CampaignID"].is_unique


def test_a_challenger_leaves_the_predictions_as_they_are_and_its_own_beside_them(store, model, monkeypatch):
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", 7)
    pieces = plan_day(store, DAY, input_files(store, DAY), model).pieces
    alone = score_all(store, pieces, model)
    challenger = replace(model, version="4", threshold=1.5)
    both = score_all(store, pieces, model, challenger)
    assert [piece.part for piece in both] == [piece.part for piece in alone]  # digests among them
    assert [(piece.quarantine, piece.rows, piece.read) for piece in both] == [
        (piece.quarantine, piece.rows, piece.read) for piece in alone
    ]
    assert [piece.shadow.part.rows for piece in both] == [piece.part.rows for piece in both]
    assert {piece.shadow.fault for piece in both} == {""}
    for piece in both:
        predictions, shadow = pd.read_parquet(piece.part.uri), pd.read_parquet(piece.shadow.part.uri)
        columns = ["CampaignID", "probability"]
        pd.testing.assert_frame_equal(shadow[columns], predictions[columns])
        assert set(shadow["model_version"]) == {"4"}
        assert piece.shadow.successful == 0  # by its own threshold


def test_a_challenger_of_another_schema_reads_the_rows_by_its_own(store, model):
    other = parse_schema(CALLS_OF_ANOTHER_SCHEMA)
    challenger = replace(model, version="4", schema=other, encoder=Encoder(other.features, {}), predictor=ONE_COLUMN)
    [piece] = score_all(store, plan_day(store, DAY, input_files(store, DAY), model).pieces, model, challenger)
    assert piece.shadow.fault == ""
    assert piece.shadow.part.rows == piece.part.rows + 1  # an age may be negative by it


def test_a_challenger_that_cannot_read_the_day_is_a_fault_of_the_shadow_alone(store, model):
    other = parse_schema(CALLS_OF_ANOTHER_SCHEMA.replace('"age"', '"reach"'))
    challenger = replace(model, version="4", schema=other, encoder=Encoder(other.features, {}), predictor=ONE_COLUMN)
    [piece] = score_all(store, plan_day(store, DAY, input_files(store, DAY), model).pieces, model, challenger)
    assert "column reach is missing" in piece.shadow.fault
    assert piece.part.rows == 41
    assert store.entries("shadow", hidden=True) == []
