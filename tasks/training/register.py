"""Put a fitted model into MLflow's registry, with all that scoring and monitoring need of it."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.runtime import flow_run

from campaign.model import NORMAL_FORM
from campaign.schema import Column
from tasks.metrics_database import now
from tasks.mlflow_run import Run, reporting_to
from tasks.retries import RETRIES
from tasks.training.backtest import Later
from tasks.training.evaluate import Scores
from tasks.training.explore import Explored
from tasks.training.fit import Fitted, example_rows
from tasks.training.model_card import expectation, model_card
from tasks.training.open_run import git_commit
from tasks.training.pipeline import TRUSTED
from tasks.training.validate import Dataset

REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


@dataclass(frozen=True)
class Registered:
    """A version in the registry, its flat model's folder, its card, and how well it may be expected to do."""

    model: str
    number: str
    folder: str
    card: str
    expectation: str = ""


def signature_of(features: Iterable[Column]) -> Any:
    """What MLflow checks before it predicts: the features as published, and two probabilities out."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    kinds = {True: "string", False: "double"}
    inputs = Schema([
        ColSpec(kinds[column.is_category], column.name, required=not column.nullable) for column in features
    ])  # fmt: skip
    return ModelSignature(inputs, Schema([TensorSpec(np.dtype(np.float64), (-1, 2))]))


def describe_model(
    fitted: Fitted, scores: Scores, later: Later | None, data: Dataset, explored: Explored, reasons: list[str]
) -> dict[str, Any]:
    """What a model says of itself, wherever it goes. `days` counts the outcomes of each day that it learnt from.

    `metrics` are those on test rows, and `later_…` of the same recipe on the latest rows, where time is known.

    `split_by` says by what rows were split into parts: models from before say nothing, and split by ids as they came.
    """
    return {
        "split_by": NORMAL_FORM,
        "trained_at": now().isoformat(timespec="seconds"),
        "origin": data.origin,
        "digest": data.digest,
        "made_up": data.made_up,
        "base_rate": fitted.base_rate,
        "decisive": explored.decisive,
        "rows_fitted": fitted.rows,
        "rows_to_fit": fitted.available_rows,
        "rows_test": scores.rows,
        "days": data.days,
        "unjoined": data.unjoined,
        "params": dict(fitted.choice.chosen.params),
        "scoring_cost": fitted.choice.chosen.size.cost,
        "metrics": scores.metrics | (later.metrics if later else {}),
        "leaks": explored.findings,
        "reasons": reasons,
    }


def create_version(client: Any, run: Run, logged: Any, tags: dict[str, str]) -> Any:
    """A version of the registered model, which is made if this is its first."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(run.model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(run.model, logged.model_uri, run.run_id, tags, model_id=logged.model_id)


@task(timeout_seconds=900, **RETRIES)
def register(
    fitted: Fitted,
    scores: Scores,
    later: Later | None,
    data: Dataset,
    explored: Explored,
    run: Run,
    reasons: list[str],
) -> Registered:
    """Log the Pipeline in skops format with the flat forest and the reference beside it; no pickle anywhere."""
    import mlflow
    import skops.io

    model, folder = fitted.load(), Path(fitted.folder)
    described = replace(model, about=describe_model(fitted, scores, later, data, explored, reasons))
    files = [*described.save(folder), Path(scores.reference), Path(shutil.copy(data.learnt, folder))]
    card = model_card(described, scores, later, fitted.choice, data, explored)
    with reporting_to(run) as client:
        mlflow.log_text(card, "model_card.md")
        logged = mlflow.sklearn.log_model(
            skops.io.load(fitted.pipeline, trusted=TRUSTED),
            name="model",
            signature=signature_of(model.schema.features),
            input_example=example_rows(data, model.encoder),
            pip_requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
            pyfunc_predict_fn="predict_proba",
            serialization_format="skops",
            skops_trusted_types=TRUSTED,
            extra_files=[file.absolute().as_uri() for file in files],  # a path with a ? would be taken for a URI
            params={name: str(value) for name, value in fitted.choice.chosen.params.items()},
        )
        tags = {
            "digest": data.digest,
            "feature_set": data.schema.model.feature_set,
            "schema": data.schema.name,
            "schema_digest": data.schema.digest,
            "git_commit": git_commit(),
            "flow_run_id": flow_run.id or "",
            "reasons": "; ".join(reasons),
            "test_roc_auc": f"{scores.metrics['roc_auc']:.6f}",
            "days": json.dumps(data.days),
        }
        registered = create_version(client, run, logged, tags)
        client.update_model_version(run.model, registered.version, card)
    get_run_logger().info("Registered version %s of %s", registered.version, run.model)
    return Registered(run.model, str(registered.version), str(folder), card, expectation(scores, later))
