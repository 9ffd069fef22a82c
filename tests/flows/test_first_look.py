"""`campaign init`, as it is typed."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from campaign.errors import BadInput
from campaign.schema_file import parse_schema
from flows import cli


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    frame = pd.DataFrame({
        "ID": range(200),
        "category": ["Art", "Film", "Games", "Music"] * 50,
        "goal": [100 * (at % 37 + 1) for at in range(200)],
        "backers": [at % 2 * 50 + at % 7 for at in range(200)],
        "launched": pd.date_range("2026-01-01", periods=200).strftime("%Y-%m-%d"),
        "state": ["failed", "successful"] * 100,
    })  # fmt: skip
    frame.to_csv(tmp_path / "projects.csv", index=False)
    return tmp_path / "projects.csv"


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line in this process."""
    monkeypatch.setattr(cli, "prepare", lambda: None)
    monkeypatch.setenv("CAMPAIGN_HOME", "")  # so that it is as before afterwards
    monkeypatch.setenv("COLUMNS", "120")
    return lambda *words: CliRunner().invoke(cli.app, [*map(str, words)])


def test_a_file_becomes_a_schema_that_is_written_over_only_on_request(
    tmp_path: Path, projects: Path, campaign: Callable[..., Result]
) -> None:
    home = tmp_path / "home"
    first = campaign("--home", home, "init", projects)
    assert first.exit_code == 0, first.output
    schema = parse_schema((home / "campaign.toml").read_text())
    assert (schema.name, schema.row.id, schema.outcome.column) == ("projects", "ID", "state")
    assert schema.column("backers").known == "at the end"
    lines = first.stdout.splitlines()
    assert any(line.split()[:3] == ["backers", "number", "at"] and "1.00" in line for line in lines)
    assert lines[-1] == f"Next: campaign --home {home} train {projects}"
    again = campaign("--home", home, "init", projects)
    assert isinstance(again.exception, BadInput)
    assert again.exception.cause == f"{home}/campaign.toml is there already."
    other = campaign("--home", home, "init", projects, "--force", "--outcome", "state", "--success", "failed")
    assert other.exit_code == 0, other.output
    assert parse_schema((home / "campaign.toml").read_text()).outcome.success == ("failed",)
