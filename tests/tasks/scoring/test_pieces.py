from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.schema import ID
from campaign.store import Store
from tasks.scoring.pieces import Piece, Plan, UnreadableInput, plan_day, split_among_tasks
from tasks.scoring.score import input_files
from tests.published import FEATURES, KNOWN_CATEGORIES, SCHEMA

DAY = date(2026, 11, 22)
MODEL = ScoringModel("m", "1", SCHEMA, Encoder.fit(FEATURES, KNOWN_CATEGORIES), None)


def planned(tmp_path, tables: list[pa.Table], group_rows: int = 100, model: ScoringModel = MODEL) -> Plan:
    store = Store(tmp_path.as_uri())
    for number, table in enumerate(tables):
        with store.writing(f"incoming/day={DAY}/{number}.parquet") as sink:
            pq.write_table(table, sink, row_group_size=group_rows)
    return plan_day(store, DAY, input_files(store, DAY), model)


def campaigns(rows: int, prefix: str = "a") -> pa.Table:
    return pa.Table.from_batches(synthetic.campaigns(rows, prefix=prefix))


def spans(plan: Plan) -> list[list[tuple]]:
    return [[(span.place, span.groups, span.first_row, span.rows) for span in piece.spans] for piece in plan.pieces]


def test_every_row_group_is_in_one_piece_in_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", 200)
    plan = planned(tmp_path, [campaigns(450, "a"), campaigns(50, "b"), campaigns(150, "c")])
    assert spans(plan) == [
        [(0, (0, 1), 0, 200)],
        [(0, (2, 3), 200, 200)],
        [(0, (4,), 400, 50), (1, (0,), 0, 50), (2, (0,), 0, 100)],
        [(2, (1,), 100, 50)],
    ]
    assert [part.rows for part in plan.inputs] == [450, 50, 150]


def test_small_files_share_a_piece_and_a_part(tmp_path):
    plan = planned(tmp_path, [campaigns(30, str(number)) for number in range(12)])
    assert len(plan.pieces) == 1
    assert plan.pieces[0].path.endswith("-00000.parquet")


def test_an_id_that_came_before_is_known_wherever_it_came(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", 100)
    first, second = campaigns(250, "a"), campaigns(50, "b")
    table = pa.concat_tables([second, first.slice(20, 5), second.slice(3, 1)])
    plan = planned(tmp_path, [first, table])
    repeated = {
        (span.place, span.first_row + int(row))
        for piece in plan.pieces
        for span in piece.spans
        for row in span.repeated
    }
    assert repeated == {(1, row) for row in range(50, 56)}


@pytest.mark.parametrize("absent", [None, ""])
@pytest.mark.parametrize("statistics", [True, False])
def test_rows_without_an_id_are_told_apart_by_their_values(tmp_path, absent, statistics):
    table = campaigns(40)
    ids = table.column(ID).to_pylist()
    table = pa.concat_tables([table.set_column(0, ID, [[*ids[:39], absent]])] * 2)
    store = Store(tmp_path.as_uri())
    with store.writing(f"incoming/day={DAY}/0.parquet") as sink:
        pq.write_table(table, sink, write_statistics=statistics)
    [piece] = plan_day(store, DAY, input_files(store, DAY), MODEL).pieces
    assert piece.spans[0].repeated.tolist() == [*range(40, 80)]


def test_a_file_without_rows_is_an_input_of_the_day_and_no_piece_of_it(tmp_path):
    plan = planned(tmp_path, [campaigns(40), campaigns(40).slice(0, 0)])
    assert [part.rows for part in plan.inputs] == [40, 0]
    assert len(plan.pieces) == 1


@pytest.mark.parametrize(("count", "most", "sizes"), [(3, 400, [3]), (9, 400, [3, 3, 3]), (10, 2, [5, 5]), (1, 9, [1])])
def test_pieces_are_split_among_no_more_tasks_than_prefect_is_to_have(count, most, sizes):
    pieces = [Piece(str(number), ()) for number in range(count)]
    lists = split_among_tasks(pieces, most)
    assert [len(share) for share in lists] == sizes
    assert [piece for share in lists for piece in share] == pieces


def test_the_same_inputs_and_version_have_the_same_parts(tmp_path):
    first, second = (planned(tmp_path / name, [campaigns(50)]) for name in ("a", "b"))
    assert first.pieces[0].path != second.pieces[0].path  # another store is another input
    again = planned(tmp_path / "a", [campaigns(50)])
    assert again.pieces[0].path == first.pieces[0].path
    assert np.array_equal(again.pieces[0].spans[0].repeated, first.pieces[0].spans[0].repeated)


@pytest.mark.parametrize(
    ("rows", "differently"), [(50, {"version": "2"}), (50, {"name": "n"}), (51, {})], ids=["version", "model", "inputs"]
)
def test_what_another_version_or_other_inputs_leave_has_other_names(tmp_path, rows, differently):
    """A writer overwrites no part that a manifest of another lists."""
    before = planned(tmp_path, [campaigns(50)])
    after = planned(tmp_path, [campaigns(rows)], model=replace(MODEL, **differently))
    assert {piece.path for piece in before.pieces}.isdisjoint(piece.path for piece in after.pieces)


def test_ignored_columns_are_those_of_the_file_that_has_most(tmp_path):
    more = campaigns(20, "b").append_column("Mood", pa.array(["good"] * 20))
    least = planned(tmp_path / "least", [campaigns(20)]).ignored_columns
    assert planned(tmp_path / "more", [more, campaigns(20)]).ignored_columns == least + 1


def test_an_input_at_fault_is_not_read_again_and_stands_in_the_plan_with_its_fault(tmp_path):
    store = Store(tmp_path.as_uri())
    planned(tmp_path, [campaigns(20, "a"), campaigns(30, "b")])
    store.publish(f"incoming/day={DAY}/0.parquet", b"no Parquet")
    entries = input_files(store, DAY)
    with pytest.raises(UnreadableInput) as caught:
        plan_day(store, DAY, entries, MODEL)
    plan = plan_day(store, DAY, entries, MODEL, {caught.value.place: "no Parquet"})
    assert [(part.rows, part.fault) for part in plan.inputs] == [(0, "no Parquet"), (30, "")]
    assert spans(plan) == [[(1, (0,), 0, 30)]]
    # It is another input once it is whole.
    planned(tmp_path, [campaigns(20, "a"), campaigns(30, "b")])
    assert plan_day(store, DAY, input_files(store, DAY), MODEL).pieces[0].path != plan.pieces[0].path
