"""The champion and the other versions in MLflow's registry."""

import shutil
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from campaign.errors import ModelMismatch, NoChampion
from campaign.model import ScoringModel
from campaign.schema_file import served_model
from campaign.settings import Settings
from tasks.metrics_database import champions, database, now
from tasks.mlflow_run import mlflow_client

CHAMPION, CHALLENGER = "champion", "challenger"
PROMOTED_AT, REASON = "promoted_at", "promoted_because"


@dataclass(frozen=True)
class Version:
    """One registered version. `promoted_at` is empty for one that never was champion."""

    model: str
    number: str
    run_id: str
    tags: dict[str, str]
    created: datetime

    @property
    def promoted_at(self) -> str:
        return self.tags.get(PROMOTED_AT, "")


def list_versions(model: str) -> list[Version]:
    """All registered versions, the newest first."""
    registered = mlflow_client().search_model_versions(f"name = '{model}'", max_results=1000)
    return sorted(map(_version, registered), key=lambda version: -int(version.number))


def find_version(model: str, number: str) -> Version:
    """Raises `NoChampion` when there is no such version. 01 and v1 are 1."""
    from mlflow.exceptions import MlflowException  # it takes half a second, here and below

    try:
        return _version(mlflow_client().get_model_version(model, number.strip().lstrip("v0")))
    except MlflowException as error:
        existing = ", ".join(version.number for version in list_versions(model)) or "none"
        raise NoChampion(f"{model} has no version {number} (there is: {existing}).", "Name one of those.") from error


def find_champion(model: str) -> Version | None:
    """The champion, if there is one."""
    return _find_by_alias(model, CHAMPION)


def find_challenger(model: str) -> Version | None:
    """The version that lost last; none if it has been made champion since."""
    challenger = _find_by_alias(model, CHALLENGER)
    champion = find_champion(model) if challenger else None
    return None if champion and challenger and champion.number == challenger.number else challenger


def _find_by_alias(model: str, alias: str) -> Version | None:
    from mlflow.exceptions import MlflowException

    try:
        return _version(mlflow_client().get_model_version_by_alias(model, alias))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        if "error code 403" in str(error) and not list_versions(
            model
        ):  # so MLflow with logins says of what is not there
            return None
        raise


def require_champion(model: str) -> Version:
    """Raises `NoChampion` when there is none yet."""
    champion = find_champion(model)
    if champion is None and (versions := list_versions(model)):
        raise NoChampion(
            f"{model} has {len(versions)} version{'s' * (len(versions) > 1)} and no champion: none earned it, or its "
            "version or alias was deleted.",
            f"Name one: `campaign champion set {versions[0].number}`; or train another: `campaign train`.",
        )
    if champion is None:
        raise NoChampion(f"{model} has no champion yet.", "Train one first: `campaign train`.")
    return champion


def make_champion(model: str, number: str, reason: str) -> None:
    """Move the alias, and write down who gave way to whom, when and why."""
    client, before = mlflow_client(), find_champion(model)
    if before is not None and before.number == number:
        return
    client.set_model_version_tag(model, number, PROMOTED_AT, now().isoformat())
    client.set_model_version_tag(model, number, REASON, reason)
    client.set_registered_model_alias(model, CHAMPION, number)
    if model != served_model():  # the metrics database is about the model that scores
        return
    previous = before.number if before else None
    with database().begin() as connection:
        row = {"changed_at": now(), "version": number, "previous": previous, "reason": reason}
        connection.execute(insert(champions).values(row))


def files_of(version: Version) -> Path:
    """The model's own files (model.json, forest.npz or ensemble.npz, reference.parquet), downloaded once.

    Raises `ModelMismatch` for a version that was not registered by this project.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    folder = Settings().cache / "models" / version.model / f"{version.number}-{version.run_id[:8]}"
    if not folder.exists():
        mlflow_client()
        partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:6]}")
        partial.mkdir(parents=True)
        try:
            uri = f"models:/{version.model}/{version.number}/extra_files"
            downloaded = mlflow.artifacts.download_artifacts(uri, dst_path=str(partial))
        except (MlflowException, OSError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise ModelMismatch(
                f"Version {version.number} of {version.model} has no flat forest to score with ({error}).",
                "Register one with `campaign train`, or roll back with `campaign champion set`.",
            ) from error
        try:
            Path(downloaded).replace(folder)
        except OSError:  # another process was quicker
            if not folder.exists():
                raise
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def load_version(version: Version) -> ScoringModel:
    """The version, ready to score."""
    return ScoringModel.load(files_of(version), version.number)


def _version(registered: Any) -> Version:
    created = datetime.fromtimestamp(registered.creation_timestamp / 1000, UTC)
    return Version(registered.name, str(registered.version), registered.run_id, dict(registered.tags), created)
