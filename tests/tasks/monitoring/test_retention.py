"""What is older than it is kept is deleted, and nothing else."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import mlflow
import pytest
from sklearn.tree import DecisionTreeClassifier

from campaign.settings import Settings
from campaign.store import Store
from tasks.mlflow_run import find_or_create_experiment, mlflow_client
from tasks.model_versions import CHALLENGER, list_versions, make_champion
from tasks.monitoring.retention import (
    delete_day,
    delete_expired,
    delete_version,
    expired_bad_rows,
    expired_days,
    expired_versions,
    has_expired_files,
)

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
    for path in (f"{folder}/day=2020-01-01/a.parquet", f"{folder}/day={date.today()}/a.parquet"):
        store.publish(path, b"rows")
    store.publish("quarantine/dataset=abc/part.parquet", b"rows")
    delete_expired()
    assert len(store.days(folder)) == 2
    monkeypatch.setenv(f"CAMPAIGN_KEEP_{folder.upper()}_DAYS", "365")
    assert delete_expired()[folder] == 1
    assert store.days(folder) == [date.today()]
    assert store.exists("quarantine/dataset=abc/part.parquet")


def test_bad_rows_of_a_data_set_go_by_when_they_were_written(tmp_path: Path) -> None:
    store = Store(tmp_path.as_uri())
    store.publish("quarantine/dataset=abc/part.parquet", b"rows")
    store.publish("quarantine/day=2020-01-01/part.parquet", b"rows")
    kept, in_a_month = Settings(keep_quarantine_days=30), date.today() + timedelta(days=31)
    assert expired_bad_rows(store, kept, date.today()) == []
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


def test_a_model_that_was_never_registered_has_no_expired_versions(own_home: Path) -> None:
    assert expired_versions(MODEL, datetime.now(UTC), keep_days=1) == []
