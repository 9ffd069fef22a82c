"""The bucket's policy says what the table of rights says, and fits into where the gateway keeps it."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.object_store.policies import USERS, campaign_policy, mlflow_policy
from tests.e2e.access import FOLDERS, RIGHTS


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allows(policy: str, user: str, action: str, resource: str, prefix: str | None = None) -> bool:
    """As the gateway reads a policy: `*` is any characters, slashes too."""

    def applies(statement: dict[str, Any]) -> bool:
        prefixes = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        return (
            statement["Effect"] == "Allow"
            and user in as_list(statement["Principal"])
            and any(fnmatchcase(action, pattern) for pattern in as_list(statement["Action"]))
            and any(fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"]))
            and (prefixes is None or any(fnmatchcase(prefix or "", pattern) for pattern in prefixes))
        )

    return any(map(applies, json.loads(policy)["Statement"]))


@pytest.mark.parametrize("folder", [*FOLDERS, "elsewhere"])
@pytest.mark.parametrize("user", USERS)
def test_a_key_may_what_the_table_says(user: str, folder: str) -> None:
    read, written, expired = RIGHTS[user]
    everywhere = len(written | read | expired) == len(FOLDERS)
    policy, key = campaign_policy(), f"arn:aws:s3:::campaign/{folder}/day=2026-11-01/part.parquet"

    def within(folders: set[str]) -> bool:
        return folder in folders or (everywhere and len(folders) == len(FOLDERS))

    assert allows(policy, user, "s3:GetObject", key) == within(read | written)
    assert allows(policy, user, "s3:PutObject", key) == within(written)
    assert allows(policy, user, "s3:DeleteObject", key) == (within(written) or within(expired))
    assert allows(policy, user, "s3:ListBucket", "arn:aws:s3:::campaign", f"{folder}/") == within(read | written)
    assert not allows(policy, user, "s3:PutObjectAcl", key)
    assert not allows(policy, user, "s3:PutBucketPolicy", "arn:aws:s3:::campaign")


def test_a_name_that_begins_like_a_folder_is_another_folder() -> None:
    key = "arn:aws:s3:::campaign/predictions-of-mine/part.parquet"
    assert not allows(campaign_policy(), "scoring", "s3:PutObject", key)
    assert not allows(campaign_policy(), "reader", "s3:GetObject", key)


@pytest.mark.parametrize("policy", [campaign_policy(), mlflow_policy()], ids=["campaign", "mlflow"])
def test_a_policy_fits_into_an_attribute_of_a_folder(policy: str) -> None:
    # ext4 has 4,096 bytes for all of them; the owner and what comes with them take some 300.
    assert len(policy) < 3_750
