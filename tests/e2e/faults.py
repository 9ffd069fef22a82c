"""What goes wrong in the years of a stack: nothing may be lost, and nobody may be needed."""

import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.e2e.stack import HOME, ROOT, Stack, check, until
from tests.e2e.story import DEPLOYMENTS, healthy, upcoming

BIG_DAY, BIG_ROWS = datetime.now(UTC).date() - timedelta(days=20), 3_000_000
FLOW_RUN = re.compile(r"prefect\S* *(flow-run execute|-m prefect)|flow_engine|prefect\.engine")


def parts_of(stack: Stack) -> list[tuple[str, str]]:
    return [(part["uri"], part["sha256"]) for part in stack.manifest(BIG_DAY)["parts"]]


def is_scored(stack: Stack) -> bool:
    return bool(stack.keys(f"predictions/day={BIG_DAY}/manifest.json"))


def start_scoring_again(stack: Stack) -> UUID:
    """Delete the big day's predictions, and start to score it; gives the run once it is running."""
    for key in stack.keys(f"predictions/day={BIG_DAY}/"):
        stack.s3.delete_object(Bucket="campaign", Key=key)
    run = stack.start("batch-scoring/daily", day=BIG_DAY)
    stack.running(run)
    return run


def score_unbroken(stack: Stack) -> str:
    """What the broken runs are compared with."""
    stack.ran("traffic/daily", day=BIG_DAY, rows=BIG_ROWS)
    stack.ran("batch-scoring/daily", day=BIG_DAY)
    stack.expected[stack.manifest(BIG_DAY)["model_version"]] = parts_of(stack)
    return f"{BIG_ROWS:,} campaigns in {len(parts_of(stack))} parts"


def check_parts(stack: Stack) -> None:
    """The parts are those of an unbroken run by the same version: a training in between may have made another."""
    parts, version = parts_of(stack), stack.manifest(BIG_DAY)["model_version"]
    if version not in stack.expected:
        stack.finished(start_scoring_again(stack))
        stack.expected[version] = parts_of(stack)
    check(parts == stack.expected[version], "the parts are not those of an unbroken run")


def kill_worker(stack: Stack) -> str:
    """SIGKILL for the worker that scores; another one finishes the same run."""
    stack.compose("up", "-d", "--wait", "--no-build", "--no-recreate", "--scale", "worker=2")
    run = start_scoring_again(stack)
    workers = stack.compose("ps", "-q", "worker").split()
    check(len(workers) == 2, f"{len(workers)} workers")
    busy = [worker for worker in workers if FLOW_RUN.search(stack.command("docker", "top", worker, "-eo", "pid,args"))]
    check(len(busy) == 1, f"{len(busy)} workers have a run")
    stack.command("docker", "kill", busy[0])
    killed = time.monotonic()
    check(not is_scored(stack), "the run had ended before its worker was killed")
    flow_run = stack.finished(run, 300)
    seconds = time.monotonic() - killed
    check(flow_run.run_count == 2, f"run_count is {flow_run.run_count}")
    check_parts(stack)
    stack.compose("up", "-d", "--wait", "--no-build", "--scale", "worker=1")
    return f"finished by the other {seconds:.0f} s after the kill, same parts"


def restart_postgres(stack: Stack) -> str:
    run = stack.start("monitoring/daily", day=BIG_DAY)
    stack.running(run)
    stack.compose("restart", "postgres")
    stack.finished(run)
    [row] = stack.sql(f"SELECT value FROM metrics WHERE day = '{BIG_DAY}' AND metric = 'rows_read'")
    check(float(row["value"]) == BIG_ROWS, row)
    return "the run completed, its rows are there"


def stop_object_store(stack: Stack) -> str:
    run = start_scoring_again(stack)
    stack.compose("stop", "object-store")
    time.sleep(20)  # as long as it is to be away
    stack.compose("start", "object-store")
    stack.finished(run)
    check_parts(stack)
    return "away for 20 s; the run completed, same parts"


def restart_server(stack: Stack) -> str:
    run = start_scoring_again(stack)
    stack.compose("restart", "prefect-server")
    flow_run = stack.finished(run)
    check_parts(stack)
    return f"the run completed at start {flow_run.run_count}, same parts"


WITHOUT_CERTIFICATE = """
from dask import config
from distributed import Client

with config.set({"distributed.comm.require-encryption": False}):
    try:
        Client("tcp://dask-scheduler:8786", timeout=5)
    except OSError:
        print("refused")
"""


def spread_over_a_cluster(stack: Stack) -> str:
    """The same day and a search, over two Dask workers; one of them is killed while it scores."""
    stack.env["CAMPAIGN_DASK_SCHEDULER"] = "tcp://dask-scheduler:8786"
    stack.compose("--profile", "dask", "up", "-d", "--wait", "--no-build", "--scale", "dask-worker=2")
    without = stack.compose("exec", "-T", "worker", "python", "-c", WITHOUT_CERTIFICATE)
    check("refused" in without, f"the scheduler takes whoever comes without a certificate: {without}")
    run = start_scoring_again(stack)
    [_, second] = stack.compose("--profile", "dask", "ps", "-q", "dask-worker").split()
    until(lambda: stack.task_runs(run, f"score {BIG_DAY} 0"), 120, "a piece on its way")
    stack.command("docker", "kill", second)
    check(not is_scored(stack), "the day was scored before the worker was killed")
    stack.finished(run)
    check_parts(stack)
    stack.ran("training/weekly", trials=6, seed=2)
    del stack.env["CAMPAIGN_DASK_SCHEDULER"]
    stack.compose("--profile", "dask", "rm", "-sf", "dask-worker", "dask-scheduler")
    stack.compose("up", "-d", "--wait", "--no-build")
    return "one was killed; same parts, and 6 trials"


def state_of(stack: Stack) -> dict[str, Any]:
    """All that would be missed."""
    with stack.api() as client:
        runs = {str(run.id) for run in client.read_flow_runs(limit=200) if run.state.is_completed()}
        paused = {name: client.read_deployment_by_name(name).paused for name in DEPLOYMENTS}
    versions = stack.registry().search_model_versions("name = 'campaign-success'")
    key = "day, source, model_version, metric, column_name"  # in whatever order the rows lie after a restore
    metrics = stack.sql(f"SELECT {key}, value FROM metrics ORDER BY {key}")
    return {
        "runs": runs,
        "paused": paused,
        "models": {version.version: version.run_id for version in versions},
        "champion": stack.champion(),
        "objects": stack.keys(),
        "metrics": metrics,
        "champions": stack.sql("SELECT * FROM champions ORDER BY 1"),
    }


def wait_for_trainings(stack: Stack) -> None:
    """Wait until no training is running: monitoring may have called for one, and its new version is no loss."""
    began = datetime.now(UTC) - timedelta(hours=2)
    all_ended = lambda: all(run.state.is_final() for run in stack.runs("training/weekly", began))  # noqa: E731
    until(all_ended, 600, "the end of the training that is under way")


def check_same(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Raises `Failure` for what is gone or has changed."""
    for name, value in before.items():
        remaining = after[name] & value if name == "runs" else after[name]
        check(remaining == value, f"{name} differ")
    return f"{len(before['runs'])} runs, {len(before['models'])} versions, {len(before['objects'])} objects"


def down_and_up(stack: Stack) -> str:
    """With a run under way, which is finished afterwards."""
    wait_for_trainings(stack)
    before = state_of(stack)
    run = stack.start("batch-scoring/daily", day=BIG_DAY)
    stack.running(run)
    stack.make("down")
    stack.make("up")
    healthy(stack)
    flow_run = stack.finished(run)
    after = state_of(stack)
    check_parts(stack)
    for state in (before, after):  # the big day's parts are checked above; another champion may have scored it
        state["objects"] = {key: etag for key, etag in state["objects"].items() if f"/day={BIG_DAY}/" not in key}
    return f"nothing lost ({check_same(before, after)}); the run completed at start {flow_run.run_count}"


def backup_wipe_restore(stack: Stack) -> str:
    wait_for_trainings(stack)
    before, folder = state_of(stack), HOME.with_name("e2e-backup")
    shutil.rmtree(folder, ignore_errors=True)
    stack.make("backup", f"DIR={folder.relative_to(ROOT)}")
    check(state_of(stack) == before, "the backup changed what it saved")
    stack.make("clean-stack")
    stack.make("up")
    check(not stack.keys("predictions/"), "the wipe left predictions")
    stack.make("restore", f"DIR={folder.relative_to(ROOT)}")
    summary = check_same(before, state_of(stack))
    stack.ran("monitoring/daily")
    upcoming(stack)
    shutil.rmtree(folder)
    return f"all is back: {summary}"


STEPS = [
    (f"a day of {BIG_ROWS:,} campaigns, unbroken", score_unbroken),
    ("kill -9 the worker that scores it", kill_worker),
    ("restart Postgres while it is monitored", restart_postgres),
    ("stop the object store while it is scored", stop_object_store),
    ("restart Prefect's server while it is scored", restart_server),
    ("spread over a Dask cluster, a worker of it killed", spread_over_a_cluster),
    ("down and up while it is scored", down_and_up),
    ("backup, wipe, restore", backup_wipe_restore),
]
