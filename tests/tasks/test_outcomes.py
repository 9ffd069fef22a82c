import pyarrow as pa
import pyarrow.parquet as pq

from campaign.identity import digests_of
from campaign.schema import ID, LABEL
from tasks.outcomes import NO_OUTCOME, Outcomes
from tests.published import SCHEMA


def written(path, ids: list, labels: list) -> str:
    pq.write_table(pa.table({ID: pa.array(ids, pa.string()), LABEL: labels}), path)
    return str(path)


def test_the_first_outcome_of_a_campaign_counts(tmp_path):
    uris = (
        written(tmp_path / "b.parquet", ["a", "b", None], [1, None, 1]),
        written(tmp_path / "c.parquet", ["a", "c"], [0, 1]),
    )
    outcomes = Outcomes.read(uris, SCHEMA)
    assert outcomes.of(pa.array(["c", "b", "a", "nobody"])).tolist() == [1, NO_OUTCOME, 1, NO_OUTCOME]
    assert len(outcomes.packed) == 2


def test_where_no_outcome_has_come_none_is_known():
    assert Outcomes.read((), SCHEMA).of(pa.array(["a"])).tolist() == [NO_OUTCOME]


def test_a_file_that_cannot_be_read_costs_its_own_rows_and_is_named(tmp_path):
    whole = written(tmp_path / "a.parquet", ["a", "b"], [1, 0])
    cut = tmp_path / "cut.parquet"
    cut.write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    (tmp_path / "under-way.csv").write_bytes(b"")
    coded = written(tmp_path / "coded.parquet", ["c", "d", "a"], [1, 2, 2])
    outcomes = Outcomes.read((str(cut), str(tmp_path / "under-way.csv"), coded, whole), SCHEMA)
    assert outcomes.of(pa.array(["a", "b", "c", "d"])).tolist() == [1, 0, NO_OUTCOME, NO_OUTCOME]
    assert [*outcomes.unread] == ["cut.parquet", "under-way.csv", "coded.parquet"]
    assert "damaged" in outcomes.unread["cut.parquet"]
    assert outcomes.unread_rows == 3  # of which it can be said how many there are


def test_a_file_without_rows_is_counted_and_rows_that_wait_are_no_error(tmp_path):
    none_yet = written(tmp_path / "none.parquet", [], pa.array([], pa.int8()))
    waiting = written(tmp_path / "waiting.parquet", ["a", "b"], pa.array([None, None], pa.int8()))
    whole = written(tmp_path / "whole.parquet", ["a"], [1])
    outcomes = Outcomes.read((none_yet, waiting, whole), SCHEMA)
    assert (outcomes.empty, outcomes.unread) == (["none.parquet"], {})
    assert outcomes.campaigns == 2
    assert outcomes.count_undecided(pa.array(["b", "c"])) == 1


def test_a_row_that_waits_has_come_and_one_without_an_id_is_nobodys(tmp_path):
    uri = written(tmp_path / "a.parquet", ["a", "b", None, None], [1, None, None, 0])
    outcomes = Outcomes.read((uri,), SCHEMA)
    assert outcomes.has_row(digests_of(pa.array(["a", "b", "c", ""]))).tolist() == [True, True, False, False]
    assert outcomes.campaigns == 2


def test_whose_outcome_has_come_waits_no_more(tmp_path):
    uris = (
        written(tmp_path / "a.parquet", ["a", "b"], [None, 1]),
        written(tmp_path / "b.parquet", ["a", "b"], [0, None]),
    )
    outcomes = Outcomes.read(uris, SCHEMA)
    assert outcomes.of(pa.array(["a", "b"])).tolist() == [0, 1]
    assert outcomes.campaigns == 2
