"""Who may what in the stack, key by key and login by login: what is refused, and that the right one is not."""

import base64
import configparser
import io
from collections.abc import Callable
from typing import Any

import boto3
import httpx
from botocore.exceptions import ClientError

from tests.e2e.stack import Stack, check

FOLDERS = (
    "base", "incoming", "outcomes", "captured", "predictions", "quarantine", "reports", "search", "shadow", "by-hand",
)  # fmt: skip
# By gateway user: folders that it may get and list, write (put and delete as well), and only delete from.
RIGHTS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "training": (set(FOLDERS), {"base", "quarantine", "reports", "search"}, set(FOLDERS)),
    "dask": (set(FOLDERS), {"predictions", "quarantine", "search", "shadow"}, set()),
    "scoring": (
        {"incoming", "outcomes", "captured"}, {"predictions", "quarantine", "reports", "shadow"}, set(),
    ),
    "traffic": (set(), {"incoming", "outcomes"}, set()),
    "web": ({"reports"}, {"captured"}, set()),
    "batch": ({"incoming"}, {"by-hand"}, set()),
    "deploy": (set(), {"base"}, set()),
    "forget": (set(), set(FOLDERS), set()),
    "reader": ({"predictions"}, set(), set()),
}  # fmt: skip
# Which secrets of .env a service may hold, beside those that are asked for by name here.
HELD = {
    "worker": {"PREFECT_PASSWORD", "METRICS_DB_PASSWORD", "MLFLOW_READER_PASSWORD", "S3_SCORING_SECRET"},
    "training-worker": {
        "PREFECT_PASSWORD", "METRICS_DB_PASSWORD", "OPTUNA_DB_PASSWORD", "MLFLOW_TRAINER_PASSWORD",
        "S3_TRAINING_SECRET",
    },
    "traffic-worker": {"PREFECT_PASSWORD", "S3_TRAFFIC_SECRET"},
    "watchdog": {"PREFECT_PASSWORD", "METRICS_DB_PASSWORD"},
    "web": {"MLFLOW_READER_PASSWORD", "S3_WEB_SECRET"},
    "mlflow": {"MLFLOW_DB_PASSWORD", "MLFLOW_READER_PASSWORD", "MLFLOW_SESSION_KEY", "S3_MLFLOW_SECRET"},
    "prefect-server": {"PREFECT_DB_PASSWORD", "PREFECT_PASSWORD"},
    "postgres": {"POSTGRES_PASSWORD"},
    "prometheus": set(),  # it has a key of the web service, where there are any
}  # fmt: skip


def is_allowed(ask: Callable[[], Any]) -> bool:
    """Whether a request is answered. Raises what is no refusal."""
    try:
        ask()
    except ClientError as error:
        check(error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error)
        return False
    return True


def keys_are_fenced(stack: Stack) -> str:
    asked = 0
    for user, (read, written, expired) in RIGHTS.items():
        s3 = client_of(user, stack.secrets[f"S3_{user.upper()}_SECRET"])
        for folder in FOLDERS:
            key = f"{folder}/day=1999-01-01/probe"
            stack.s3.put_object(Bucket="campaign", Key=key, Body=b"")
            asked += 4
            found = {
                "get": is_allowed(lambda s3=s3, key=key: s3.get_object(Bucket="campaign", Key=key)),
                "list": is_allowed(lambda s3=s3, at=f"{folder}/": s3.list_objects_v2(Bucket="campaign", Prefix=at)),
                "put": is_allowed(lambda s3=s3, key=key: s3.put_object(Bucket="campaign", Key=key, Body=b"")),
                "delete": is_allowed(lambda s3=s3, key=key: s3.delete_object(Bucket="campaign", Key=key)),
            }
            wanted = {
                "get": folder in read | written,
                "list": folder in read | written,
                "put": folder in written,
                "delete": folder in written | expired,
            }
            check(found == wanted, f"{user} in {folder}/: {found}, and it should be {wanted}")
            stack.s3.delete_object(Bucket="campaign", Key=key)
        check(not is_allowed(lambda s3=s3: s3.list_objects_v2(Bucket="mlflow")), f"{user} lists MLflow's bucket")
    mlflow = client_of("mlflow", stack.secrets["S3_MLFLOW_SECRET"])
    check(not is_allowed(lambda: mlflow.list_objects_v2(Bucket="campaign")), "MLflow lists the campaigns")
    check(is_allowed(lambda: mlflow.list_objects_v2(Bucket="mlflow")), "MLflow does not list its own bucket")
    wrong = client_of("training", "0" * 32)
    check(not is_allowed(lambda: wrong.list_objects_v2(Bucket="campaign")), "a wrong secret is let in")
    return f"{asked} requests by {len(RIGHTS)} keys"


def client_of(user: str, secret: str) -> Any:
    return boto3.client(
        "s3", endpoint_url="http://127.0.0.1:7070", region_name="us-east-1",
        aws_access_key_id=user, aws_secret_access_key=secret,
    )  # fmt: skip


def logins_are_asked_for(stack: Stack) -> str:
    from mlflow.exceptions import MlflowException

    search = "http://127.0.0.1:5000/api/2.0/mlflow/experiments/search?max_results=1"
    check(httpx.get(search).status_code == 401, "MLflow asks for no login")
    check(httpx.get(search, auth=("reader", "not-the-password")).status_code == 401, "MLflow takes any password")
    champion, registry = stack.champion(), stack.registry()
    stack.log_in_to_mlflow("reader")
    version = registry.get_model_version_by_alias("campaign-success", "champion")
    for name, write in {
        "moves the champion": lambda: registry.set_registered_model_alias("campaign-success", "champion", "1"),
        "makes a version": lambda: registry.create_model_version("campaign-success", version.source, version.run_id),
        "makes a model": lambda: registry.create_registered_model("of-a-reader"),
        "makes an experiment": lambda: registry.create_experiment("of-a-reader"),
        "deletes a run": lambda: registry.delete_run(version.run_id),
        "logs into a run": lambda: registry.log_metric(version.run_id, "test_roc_auc", 1.0),
    }.items():
        try:
            write()
        except MlflowException as refused:
            check("403" in str(refused), refused)
        else:
            check(False, f"reader {name}")
    stack.log_in_to_mlflow("trainer")
    for source in ("s3://campaign/base", "s3://mlflow/1", "file:///etc"):
        try:
            registry.create_model_version("campaign-success", source)
        except MlflowException as refused:
            check("source" in str(refused).lower(), refused)
        else:
            check(False, f"a version whose source is {source}")
    registry.set_model_version_tag("campaign-success", champion, "looked-at", "yes")
    registry.delete_model_version_tag("campaign-success", champion, "looked-at")
    check(stack.champion() == champion, "another champion")
    version_of_prefect = "http://127.0.0.1:4200/api/admin/version"
    check(httpx.get(version_of_prefect).status_code == 401, "Prefect asks for no login")
    right = httpx.get(version_of_prefect, auth=("admin", stack.secrets["PREFECT_PASSWORD"]))
    check(right.status_code == 200, f"Prefect answers the right login with {right.status_code}")
    return "MLflow: nobody, a wrong password, what a reader may not; sources elsewhere; Prefect: nobody"


def foreign_pages_are_refused(stack: Stack) -> str:
    login = "Basic " + base64.b64encode(f"admin:{stack.secrets['PREFECT_PASSWORD']}".encode()).decode()
    prefect = "http://127.0.0.1:4200/api"
    for origin, welcome in (("http://evil.example", False), ("http://localhost:4200", True)):
        answer = httpx.get(f"{prefect}/admin/version", headers={"origin": origin, "authorization": login})
        check(("access-control-allow-origin" in answer.headers) == welcome, f"Prefect, asked from {origin}")
    posted = httpx.post(f"{prefect}/flow_runs/filter", json={}, headers={"authorization": login})
    check(posted.status_code == 403, f"Prefect takes a POST without a token: {posted.status_code}")
    evil = {"origin": "http://evil.example"}
    check(httpx.post("http://127.0.0.1:8000/predict", json={}, headers=evil).status_code == 403, "the web service")
    for port, path in ((5000, "/"), (8000, "/model")):
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"host": "evil.example"})
        check(answer.status_code in (400, 403, 421), f"port {port} answers for another host: {answer.status_code}")
    return "origins and hosts of elsewhere"


def secrets_are_apart(stack: Stack) -> str:
    """What a service's files and environment hold, looked for with the values of .env."""
    values = {name: value for name, value in stack.secrets.items() if len(value) == 32 and name != "S3_ACCESS_KEY"}
    for service, held in HELD.items():
        seen = stack.compose(
            "exec", "-T", service, "sh", "-c", "env; cat /run/secrets/* /tmp/.mlflow/credentials 2>&1; true"
        )
        found = {name for name, value in values.items() if value in seen}
        check(found == held, f"{service} holds {sorted(found)}, and should hold {sorted(held)}")
    logged_in = configparser.ConfigParser()
    logged_in.read_file(io.StringIO(stack.compose("exec", "-T", "worker", "cat", "/tmp/.mlflow/credentials")))
    check(logged_in["mlflow"]["mlflow_tracking_username"] == "reader", "the worker of pool campaign is no reader")
    return f"{len(HELD)} services hold their own secrets and no others"


STEPS = [
    ("keys of the object store", keys_are_fenced),
    ("logins of MLflow and Prefect", logins_are_asked_for),
    ("pages and names of elsewhere", foreign_pages_are_refused),
    ("each service's own secrets", secrets_are_apart),
]
