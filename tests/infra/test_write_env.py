import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def write_env(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {"CAMPAIGN_HOME": str(tmp_path / "home"), "CAMPAIGN_API_KEYS": ""} | variables
    command = [sys.executable, str(ROOT / "infra" / "write_env.py"), str(tmp_path / "env")]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | own)


def test_it_writes_secrets_once_and_keeps_what_is_there(tmp_path):
    assert write_env(tmp_path).returncode == 0
    written = (tmp_path / "env").read_text()
    assert "POSTGRES_PASSWORD=" in written
    (tmp_path / "env").write_text(written + "CAMPAIGN_API_KEYS=a-key-of-some-length,another-of-some-length\n")
    assert write_env(tmp_path).returncode == 0
    assert (tmp_path / "env").read_text().startswith(written)
    assert (tmp_path / "home" / "prefect" / "profiles.toml").exists()


def test_nobody_else_may_read_what_it_writes(tmp_path):
    profiles = tmp_path / "home" / "prefect" / "profiles.toml"
    profiles.parent.mkdir(parents=True)
    profiles.write_text("of an earlier version")
    profiles.chmod(0o644)
    assert write_env(tmp_path).returncode == 0
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "env", profiles)} == {0o600}


@pytest.mark.parametrize("where", ["file", "environment"])
def test_a_key_that_could_be_guessed_stops_it_before_anything_is_changed(tmp_path, where):
    keys = "a-key-of-some-length,short"
    if where == "file":
        (tmp_path / "env").write_text(f"# CAMPAIGN_API_KEYS=\nCAMPAIGN_API_KEYS={keys}\n")
    ended = write_env(tmp_path, **({} if where == "file" else {"CAMPAIGN_API_KEYS": keys}))
    assert ended.returncode == 1
    assert "fewer than 16 characters; nothing was changed" in ended.stderr
    assert not (tmp_path / "home").exists()
    assert (tmp_path / "env").exists() == (where == "file")
