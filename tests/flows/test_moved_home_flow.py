"""A home that is called as people call folders, and moved to another."""

import shutil
from datetime import UTC, datetime, timedelta

from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.monitoring import monitoring
from flows.traffic import traffic
from flows.training import training
from tasks.manifest import read_manifest
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import files_of, require_champion
from tasks.synthetic_days import write_training_data

DAY = datetime.now(UTC).date() - timedelta(days=1)


def work(trials: int) -> None:
    write_training_data(Store(Settings().store), 2_000, seed=trials)
    training(trials=trials)
    traffic(DAY, 1_200, outcomes=True)
    batch_scoring()
    monitoring(reports=False)


def test_it_goes_on_in_the_other_folder_and_touches_the_one_before_no_more(
    prefect_api, own_home, monkeypatch, tmp_path, caplog
):
    before, now = tmp_path / "a home é", tmp_path / "b%20c?d #1"
    monkeypatch.setenv("CAMPAIGN_HOME", str(before))
    monkeypatch.chdir(tmp_path)
    work(1)
    shutil.move(before, now)
    shutil.rmtree(now / "cache")
    monkeypatch.setenv("CAMPAIGN_HOME", str(now))
    champion = require_champion(served_model())
    assert (files_of(champion) / "reference.parquet").exists()
    assert "The home has moved" in caplog.text
    assert batch_scoring() == []
    assert read_manifest(Store(Settings().store), DAY).parts[0].uri.startswith(now.as_uri())
    batch_scoring(day=DAY)
    assert [day.day for day in monitoring(day=DAY, reports=False).days] == [str(DAY)]
    work(2)
    [experiment] = [one for one in mlflow_client().search_experiments() if one.name == served_model()]
    assert experiment.artifact_location == (now / "mlartifacts").as_uri()
    assert not before.exists()
    assert [*tmp_path.iterdir()] == [now]
