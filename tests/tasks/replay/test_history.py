from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from campaign.errors import BadInput
from campaign.schema_file import parse_schema
from tasks.replay.history import days_of, read_history
from tasks.training.ingest import Sources
from tasks.training.validate import gather
from tests.made_up_history import TOML, make_projects, write_projects

SCHEMA = parse_schema(TOML)


def test_rows_stand_in_the_order_of_their_launch_with_what_became_of_them(tmp_path):
    projects = make_projects(20, 5)
    data, _ = write_projects(tmp_path, projects)
    history = read_history(str(data), SCHEMA)
    expected = projects.sort_values("launched", kind="stable")
    assert history.ids.to_pylist() == expected["ID"].tolist()
    assert history.label.tolist() == (expected["state"] == "successful").astype(float).tolist()
    first = datetime.fromisoformat(expected["launched"].iloc[0]).replace(tzinfo=UTC)
    assert history.launched[0] == first.timestamp()
    assert str(days_of(history.ended[:1])[0]) == expected["deadline"].iloc[0]


def test_a_new_campaign_says_nothing_of_its_end_but_what_is_known_at_launch(tmp_path):
    history = read_history(str(write_projects(tmp_path, make_projects(5, 5))[0]), SCHEMA)
    assert history.at_launch == ("ID", "launched", "kind", "goal", "deadline")  # the deadline gives the days
    assert history.of_outcome == ("ID", "state")
    without = parse_schema(TOML.replace('derive = { days_between = ["launched", "deadline"] }', 'source = "goal"'))
    assert "deadline" not in read_history(str(tmp_path / "projects.csv"), without).at_launch


@pytest.mark.parametrize("write", ["csv", "german csv", "parquet", "json lines"])
def test_what_is_learnt_of_the_history_is_what_is_learnt_of_the_file(tmp_path, write):
    import pyarrow.parquet as pq

    projects, schema = make_projects(30, 10).sort_values("launched", kind="stable"), SCHEMA
    projects.loc[projects.index[3], "goal"] = np.nan
    data = tmp_path / "projects.csv"
    if write == "csv":
        projects.to_csv(data, index=False)
    elif write == "german csv":
        schema = parse_schema(TOML + '[text]\ndateOrder = "DMY"\ntimezone = "Europe/Berlin"\ndecimalChar = ","\n')
        for name, form in (("launched", "%d.%m.%Y %H:%M:%S"), ("deadline", "%d.%m.%Y")):
            projects[name] = [datetime.fromisoformat(text).strftime(form) for text in projects[name]]
        projects.to_csv(data, index=False, sep=";", decimal=",", encoding="cp1252")
    elif write == "parquet":
        data = tmp_path / "projects.parquet"
        projects.to_parquet(data)
    else:
        data = tmp_path / "projects.jsonl"
        projects.to_json(data, orient="records", lines=True)
    history = read_history(str(data), schema)
    pq.write_table(history.rows, tmp_path / "history.parquet")
    gathered = []
    for number, uri in enumerate((data, tmp_path / "history.parquet")):
        folder = tmp_path / str(number)
        folder.mkdir()
        dataset, _ = gather(Sources(str(uri), str(uri), ()), folder, schema)
        rows = pq.read_table(Path(dataset.path)).to_pandas().sort_values("CampaignID", ignore_index=True)
        gathered.append((rows, dataset.bad))
    assert gathered[0][0].equals(gathered[1][0])
    assert gathered[0][1] == gathered[1][1] == 1


def test_who_ended_before_it_began_was_decided_when_it_began(tmp_path):
    projects = make_projects(10, 5)
    projects.loc[0, ["launched", "deadline"]] = ["2024-01-08 12:00:00", "2024-01-05"]
    history = read_history(str(write_projects(tmp_path, projects)[0]), SCHEMA)
    at = history.ids.to_pylist().index(projects["ID"][0])
    assert history.ended[at] == history.launched[at] == datetime(2024, 1, 8, 12, tzinfo=UTC).timestamp()


def test_what_cannot_be_placed_is_left_out_and_counted_and_what_never_ends_is_never_decided(tmp_path):
    projects = make_projects(10, 5)
    projects.loc[0, "launched"] = ""
    projects.loc[1, "deadline"] = ""
    history = read_history(str(write_projects(tmp_path, projects)[0]), SCHEMA)
    assert history.undated == 1
    assert len(history.rows) == 49
    assert np.isinf(history.ended[history.ids.to_pylist().index(projects["ID"][1])])


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (TOML.replace('launch = "launched"\n', ""), "no launch"),
        (TOML.replace('end = "deadline"\n', ""), "no end"),
        (TOML.replace('name = "projects"', 'name = "projects"\nfeature_set = "all"'), 'feature set is "all"'),
    ],
)
def test_a_schema_that_cannot_be_replayed_is_refused_before_anything_is_read(toml, words):
    with pytest.raises(BadInput, match=words):
        read_history("/no/such/file", parse_schema(toml))


@pytest.mark.parametrize("times", [{"launched": "", "deadline": "2024-02-01"}, {"deadline": ""}])
def test_a_file_without_times_is_refused_by_name(tmp_path, times):
    projects = make_projects(5, 5).assign(**times)
    with pytest.raises(BadInput, match=r"projects\.csv: no row says when it began \(launched\)"):
        read_history(str(write_projects(tmp_path, projects)[0]), SCHEMA)


def test_a_day_goes_from_midnight_to_midnight_in_utc():
    days = days_of(np.array([-1.0, 0.0, 50_000.0, 86_399.9, 86_400.0]))
    assert days.astype(str).tolist() == ["1969-12-31", "1970-01-01", "1970-01-01", "1970-01-01", "1970-01-02"]


def test_whoever_is_given_the_rows_reads_times_and_need_not_know_how_they_were_written(tmp_path):
    schema = parse_schema(TOML + '[text]\ndateOrder = "DMY"\ntimezone = "Europe/Berlin"\n')
    projects = make_projects(5, 5).assign(launched="02.01.2024 00:30:00", deadline="05.01.2024")
    rows = read_history(str(write_projects(tmp_path, projects)[0]), schema).rows
    for name, moment in (("launched", datetime(2024, 1, 1, 23, 30)), ("deadline", datetime(2024, 1, 4, 23))):
        assert set(rows.column(name).to_pylist()) == {moment.replace(tzinfo=UTC)}
