"""The secrets of each service as files, in the form that the program which reads them wants.

The folder is closed to other users of the machine, and its files are readable to all, for a container's user is another
than the one who writes them. A file is written in place: a container holds the file that it was started with.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from campaign.schema_file import NAME
from infra.object_store.policies import MLFLOW, USERS

DATABASES = {"prefect": "PREFECT", "mlflow": "MLFLOW", "optuna": "OPTUNA", "metrics": "METRICS"}  # by role
DASK_CERTIFICATE, DASK_KEY = "dask-certificate", "dask-key"
PEOPLE = ("batch", "reader")  # whose keys are taken from .env by who needs them
DASK_VALID = timedelta(days=3650)


def prefect_profile(env: dict[str, str], api: str) -> str:
    """Prefect's profiles.toml, with the login to an API."""
    return (
        '# Written by `make up`: `prefect` speaks to the stack.\nactive = "campaign"\n\n[profiles.campaign]\n'
        f'PREFECT_API_URL = "{api}"\nPREFECT_API_AUTH_STRING = "admin:{env["PREFECT_PASSWORD"]}"\n'
    )


def secret_files(env: dict[str, str]) -> dict[str, str]:
    """What each file holds, by its name."""
    s3_secrets = {user: env[f"S3_{user.upper()}_SECRET"] for user in (*USERS, MLFLOW)}
    passwords = {role: env[f"{name}_DB_PASSWORD"] for role, name in DATABASES.items()}
    mlflow = {user: env[f"MLFLOW_{user.upper()}_PASSWORD"] for user in ("admin", "trainer", "reader")}
    return {
        "postgres-password": env["POSTGRES_PASSWORD"],
        "postgres-roles": "".join(
            f"{role} {password}\n" for role, password in {**passwords, "grafana": env["GRAFANA_DB_PASSWORD"]}.items()
        ),
        "databases-mlflow": postgres_services(passwords, "mlflow"),
        "databases-metrics": postgres_services(passwords, "metrics"),
        "databases-training": postgres_services(passwords, "metrics", "optuna"),
        "object-store-users": gateway_users(s3_secrets),
        "object-store-root": aws_credentials(env["S3_ACCESS_KEY"], env["S3_SECRET_KEY"]),
        **{
            f"object-store-{user}": aws_credentials(user, secret)
            for user, secret in s3_secrets.items()
            if user not in PEOPLE
        },
        "mlflow-logins": json.dumps(mlflow),
        **{f"mlflow-{user}": mlflow_credentials(user, mlflow[user]) for user in ("trainer", "reader")},
        "prefect-login": prefect_profile(env, "http://prefect-server:4200/api"),
        "grafana-password": env["GRAFANA_PASSWORD"],
        "grafana-database-password": env["GRAFANA_DB_PASSWORD"],
        "prometheus-web-key": first_key(env.get("CAMPAIGN_API_KEYS", "")),
    }  # fmt: skip


def first_key(listed: str) -> str:
    """Empty without any. While one is replaced by another the first is the old one, which is accepted until the end."""
    return next((key.strip() for key in listed.split(",") if key.strip()), "")


def postgres_services(passwords: dict[str, str], *databases: str) -> str:
    """Libpq's connection service file: each database is owned by the role of its name."""
    return "".join(
        f"[{name}]\nhost=postgres\ndbname={name}\nuser={name}\npassword={passwords[name]}\n" for name in databases
    )


def aws_credentials(key: str, secret: str) -> str:
    return f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"


def gateway_users(secrets: dict[str, str]) -> str:
    """VersityGW's users.json: users who may do nothing but what a bucket's policy allows."""
    nobody = {"role": "user", "userID": 0, "groupID": 0, "projectID": 0}
    return json.dumps(
        {"accessAccounts": {user: {"access": user, "secret": secret, **nobody} for user, secret in secrets.items()}}
    )


def mlflow_credentials(user: str, password: str) -> str:
    return f"[mlflow]\nmlflow_tracking_username = {user}\nmlflow_tracking_password = {password}\n"


def write_secret_files(home: Path, env: dict[str, str]) -> None:
    """Into the home's folder `secrets`; the schema of its campaigns goes along: `deploy` sees nothing else of it."""
    folder, schema = home / "secrets", home / NAME
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    files = secret_files(env) | {"campaign-schema": schema.read_text() if schema.is_file() else ""}
    if not (folder / DASK_KEY).exists():
        files |= dask_files()
    for name, text in files.items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.touch(mode=0o644)
            file.chmod(0o644)
            file.write_text(text)
            file.chmod(0o444)


def dask_files() -> dict[str, str]:
    """A key for all sides of the cluster, and the certificate that each of them asks of the others."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask")])
    number, authority = x509.random_serial_number(), x509.BasicConstraints(ca=True, path_length=0)
    builder = x509.CertificateBuilder(name, name, key.public_key(), number, now, now + DASK_VALID)
    certificate = builder.add_extension(authority, critical=True).sign(key, SHA256())
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        DASK_CERTIFICATE: certificate.public_bytes(Encoding.PEM).decode(),
        DASK_KEY: key.private_bytes(*form).decode(),
    }
