from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.errors import BadInput
from campaign.model import ScoringModel
from campaign.schema import ID, LABEL
from campaign.schema_file import parse_schema
from campaign.store import Store
from tasks.labelled_days import find_labelled_days, unseen_labels
from tasks.monitoring.retraining_call import count_outcomes
from tasks.training.ingest import Sources
from tasks.training.validate import Dataset, gather
from tests.published import FEATURES, LAUNCH, NAMES, SCHEMA, SCHEMAS

DAY = "2026-11-22"


def campaigns(rows: int, seed: int = 1, prefix: str = "base_") -> pa.Table:
    return pa.Table.from_batches(synthetic.campaigns(rows, seed, prefix))


def put(path: Path, table: pa.Table) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    (pacsv.write_csv if path.suffix == ".csv" else pq.write_table)(table, path)
    return str(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "gathered").mkdir()
    return tmp_path / "gathered"


@pytest.fixture
def base(tmp_path) -> str:
    return put(tmp_path / "base.parquet", campaigns(200))


@pytest.fixture
def store(tmp_path) -> Store:
    return Store((tmp_path / "store").as_uri())


def arrive(store: Store, table: pa.Table, outcomes: pa.Table, day: str = DAY) -> None:
    """A day's campaigns, and outcomes for it."""
    for kind, arrived in (("incoming", table.drop([LABEL])), ("outcomes", outcomes)):
        with store.writing(f"{kind}/day={day}/{kind}.parquet") as sink:
            pq.write_table(arrived, sink)


def gathered(base: str, folder: Path, store: Store | None = None, features: str = "published") -> Dataset:
    days = find_labelled_days(store) if store else ()
    return gather(Sources(base, base, days), folder, SCHEMAS[features])[0]


def replaced(table: pa.Table, column: str, at: int, value: object) -> pa.Table:
    values = table.column(column).to_pylist()
    values[at] = value
    return table.set_column(table.schema.get_field_index(column), column, pa.array(values))


def test_the_base_and_every_labelled_day_are_learnt_from(base, folder, store):
    day = campaigns(50, 2, "day_")
    arrive(store, day, day.select([ID, LABEL]))
    data = gathered(base, folder, store)
    table = pq.read_table(data.path)
    assert (data.rows, data.bad, data.days) == (250, 0, {DAY: 50})
    assert table.column("LabelledDay").to_pylist() == [""] * 200 + [DAY] * 50
    assert table.column(ID).to_pylist() == [*campaigns(200).column(ID).to_pylist(), *day.column(ID).to_pylist()]
    assert table.column(LABEL).to_pylist()[200:] == day.column(LABEL).to_pylist()


def test_rows_without_an_outcome_wait_for_theirs(base, folder, store):
    day = campaigns(50, 2, "day_")
    strangers = pa.table({ID: ["nobody"], LABEL: pa.array([1], pa.int64())})
    known = day.select([ID, LABEL]).slice(30, 5).take([4, 2, 0, 1, 3])  # in an order of their own
    arrive(store, day, pa.concat_tables([known, strangers]))
    data = gathered(base, folder, store)
    assert data.outcomes_share == {DAY: 0.1}
    table = pq.read_table(data.path).slice(200)
    assert table.select([ID, LABEL]).to_pylist() == day.select([ID, LABEL]).slice(30, 5).to_pylist()


def test_outcomes_without_any_value_leave_their_day_waiting(base, folder, store):
    day = campaigns(50, 2, "day_")
    arrive(store, day, day.select([ID, LABEL]).slice(0, 1).set_column(0, ID, [["nobody"]]))
    assert gathered(base, folder, store).rows == 200


def test_an_outcome_that_came_twice_or_holds_nothing_is_no_news_for_ever(base, folder, store):
    """What a model learnt from is counted like what there is, or it would be called to learn it again and again."""
    day = campaigns(50, 2, "day_")
    outcomes = replaced(pa.concat_tables([day.select([ID, LABEL])] * 2), LABEL, 7, None)
    arrive(store, day, outcomes)
    data = gathered(base, folder, store)
    assert data.rows == 250
    model = ScoringModel("model", "1", SCHEMA, None, None, {"days": data.days, "unjoined": data.unjoined})
    assert unseen_labels(model, count_outcomes(store, model, {})) == {}


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("GoalAmount", None, "GoalAmount is missing"),
        ("RaisedAmount", -1.0, "RaisedAmount is negative"),
        ("DurationDays", 0, "DurationDays is not more than 0"),
        ("Country", None, "Country is missing"),
        (LABEL, None, f"{LABEL} is missing or neither 0 nor 1"),
        (LABEL, 2, f"{LABEL} is missing or neither 0 nor 1"),
        (ID, "base_00000", f"{ID} was there before"),
    ],
)
def test_a_bad_row_is_given_back_with_its_reason(tmp_path, folder, column, value, reason):
    base = put(tmp_path / "base.parquet", replaced(campaigns(200), column, 7, value))
    data, rejected = gather(Sources(base, base, ()), folder, SCHEMA)
    [row] = pa.concat_tables(rejected).to_pylist()
    assert (row["reasons"], row["row"], row["source"]) == (reason, 8, "base.parquet")
    assert (data.rows, data.bad) == (199, 1)
    assert campaigns(200).column(ID)[7].as_py() not in pq.read_table(data.path).column(ID).to_pylist()


def test_bad_rows_of_a_day_are_left_out_like_when_it_was_scored(base, folder, store):
    day = campaigns(50, 2, "day_")
    outcomes = day.select([ID, LABEL])
    twice = pa.concat_tables([replaced(day, "GoalAmount", 3, None), day.slice(0, 10)])
    arrive(store, twice, outcomes)
    data = gathered(base, folder, store)
    assert data.rows == 249
    assert data.bad == 0


def test_a_data_set_of_bad_rows_alone_is_refused_with_a_reason(tmp_path, folder):
    table = campaigns(20)
    base = put(tmp_path / "base.parquet", table.set_column(1, "GoalAmount", [[None] * 20]))
    with pytest.raises(BadInput, match=r"every row is bad .*GoalAmount is missing"):
        gathered(base, folder)
    assert [*folder.rglob("*.parquet")] == []


def test_the_digest_is_that_of_the_content(tmp_path, base, folder):
    data = gathered(base, folder)
    again = gathered(put(tmp_path / "elsewhere" / "copy.parquet", campaigns(200)), folder)
    assert (again.digest, again.path) == (data.digest, data.path)
    changed = put(tmp_path / "changed.parquet", replaced(campaigns(200), "NumUpdates", 7, 3))
    assert gathered(changed, folder).digest != data.digest
    assert gathered(base, folder, features="launch").digest != data.digest


def test_csv_and_parquet_of_the_same_campaigns_are_the_same_data(tmp_path, base, folder):
    table = campaigns(200)
    plain = table.set_column(table.schema.get_field_index("Category"), "Category", table["Category"].cast(pa.string()))
    for column in ("LaunchMonth", "Country", "Currency", "VideoIncluded"):
        plain = plain.set_column(plain.schema.get_field_index(column), column, plain[column].cast(pa.string()))
    csv = put(tmp_path / "base.csv", plain)
    assert gathered(csv, folder).digest == gathered(base, folder).digest


def test_launch_reads_only_what_is_known_at_launch(tmp_path, folder):
    late = [column.name for column in FEATURES if column not in LAUNCH.features]
    base = put(tmp_path / "base.parquet", campaigns(200).drop(late))
    names = pq.read_schema(gathered(base, folder, features="launch").path).names
    assert {*names} == {ID, *NAMES, LABEL, "LabelledDay"} - {*late}


def test_nothing_half_written_is_left_after_a_refusal(tmp_path, folder):
    base = put(tmp_path / "base.parquet", campaigns(200).drop(["GoalAmount"]))
    with pytest.raises(BadInput, match="column GoalAmount is missing"):
        gathered(base, folder)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_the_digest_is_of_values_whatever_their_layout(tmp_path, folder):
    table = pa.Table.from_batches(synthetic.campaigns(3_000))
    digests = set()
    for number, rows in enumerate((100, 3_000)):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path, row_group_size=rows)
        digests.add(gather(Sources(str(path), str(path), ()), folder, SCHEMA)[0].digest)
    assert len(digests) == 1


SHOP = """
[model]
name = "shop"
[row]
id = "id"
{row}
[outcome]
column = "sold"
success = ["yes"]
failure = ["no"]
[[column]]
name = "price"
type = "number"
known = "at launch"
"""
ROWS = """id,price,begun,over,sold
a,1,2026-01-01,2026-01-03,yes
b,2,2026-01-02 12:00,2026-01-02 13:00,waits
c,3,2026-01-05,,no
"""
SECONDS = 86_400.0


def times_in(tmp_path: Path, row: str, days: Store | None = None) -> Dataset:
    (tmp_path / "shop.csv").write_text(ROWS)
    path = str(tmp_path / "shop.csv")
    days_to_learn = find_labelled_days(days) if days else ()
    return gather(Sources(path, path, days_to_learn), tmp_path, parse_schema(SHOP.format(row=row)))[0]


def test_when_rows_were_launched_and_decided_is_kept_where_the_schema_tells(tmp_path):
    assert not times_in(tmp_path, "").times.exists()
    data = times_in(tmp_path, 'launch = "begun"\nend = "over"')
    days = (np.load(data.times) - 1_767_225_600) / SECONDS  # since 2026-01-01
    np.testing.assert_array_equal(days, [[0, 2], [4, np.nan]])
    assert data.digest not in (times_in(tmp_path, "").digest, times_in(tmp_path, 'order = "time"').digest)


def test_rows_in_order_are_numbered_and_those_of_labelled_days_come_after_them(tmp_path, store):
    table = pa.table({"id": ["d", "e"], "price": [4.0, 5.0]})
    outcomes = pa.table({"id": ["d", "e"], "sold": ["no", "yes"]})
    arrive(store, table.append_column(LABEL, [[0, 1]]), outcomes)
    assert np.load(times_in(tmp_path, 'order = "time"', store).times).tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
    launched = np.load(times_in(tmp_path, 'launch = "begun"', store).times)[:, 0]
    assert ((launched - 1_767_225_600) / SECONDS).tolist() == [0, 4, 325, 325]
