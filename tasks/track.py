"""The MLflow run that one training's steps report to."""

import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import task
from prefect.runtime import flow_run

from campaign.schema import model_name
from campaign.settings import Settings
from tasks.patience import PATIENT
from tasks.search_space import study_name
from tasks.validate import Dataset

VARIABLE = "MLFLOW_TRACKING_URI"
KIND = {"mlflow.experimentKind": "custom_model_development"}  # its page opens on runs, not on traces of agents


@dataclass(frozen=True)
class Run:
    """The MLflow run of a study: the same one when the study is taken up again."""

    run_id: str
    study: str
    model: str
    resumed: bool


def client() -> Any:
    """An MLflow client of the configured tracking server."""
    import mlflow

    named = os.environ.get(VARIABLE)
    mlflow.set_tracking_uri(Settings().mlflow_tracking_uri)
    # MLflow writes it into the environment, where it would outlive a change of CAMPAIGN_HOME.
    if named is None:
        os.environ.pop(VARIABLE, None)
    return mlflow.MlflowClient()


@contextmanager
def reporting_to(run: Run) -> Iterator[Any]:
    """The run as MLflow's active one; gives the client. It is marked failed when the block raises."""
    import mlflow

    connected = client()
    with mlflow.start_run(run_id=run.run_id, log_system_metrics=False):
        yield connected


def experiment_id(connected: Any, name: str) -> str:
    """The experiment of that name, made if it is not there."""
    from mlflow.exceptions import MlflowException

    home = Settings().home.absolute()
    found = connected.get_experiment_by_name(name)
    if found is None:
        # A tracking server says where artifacts go; a bare database would put them into the working directory.
        embedded = not Settings().mlflow_tracking_uri.startswith("http")
        try:
            where = (home / "mlartifacts").as_uri() if embedded else None
            return str(connected.create_experiment(name, where, tags=KIND))
        except MlflowException:  # another run made it in between
            found = connected.get_experiment_by_name(name)
    return str(found.experiment_id)


def git_commit() -> str:
    """The commit that is checked out, if this is a checkout."""
    try:
        asked = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=5).stdout.strip()
    except OSError:
        return ""


@task(name="open run", timeout_seconds=300, **PATIENT)
def open_run(data: Dataset, feature_set: str, seed: int, reasons: list[str]) -> Run:
    """Start the MLflow run of this training, or take up the one that its study began."""
    import mlflow
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset

    connected = client()
    model = model_name(feature_set)
    study = study_name(model, data.digest, feature_set, seed)
    experiment = experiment_id(connected, model)
    found = connected.search_runs([experiment], f"tags.study = '{study}' and tags.step = 'training'", max_results=1)
    tags = {
        "reasons": "; ".join(reasons),
        "digest": data.digest,
        "feature_set": feature_set,
        "flow_run_id": flow_run.id or "",
        "git_commit": git_commit(),
    }
    if found:
        run_id = found[0].info.run_id
    else:
        named = {"study": study, "step": "training"}
        run_id = connected.create_run(experiment, tags=named, run_name=f"training-{data.digest}-{seed}").info.run_id
    run = Run(run_id, study, model, resumed=bool(found))
    with reporting_to(run):
        mlflow.set_tags(tags)
        if not found:
            mlflow.log_params({"seed": seed, "rows": data.rows, "feature_set": feature_set, "digest": data.digest})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it finds two ways to read a local file, which are one
                source = resolve_dataset_source(data.origin)
            mlflow.log_input(
                MetaDataset(source, "campaigns", data.digest),  # type: ignore[abstract]
                context="training",
            )
        mlflow.log_metrics({"rows": data.rows, "rows_quarantined": data.bad, "labelled_days": len(data.days)})
    return run
