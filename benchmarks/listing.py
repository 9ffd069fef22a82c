"""Looking through ten years of days on S3, as each monitoring run does: `make bench-listing`.

The S3 server is the tests' own, on the same two cores; beside it what a request a day would take.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from tempfile import TemporaryDirectory

import boto3

from benchmarks import measure
from benchmarks.measure import Target

DAYS, MAX_SECONDS, ASKED_SINGLY = 3_650, 5, 100
FIRST = date(2016, 1, 1)


def start_server() -> tuple[subprocess.Popen[bytes], str]:
    """An S3 server on loopback with the bucket `campaign`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    for _ in range(600):
        with suppress(OSError):
            urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=1).close()
            break
        time.sleep(0.1)
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1", "CAMPAIGN_STORE": "s3://campaign",
    }  # fmt: skip
    return server, endpoint


def write_days(endpoint: str, days: list[date]) -> None:
    """A manifest and a part of predictions, campaigns and outcomes for every day."""
    s3 = boto3.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket="campaign")
    names = ("incoming/day={}/a.parquet", "outcomes/day={}/a.parquet", "predictions/day={}/manifest.json",
             "predictions/day={}/part-0.parquet")  # fmt: skip
    with ThreadPoolExecutor(8) as pool:
        keys = [name.format(day) for day in days for name in names]
        list(pool.map(lambda key: s3.put_object(Bucket="campaign", Key=key, Body=b"x"), keys))


def look_through(days: list[date]) -> int:
    """What monitoring does before it knows which days have changed."""
    from campaign.store import Store
    from tasks.labelled_days import find_labelled_days
    from tasks.monitoring.changes import changed_days

    store = Store("s3://campaign")
    scored = store.entries_by_day("predictions")
    changed = changed_days(store, "batch", scored, [], lambda day: b"")
    assert len(find_labelled_days(store)) == len(days)
    return len(changed)


def main() -> None:
    args = measure.parse_arguments(__doc__, days=DAYS)
    days = [FIRST + timedelta(days=number) for number in range(args.days)]
    server, endpoint = start_server()
    with TemporaryDirectory() as home:
        os.environ["CAMPAIGN_HOME"] = home
        try:
            write_days(endpoint, days)
            look_through(days)  # imports, and the tables of the database
            began = time.perf_counter()
            changed = look_through(days)
            seconds = time.perf_counter() - began
            from campaign.store import Store

            store, began = Store("s3://campaign"), time.perf_counter()
            for number in range(ASKED_SINGLY):
                store.entries(f"outcomes/day={FIRST + timedelta(days=number)}")
            a_request_each = (time.perf_counter() - began) * 3 * len(days) / ASKED_SINGLY
        finally:
            server.terminate()
            server.wait()
    target = Target(
        f"looking through {len(days):,} days of predictions, outcomes and campaigns on S3", f"≤ {MAX_SECONDS} s",
        f"{seconds:.1f} s; {a_request_each:.0f} s with a request for each day of the three", seconds <= MAX_SECONDS,
    )  # fmt: skip
    row = {"days": len(days), "changed": changed, "s": round(seconds, 2)}
    measure.save_results("listing", [target], {"listing": [row]})


if __name__ == "__main__":
    main()
