"""The champion, for a process that only scores: from MLflow's registry, or from a folder that was exported.

Needs MLflow's client (mlflow-skinny) at most, and imports it only when MLFLOW_TRACKING_URI is set.
"""

import importlib
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from campaign.errors import CampaignError, ModelMismatch, NoChampion
from campaign.model import DESCRIPTION, ScoringModel
from campaign.schema_file import served_model
from campaign.settings import Settings

ALIAS = "champion"
VERSION = "version.txt"
TRACKING, BUNDLE = "MLFLOW_TRACKING_URI", "CAMPAIGN_BUNDLE"
# Without these a server that is away is waited for by the minute, and progress bars get among the totals.
MLFLOW_LIMITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",  # it would send a client to the object store's own address
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


def load_champion() -> ScoringModel:
    """The champion of CAMPAIGN_MODEL in MLflow when MLFLOW_TRACKING_URI is set, else the one in CAMPAIGN_BUNDLE."""
    if os.environ.get(TRACKING):
        model = served_model()
        return registered_model(model, registered_champion(model))
    return bundled_model(bundle_folder())


def bundle_folder() -> Path:
    """CAMPAIGN_BUNDLE, or else `bundle` in CAMPAIGN_HOME."""
    return Path(os.environ.get(BUNDLE) or Settings().home / "bundle")


def bundled_model(folder: Path) -> ScoringModel:
    """What `campaign champion export` wrote. Raises `NoChampion` or, if it is damaged, `ModelMismatch`."""
    if not (folder / DESCRIPTION).is_file():
        raise NoChampion(
            f"There is no champion to score with: {TRACKING} is not set, and {folder} holds no exported model.",
            f"Set {TRACKING} to a tracking server, or run `campaign champion export DIR` and give DIR as {BUNDLE} "
            "(in a container: -v DIR:/bundle:ro).",
        )
    try:
        version = (folder / VERSION).read_text().strip()
        return ScoringModel.load(folder, version)
    except (OSError, UnicodeDecodeError, ModelMismatch) as error:
        cause = error.cause if isinstance(error, CampaignError) else f"{folder} is not whole ({error})."
        remedy = "Write it again with this version of the project: `campaign champion export DIR`."
        raise ModelMismatch(cause, remedy) from error


def registered_champion(model: str) -> str:
    """The number of the version that the alias names now. Raises `NoChampion`, also when MLflow does not answer."""
    mlflow, errors = _mlflow()
    uri = os.environ[TRACKING]
    client = mlflow.MlflowClient(tracking_uri=uri)
    try:
        return str(client.get_model_version_by_alias(model, ALIAS).version)
    except errors.MlflowException as error:
        if type(error).__name__ == "UnsupportedModelRegistryStoreURIException":
            raise NoChampion(
                f"{TRACKING} is {_without_password(uri)}, but MLflow's client alone reads no databases.",
                "Give the address of a tracking server (http://…), install the whole of MLflow (`pip install mlflow`), "
                f"or unset it and give an exported champion as {BUNDLE}.",
            ) from error
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE") or _is_missing(
            client, model, error
        ):
            raise NoChampion(
                f"{model} has no champion yet in MLflow at {_without_password(uri)}.",
                "Train one first (`campaign train`), or name another model in CAMPAIGN_MODEL.",
            ) from error
        if "error code 401" in str(error) or "error code 403" in str(error):
            raise NoChampion(
                f"MLflow at {_without_password(uri)} asks for a login, or does not know this one.",
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (in the stack: reader, and "
                "MLFLOW_READER_PASSWORD of .env).",
            ) from error
        raise _no_answer(uri, error) from error
    except Exception as error:  # a database's errors are of its driver's family
        raise _no_answer(uri, error) from error


def _is_missing(client: Any, model: str, error: Exception) -> bool:
    """Whether MLflow, which refuses a model that is not there as it refuses one that may not be read, has none."""
    return "error code 403" in str(error) and not client.search_registered_models(f"name = '{model}'")


def registered_model(model: str, number: str) -> ScoringModel:
    """A version, ready to score. Raises as `registered_files` does."""
    with TemporaryDirectory(prefix="campaign-") as folder:
        return ScoringModel.load(registered_files(model, number, folder), number)


def registered_files(model: str, number: str, folder: str) -> Path:
    """A version's own files (model.json, forest.npz or ensemble.npz, reference.parquet), downloaded below a folder.

    Raises `ModelMismatch` for a version that was not registered by this project.
    """
    mlflow, errors = _mlflow()
    uri = os.environ[TRACKING]
    try:
        files = mlflow.artifacts.download_artifacts(
            f"models:/{model}/{number}/extra_files",
            dst_path=folder,
            tracking_uri=uri,
            registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or uri,
        )
    except (errors.MlflowException, OSError) as error:  # requests' errors are OSErrors
        raise ModelMismatch(
            f"The files of version {number} of {model} cannot be downloaded from MLflow at "
            f"{_without_password(uri)} ({_reason(error)}).",
            "Serve its artifacts through the tracking server, or roll back with `campaign champion set`.",
        ) from error
    return Path(files)


def _mlflow() -> tuple[Any, Any]:
    for name, value in MLFLOW_LIMITS.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("mlflow"), importlib.import_module("mlflow.exceptions")
    except ImportError as error:
        raise NoChampion(
            f"{TRACKING} is set, but MLflow's client is not installed ({error}).",
            f"Run `pip install mlflow-skinny`, or unset {TRACKING} and give an exported champion as {BUNDLE}.",
        ) from error


def _no_answer(uri: str, error: Exception) -> NoChampion:
    return NoChampion(
        f"MLflow at {_without_password(uri)} does not say who is champion ({_reason(error)}).",
        f"Check {TRACKING} and that the server runs, or unset it and give an exported champion as {BUNDLE}.",
    )


def _reason(error: Exception) -> str:
    # The innermost cause says in a few words what the outer ones say in many.
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    first = (str(inner).strip() or type(inner).__name__).splitlines()[0]
    return _without_password(first).rstrip(".")


def _without_password(text: str) -> str:
    return re.sub(r"://[^/@\s]*@", "://", text)
