"""The stack from nothing to a champion that replaced itself, step by step, each checked from outside."""

import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.compute as pc
from prefect.client.schemas.actions import DeploymentUpdate

from tests.e2e import web
from tests.e2e.stack import Failure, Stack, check, until

TODAY = datetime.now(UTC).date()
DAYS = [TODAY - timedelta(days=n) for n in (6, 5, 4, 3, 2)]
CALM, DRIFTED = DAYS[:3], DAYS[3:]
NEXT = TODAY - timedelta(days=1)
ROWS, DRIFT, TRIALS = 5_000, 3, 8
DEPLOYMENTS = ("training/weekly", "batch-scoring/daily", "monitoring/daily", "traffic/daily")
SCHEDULED = DEPLOYMENTS[:3]
CALLED = ("retention/daily", "shadow-verdict/daily")  # by monitoring, on no schedule


def healthy(stack: Stack) -> int:
    """How many services run. Raises `Failure` for one that is not healthy."""
    services = [json.loads(line) for line in stack.compose("ps", "--format", "json").splitlines()]
    unhealthy = [service["Service"] for service in services if service["Health"] not in ("healthy", "")]
    check(not unhealthy, f"not healthy: {', '.join(unhealthy)}")
    return len(services)


def deployments(stack: Stack) -> str:
    listing = stack.prefect("deployment", "ls")
    with stack.api() as client:
        for name in DEPLOYMENTS:
            check(name.rpartition("/")[2] in listing, f"prefect deployment ls does not list {name}:\n{listing}")
            deployment = client.read_deployment_by_name(name)
            check(
                bool(deployment.description and deployment.tags and deployment.schedules),
                f"{name} lacks description, tags or schedule",
            )
            check(bool(deployment.parameter_openapi_schema["properties"]), f"{name} has no typed parameters")
            check(deployment.paused == (name not in SCHEDULED), f"{name}: paused is {deployment.paused}")
        for name in CALLED:
            deployment = client.read_deployment_by_name(name)
            check(bool(deployment.description and deployment.tags), f"{name} lacks description or tags")
            check(not deployment.paused and not deployment.schedules, f"{name} does not just wait for its call")
    return upcoming(stack)


def upcoming(stack: Stack) -> str:
    """Raises `Failure` unless each active schedule has runs to come."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId

    def upcoming_runs(name: str) -> list[Any]:
        with stack.api() as client:
            deployment_id = FlowRunFilterDeploymentId(any_=[client.read_deployment_by_name(name).id])
            runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=deployment_id))
        return [run for run in runs if run.expected_start_time > datetime.now(UTC) and run.auto_scheduled]

    counts = [len(until(lambda name=name: upcoming_runs(name), 120, f"upcoming runs of {name}")) for name in SCHEDULED]
    return f"{sum(counts)} runs upcoming"


def changes_survive(stack: Stack) -> str:
    """A person moves a schedule and pauses another deployment: a redeploy keeps that, and a reset does not."""
    from prefect.client.schemas.schedules import CronSchedule

    def state() -> tuple[str, bool]:
        with stack.api() as client:
            [schedule] = client.read_deployment_by_name("batch-scoring/daily").schedules
            return schedule.schedule.cron, client.read_deployment_by_name("monitoring/daily").paused

    before = state()
    with stack.api() as client:
        scoring = client.read_deployment_by_name("batch-scoring/daily")
        moved = CronSchedule(cron="15 2 * * *", timezone="UTC")
        client.update_deployment_schedule(scoring.id, scoring.schedules[0].id, schedule=moved)
        client.pause_deployment(client.read_deployment_by_name("monitoring/daily").id)
    stack.make("redeploy")
    check(state() == ("15 2 * * *", True), f"a redeploy took back what a person had set: {state()}")
    stack.make("redeploy", "RESET_SCHEDULES=1")
    check(state() == before, f"RESET_SCHEDULES=1 left {state()}")
    return upcoming(stack)


def drop_days(stack: Stack) -> str:
    for day in CALM:
        stack.ran("traffic/daily", day=day, rows=ROWS)
    row_counts = [stack.table(f"incoming/day={day}/campaigns.parquet").num_rows for day in CALM]
    check(row_counts == [ROWS] * len(CALM), row_counts)
    return f"{len(CALM)} days of {ROWS:,} campaigns"


def train(stack: Stack) -> str:
    stack.ran("training/weekly", trials=TRIALS)
    check(stack.champion() == "1", f"champion is {stack.champion()}")
    run = stack.registry().get_run(stack.registry().get_model_version("campaign-success", "1").run_id)
    check(run.data.metrics["test_roc_auc"] > 0.99, run.data.metrics)
    return f"version 1 is champion, test ROC-AUC {run.data.metrics['test_roc_auc']:.5f}"


def score(stack: Stack) -> str:
    stack.ran("batch-scoring/daily")
    for day in CALM:
        check_scored(stack, day, "1")
    return f"{len(CALM)} days, manifests and parts agree with what came in"


def check_scored(stack: Stack, day: date, version: str) -> None:
    """Raises `Failure` unless every campaign of a day is scored or quarantined, once, as the manifest says."""
    manifest = stack.manifest(day)
    incoming = stack.table(f"incoming/day={day}/campaigns.parquet")["CampaignID"].to_pylist()
    keys = {
        kind: [part["uri"].removeprefix("s3://campaign/") for part in manifest[kind]]
        for kind in ("parts", "quarantine")
    }
    seen: list[str] = []
    for kind, listed in keys.items():
        for key, part in zip(listed, manifest[kind], strict=True):
            check(
                hashlib.sha256(stack.object(key)).hexdigest() == part["sha256"], f"{key} is not what the manifest says"
            )
            table = stack.table(key)
            check(table.num_rows == part["rows"], f"{key} has {table.num_rows} rows")
            seen += table["CampaignID"].to_pylist()
            if kind == "parts":
                check(
                    table.column_names == ["CampaignID", "probability", "success", "model_version"], table.column_names
                )
                claims = pc.cast(pc.greater(table["probability"], 0.5), "int8")
                check(claims.equals(table["success"]), f"{key}: success is not probability > 0.5")
                check(set(table["model_version"].to_pylist()) == {version}, f"{key} is not of version {version}")
    check(sorted(seen) == sorted(incoming), f"{day}: {len(seen)} rows out of {len(incoming)}")
    rows = manifest["rows"]
    check(rows["read"] == len(incoming) == rows["scored"] + rows["quarantined"], rows)


def monitor(stack: Stack) -> str:
    stack.ran("monitoring/daily")
    for day in CALM:
        [row] = stack.sql(f"SELECT * FROM scored WHERE day = '{day}'")
        manifest = stack.manifest(day)
        check(int(row["rows_scored"]) == manifest["rows"]["scored"], row)
        check(int(row["predicted_success"]) == manifest["predicted_success"], row)
        metrics = {
            row["metric"]: row for row in stack.sql(f"SELECT * FROM metrics WHERE day = '{day}' AND column_name = ''")
        }
        check(metrics["day_drifted"]["status"] == "ok" and float(metrics["prediction_drift"]["value"]) < 0.1, metrics)
        check(f"reports/day={day}/drift.html" in stack.keys("reports/"), f"no report of {day}")
    try:
        stack.sql("DELETE FROM metrics")
    except Failure as refused:
        check("permission denied" in str(refused), refused)
    else:
        raise Failure("Grafana's role may write")
    return f"{len(stack.sql('SELECT 1 FROM metrics'))} rows as Grafana reads them, and it may only read"


def drift(stack: Stack) -> str:
    """Two drifted days with outcomes: the event starts one training by itself, however often it comes."""
    with stack.api() as client:  # as many trials as the first training had
        weekly = client.read_deployment_by_name("training/weekly")
        client.update_deployment(weekly.id, DeploymentUpdate(parameters=weekly.parameters | {"trials": TRIALS}))
    began = datetime.now(UTC)
    for day in DRIFTED:
        stack.ran("traffic/daily", day=day, rows=ROWS, drift=DRIFT, outcomes="true")
    stack.ran("batch-scoring/daily")
    stack.ran("monitoring/daily")
    [status] = stack.sql("SELECT status FROM metrics WHERE metric = 'retraining' ORDER BY computed_at DESC LIMIT 1")
    check(status["status"] == "called", status)
    runs = until(lambda: stack.runs("training/weekly", began), 120, "the automation's training")
    for _ in range(10):  # a storm of the same event
        stack.compose(
            "exec", "-T", "worker", "prefect", "event", "emit", "campaign.retraining.needed",
            "--resource-id", "campaign.model.campaign-success", "--payload", '{"reasons": ["a storm"]}',
        )  # fmt: skip
    check(runs[0].created_by.type == "AUTOMATION", runs[0].created_by)
    reasons = runs[0].parameters["reasons"]
    words = ("drift", "ROC-AUC", "foretold")
    check(bool(reasons) and all(any(word in reason for word in words) for reason in reasons), reasons)
    stack.finished(runs[0].id)
    count = len(stack.runs("training/weekly", began))
    check(count == 1, f"{count} trainings for one cause")
    check(stack.champion() == "2", f"champion is {stack.champion()}")
    changes = stack.sql("SELECT version, previous FROM champions ORDER BY changed_at")
    check([(change["version"], change["previous"]) for change in changes] == [("1", ""), ("2", "1")], changes)
    return f"one training by itself: {reasons[0]}"


def new_champion_scores(stack: Stack) -> str:
    stack.ran("traffic/daily", day=NEXT, rows=ROWS, drift=DRIFT, outcomes="true")
    stack.ran("batch-scoring/daily")
    check_scored(stack, NEXT, "2")
    check(stack.manifest(CALM[0])["model_version"] == "1", "history was rewritten")
    stack.ran("monitoring/daily")
    aucs = {
        row["model_version"]: float(row["value"])
        for row in stack.sql("SELECT model_version, value FROM metrics WHERE metric = 'realised_roc_auc' ORDER BY day")
    }
    check(aucs["2"] > aucs["1"] + 0.05, aucs)
    return f"ROC-AUC on drifted days: version 1 {aucs['1']:.4f}, version 2 {aucs['2']:.4f}"


def failure_reaches_webhook(stack: Stack) -> str:
    run = stack.start("batch-scoring/daily", day="1999-01-01")
    stack.finished(run, state="Failed")
    calls = until(lambda: re.findall("POSTED (.*)", stack.compose("logs", "webhook")), 60, "the webhook's call")
    check("batch-scoring/daily" in json.loads(calls[0])["text"], calls)

    def is_recorded() -> bool:
        [row] = stack.sql("SELECT * FROM schedules WHERE deployment = 'batch-scoring/daily'")
        return row["last_state"] == "Failed" and row["next_run"] != ""

    until(is_recorded, 120, "the failure in the table that Grafana alerts on")
    return json.loads(calls[0])["text"].split(". ")[0]


def batch_container(stack: Stack) -> str:
    """The batch predictor, with the stack's champion and objects."""
    stack.command("docker", "build", "-q", "-f", "deployments/batch/Dockerfile", "-t", "campaign-batch", ".")
    day, reader = CALM[0], stack.secrets["MLFLOW_READER_PASSWORD"]
    output = stack.command(
        "docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "campaign-e2e_data",
        "-e", "MLFLOW_TRACKING_URI=http://mlflow:5000", "-e", "AWS_ENDPOINT_URL=http://object-store:7070",
        "-e", "AWS_ACCESS_KEY_ID=batch", "-e", f"AWS_SECRET_ACCESS_KEY={stack.secrets['S3_BATCH_SECRET']}",
        "-e", "MLFLOW_TRACKING_USERNAME=reader", "-e", f"MLFLOW_TRACKING_PASSWORD={reader}",
        "campaign-batch", f"s3://campaign/incoming/day={day}/campaigns.parquet", "--out", "s3://campaign/by-hand/out.parquet",
    )  # fmt: skip
    totals = [int(number) for number in re.findall(r"Total (?:un)?successful campaigns: (\d+)", output)]
    check(len(totals) == 2 and sum(totals) == stack.manifest(day)["rows"]["scored"], output)
    check(stack.table("by-hand/out.parquet").num_rows == sum(totals), "predictions are not where --out says")
    return f"{totals[0]} successful, {totals[1]} not"


STEPS = [
    ("deployments, schedules, upcoming runs", deployments),
    ("what people change survives a redeploy", changes_survive),
    ("scoring", score),
    ("monitoring", monitor),
    ("drift: the automation retrains", drift),
    ("the new champion scores", new_champion_scores),
    ("the web service through a roll-back", web.serve_through_changes),
    ("a failed run is told to a webhook", failure_reaches_webhook),
    ("the batch predictor's container", batch_container),
]
