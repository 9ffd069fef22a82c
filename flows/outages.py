"""A server that does not answer, or not to everybody, as an error that says which and what to do."""

import os

from campaign.errors import CampaignError, StoreError
from campaign.masking import without_credentials
from campaign.settings import Settings
from tasks.retries import causes_of, is_outage


class NotAnswering(CampaignError):
    """A server that is needed is away, or somewhere else than the settings say."""


class NotLoggedIn(CampaignError):
    """MLflow asks for a login, or for one that may do more."""


def as_outage(error: BaseException) -> CampaignError | None:
    """None for what is a fault of this program's."""
    if any(f"error code {status} != 200" in str(error) for status in (401, 403)):
        return NotLoggedIn(
            f"MLflow at {without_credentials(Settings().mlflow_tracking_uri)} asks for another login.",
            "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (in the stack: reader, trainer or admin, and "
            "MLFLOW_…_PASSWORD of .env).",
        )
    if isinstance(error, StoreError) or not is_outage(error):
        return None
    libraries = {type(cause).__module__.partition(".")[0] for cause in causes_of(error)}
    if libraries & {"httpx", "prefect"}:
        where, remedy = "Prefect's temporary server", "Run it again."
        if api := os.environ.get("PREFECT_API_URL"):
            where = f"Prefect's API at {api}"
            remedy = "Start it, or unset PREFECT_API_URL: a temporary one is started then."
    elif libraries & {"mlflow", "requests"}:
        where, remedy = f"MLflow at {Settings().mlflow_tracking_uri}", "Start it, or correct MLFLOW_TRACKING_URI."
    else:
        where = f"A database ({str(error).strip().splitlines()[0]})"
        remedy = "Start it, or correct its address: `campaign doctor` says which one it is."
    return NotAnswering(without_credentials(f"{where} does not answer."), remedy)
