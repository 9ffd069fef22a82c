from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from campaign.schema_file import parse_schema
from campaign.store import Store
from tasks.replay.arrivals import BASE, write_arrivals, write_beginning
from tasks.replay.history import read_history
from tasks.replay.periods import periods_of
from tests.made_up_history import TOML, make_projects, write_projects


@pytest.fixture
def world(tmp_path):
    """A store, the projects as a frame with times, and periods of months from March on."""
    projects = make_projects(120, 5)
    data, _ = write_projects(tmp_path, projects)
    history = read_history(str(data), parse_schema(TOML))
    frame = projects.assign(
        launched=pd.to_datetime(projects["launched"]), deadline=pd.to_datetime(projects["deadline"])
    )
    return Store((tmp_path / "store").as_uri()), history, frame, periods_of(history, date(2024, 3, 1), "month")


def read(store: Store, folder: str) -> pd.DataFrame:
    return pd.concat(
        [pd.read_parquet(store.at(entry.path)).assign(path=entry.path) for entry in store.entries(folder)],
        ignore_index=True,
    )


def test_it_begins_with_what_had_ended_and_what_runs_waits_without_its_outcome(world):
    store, history, projects, periods = world
    assert write_beginning(store, history, periods[0]) == (projects["deadline"] < "2024-03-01").sum()
    base = pd.read_parquet(store.at(BASE))
    assert set(base["ID"]) == set(projects["ID"][projects["deadline"] < "2024-03-01"])
    running = projects[(projects["launched"] < "2024-03-01") & (projects["deadline"] >= "2024-03-01")]
    incoming = read(store, "incoming")
    assert set(incoming["ID"]) == set(running["ID"])
    assert not {"state", "pledged"} & {*incoming.columns}
    assert not store.entries("outcomes")


def test_campaigns_lie_in_the_day_of_their_launch_and_outcomes_come_when_they_end(world):
    store, history, projects, periods = world
    write_beginning(store, history, periods[0])
    known = set(pd.read_parquet(store.at(BASE))["ID"])
    for period in periods:
        write_arrivals(store, history, period)
        moment = period.moment.replace(tzinfo=None)
        incoming, outcomes = read(store, "incoming"), read(store, "outcomes")
        launched = projects[projects["launched"] < moment]
        assert set(incoming["ID"]) == set(launched["ID"]) - known
        assert set(outcomes["ID"]) == set(projects["ID"][projects["deadline"] < moment]) - known
        day = dict(zip(projects["ID"], projects["launched"].dt.date.astype(str), strict=True))
        for rows in (incoming, outcomes):
            assert all(f"/day={day[row.ID]}/" in row.path for row in rows.itertuples())
    assert outcomes.columns.tolist() == ["ID", "state", "path"]


def test_what_is_there_already_stays_as_it_is(world):
    store, history, _, periods = world
    write_beginning(store, history, periods[0])
    write_arrivals(store, history, periods[0])
    before = store.entries("")
    write_beginning(store, history, periods[0])
    write_arrivals(store, history, periods[0])
    assert store.entries("") == before


def test_who_ends_at_the_moment_itself_has_not_ended_before_it(tmp_path):
    projects = make_projects(60, 5)
    projects.loc[0, ["launched", "deadline"]] = ["2024-01-10 12:00:00", "2024-02-01"]
    data, _ = write_projects(tmp_path, projects)
    history = read_history(str(data), parse_schema(TOML))
    store, (first, *_) = Store((tmp_path / "store").as_uri()), periods_of(history, date(2024, 2, 1), "month")
    assert first.moment - timedelta(days=29) == datetime(2024, 2, 1, tzinfo=UTC)
    write_beginning(store, history, first)
    assert projects["ID"][0] not in set(pd.read_parquet(store.at(BASE))["ID"])
    write_arrivals(store, history, first)
    assert projects["ID"][0] in set(read(store, "outcomes")["ID"])


def test_who_is_launched_at_the_moment_itself_comes_with_the_period_that_begins_then(tmp_path):
    projects = make_projects(60, 5)
    projects.loc[[0, 1], "launched"] = ["2024-02-01 00:00:00", "2024-02-02 00:00:00"]
    projects.loc[[0, 1], "deadline"] = "2024-02-20"
    history = read_history(str(write_projects(tmp_path, projects)[0]), parse_schema(TOML))
    store, (first, second, *_) = Store((tmp_path / "store").as_uri()), periods_of(history, date(2024, 2, 1), "day")
    for write, period, until in (
        (write_beginning, first, "2024-02-01"),
        (write_arrivals, first, "2024-02-02"),
        (write_arrivals, second, "2024-02-03"),
    ):
        write(store, history, period)
        launched = projects[projects["launched"] < until]
        assert set(read(store, "incoming")["ID"]) == set(launched["ID"]) - set(pd.read_parquet(store.at(BASE))["ID"])


def test_who_is_never_decided_is_in_neither_what_is_known_nor_what_runs_when_it_begins(tmp_path):
    projects = make_projects(60, 5)
    projects.loc[0, ["launched", "deadline"]] = ["2024-01-10 12:00:00", ""]
    history = read_history(str(write_projects(tmp_path, projects)[0]), parse_schema(TOML))
    store = Store((tmp_path / "store").as_uri())
    write_beginning(store, history, periods_of(history, date(2024, 2, 1), "month")[0])
    known, running = pd.read_parquet(store.at(BASE))["ID"], read(store, "incoming")["ID"]
    assert projects["ID"][0] not in {*known, *running}


def test_outcomes_of_a_day_that_come_in_two_periods_are_two_files(world):
    store, history, _, periods = world
    for period in periods:
        write_arrivals(store, history, period)
    names = {entry.path.rpartition("/")[2] for entry in store.entries("outcomes")}
    assert {f"until-{period.end}.parquet" for period in periods} >= names
    assert len(names) > 1
    assert read(store, "outcomes")["ID"].is_unique
