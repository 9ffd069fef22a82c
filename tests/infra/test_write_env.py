import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.write_env import SECRETS, read_env

ROOT = Path(__file__).parents[2]


def write_env(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {"CAMPAIGN_HOME": str(tmp_path / "home"), "CAMPAIGN_API_KEYS": ""} | variables
    command = [sys.executable, "-m", "infra.write_env", str(tmp_path / "env")]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | own, cwd=ROOT)


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


def test_an_env_of_an_earlier_version_gets_what_it_lacks_and_keeps_the_rest(tmp_path):
    before = "# mine\nPOSTGRES_PASSWORD=as-it-was\nS3_ACCESS_KEY=\nALERT_WEBHOOK_URL='http://chat.example/hook'"
    (tmp_path / "env").write_text(before)
    said = write_env(tmp_path).stdout
    after = (tmp_path / "env").read_text()
    assert after.startswith(before)
    assert after.count("POSTGRES_PASSWORD=") == 1
    assert "MLFLOW_READER_PASSWORD" in said
    assert "POSTGRES_PASSWORD" not in said
    env = read_env(tmp_path / "env")
    assert all(env[name] for name in SECRETS)
    assert env["ALERT_WEBHOOK_URL"] == "http://chat.example/hook"
    assert write_env(tmp_path).stdout == ""
    assert (tmp_path / "env").read_text() == after


def test_each_service_s_secrets_are_files_in_a_folder_that_is_closed(tmp_path):
    write_env(tmp_path)
    folder, env = tmp_path / "home" / "secrets", read_env(tmp_path / "env")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}
    assert env["S3_WEB_SECRET"] in (folder / "object-store-web").read_text()
    assert env["S3_WEB_SECRET"] not in (folder / "object-store-scoring").read_text()
    users = json.loads((folder / "object-store-users").read_text())["accessAccounts"]
    assert users["web"] == {
        "access": "web", "secret": env["S3_WEB_SECRET"], "role": "user", "userID": 0, "groupID": 0, "projectID": 0,
    }  # fmt: skip
    assert (folder / "campaign-schema").read_text() == ""


def test_a_password_that_was_changed_is_written_into_the_file_that_containers_hold(tmp_path):
    write_env(tmp_path)
    file, key = tmp_path / "home" / "secrets" / "mlflow-reader", tmp_path / "home" / "secrets" / "dask-key"
    before, certificate_key = file.stat(), key.read_text()
    env = tmp_path / "env"
    env.write_text(env.read_text().replace("MLFLOW_READER_PASSWORD=", "MLFLOW_READER_PASSWORD=another-"))
    (tmp_path / "home" / "campaign.toml").write_text("# of the home")
    write_env(tmp_path)
    assert "another-" in file.read_text()
    assert file.stat().st_ino == before.st_ino
    assert key.read_text() == certificate_key
    assert (tmp_path / "home" / "secrets" / "campaign-schema").read_text() == "# of the home"


@pytest.mark.parametrize(
    ("listed", "variables", "key"),
    [
        ("", {}, ""),
        ("old-key-of-some-length, new-key-of-some-length", {}, "old-key-of-some-length"),
        ("'old-key-of-some-length'", {"CAMPAIGN_API_KEYS": "key-of-the-environment"}, "key-of-the-environment"),
    ],
    ids=["none", "while one is replaced", "as Compose has it"],
)
def test_prometheus_is_given_the_key_that_is_accepted_for_longest(tmp_path, listed, variables, key):
    (tmp_path / "env").write_text(f"CAMPAIGN_API_KEYS={listed}\n")
    assert write_env(tmp_path, **variables).returncode == 0
    assert (tmp_path / "home" / "secrets" / "prometheus-web-key").read_text() == key


def test_a_home_of_an_earlier_version_gets_the_file_that_it_lacks(tmp_path):
    write_env(tmp_path)
    secrets = tmp_path / "home" / "secrets"
    before = {file.name: (file.stat().st_ino, file.read_text()) for file in secrets.iterdir()}
    (secrets / "prometheus-web-key").unlink()
    del before["prometheus-web-key"]
    (tmp_path / "env").write_text((tmp_path / "env").read_text() + "CAMPAIGN_API_KEYS=a-key-of-some-length\n")
    assert write_env(tmp_path).stdout == ""
    assert (secrets / "prometheus-web-key").read_text() == "a-key-of-some-length"
    assert {name: (((secrets / name).stat().st_ino), (secrets / name).read_text()) for name in before} == before
