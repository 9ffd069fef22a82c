"""The MLflow run that one training's steps report to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from campaign.errors import CampaignError
from campaign.settings import Settings
from tasks.moved_home import follow

TRACKING_URI = "MLFLOW_TRACKING_URI"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # its page opens on runs, not on agents' traces


class ExperimentDeleted(CampaignError):
    """What a training would report to is in MLflow's bin."""


@dataclass(frozen=True)
class Run:
    """The MLflow run of a study: the same one when the study is taken up again."""

    run_id: str
    study: str
    model: str


def mlflow_client() -> Any:
    """An MLflow client of the configured tracking server."""
    import mlflow

    given, settings = os.environ.get(TRACKING_URI), Settings()
    if is_embedded(settings):
        follow(settings.mlflow_tracking_uri, artifacts_of_home(settings))
    mlflow.set_tracking_uri(settings.mlflow_tracking_uri)
    # MLflow writes it into the environment, where it would outlive a change of CAMPAIGN_HOME.
    if given is None:
        os.environ.pop(TRACKING_URI, None)
    return mlflow.MlflowClient()


def is_embedded(settings: Settings) -> bool:
    """Whether MLflow is a database that is opened here, not a server that says where artifacts go."""
    return not settings.mlflow_tracking_uri.startswith("http")


def artifacts_of_home(settings: Settings) -> str:
    return (settings.home.absolute() / "mlartifacts").as_uri()


@contextmanager
def reporting_to(run: Run) -> Iterator[Any]:
    """The run as MLflow's active one; gives the client. It is marked failed when the block raises."""
    import mlflow

    client = mlflow_client()
    with mlflow.start_run(run_id=run.run_id, log_system_metrics=False):
        yield client


def find_or_create_experiment(client: Any, name: str) -> str:
    """The id of the experiment of that name."""
    from mlflow.exceptions import MlflowException

    settings = Settings()
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # A tracking server says where artifacts go; a bare database would put them into the working directory.
        artifacts = artifacts_of_home(settings) if is_embedded(settings) else None
        try:
            return str(client.create_experiment(name, artifacts, tags=EXPERIMENT_TAGS))
        except MlflowException:  # another run made it in between
            experiment = client.get_experiment_by_name(name)
    if experiment.lifecycle_stage == "deleted":
        number = experiment.experiment_id
        raise ExperimentDeleted(
            f"MLflow's experiment {name} (number {number}) was deleted, and its versions are of its runs.",
            f"Restore it: MLFLOW_TRACKING_URI={Settings().mlflow_tracking_uri} mlflow experiments restore "
            f"--experiment-id {number}",
        )
    return str(experiment.experiment_id)
