"""From a stack of an earlier version, in use, to this one; a step back, and forward again."""

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx

from tests.e2e import offline, story
from tests.e2e.stack import HOME, ROOT, Failure, Stack, check, until

COMMIT = (Path(__file__).parent / "upgrade_from").read_text().split()[0]
BEFORE = ROOT / ".campaign" / "e2e-before"  # that version's files
IMAGES = {f"campaign-{name}:0.1.0": f"campaign-{name}:before-{COMMIT[:12]}" for name in ("worker", "web")}
DAY, ROWS = story.TODAY - timedelta(days=20), 3_000_000
MOVED = "15 2 * * *"
NEW_SECRET, NEW_SERVICE = HOME / "secrets" / "prometheus-web-key", "prometheus"  # what that version does not have


def check_out(stack: Stack) -> None:
    try:
        stack.command("git", "cat-file", "-e", f"{COMMIT}^{{commit}}")
    except Failure as failure:
        raise Failure(
            f"This clone does not reach back to {COMMIT[:12]}, from which the upgrade begins. "
            "Fetch the rest of its history: git fetch --unshallow"
        ) from failure
    shutil.rmtree(BEFORE, ignore_errors=True)
    stack.command("git", "clone", "--quiet", "--no-checkout", str(ROOT), str(BEFORE))
    stack.command("git", "-C", str(BEFORE), "checkout", "--quiet", "--detach", COMMIT)


def earlier(stack: Stack, *words: str) -> str:
    """Docker Compose with the earlier version's files, on this stack's volumes and .env."""
    files = [str(BEFORE / "docker-compose.yml"), str(BEFORE / "tests" / "e2e" / "compose.yaml")]
    ended = stack.env["COMPOSE_FILE"]
    stack.env["COMPOSE_FILE"] = os.pathsep.join(files)
    try:
        return stack.compose("--project-directory", str(BEFORE), *words)
    finally:
        stack.env["COMPOSE_FILE"] = ended


def start_earlier(stack: Stack) -> None:
    """What `make up` of the earlier version does; its images are built once and kept."""
    stack.command(sys.executable, "-m", "infra.write_env", stack.env["ENV_FILE"], at=BEFORE)
    kept = stack.command("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    if not set(IMAGES.values()) <= set(kept):
        earlier(stack, "build")
        for image, before in IMAGES.items():
            stack.command("docker", "tag", image, before)
    for image, before in IMAGES.items():
        stack.command("docker", "tag", before, image)
    earlier(stack, "up", "-d", "--wait", "--no-build", "--remove-orphans")


def begin_before(stack: Stack) -> str:
    check_out(stack)
    if stack.offline:
        offline.build(stack, BEFORE)
    start_earlier(stack)
    story.drop_days(stack)
    story.train(stack)
    stack.ran("traffic/daily", day=DAY, rows=ROWS)
    with (HOME / "env").open("a") as env:
        env.write("CAMPAIGN_KEEP_REPORTS_DAYS=399\n")
    move_schedule(stack, MOVED)
    return f"version 1 of {COMMIT[:12]} is champion"


def move_schedule(stack: Stack, cron: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    with stack.api() as client:
        scoring = client.read_deployment_by_name("batch-scoring/daily")
        moved = CronSchedule(cron=cron, timezone="UTC")
        client.update_deployment_schedule(scoring.id, scoring.schedules[0].id, schedule=moved)


def upgrade(stack: Stack) -> str:
    """`make up` while a run is under way and somebody asks the web service."""
    written = (HOME / "env").read_text()
    check(not NEW_SECRET.exists(), f"the version before knows {NEW_SECRET.name}: upgrade_from is too late")
    objects = {key for key in stack.keys() if not key.endswith("/")}  # noqa: SIM118
    run = stack.start("batch-scoring/daily", day=DAY)
    stack.running(run)
    away = seconds_away(lambda: stack.make("up"))
    story.healthy(stack)
    flow_run = stack.finished(run)
    rows = stack.manifest(DAY)["rows"]
    check(rows["read"] == ROWS, rows)
    check((HOME / "env").read_text().startswith(written), "make up changed what was in .env")
    check(NEW_SECRET.exists(), f"make up has not added the secret {NEW_SECRET.name}")
    check(NEW_SERVICE in services(stack), f"make up has not started {NEW_SERVICE}")
    gone = objects - stack.keys().keys()
    check(not gone, f"gone: {sorted(gone)[:3]}")
    check(stack.champion() == "1", "the champion is another")
    with stack.api() as client:
        [schedule] = client.read_deployment_by_name("batch-scoring/daily").schedules
    check(schedule.schedule.cron == MOVED, f"the schedule that a person moved is {schedule.schedule.cron}")
    return f"the run completed at start {flow_run.run_count}; the web service was away for {away:.0f} s"


def seconds_away(change: Callable[[], object]) -> float:
    """How long the web service gave no answer while something was done."""
    ended, away = threading.Event(), 0.0

    def ask() -> None:
        nonlocal away
        while not ended.is_set():
            began = time.monotonic()
            try:
                httpx.get("http://127.0.0.1:8000/healthz", timeout=5).raise_for_status()
                time.sleep(0.1)
            except httpx.HTTPError:
                time.sleep(0.1)
                away += time.monotonic() - began

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        change()
    finally:
        ended.set()
        thread.join()
    return away


def twice(stack: Stack) -> str:
    before = containers(stack)
    stack.make("up")
    check(containers(stack) == before, "make up replaced containers although nothing had changed")
    return f"{len(before)} containers are the same"


def containers(stack: Stack) -> set[str]:
    return set(stack.compose("ps", "-q").split())


def services(stack: Stack) -> set[str]:
    return set(stack.compose("ps", "--services", "--status", "running").split())


def back_and_forward(stack: Stack) -> str:
    """The files of before run on these volumes, secrets and logins, without what is new; then this version again."""
    start_earlier(stack)
    check(NEW_SERVICE not in services(stack), f"{NEW_SERVICE} of this version is left running")
    check(stack.champion() == "1", "the champion is another")
    with stack.api() as client:
        [schedule] = client.read_deployment_by_name("batch-scoring/daily").schedules
    check(schedule.schedule.cron == MOVED, f"the schedule that a person moved is {schedule.schedule.cron}")
    stack.ran("batch-scoring/daily", day=story.CALM[0])
    story.check_scored(stack, story.CALM[0], "1")
    stack.make("up")
    story.healthy(stack)
    check(NEW_SERVICE in services(stack), f"make up has not started {NEW_SERVICE} again")
    check(stack.champion() == "1", "the champion is another")
    move_schedule(stack, "0 1 * * *")
    until(lambda: httpx.get("http://127.0.0.1:8000/readyz").status_code == 200, 60, "the web service to be ready")
    return "the version of before scores a day; nothing is lost"


STEPS = [
    ("a stack of the version before, in use", begin_before),
    ("make up: the upgrade, with a run under way", upgrade),
    ("make up again changes nothing", twice),
    ("a step back, and forward again", back_and_forward),
]
