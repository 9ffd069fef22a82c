"""A stack of somebody's own campaigns: the columns of a crowdfunding platform's export, on made-up rows."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np

from tests.e2e.stack import BIN, HOME, Stack, check

ROWS, DAY_ROWS, TRIALS = 6_000, 1_200, 6
DAY = datetime.now(UTC).date() - timedelta(days=1)
NAMES = (
    "ID", "name", "category", "main_category", "currency", "deadline", "goal", "launched", "pledged", "state",
    "backers", "country", "usd pledged", "usd_pledged_real", "usd_goal_real",
)  # fmt: skip


def export(rows: int, seed: int) -> bytes:
    """A CSV file of projects, of which small goals succeed more often; some are still live."""
    rng, out = np.random.default_rng(seed), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(NAMES)
    for number in range(rows):
        goal, category = float(np.round(rng.lognormal(8, 1.2), 2)), int(rng.integers(60))
        won = rng.random() < 1 / (1 + np.exp(0.6 * (np.log(goal) - 8) - (category % 5 - 2) / 2))
        pledged = round(goal * (1 + rng.random() if won else rng.random() * 0.6), 2)
        launched = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(hours=float(rng.integers(20_000)))
        state = "live" if rng.random() < 0.05 else "successful" if won else "failed"
        writer.writerow([
            seed * 1_000_000 + number, f"Project {number:05d}, with a comma", f"Category {category}",
            f"Main {category % 12}", "USD", (launched + timedelta(days=30)).date(), goal,
            launched.strftime("%Y-%m-%d %H:%M:%S"), pledged, state, int(pledged / 40), "US", pledged, pledged, goal,
        ])  # fmt: skip
    return out.getvalue().encode()


def serve_own_campaigns(stack: Stack) -> str:
    stack.make("clean-stack")
    file = HOME / "projects.csv"
    file.write_bytes(export(ROWS, 1))
    stack.command(str(BIN / "campaign"), "--home", str(HOME), "init", str(file), "--force")
    with (HOME / "env").open("a") as env:
        env.write("CAMPAIGN_SCHEMA=s3://campaign/base/schema.toml\nCAMPAIGN_DATASET=s3://campaign/base/projects.csv\n")
    stack.make("up")
    check(stack.object("base/schema.toml") == (HOME / "campaign.toml").read_bytes(), "another schema is in the store")
    check("base/campaigns.parquet" not in stack.keys("base/"), "synthetic campaigns were made beside one's own")
    stack.s3.upload_file(str(file), "campaign", "base/projects.csv")
    stack.ran("training/weekly", trials=TRIALS)
    day = export(DAY_ROWS, 2)
    stack.s3.put_object(Bucket="campaign", Key=f"incoming/day={DAY}/projects.csv", Body=day)
    stack.ran("batch-scoring/daily")
    rows = stack.manifest(DAY)["rows"]
    check(rows == {"read": DAY_ROWS, "scored": DAY_ROWS, "quarantined": 0}, rows)
    stack.s3.put_object(Bucket="campaign", Key=f"outcomes/day={DAY}/projects.csv", Body=day)
    stack.ran("monitoring/daily")
    found = {row["metric"]: row for row in stack.sql(f"SELECT * FROM metrics WHERE day = '{DAY}' AND column_name = ''")}
    check(found["day_state"]["status"] == "ok", found["day_state"])
    check(float(found["realised_roc_auc"]["value"]) > 0.65, found["realised_roc_auc"])
    check(float(found["outcomes_share"]["value"]) == 1, found["outcomes_share"])
    asked = {
        "name": "A lamp", "category": "category 7", "main_category": "Main 7", "currency": "USD", "country": "US",
        "goal": 900, "usd_goal_real": 900, "launched": "2017-05-01 10:00:00", "deadline": "2017-06-01",
    }  # fmt: skip
    answer = httpx.post("http://127.0.0.1:8000/predict", json=asked, timeout=30)
    check(answer.status_code == 200, answer.text)
    probability = json.loads(answer.text)["probability"]
    return (
        f"{DAY_ROWS:,} projects of a CSV file scored, ROC-AUC {float(found['realised_roc_auc']['value']):.3f} with "
        f"outcomes, and a chance of {probability:.2f} on the web"
    )


STEPS = [("somebody's own campaigns", serve_own_campaigns)]
