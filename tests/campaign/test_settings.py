from pathlib import Path
from typing import Any

import pytest

from campaign.errors import BadInput
from campaign.settings import Settings
from campaign.store import Store

NAMES = [
    *(f"CAMPAIGN_{name}".upper() for name in Settings.model_fields),
    "CAMPAIGN_SCHEMA",
    "MLFLOW_TRACKING_URI",
    "AWS_ENDPOINT_URL",
]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_any_variable_everything_lies_in_one_folder_of_the_working_directory(tmp_path: Path) -> None:
    home, settings = tmp_path / ".campaign", Settings()
    assert settings.store == f"file://{home}/store"
    assert settings.metrics_url == f"sqlite:///{home}/metrics.db"
    assert settings.optuna_url == f"sqlite:///{home}/optuna.db"
    assert settings.mlflow_tracking_uri == f"sqlite:///{home}/mlflow.db"
    assert settings.cache == home / "cache"


def test_looking_at_the_settings_writes_nothing(tmp_path: Path) -> None:
    Settings()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("variable", "value", "field", "read"),
    [
        ("CAMPAIGN_HOME", "/srv/c", "store", "file:///srv/c/store"),
        ("CAMPAIGN_HOME", "/srv/c", "metrics_url", "sqlite:////srv/c/metrics.db"),
        ("CAMPAIGN_STORE", "s3://campaign/", "store", "s3://campaign/"),
        ("CAMPAIGN_DATASET", "kaggle://a/b", "dataset", "kaggle://a/b"),
        ("CAMPAIGN_LOOKBACK_DAYS", "7", "lookback_days", 7),
        ("CAMPAIGN_KEEP_REPORTS_DAYS", "1", "keep_reports_days", 1),
        ("MLFLOW_TRACKING_URI", "http://mlflow:5000", "mlflow_tracking_uri", "http://mlflow:5000"),
        ("AWS_ENDPOINT_URL", "http://s3:7070", "aws_endpoint_url", "http://s3:7070"),
    ],
)
def test_a_variable_is_obeyed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, read: Any
) -> None:
    monkeypatch.setenv(variable, value)
    assert getattr(Settings(), field) == read


@pytest.mark.parametrize("variable", NAMES)
def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    usual = Settings()
    monkeypatch.setenv(variable, "")
    assert Settings() == usual


@pytest.mark.parametrize("folder", ["with space", "50%20", "a#b?c", "größe"])
def test_the_default_store_is_below_home_whatever_home_is_called(tmp_path: Path, folder: str) -> None:
    Store(Settings(home=tmp_path / folder).store).publish("base/a.txt", b"x")
    assert (tmp_path / folder / "store" / "base" / "a.txt").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CAMPAIGN_LOOKBACK_DAYS", "0"), ("CAMPAIGN_LOOKBACK_DAYS", "a week"), ("CAMPAIGN_GATE_MARGIN", "-1")],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadInput, match=f"^{variable} is '{value}': .*Correct or unset it"):
        Settings()


def test_settings_do_not_change_under_a_run() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().lookback_days = 3  # type: ignore[misc]
