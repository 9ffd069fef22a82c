"""Write .env with random secrets, or add those that it lacks, and what is made of it: a file for each service's
secrets, and the Prefect profile of this folder.

`python -m infra.write_env [ENV_FILE]`. Secrets are hexadecimal, for `$` and `@` would break URLs and .env alike.
"""

import os
import secrets
import sys
from pathlib import Path

from infra.object_store.policies import MLFLOW, USERS
from infra.secret_files import prefect_profile, write_secret_files

SECRETS = (
    "POSTGRES_PASSWORD", "PREFECT_DB_PASSWORD", "MLFLOW_DB_PASSWORD", "OPTUNA_DB_PASSWORD", "METRICS_DB_PASSWORD",
    "GRAFANA_DB_PASSWORD", "GRAFANA_PASSWORD", "PREFECT_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY",
    *(f"S3_{user.upper()}_SECRET" for user in (*USERS, MLFLOW)),
    "MLFLOW_ADMIN_PASSWORD", "MLFLOW_TRAINER_PASSWORD", "MLFLOW_READER_PASSWORD", "MLFLOW_SESSION_KEY",
)  # fmt: skip
MIN_KEY = 16  # characters of a key that the web service accepts
HEADER = """\
# Secrets of the stack, and what you set for it. Keep it: the databases are made with these passwords.
# The services that are left out unless they are named here; grafana brings Prometheus with it:
COMPOSE_PROFILES=grafana
# Where alerts of Prefect and Grafana go, as {"text": "…"}:
# ALERT_WEBHOOK_URL=
# Campaigns of your own: the schema, which `campaign init` wrote into the home, and what training starts from.
# CAMPAIGN_SCHEMA=s3://campaign/base/schema.toml
# CAMPAIGN_DATASET=s3://campaign/base/campaigns.csv
# Further settings: CAMPAIGN_LOOKBACK_DAYS, CAMPAIGN_KEEP_…_DAYS, PREFECT_EVENTS_DAYS (README)
"""


def read_env(file: Path) -> dict[str, str]:
    """What the file says, or nothing if it is not there."""
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#")]
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def api_keys(file: Path) -> str:
    """The web service's, as Compose gives them to it: the environment comes before the file."""
    return os.environ.get("CAMPAIGN_API_KEYS") or read_env(file).get("CAMPAIGN_API_KEYS", "")


def refuse_weak_keys(file: Path) -> None:
    """What the web service would refuse when it starts ends here, before anything is changed."""
    if any(0 < len(key.strip()) < MIN_KEY for key in api_keys(file).split(",")):
        sys.exit(
            f"CAMPAIGN_API_KEYS holds a key of fewer than {MIN_KEY} characters; nothing was changed.\n"
            "Make one with `openssl rand -hex 16`, and give it to whoever asks the web service."
        )


def write_private(file: Path, text: str) -> None:
    """A file that nobody else may read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.chmod(0o600)  # touch gives its mode to a new file alone
    file.write_text(text)


def add_secrets(file: Path) -> None:
    """Make the file, or add at its end the secrets that it lacks; what a person wrote stays."""
    missing = [name for name in SECRETS if not read_env(file).get(name)]
    if not missing:
        return
    added = "".join(f"{name}={secrets.token_hex(16)}\n" for name in missing)
    if not file.exists():
        write_private(file, HEADER + added)
        print(f"Wrote {file} with random secrets. Keep it: the databases are made with them.")
        return
    before = file.read_text()
    end = "" if before.endswith("\n") else "\n"
    write_private(file, f"{before}{end}# Added by a later version:\n{added}")
    print(f"Added to {file}, which lacked them: {', '.join(missing)}")


if __name__ == "__main__":
    file = Path(sys.argv[1] if len(sys.argv) > 1 else ".env")
    refuse_weak_keys(file)
    add_secrets(file)
    home = Path(os.environ.get("CAMPAIGN_HOME") or ".campaign")
    env = read_env(file) | {"CAMPAIGN_API_KEYS": api_keys(file)}
    write_private(home / "prefect" / "profiles.toml", prefect_profile(env, "http://127.0.0.1:4200/api"))
    write_secret_files(home, env)
