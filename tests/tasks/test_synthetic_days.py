from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.errors import BadInput
from campaign.schema import ID, LABEL
from campaign.store import Store, filesystem_of
from campaign.synthetic import says_it_is_made_up
from tasks.synthetic_days import (
    generate_day,
    lacks_outcomes,
    refuse_to_mix,
    write_campaigns,
    write_outcomes,
    write_training_data,
)
from tests.published import NAMES

DAY = date(2026, 11, 22)


@pytest.fixture
def store(tmp_path, own_home, monkeypatch) -> Store:
    monkeypatch.setenv("CAMPAIGN_STORE", tmp_path.as_uri())
    return Store(tmp_path.as_uri())


def table(store: Store, path: str):
    filesystem, name = filesystem_of(store.at(path))
    return pq.read_table(name, filesystem=filesystem)


def test_campaigns_do_not_know_their_outcomes_which_come_later_for_the_same_ids(store):
    write_campaigns(store, DAY, 200, drift=1, flaws=0)
    assert lacks_outcomes(DAY)
    write_outcomes(store, DAY, 200, drift=1)
    assert not lacks_outcomes(DAY)
    campaigns = table(store, f"incoming/day={DAY}/campaigns.parquet")
    outcomes = table(store, f"outcomes/day={DAY}/outcomes.parquet")
    assert campaigns.column_names == [ID, *NAMES]
    assert outcomes.column_names == [ID, LABEL]
    assert outcomes[ID].equals(campaigns[ID])
    met = [
        raised >= goal
        for raised, goal in zip(campaigns["RaisedAmount"].to_pylist(), campaigns["GoalAmount"].to_pylist(), strict=True)
    ]
    assert outcomes[LABEL].to_pylist() == [int(row) for row in met]


def test_a_day_is_the_same_each_time_and_no_other_days(store):
    assert generate_day(DAY, 50, 1).equals(generate_day(DAY, 50, 1))
    assert not set(generate_day(DAY, 50, 1)[ID].to_pylist()) & set(
        generate_day(date(2026, 11, 23), 50, 1)[ID].to_pylist()
    )


def test_training_data_says_that_it_says_it_is_made_up(store, tmp_path):
    write_training_data(store, 120)
    assert table(store, "base/campaigns.parquet").num_rows == 120
    assert says_it_is_made_up(store.at("base/campaigns.parquet"))
    pq.write_table(table(store, "base/campaigns.parquet").replace_schema_metadata(None), tmp_path / "mine.parquet")
    (tmp_path / "mine.csv").write_text("a\n1\n")
    assert not says_it_is_made_up(str(tmp_path / "mine.parquet"))
    assert not says_it_is_made_up(str(tmp_path / "mine.csv"))


def test_a_day_with_campaigns_of_ones_own_gets_no_made_up_ones(store):
    mine = pa.table({ID: ["A1", "A2"]})
    pq.write_table(mine, made(store, f"outcomes/day={DAY}/mine.parquet"))
    with pytest.raises(BadInput, match=f"outcomes/day={DAY}/mine.parquet is not made up"):
        refuse_to_mix(store, DAY)
    refuse_to_mix(store, DAY + timedelta(days=1))


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "as files were before"])
def test_a_day_of_made_up_ones_is_written_again(store, marked):
    write_campaigns(store, DAY, 50, 1.0)
    if not marked:
        path = store.at(f"incoming/day={DAY}/campaigns.parquet").removeprefix("file://")
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
        assert not says_it_is_made_up(path)
    refuse_to_mix(store, DAY)


def test_a_text_file_is_somebodys_own(store):
    store.publish(f"incoming/day={DAY}/mine.csv", b"a\n1\n")
    with pytest.raises(BadInput, match=r"mine\.csv is not made up"):
        refuse_to_mix(store, DAY)


def made(store: Store, path: str) -> str:
    store.publish(path, b"")
    return store.at(path).removeprefix("file://")
