"""Who may what with the objects: the gateway's users, and the policy of each bucket, made from one table."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CAMPAIGN, MLFLOW = "campaign", "mlflow"  # the buckets
EVERYTHING = ""
SCHEMA = "base/schema.toml"
READ = ["s3:GetObject"]
WRITE = ["s3:*Object", "s3:AbortMultipartUpload"]  # get, put and delete
# Files lie here directly. Where Arrow deletes one it leaves an object with the folder's name.
WITHOUT_DAYS = ("base", "by-hand", "search")
# The gateway keeps a policy in an attribute of the bucket's folder, and ext4 has 4,096 bytes for all of them together.
MAX_BYTES = 3_700


@dataclass(frozen=True)
class Rights:
    """Folders of the bucket. Who may read or write a folder may list it."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    expire: bool = False  # may delete days of every folder


USERS = {
    "training": Rights((EVERYTHING,), ("base", "quarantine", "reports", "search"), expire=True),
    "dask": Rights((EVERYTHING,), ("predictions", "quarantine", "search", "shadow")),
    "scoring": Rights(
        ("captured", "incoming", "outcomes", SCHEMA), ("predictions", "quarantine", "reports", "shadow")
    ),
    "traffic": Rights((), ("incoming", "outcomes")),
    "web": Rights(("reports", SCHEMA), ("captured",)),
    "batch": Rights(("incoming", SCHEMA), ("by-hand",)),
    "deploy": Rights((), ("base",)),
    "forget": Rights((), (EVERYTHING,)),
    "reader": Rights(("predictions",)),
}  # fmt: skip


def campaign_policy() -> str:
    """The policy of the bucket `campaign`, as JSON."""
    return _document(CAMPAIGN, list(_statements()))


def mlflow_policy() -> str:
    """The policy of MLflow's own bucket: its server's alone."""
    return _document(MLFLOW, [_listing(MLFLOW, [MLFLOW], []), _objects(MLFLOW, [MLFLOW], WRITE, ["*"])])


def _statements() -> Iterator[dict[str, Any]]:
    listed, read, written = (defaultdict[Any, list[str]](list) for _ in range(3))
    for user, rights in USERS.items():
        folders = {folder for folder in (*rights.read, *rights.write) if folder != SCHEMA}
        listed[tuple(sorted(folders)) if EVERYTHING not in folders else ()].append(user)
        for folder in rights.read:
            read[folder].append(user)
        for folder in rights.write:
            written[folder].append(user)
    for folders, users in listed.items():
        yield _listing(CAMPAIGN, users, [f"{folder}/*" for folder in folders])
    for actions, by_folder in ((READ, read), (WRITE, written)):
        by_users = defaultdict[tuple[str, ...], list[str]](list)
        for folder, users in by_folder.items():
            by_users[tuple(users)] += _paths(folder, actions)
        for allowed, paths in by_users.items():
            yield _objects(CAMPAIGN, list(allowed), actions, paths)
    expiring = [user for user, rights in USERS.items() if rights.expire]
    yield _objects(CAMPAIGN, expiring, ["s3:DeleteObject"], ["*"])
    yield _objects(CAMPAIGN, expiring, ["s3:PutObject"], ["*/day=????-??-??"])


def _paths(folder: str, actions: list[str]) -> list[str]:
    if folder in (EVERYTHING, SCHEMA):
        return [folder or "*"]
    return [f"{folder}/*", *([folder] if actions == WRITE and folder in WITHOUT_DAYS else [])]


def _listing(bucket: str, users: list[str], prefixes: list[str]) -> dict[str, Any]:
    condition = {"Condition": {"StringLike": {"s3:prefix": prefixes}}} if prefixes else {}
    return _allow(users, ["s3:ListBucket"], [f"arn:aws:s3:::{bucket}"]) | condition


def _objects(bucket: str, users: list[str], actions: list[str], paths: list[str]) -> dict[str, Any]:
    return _allow(users, actions, [f"arn:aws:s3:::{bucket}/{path}" for path in paths])


def _allow(users: list[str], actions: list[str], resources: list[str]) -> dict[str, Any]:
    short = {"Action": actions, "Resource": resources}
    return {"Effect": "Allow", "Principal": users} | {
        name: values[0] if len(values) == 1 else values for name, values in short.items()
    }


def _document(bucket: str, statements: list[dict[str, Any]]) -> str:
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    if len(policy) > MAX_BYTES:
        raise ValueError(f"The policy of {bucket} has {len(policy)} bytes; file systems hold {MAX_BYTES}.")
    return policy
