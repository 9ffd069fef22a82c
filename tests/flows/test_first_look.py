"""`campaign init`, as it is typed."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from campaign.schema_file import parse_schema

CAMPAIGN = Path(sys.executable).with_name("campaign")


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


def campaign(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "120"}
    return subprocess.run(
        [CAMPAIGN, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False
    )


def test_a_file_becomes_a_schema_that_is_written_over_only_on_request(tmp_path: Path, projects: Path) -> None:
    home = tmp_path / "home"
    first = campaign("--home", home, "init", projects)
    assert first.returncode == 0, first.stderr
    schema = parse_schema((home / "campaign.toml").read_text())
    assert (schema.name, schema.row.id, schema.outcome.column) == ("projects", "ID", "state")
    assert schema.column("backers").known == "at the end"
    lines = first.stdout.splitlines()
    assert any(line.split()[:3] == ["backers", "number", "at"] and "1.00" in line for line in lines)
    assert lines[-1] == f"Next: campaign --home {home} train {projects}"
    again = campaign("--home", home, "init", projects)
    assert again.returncode == 1
    assert f"{home}/campaign.toml is there already." in again.stderr
    assert (
        campaign("--home", home, "init", projects, "--force", "--outcome", "state", "--success", "failed").returncode
        == 0
    )
    assert parse_schema((home / "campaign.toml").read_text()).outcome.success == ("failed",)
