"""What is older than it is kept is deleted, and nothing else."""

import logging
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import mlflow
import pytest
from sklearn.tree import DecisionTreeClassifier

from campaign.settings import Settings
from campaign.store import Store
from tasks.mlflow_run import find_or_create_experiment, mlflow_client
from tasks.model_versions import CHALLENGER, Version, list_versions, make_champion
from tasks.monitoring.retention import (
    delete_day,
    delete_expired,
    delete_version,
    expired_bad_rows,
    expired_days,
    expired_versions,
    find_expired,
    has_expired_files,
)
from tasks.monitoring.retention_call import call_for_retention

TODAY = date(2026, 11, 22)
MODEL = "campaign-success"


def test_days_past_keeping_are_deleted_with_every_file(tmp_path: Path) -> None:
    store = Store(tmp_path.as_uri())
    kept, gone = TODAY - timedelta(days=30), TODAY - timedelta(days=31)
    for day in (kept, gone):
        store.publish(f"reports/day={day}/drift.html", b"report")
        store.publish(f"reports/day={day}/.half-written", b"rest")
    assert expired_days(store, "reports", TODAY, 30) == [gone]
    delete_day(store, "reports", gone)
    assert store.days("reports") == [kept]
    assert not store.entries(f"reports/day={gone}", hidden=True)
    assert store.read(f"reports/day={kept}/drift.html") == b"report"


@pytest.mark.parametrize("folder", ["incoming", "outcomes", "predictions", "quarantine"])
def test_campaigns_are_kept_for_ever_unless_a_setting_says_otherwise(own_home, prefect_api, monkeypatch, folder):
    store = Store(Settings().store)
    for path in (f"{folder}/day=2020-01-01/a.parquet", f"{folder}/day={datetime.now(UTC).date()}/a.parquet"):
        store.publish(path, b"rows")
    store.publish("quarantine/dataset=abc/part.parquet", b"rows")
    delete_expired()
    assert len(store.days(folder)) == 2
    monkeypatch.setenv(f"CAMPAIGN_KEEP_{folder.upper()}_DAYS", "365")
    assert delete_expired()[folder] == 1
    assert store.days(folder) == [datetime.now(UTC).date()]
    assert store.exists("quarantine/dataset=abc/part.parquet")


AGES = {"reports": 3, "captured": 5, "incoming": 7, "outcomes": 9, "predictions": 11, "quarantine": 13}
AGES |= {"shadow": AGES["predictions"]}  # one is held against the other


def test_each_folder_is_kept_as_long_as_is_set_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that is as old as it is kept stays; no folder loses what another one is to lose."""
    store, ages = Store(tmp_path.as_uri()), range(2, 15)
    for folder in AGES:
        for age in ages:
            store.publish(f"{folder}/day={TODAY - timedelta(days=age)}/a.parquet", b"rows")
    monkeypatch.setenv("CAMPAIGN_STORE", store.uri)
    for folder, age in AGES.items():
        if folder != "shadow":
            monkeypatch.setenv(f"CAMPAIGN_KEEP_{folder.upper()}_DAYS", str(age))
    monkeypatch.setattr("tasks.monitoring.retention.scheduled_day", lambda: TODAY)
    monkeypatch.setattr("tasks.monitoring.retention.expired_versions", lambda *_: [])
    monkeypatch.setattr("tasks.monitoring.retention.get_run_logger", lambda: logging.getLogger("retention"))
    assert delete_expired.fn() == {folder: 14 - age for folder, age in AGES.items()}
    for folder, age in AGES.items():
        assert store.days(folder) == [TODAY - timedelta(days=kept) for kept in range(age, 1, -1)]
    assert delete_expired.fn() == {}


@pytest.mark.parametrize("age", [30, 31])
def test_the_event_that_starts_the_retention_is_sent_when_something_has_expired(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, age: int
) -> None:
    sent: list[tuple[object, ...]] = []
    monkeypatch.setenv("CAMPAIGN_KEEP_REPORTS_DAYS", "30")
    monkeypatch.setattr("tasks.monitoring.retention.expired_versions", lambda *_: [])
    for name, instead in {
        "scheduled_day": lambda: TODAY,
        "emit_event": lambda *given, **named: sent.append((*given, named)),
        "get_run_logger": lambda: logging.getLogger("retention"),
        "served_model": lambda: "m",
    }.items():
        monkeypatch.setattr(f"tasks.monitoring.retention_call.{name}", instead)
    Store(Settings().store).publish(f"reports/day={TODAY - timedelta(days=age)}/drift.html", b"report")
    call_for_retention.fn()
    resource, payload = {"prefect.resource.id": "campaign.model.m"}, {"payload": {"expired": {"reports": 1}}}
    assert sent == ([("campaign.retention.needed", resource, payload)] if age > 30 else [])


def test_bad_rows_of_a_data_set_go_by_when_they_were_written(tmp_path: Path) -> None:
    store = Store(tmp_path.as_uri())
    store.publish("quarantine/dataset=abc/part.parquet", b"rows")
    store.publish("quarantine/day=2020-01-01/part.parquet", b"rows")
    kept, in_a_month = Settings(keep_quarantine_days=30), datetime.now(UTC).date() + timedelta(days=31)
    assert expired_bad_rows(store, kept, datetime.now(UTC).date()) == []
    assert expired_bad_rows(store, kept, in_a_month) == ["quarantine/dataset=abc/part.parquet"]
    assert has_expired_files(store, kept, in_a_month)
    assert not has_expired_files(store, Settings(), in_a_month)


@pytest.fixture
def five_versions(own_home: Path) -> list[str]:
    """Registered versions: 1 was champion, 2 lost, 3 is champion, 4 lost, 5 is challenger."""
    client = mlflow_client()
    experiment = find_or_create_experiment(client, MODEL)
    client.create_registered_model(MODEL)
    for number in range(1, 6):
        with mlflow.start_run(experiment_id=experiment, run_name=str(number)) as run:
            mlflow.log_metric("test_roc_auc", number / 10)
            mlflow.log_text("card", "model_card.md")
            tree = DecisionTreeClassifier().fit([[0], [1]], [0, 1])
            logged = mlflow.sklearn.log_model(
                tree,
                name="model",
                pip_requirements=[],
                serialization_format="skops",
                skops_trusted_types=["sklearn.tree._tree.Tree"],
            )
            client.create_model_version(MODEL, logged.model_uri, run.info.run_id, model_id=logged.model_id)
    for number in ("1", "3"):
        make_champion(MODEL, number, "it is the first")
    client.set_registered_model_alias(MODEL, CHALLENGER, "5")
    return ["2", "4"]


def test_only_old_versions_that_never_won_and_have_no_alias_are_deleted(five_versions: list[str]) -> None:
    now = datetime.now(UTC)
    assert expired_versions(MODEL, now, keep_days=1) == []
    expired = expired_versions(MODEL, now + timedelta(days=2), keep_days=1)
    assert sorted(version.number for version in expired) == five_versions
    homes = {
        v.number: Path(mlflow_client().get_run(v.run_id).info.artifact_uri.removeprefix("file://")) for v in expired
    }
    for version in expired:
        delete_version(version)
    assert sorted(version.number for version in list_versions(MODEL)) == ["1", "3", "5"]
    for version in expired:
        assert mlflow_client().get_run(version.run_id).data.metrics == {"test_roc_auc": int(version.number) / 10}
        assert not [file for file in homes[version.number].rglob("*") if file.is_file()]
    assert mlflow.sklearn.load_model(f"models:/{MODEL}@champion").predict([[1]]).tolist() == [1]
    assert expired_versions(MODEL, now + timedelta(days=2), keep_days=1) == []


@pytest.mark.usefixtures("far_from_utc")
def test_versions_grow_old_by_the_clock_of_utc_whatever_day_the_run_is_about(own_home: Path, monkeypatch) -> None:
    asked: list[datetime] = []
    monkeypatch.setattr("tasks.monitoring.retention.expired_versions", lambda model, now, days: asked.append(now) or [])
    find_expired(Store(Settings().store), Settings(), TODAY)
    assert asked[0].utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - asked[0]) < timedelta(hours=1)


def test_a_model_that_was_never_registered_has_no_expired_versions(own_home: Path) -> None:
    assert expired_versions(MODEL, datetime.now(UTC), keep_days=1) == []


def test_expired_versions_are_deleted_with_the_days_and_counted(tmp_path: Path, monkeypatch) -> None:
    versions = [Version(MODEL, number, "run", {}, datetime(2026, 1, 1, tzinfo=UTC)) for number in ("2", "4")]
    deleted: list[Version] = []
    monkeypatch.setenv("CAMPAIGN_STORE", tmp_path.as_uri())
    for name, instead in {
        "expired_versions": lambda *_: versions,
        "delete_version": deleted.append,
        "scheduled_day": lambda: TODAY,
        "get_run_logger": lambda: logging.getLogger("retention"),
    }.items():
        monkeypatch.setattr(f"tasks.monitoring.retention.{name}", instead)
    assert delete_expired.fn() == {"versions": 2}
    assert deleted == versions


@pytest.mark.parametrize(
    ("path", "expired"),
    [
        ("reports/day=2026-10-01/drift.html", True),
        ("quarantine/dataset=abc/part.parquet", True),
        (f"reports/day={TODAY}/drift.html", False),
    ],
)
def test_one_kind_of_expired_files_is_enough_to_call_for_their_deletion(tmp_path: Path, path: str, expired: bool):
    store = Store(tmp_path.as_uri())
    store.publish(path, b"rows")
    written = (datetime.now() - timedelta(days=400)).timestamp()
    if "dataset" in path:
        os.utime(tmp_path / path, (written, written))
    assert has_expired_files(store, Settings(keep_reports_days=30, keep_quarantine_days=30), TODAY) is expired
