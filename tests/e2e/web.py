"""The web service while champions change under its requests."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.e2e.stack import Stack, check, until

URL = "http://127.0.0.1:8000"
# What clients of the replaced service post.
CAMPAIGN = {
    "goalamount": 20_000, "raisedamount": 26_000, "durationdays": 30, "numbackers": 400, "category": "film",
    "launchmonth": "May", "country": "UK", "currency": "GBP", "ownerexperience": 3, "videoincluded": "Yes",
    "socialmediapresence": 5_000, "numupdates": 6,
}  # fmt: skip


def serve_through_changes(stack: Stack) -> str:
    """Roll back to version 1 and forward to 2 while clients send requests without a pause: each gets its answer."""
    until(lambda: version() == "2", 30, "version 2 in service")
    page = httpx.get(URL)
    check(page.status_code == 200 and "<form" in page.text, "the page is not served")
    answers: list[httpx.Response] = []
    ended = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=10) as client:
            while not ended.is_set():
                answers.append(client.post(f"{URL}/predict", json=CAMPAIGN))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    seconds = [change_champion(stack, to) for to in ("1", "2")]
    ended.set()
    for thread in threads:
        thread.join()
    statuses = {answer.status_code for answer in answers}
    check(statuses == {200}, f"answers: {statuses}")
    predictions = [answer.json() for answer in answers]
    check(
        {prediction["model_version"] for prediction in predictions} == {"1", "2"}, "one of the versions never answered"
    )
    check(
        all(prediction["success"] is True for prediction in predictions),
        "success is not what the goal and the amount say",
    )
    check_captured(stack, predictions)
    return f"{len(answers):,} requests, none lost; changed within {max(seconds):.0f} s"


def version() -> str:
    try:
        return str(httpx.get(f"{URL}/readyz").json().get("version"))
    except httpx.HTTPError:
        return ""


def change_champion(stack: Stack, to: str) -> float:
    """Set the champion; gives the seconds until the service answers with it."""
    stack.compose("exec", "-T", "training-worker", "campaign", "champion", "set", to)
    began = time.monotonic()
    until(lambda: version() == to, 10, f"version {to} in service")
    return time.monotonic() - began


def check_captured(stack: Stack, predictions: list[dict[str, Any]]) -> None:
    """Each answer is in the store, and monitored beside the batch ones."""
    day = datetime.now(UTC).date()

    def captured_ids() -> set[str]:
        names = {key: key.rpartition("/")[2] for key in stack.keys(f"captured/day={day}/")}
        # Folders are objects too, and what is being written has a hidden name, as everywhere in the store.
        whole = [key for key, name in names.items() if name.endswith(".parquet") and not name.startswith(".")]
        return {prediction_id for key in whole for prediction_id in stack.table(key)["prediction_id"].to_pylist()}

    until(
        lambda: captured_ids() >= {prediction["prediction_id"] for prediction in predictions},
        30,
        "all answers in captured/",
    )
    stack.ran("monitoring/daily")
    rows = stack.sql(
        f"SELECT value FROM metrics WHERE source = 'captured' AND metric = 'rows_scored' AND day = '{day}'"
    )
    check(sum(float(row["value"]) for row in rows) == len(predictions), rows)
