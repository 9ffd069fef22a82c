"""Write .env with random secrets, if there is none. Hexadecimal, for `$` and `@` would break URLs and .env alike."""

import secrets
from pathlib import Path

NAMES = (
    "POSTGRES_PASSWORD", "PREFECT_DB_PASSWORD", "MLFLOW_DB_PASSWORD", "OPTUNA_DB_PASSWORD", "METRICS_DB_PASSWORD",
    "GRAFANA_DB_PASSWORD", "GRAFANA_PASSWORD", "PREFECT_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY",
)  # fmt: skip

if __name__ == "__main__":
    file = Path(".env")
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={secrets.token_hex(16)}\n" for name in NAMES))
        print("Wrote .env with random secrets. Keep it: the databases are made with them.")
