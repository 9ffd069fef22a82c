import re
from dataclasses import replace
from datetime import date
from functools import partial
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.schema import ID
from campaign.store import Store
from tasks.scoring.pieces import (
    Piece,
    Plan,
    UnreadableInput,
    every_row_has_an_id,
    plan_day,
    rows_to_expect,
    split_among_tasks,
)
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


def test_a_row_group_of_which_half_has_room_joins_the_piece_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", 150)
    assert spans(planned(tmp_path / "half", [campaigns(200)])) == [[(0, (0, 1), 0, 200)]]
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", 149)
    assert spans(planned(tmp_path / "less", [campaigns(200)])) == [[(0, (0,), 0, 100)], [(0, (1,), 100, 100)]]


@pytest.mark.parametrize("piece_rows", [100, 1_000])
def test_each_piece_knows_its_own_repeats_by_their_place_in_it(tmp_path, monkeypatch, piece_rows):
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", piece_rows)
    table = campaigns(300)
    twice = pa.concat_tables([table.slice(0, 150), table.slice(0, 100), table.slice(7, 1), table.slice(150, 49)])
    found = [(span.first_row, span.repeated.tolist()) for piece in planned(tmp_path, [twice]).pieces
             for span in piece.spans]  # fmt: skip
    groups = [(0, []), (100, [*range(50, 100)]), (200, [*range(51)])]
    assert found == (groups if piece_rows == 100 else [(0, [*range(150, 251)])])


@pytest.mark.parametrize("piece_rows", [7, 1_000])
def test_equal_rows_without_an_id_are_no_repeats_and_each_piece_knows_its_own_by_their_place(
    store, model, monkeypatch, piece_rows
):
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", piece_rows)
    monkeypatch.setattr("tasks.scoring.pieces.read_campaigns", partial(read_campaigns, batch_rows=3))
    spans = [span for piece in plan_day(store, DAY, input_files(store, DAY), model).pieces for span in piece.spans]
    assert [row for span in spans for row in span.repeated] == []
    numbered = {(span.place, span.first_row + row): made for span in spans for row, made in span.numbered}
    assert [*numbered] == [(0, row) for row in (*range(2, 20), *range(21, 30))] + [(1, 1)]
    first, *_, last = numbered.values()
    assert (first[-2:], last[-2:]) == ("-2", "-2")
    assert [numbered[0, row].rpartition("-")[2] for row in range(21, 30)] == [str(count) for count in range(2, 11)]
    assert all(0 <= row < span.rows for span in spans for row, _ in span.numbered)


def test_rows_without_an_id_that_differ_are_no_repeats(tmp_path):
    table = campaigns(40)
    ids = [None if row in (3, 5) else name for row, name in enumerate(table.column(ID).to_pylist())]
    [piece] = planned(tmp_path, [table.set_column(0, ID, [ids])]).pieces
    assert piece.spans[0].repeated.tolist() == []


def test_room_is_made_for_the_rows_of_the_parquet_files_that_are_read(tmp_path):
    store = Store(tmp_path.as_uri())
    planned(tmp_path, [campaigns(20, "a"), campaigns(30, "b"), campaigns(40, "c")])
    store.publish(f"incoming/day={DAY}/d.csv", b"a,b\n1,2\n")
    assert rows_to_expect(store, input_files(store, DAY), {1: "no Parquet"}) == 60


@pytest.mark.parametrize(
    ("ids", "known"),
    [
        (["a", "b"], True),
        ([7, 8], True),
        (["a", None], False),
        (["", "a"], False),
        ([" a", "b"], False),  # spaces alone may stand between them
        (["-", "a"], False),
        (["(", "-"], False),
        (["+", "z"], False),
        (["(", ","], True),
        (["NA", "NB"], False),  # a word for a missing value
        (["A", "Z"], False),
        (["Na", "Nb"], False),
        (["NO", "NT"], True),
    ],
)
def test_a_file_says_by_its_statistics_whether_each_row_has_an_id(tmp_path, ids, known):
    """Then no other column is read for the ids."""
    pq.write_table(pa.table({ID: ids, "GoalAmount": [1.0] * len(ids)}), tmp_path / "a.parquet", row_group_size=2)
    assert every_row_has_an_id(pq.read_metadata(tmp_path / "a.parquet"), SCHEMA) is known


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ({"GoalAmount": [1.0]}, {}),
        ({ID: ["a"], f" {ID.lower()}": ["b"]}, {}),
        ({ID: ["a"]}, {"write_statistics": False}),
        ({ID: [b"a"], "GoalAmount": [1.0]}, {"write_statistics": ["GoalAmount"]}),
        ({ID: pa.array([None], pa.string())}, {}),
        ({ID: ["a", "b", None, "c"]}, {"row_group_size": 2}),
    ],
    ids=["no id", "two", "no statistics", "none of the id", "nothing but nulls", "the last row group"],
)
def test_a_file_that_does_not_say_so_is_not_taken_to(tmp_path, table, options):
    pq.write_table(pa.table(table), tmp_path / "a.parquet", **options)
    assert not every_row_has_an_id(pq.read_metadata(tmp_path / "a.parquet"), SCHEMA)


def test_a_writer_that_does_not_count_missing_values_says_nothing_of_them():
    statistics = SimpleNamespace(has_null_count=False, has_min_max=True, null_count=None, min="a", max="b")
    column = SimpleNamespace(path_in_schema=ID, statistics=statistics)
    group = SimpleNamespace(num_columns=1, column=lambda at: column)
    metadata = SimpleNamespace(num_row_groups=1, row_group=lambda number: group)
    assert not every_row_has_an_id(metadata, SCHEMA)
    statistics.has_null_count, statistics.null_count = True, 0
    assert every_row_has_an_id(metadata, SCHEMA)


def test_a_text_is_a_piece_of_its_own_with_all_its_rows(tmp_path):
    store = Store(tmp_path.as_uri())
    for number in range(2):
        text = campaigns(30 + number, f"{number}_").to_pandas().to_csv(index=False)
        store.publish(f"incoming/day={DAY}/{number}.csv", text.encode())
    plan = plan_day(store, DAY, input_files(store, DAY), MODEL)
    assert spans(plan) == [[(0, (), 0, 30)], [(1, (), 0, 31)]]
    assert [part.rows for part in plan.inputs] == [30, 31]
    names = [piece.path.partition("/")[2] for piece in plan.pieces]
    assert [re.sub("-[0-9a-f]{12}-", "-", name) for name in names] == ["part-00000.parquet", "part-00001.parquet"]
