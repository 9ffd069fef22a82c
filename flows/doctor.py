"""`campaign doctor`: whether all that a run needs is there and answers, with a remedy for what does not."""

import os
import platform
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape

from campaign.errors import CampaignError
from campaign.schema_file import home_schema, served_model
from campaign.settings import Settings
from campaign.sqlite import sqlite_file
from campaign.store import Store
from flows.ui import MLFLOW_PORT, PREFECT_PORT, is_free

LIBRARIES = ("prefect", "mlflow", "optuna", "evidently", "scikit-learn", "pandas", "pyarrow")
PORTS = {8000: "the web service", MLFLOW_PORT: "MLflow's pages", PREFECT_PORT: "Prefect's pages"}
LEAST_GB = 2.0  # the home of a demo is a tenth of one; data sets are gathered and downloaded beside it
PROBE = ".doctor"


@dataclass(frozen=True)
class Finding:
    """`said`: a sentence on what was found. `remedy`: empty where all is well, or nothing has to be done."""

    what: str
    is_well: bool
    said: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Everything in turn. One that fails does not keep the next from being looked at."""
    checks: dict[str, Callable[[], str]] = {
        "versions": _versions, "settings": _settings, "schema": _schema, "store": _store,
        "metrics": lambda: _database(Settings().metrics_url), "studies": lambda: _database(Settings().optuna_url),
        "MLflow": _mlflow, "Prefect": _prefect, "disk": _disk,
    }  # fmt: skip
    return [*(_look(what, check) for what, check in checks.items()), *_ports()]


def _look(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except CampaignError as error:
        return Finding(what, False, error.cause, error.remedy)
    except Exception as error:  # whatever it is, it is what the doctor was asked for
        said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no more is said'}"
        return Finding(what, False, said, REMEDIES.get(what, ""))


REMEDIES = {
    "metrics": "Start the database, or correct CAMPAIGN_METRICS_URL.",
    "studies": "Start the database, or correct CAMPAIGN_OPTUNA_URL.",
    "MLflow": "Start it, or correct MLFLOW_TRACKING_URI.",
    "Prefect": "Start it, or unset PREFECT_API_URL: a temporary one is started then.",
}


class _Lacking(CampaignError):
    """What is there is not enough."""


def _versions() -> str:
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)])


def _settings() -> str:
    own = sorted(name for name in os.environ if name.startswith("CAMPAIGN_") and os.environ[name])
    known = {f"CAMPAIGN_{name.upper()}" for name in Settings.model_fields} | {"CAMPAIGN_SCHEMA"}
    if unknown := [name for name in own if name not in known]:
        raise _Lacking(f"No setting is called {', '.join(unknown)}.", "Correct the name, or unset it.")
    return f"home {Settings().home.absolute()}" + (f"; set: {', '.join(own)}" if own else "; all others as they come")


def _schema() -> str:
    schema = home_schema()
    return f"{len(schema.columns)} columns, of which a model sees {len(schema.features)}; model {served_model()}"


def _store() -> str:
    store = Store(Settings().store)
    if store.uri.startswith("file://") and not Settings().home.exists():
        return f"{store.uri} is not there yet: it is made by the first command that writes"
    store.publish(PROBE, b"")
    store.delete(PROBE)
    return f"{store.uri} can be read and written"


def _database(url: str) -> str:
    parsed = sa.engine.make_url(url)
    shown = parsed.render_as_string(hide_password=True)
    if (file := sqlite_file(url)) and not file.exists():
        return f"{shown} is not there yet: it is made by the first command that writes"
    with sa.create_engine(parsed).connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    return f"{shown} answers"


def _mlflow() -> str:
    uri = Settings().mlflow_tracking_uri
    if not uri.startswith("http"):
        return _database(uri)
    urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=5).close()
    return f"{uri} answers"


def _prefect() -> str:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return "a temporary server is started for each run"
    urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=5).close()
    return f"{url} answers"


def _disk() -> str:
    folder = Settings().home.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if free < LEAST_GB:
        raise _Lacking(f"{free:.1f} GB are free in {folder}, and {LEAST_GB:g} are needed.", "Delete something there.")
    return f"{free:,.0f} GB are free in {folder}"


def _ports() -> Iterator[Finding]:
    for port, what in PORTS.items():
        taken = f"taken, maybe by {what}; another can be named, or is tried"
        yield Finding(f"port {port}", True, f"free, for {what}" if is_free(port) else taken)


def show(findings: list[Finding]) -> None:
    """A line each, and what does not answer with its remedy."""
    console = Console(highlight=False)
    for finding in findings:
        mark = "[green]✓[/]" if finding.is_well else "[red]✗[/]"
        console.print(f"{mark} {finding.what:<10} {escape(finding.said)}", soft_wrap=True)
        if finding.remedy:
            console.print(f"  {'':<10} {escape(finding.remedy)}", soft_wrap=True)
