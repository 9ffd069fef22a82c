from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.schema import ID, LABEL
from tasks.labelled_days import LabelledDay
from tasks.training.gathered_day import GatheredDay, add_day
from tasks.training.gathering import Gathering, canonical_schema
from tests.published import SCHEMA

DAY, ROWS = "2026-11-22", 40
CAMPAIGNS = pa.Table.from_batches(synthetic.campaigns(ROWS, prefix="day_"))


def written(path: Path, table: pa.Table) -> str:
    pq.write_table(table, path)
    return str(path)


def outcomes_of(ids: list[str], labels: list[int | None]) -> pa.Table:
    return pa.table({ID: ids, LABEL: pa.array(labels, pa.int64())})


@pytest.fixture
def learn(tmp_path):
    """What comes of a day of these files of outcomes, and how many rows can be learnt from."""
    bad = CAMPAIGNS.column("GoalAmount").to_pylist()
    bad[3] = None
    at = CAMPAIGNS.schema.get_field_index("GoalAmount")
    campaigns = CAMPAIGNS.drop([LABEL]).set_column(at, "GoalAmount", pa.array(bad, pa.float64()))
    files = tuple(written(tmp_path / f"{n}.parquet", campaigns.slice(20 * n, 20)) for n in range(2))

    def learn(*outcomes: str, campaigns: tuple[str, ...] = files) -> tuple[GatheredDay, int]:
        with pq.ParquetWriter(tmp_path / "gathered.parquet", canonical_schema(SCHEMA)) as writer:
            gathering = Gathering(writer, SCHEMA, None)
            return add_day(gathering, LabelledDay(DAY, campaigns, outcomes), SCHEMA, ()), gathering.rows

    return learn


IDS = CAMPAIGNS.column(ID).to_pylist()


def test_a_day_counts_what_is_of_its_campaigns_and_for_how_many_good_ones_an_outcome_has_come(learn, tmp_path):
    """Ten campaigns are decided, of which one is bad; two wait; three rows are of nobody, one came twice."""
    first = outcomes_of(IDS[:10], [1, 0] * 5)
    second = outcomes_of([*IDS[20:22], "x", "y", "z", IDS[0]], [None, None, 1, 0, 1, 1])
    day, rows = learn(*(written(tmp_path / f"o{n}.parquet", table) for n, table in enumerate((first, second))))
    assert (rows, day.bad) == (9, 1)
    assert day.outcomes_share == 11 / 39
    assert (day.joined, day.unjoined) == (13, 3)
    assert day.remarks == []


def test_rows_of_a_file_that_cannot_be_read_are_of_no_campaign(learn, tmp_path):
    whole = written(tmp_path / "whole.parquet", outcomes_of(IDS[:10], [1, 0] * 5))
    coded = written(tmp_path / "coded.parquet", outcomes_of(IDS[10:14], [1, 2, 3, 4]))
    day, rows = learn(whole, coded)
    assert (rows, day.joined, day.unjoined) == (9, 10, 4)
    [remark] = day.remarks
    assert remark.startswith(f"{DAY} is learnt from without coded.parquet")


def test_outcomes_of_which_most_are_of_nobody_are_remarked_on_with_both_sides(learn, tmp_path):
    strangers = [name.upper() for name in IDS[10:30]]
    day, rows = learn(written(tmp_path / "o.parquet", outcomes_of([*IDS[:10], *strangers], [1, 0] * 15)))
    assert (rows, day.joined, day.unjoined) == (9, 10, 20)
    assert day.remarks[0].startswith(f"20 of the 30 outcomes of {DAY} are of no campaign of that day")
    assert "They differ in case" in day.remarks[0]


def test_a_file_of_campaigns_that_cannot_be_read_costs_its_own_rows(learn, tmp_path):
    whole = written(tmp_path / "whole.parquet", CAMPAIGNS.drop([LABEL]).slice(0, 20))
    lacking = written(tmp_path / "lacking.parquet", CAMPAIGNS.select([ID]))
    empty = written(tmp_path / "empty.parquet", CAMPAIGNS.slice(0, 0))
    outcomes = written(tmp_path / "o.parquet", outcomes_of(IDS, [1, 0] * 20))
    day, rows = learn(outcomes, campaigns=(lacking, empty, whole))
    assert (rows, day.outcomes_share) == (20, 1.0)
    assert (day.joined, day.unjoined) == (20, 20)
    assert day.remarks[0].startswith(f"{DAY} is learnt from in part: lacking.parquet")


def test_a_day_without_a_good_campaign_has_no_share_of_outcomes(learn, tmp_path):
    empty = written(tmp_path / "empty.parquet", CAMPAIGNS.slice(0, 0))
    day, rows = learn(written(tmp_path / "o.parquet", outcomes_of(["x"], [1])), campaigns=(empty,))
    assert (rows, day.outcomes_share, day.joined, day.unjoined) == (0, 0.0, 0, 1)
