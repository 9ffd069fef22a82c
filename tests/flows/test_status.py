"""`campaign status` and `campaign doctor`, in homes that stand differently."""

import json
import socket
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort
from typer.testing import CliRunner

from campaign.errors import BadInput
from campaign.settings import Settings
from campaign.store import Store
from flows import cli
from flows.batch_scoring import batch_scoring
from flows.doctor import examine
from flows.monitoring import is_anything_due, monitoring
from flows.status import newest_call, read_status, why_nothing_is_scored
from flows.traffic import traffic
from tasks.metrics_database import database, retraining_calls
from tasks.model_versions import Version

TODAY = datetime.now(UTC).date()


def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line of this process leaves it as it was."""
    for name in ("prepare", "keep_logs_back"):
        monkeypatch.setattr(cli, name, lambda: None)


def status_of(day: date) -> tuple[str, str, bool]:
    found = next(one for one in read_status().days if one.day == str(day))
    return found.version, found.state, found.outcomes


def test_each_day_and_the_next_command_as_they_come(store):
    day = TODAY - timedelta(days=1)
    assert read_status().next.startswith("nothing")
    traffic(day, 1_200)
    assert (status_of(day), read_status().next) == (("", "not scored", False), "campaign score")
    batch_scoring()
    assert (status_of(day), read_status().next) == (("1", "not monitored", False), "campaign monitor")
    assert is_anything_due(None, None, None)
    monitoring(reports=False)
    assert (status_of(day)[:2], read_status().next[:7]) == (("1", "ok"), "nothing")
    assert not is_anything_due(None, None, None)
    traffic(day, 1_200, campaigns=False, outcomes=True)
    assert status_of(day)[2]
    assert is_anything_due(None, None, None)
    traffic(day, 1_300)
    assert (status_of(day)[1], read_status().next) == ("changed since it was scored", "campaign score")
    champion = read_status().champion
    assert (champion["version"], champion["reason"]) == ("1", "the first version")


@pytest.mark.usefixtures("far_from_utc")
def test_a_day_is_one_of_utc_wherever_the_machine_stands(own_home, monkeypatch):
    monkeypatch.setattr("flows.status.find_champion", lambda model: None)
    monkeypatch.setattr("flows.status.list_versions", lambda model: [])
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    assert why_nothing_is_scored()[0].endswith(f"incoming/day={today}/.")
    own_home.mkdir(exist_ok=True)
    for day in (today, tomorrow):
        Store(Settings().store).publish(f"incoming/day={day}/a.csv", b"x")
    status = read_status()
    assert [day.day for day in status.days] == [str(today)]
    assert [one.path for one in status.ignored] == [f"incoming/day={tomorrow}"]


@pytest.mark.usefixtures("far_from_utc")
def test_since_when_retraining_is_called_for_is_told_in_utc(own_home):
    called_at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    row = {"champion": "1", "labels": "", "called_at": called_at, "reasons": "quality decayed"}
    with database().begin() as connection:
        connection.execute(sa.insert(retraining_calls).values(row))
    champion = Version("m", "1", "run", {}, called_at)
    assert newest_call(champion) == {"since": "2026-11-22 23:30", "reasons": "quality decayed"}


def test_what_is_passed_over_is_named_with_the_reason(store):
    for path in ("day=22-11-2026/a.csv", "loose.csv", f"day={TODAY}/a.csv.tmp", f"day={TODAY}/_b.csv"):
        store.publish(f"incoming/{path}", b"x")
    store.publish(f"incoming/day={TODAY + timedelta(days=3)}/a.csv", b"x")
    store.publish(f"incoming/day={TODAY - timedelta(days=90)}/a.csv", b"x")
    store.publish(f"incoming/day={TODAY - timedelta(days=1)}/a.csv", b"")
    reasons = {one.path.removeprefix("incoming/"): one.reason for one in read_status().ignored}
    assert "year first" in reasons["day=22-11-2026"]
    assert "in no day" in reasons["loose.csv"]
    assert "holds nothing that is read" in reasons[f"day={TODAY}"]
    assert "no kind that is read" in reasons[f"day={TODAY}/a.csv.tmp"]
    assert "unfinished" in reasons[f"day={TODAY}/_b.csv"]
    assert "future" in reasons[f"day={TODAY + timedelta(days=3)}"]
    assert "35 days" in reasons[f"day={TODAY - timedelta(days=90)}"]
    assert "0 bytes" in reasons[f"day={TODAY - timedelta(days=1)}/a.csv"]
    assert len(reasons) == 8


def test_why_nothing_is_scored_is_another_sentence_in_each_case(store):
    assert [reason[:21] for reason in why_nothing_is_scored()] == ["No campaigns have com"]
    store.publish("incoming/2026-11-22/a.csv", b"x")
    assert "incoming/2026-11-22" in why_nothing_is_scored()[0]
    traffic(TODAY, 200)
    batch_scoring()
    assert why_nothing_is_scored()[0] == f"1 day is scored, the newest is {TODAY}."


def test_it_is_for_programs_too(store, monkeypatch):
    here(monkeypatch)
    traffic(TODAY, 200)
    printed = CliRunner().invoke(cli.app, ["status", "--json"])
    assert json.loads(printed.output)["days"][0]["state"] == "not scored"
    shown = CliRunner().invoke(cli.app, ["status"]).output
    assert "Next        campaign score" in shown
    assert [line for line in shown.splitlines() if line != line.rstrip()] == []
    paths = ("Home", "Store", "  incoming")  # are as long as they are
    assert max(len(line) for line in shown.splitlines() if not line.startswith(paths)) <= 80


@pytest.mark.parametrize("command", ["status", "score", "monitor"])
def test_a_folder_without_a_home_is_said_and_stays_as_it_is(own_home, monkeypatch, command):
    here(monkeypatch)
    assert str(own_home) in CliRunner().invoke(cli.app, [command]).output
    assert not own_home.exists()


def test_the_doctor_finds_a_whole_home_well(trained, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_HOME", str(trained))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert [finding.what for finding in examine() if not finding.is_well] == []


def test_the_doctor_names_each_fault_with_a_remedy(own_home, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    for name, value in {
        "CAMPAIGN_METRICS_URL": f"postgresql://me:secret@{nobody}/campaign",
        "MLFLOW_TRACKING_URI": f"http://{nobody}", "PREFECT_API_URL": f"http://{nobody}/api",
        "CAMPAIGN_STORE": f"file://{own_home}-file/store", "CAMPAIGN_STOER": "s3://campaign",
        "CAMPAIGN_SCHEMA": str(own_home / "none.toml"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    own_home.with_name(f"{own_home.name}-file").write_text("not a folder")
    own_home.mkdir()
    ill = {finding.what: finding for finding in examine() if not finding.is_well}
    assert {*ill} >= {"metrics", "MLflow", "Prefect", "store", "settings", "schema"}
    assert all(finding.remedy for finding in ill.values())
    assert "CAMPAIGN_STOER" in ill["settings"].said
    assert "secret" not in str(ill)
    here(monkeypatch)
    assert CliRunner().invoke(cli.app, ["doctor"]).exit_code == 1


def test_a_span_that_ends_before_it_begins_is_refused(store, monkeypatch):
    here(monkeypatch)
    with pytest.raises(BadInput, match="is after"):
        CliRunner().invoke(cli.app, ["score", "--from", "2026-02-02", "--to", "2026-02-01"], catch_exceptions=False)


def test_runs_are_called_by_what_they_are_about(store):
    with get_client(sync_client=True) as client:
        traffic(TODAY, 20)
        traffic(TODAY - timedelta(days=1), 20)
        batch_scoring(from_day=TODAY)
        batch_scoring()
        names = [run.name for run in client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=4)]
    yesterday = TODAY - timedelta(days=1)
    assert names == [
        f"batch-scoring {TODAY}", f"batch-scoring {TODAY} to …", f"traffic {yesterday}", f"traffic {TODAY}",
    ]  # fmt: skip


@pytest.mark.parametrize(("rows", "drift"), [(0, 1.0), (10, 0.0), (10, -1.0), (10, float("nan"))])
def test_traffic_of_nothing_or_of_less_than_nothing_is_refused(store, rows, drift):
    with pytest.raises(BadInput, match=r"above 0|1 or more"):
        traffic(TODAY, rows, drift)
    assert store.days("incoming") == []
