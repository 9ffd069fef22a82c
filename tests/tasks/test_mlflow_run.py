import os

import pytest

from campaign.settings import Settings
from tasks.mlflow_run import Run, find_or_create_experiment, mlflow_client, reporting_to


@pytest.fixture
def client(own_home):
    own_home.mkdir()
    return mlflow_client()


def test_an_experiment_is_made_once_and_keeps_its_artifacts_in_the_home(client, own_home):
    first = find_or_create_experiment(client, "campaign-success")
    assert find_or_create_experiment(client, "campaign-success") == first
    assert client.get_experiment(first).artifact_location == (own_home / "mlartifacts").as_uri()


def test_a_step_that_fails_marks_the_run_and_the_next_try_takes_it_up_again(client):
    import mlflow

    experiment = find_or_create_experiment(client, "m")
    run = Run(client.create_run(experiment).info.run_id, "study", "m")
    with pytest.raises(RuntimeError), reporting_to(run):
        raise RuntimeError("no")
    assert client.get_run(run.run_id).info.status == "FAILED"
    with reporting_to(run):
        mlflow.log_metric("rows", 3)
    assert client.get_run(run.run_id).info.status == "FINISHED"
    assert client.get_run(run.run_id).data.metrics["rows"] == 3


def test_the_tracking_server_is_that_of_the_settings_and_the_environment_stays_as_it_is(client, monkeypatch, tmp_path):
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert client.tracking_uri == Settings().mlflow_tracking_uri
    monkeypatch.setenv("CAMPAIGN_HOME", str(tmp_path / "other"))
    assert mlflow_client().tracking_uri == f"sqlite:///{tmp_path}/other/mlflow.db"
