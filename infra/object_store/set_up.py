"""Give each bucket its owner and its policy, where they differ: `python -m infra.object_store.set_up`, with root's key.

Without an owner nobody but root can copy an object, which is how a file is put in place. A change of owner drops the
policy.
"""

import hashlib
import json
import os
import urllib.request
from typing import Any
from xml.etree import ElementTree

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from infra.object_store.policies import CAMPAIGN, MLFLOW, campaign_policy, mlflow_policy


def ask_gateway(credentials: Any, path: str) -> bytes:
    """An answer of VersityGW's admin interface, which shares S3's signatures."""
    url = f"{os.environ['AWS_ENDPOINT_URL']}{path}"
    request = AWSRequest("PATCH", url, headers={"X-Amz-Content-Sha256": hashlib.sha256(b"").hexdigest()})
    SigV4Auth(credentials, "s3", os.environ["AWS_REGION"]).add_auth(request)
    signed = urllib.request.Request(url, headers=dict(request.headers), method="PATCH")
    with urllib.request.urlopen(signed, timeout=30) as answer:
        return bytes(answer.read())


def owners(credentials: Any) -> dict[str, str]:
    """The owner of each bucket; one that was made as a folder has none."""
    listed = ElementTree.fromstring(ask_gateway(credentials, "/list-buckets"))
    return {bucket.findtext("Name", ""): bucket.findtext("Owner", "") for bucket in listed.iter("Buckets")}


def policy_of(s3: Any, bucket: str) -> Any:
    """What the policy says, or None without one."""
    try:
        return json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        return None


def set_up() -> None:
    credentials = boto3.Session().get_credentials()
    s3, owned = boto3.client("s3"), owners(credentials)
    for bucket, policy in ((CAMPAIGN, campaign_policy()), (MLFLOW, mlflow_policy())):
        if owned[bucket] != credentials.access_key:
            ask_gateway(credentials, f"/change-bucket-owner?bucket={bucket}&owner={credentials.access_key}")
            print(f"Bucket {bucket} has its owner.")
        if policy_of(s3, bucket) != json.loads(policy):
            s3.put_bucket_policy(Bucket=bucket, Policy=policy)
            print(f"Bucket {bucket} has its policy.")


if __name__ == "__main__":
    set_up()
