from datetime import date

import pyarrow.parquet as pq
import pytest

from campaign.schema import ID, LABEL
from campaign.store import Store, filesystem_of
from tasks.synthetic_days import generate_day, lacks_outcomes, write_campaigns, write_outcomes, write_training_data
from tasks.training.ingest import is_made_up
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


def test_training_data_says_that_it_is_made_up(store, tmp_path):
    write_training_data(store, 120)
    assert table(store, "base/campaigns.parquet").num_rows == 120
    assert is_made_up(store.at("base/campaigns.parquet"))
    pq.write_table(table(store, "base/campaigns.parquet").replace_schema_metadata(None), tmp_path / "mine.parquet")
    (tmp_path / "mine.csv").write_text("a\n1\n")
    assert not is_made_up(str(tmp_path / "mine.parquet"))
    assert not is_made_up(str(tmp_path / "mine.csv"))
