"""Start the MLflow run of a training, or take up the one that an interrupted training began."""

import subprocess
import warnings
from pathlib import Path

from prefect import task
from prefect.runtime import flow_run

from tasks.mlflow_run import Run, find_or_create_experiment, mlflow_client, reporting_to
from tasks.retries import RETRIES
from tasks.training.search_space import study_name
from tasks.training.validate import Dataset


def git_commit() -> str:
    """The commit that is checked out, if this is a checkout."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except OSError:
        return ""


def find_or_create_run(data: Dataset, seed: int) -> tuple[Run, bool]:
    """The run of this training's study, and whether it is new."""
    client = mlflow_client()
    model = data.schema.name
    study = study_name(model, data.digest, data.schema.model.feature_set, seed)
    experiment = find_or_create_experiment(client, model)
    runs = client.search_runs([experiment], f"tags.study = '{study}' and tags.step = 'training'", max_results=1)
    if runs:
        return Run(runs[0].info.run_id, study, model), False
    tags = {"study": study, "step": "training"}
    created = client.create_run(experiment, tags=tags, run_name=f"training-{data.digest}-{seed}")
    return Run(created.info.run_id, study, model), True


def describe_run(data: Dataset, seed: int) -> None:
    """Log what a new run learns from, in the active run."""
    import mlflow
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset

    schema = data.schema
    params = {"seed": seed, "rows": data.rows, "feature_set": schema.model.feature_set, "digest": data.digest}
    mlflow.log_params(params | {"schema": schema.name, "schema_digest": schema.digest})
    mlflow.log_dict(schema.to_table(), "schema.json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it finds two ways to read a local file, which are one
        source = resolve_dataset_source(data.shown)
    mlflow.log_input(
        MetaDataset(source, "campaigns", data.digest),  # type: ignore[abstract]
        context="training",
    )


@task(name="open run", timeout_seconds=300, **RETRIES)
def open_run(data: Dataset, seed: int, reasons: list[str]) -> Run:
    """Start the MLflow run of this training, or take up the one that its study began."""
    import mlflow

    run, is_new = find_or_create_run(data, seed)
    tags = {
        "reasons": "; ".join(reasons),
        "digest": data.digest,
        "feature_set": data.schema.model.feature_set,
        "schema": f"{data.schema.name} {data.schema.digest}",
        "flow_run_id": flow_run.id or "",
        "git_commit": git_commit(),
    }
    with reporting_to(run):
        mlflow.set_tags(tags)
        if is_new:
            describe_run(data, seed)
        mlflow.log_metrics({"rows": data.rows, "rows_quarantined": data.bad, "labelled_days": len(data.days)})
    return run
