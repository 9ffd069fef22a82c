"""Every setting, said once. Each default runs on one machine with no server; the same names configure the stack."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from campaign.errors import BadInput
from campaign.sqlite import sqlite_url


def store_under_home(values: dict[str, Any]) -> str:
    home: Path = values["home"].absolute()
    return f"{home.as_uri()}/store"


def sqlite_under_home(name: str) -> Callable[[dict[str, Any]], str]:
    """The SQLAlchemy URL of a SQLite file."""

    def fill(values: dict[str, Any]) -> str:
        return sqlite_url(values["home"].absolute() / name)

    return fill


class Settings(BaseSettings):
    """Read from the environment: `CAMPAIGN_…`, or the name that the ecosystem already has."""

    model_config = SettingsConfigDict(env_prefix="CAMPAIGN_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(Path(".campaign"), description="Folder of everything that the embedded mode keeps")
    store: str = Field(
        default_factory=store_under_home, description="Object store: `file:///…` or `s3://bucket/prefix`"
    )
    dataset: str = Field(
        "",
        description="Training data to begin with: Parquet or CSV at a path, `http(s)://`, `s3://` or `kaggle://`; "
        "none: what the champion was trained on, else `$CAMPAIGN_STORE/base/campaigns.parquet`",
    )
    schema_uri: str = Field(
        "",
        validation_alias=AliasChoices("CAMPAIGN_SCHEMA", "schema_uri"),
        description="What the rows are: a TOML file at a path or `s3://`; none: `$CAMPAIGN_HOME/campaign.toml` if it "
        "is there, else the published data set's",
    )
    model: str = Field(
        "", description="Registered model that scores and is monitored; none: the schema's `[model] name`"
    )
    metrics_url: str = Field(
        default_factory=sqlite_under_home("metrics.db"), description="SQLAlchemy URL of the metrics database"
    )
    optuna_url: str = Field(
        default_factory=sqlite_under_home("optuna.db"), description="SQLAlchemy URL of the search's studies"
    )
    dask_scheduler: str = Field(
        "", description="Dask scheduler, `tcp://host:8786`, over whose workers scoring and search spread; none: here"
    )
    lookback_days: int = Field(35, ge=1, description="How far back scoring and monitoring look for new or changed days")
    shadow: bool = Field(
        False,
        description="Whether the challenger scores each day beside the champion, and is promoted if outcomes show it "
        "to be better",
    )

    mlflow_tracking_uri: str = Field(
        default_factory=sqlite_under_home("mlflow.db"),
        validation_alias=AliasChoices("MLFLOW_TRACKING_URI", "mlflow_tracking_uri"),
        description="MLflow's tracking server and registry",
    )
    aws_endpoint_url: str | None = Field(
        None,
        validation_alias=AliasChoices("AWS_ENDPOINT_URL", "aws_endpoint_url"),
        description="S3 endpoint, if not Amazon's; keys come from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`",
    )

    mlflow_ui: str = Field(
        default_factory=lambda values: values["mlflow_tracking_uri"],
        description="MLflow's pages as a browser reaches them: links in Prefect's pages point there",
    )
    web_url: str = Field("", description="The web service as a browser reaches it: links to drift reports point there")

    allowed_hosts: str = Field(
        "localhost,127.0.0.1,[::1],web",
        description="Names under which the web service may be asked, separated by commas; `*`: any",
    )
    api_keys: str = Field(
        "",
        description="Keys that the web service asks for, of 16 characters at least, separated by commas; none: open to "
        "all",
    )
    metrics_open: bool = Field(False, description="Whether the web service's `/metrics` is open to all, keys or not")
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks, separated by commas, whose `X-Forwarded-For` says who asks the web "
        "service; none: limits for each address hold for those on the internet alone",
    )
    capture_quota: int = Field(
        2_000_000_000, ge=0, description="Bytes of predictions that the web service keeps of a day; more are counted"
    )

    download_limit: int = Field(
        20_000_000_000, ge=1, description="Bytes of a data set on the web above which it is refused, also once unpacked"
    )
    quarantine_limit: float = Field(
        0.1, gt=0, le=1, description="Share of bad rows in a data set above which a training stops and says why"
    )
    column_drift_threshold: float = Field(0.1, gt=0, description="Distance from which one column counts as drifted")
    prediction_drift_threshold: float = Field(0.1, gt=0, description="Prediction drift from which a day is drifted")
    drifted_share_threshold: float = Field(0.15, gt=0, description="Share of drifted columns that makes a drifted day")
    drift_min_rows: int = Field(
        1_000, ge=1, description="Rows below which drift is not computed; a smaller day is judged with those before it"
    )
    judged_days: int = Field(365, ge=1, description="How far back a small day is judged with those before it")
    decay_margin: float = Field(
        0.02, ge=0, description="Realised ROC-AUC this far below what was to be expected means decay"
    )
    decay_min_outcomes: int = Field(500, ge=2, description="New outcomes below which decay is not judged")
    decay_min_rarer: int = Field(100, ge=1, description="How many of those must be expected to be of the rarer kind")
    decay_confidence: float = Field(
        0.999, gt=0, lt=1, description="Confidence of the intervals by which ROC-AUC and success rate are judged"
    )
    decay_rate_difference: float = Field(
        0.05, ge=0, description="Mean probability this far from the share of successes means decay"
    )
    decay_rate_ratio: float = Field(0.25, ge=0, description="Likewise as a part of that share, whichever is less")
    unseen_rows_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of rows with a value that training never saw above which estimated quality is not trusted",
    )
    outcomes_share: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Share of a day's campaigns whose outcomes must be there before decay is judged",
    )
    outcomes_wait_days: int = Field(
        14, ge=1, description="Days without a new outcome after which those that came are judged all the same"
    )
    tolerance: float = Field(
        0.0005, ge=0, description="Validation ROC-AUC that a forest cheaper to score may lose and be chosen"
    )
    gate_margin: float = Field(
        0.001,
        ge=0,
        description="ROC-AUC that a cheaper challenger may lose and be promoted; ten times that of log loss",
    )
    fit_rows: int = Field(
        2_000_000,
        ge=100,
        description="Most rows that the final forest is fitted on: an even sample of more, as it says",
    )
    reference_rows: int = Field(50_000, ge=1, description="Most test rows kept as the reference of a model")
    keep_reports_days: int = Field(400, ge=1, description="Age at which the drift report of a day is deleted")
    keep_captured_days: int = Field(400, ge=1, description="Age at which a day of captured predictions is deleted")
    keep_incoming_days: int | None = Field(
        None, ge=1, description="Age at which a day's campaigns are deleted; none: they are kept for ever"
    )
    keep_outcomes_days: int | None = Field(None, ge=1, description="Likewise a day's outcomes")
    keep_predictions_days: int | None = Field(None, ge=1, description="Likewise a day's predictions")
    keep_quarantine_days: int | None = Field(
        None, ge=1, description="Likewise a day's bad rows, and those of a data set, by when it was learnt from"
    )
    keep_losers_days: int = Field(
        90, ge=1, description="Age at which versions that never were champion, and their artifacts, are deleted"
    )
    sweep_grace_hours: float = Field(24, ge=0, description="Age at which superseded and half-written parts are deleted")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            wrong = error.errors()[0]
            name = str(wrong["loc"][0]).upper()
            name = name if name.startswith(("MLFLOW_", "AWS_")) else f"CAMPAIGN_{name}"
            raise BadInput(f"{name} is {wrong['input']!r}: {wrong['msg']}.", "Correct or unset it.") from error

    @property
    def cache(self) -> Path:
        return self.home.absolute() / "cache"
