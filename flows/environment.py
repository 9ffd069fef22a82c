"""What a process needs to know before Prefect and MLflow are imported."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from campaign.errors import CampaignError
from campaign.sqlite import sqlite_url

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Artifacts come through MLflow: where it would send a client to, the object store's own address, not all can reach.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def prepare() -> None:
    """Use the project's own Prefect home, whatever profiles the user has, unless `PREFECT_API_URL` is set."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # A command tries again itself what is worth it; MLflow's own tries would take minutes where nobody listens.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    # Arrow's own allocator asks for huge pages, which the kernel has to clear: more time and more memory in scoring.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # A cold disk makes the temporary server's first start longer than the 20 s that Prefect waits.
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    if not os.environ.get("PREFECT_API_URL"):
        use_own_prefect(home_folder())


def use_own_prefect(folder: Path) -> None:
    """Have a temporary server with its database in this folder."""
    home = folder / "prefect"
    os.environ.pop("PREFECT_API_URL", None)
    os.environ["PREFECT_HOME"] = str(home)
    # Prefect's own address of it does not hold for every folder; a --home behind the command is said after this.
    os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = sqlite_url(home / "prefect.db", "aiosqlite")
    # Pages read nothing from the temporary server; Prefect's default lets those of every site.
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ""
    os.environ["PREFECT_PROFILE"] = "ephemeral"  # in this folder the active one may be the stack's


@contextmanager
def without_heartbeats() -> Iterator[None]:
    """Under the temporary server nobody watches heartbeats of runs, and at its end each would wait for its own, up to a
    second."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def home_folder() -> Path:
    return Path(os.environ.get("CAMPAIGN_HOME") or ".campaign").absolute()


def make_home() -> None:
    """Before something is written into it. A new one is said, for it may be that of a wrong folder."""
    home = home_folder()
    if not home.exists():
        print(f"A new home is made: {home} (--home names another).", file=sys.stderr)
    (home / "prefect").mkdir(parents=True, exist_ok=True)  # Prefect's server does not, and then fails for two minutes


class PlainErrors(logging.Filter):
    """Leaves out the traceback of an error that says itself what to do."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], CampaignError):
            record.exc_info = None
        return True


def is_not_of_hooks(record: logging.LogRecord) -> bool:
    """Prefect says of each hook that it begins and ends; here they only follow a run."""
    return not record.getMessage().startswith(("Running hook ", "Hook "))


def configure_logging() -> None:
    """Leave tracebacks of errors that a user can mend, and hooks, out of Prefect's logs. Prefect has to be imported."""
    for name in ("prefect", "prefect.engine", "prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(PlainErrors())
        logging.getLogger(name).addFilter(is_not_of_hooks)
    # What a library will rename one day is not the user's business.
    warnings.filterwarnings("ignore", category=FutureWarning)
