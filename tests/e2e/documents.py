"""What docs/stack.md, docs/web-service.md and docs/operations.md say to type, typed at a stack that is new."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.stack import HOME, ROOT, Stack, check, until

TODAY = datetime.now(UTC).date()
PLAYED = TODAY - timedelta(days=2)  # one of those that `make stack-demo` drops
IN_THE_PAGES = {"2026-11-22": str(TODAY), "2026-11-01": str(PLAYED), "trials=20": "trials=6"}
FENCED = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`docker compose ((?:exec training-worker campaign champion|run --rm forget) [^`]+)`")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language, with days that there are for those that it names."""
    found = [code for name, code in FENCED.findall((ROOT / page).read_text()) if name == language]
    for named, there in IN_THE_PAGES.items():
        found = [code.replace(named, there) for code in found]
    return found


def lines(page: str, beginning: str) -> list[str]:
    """What is typed into a shell and begins so, without what is said about it."""
    typed = [line.split("  #")[0].strip() for code in blocks(page, "bash") for line in code.splitlines()]
    found = [line for line in typed if line.startswith(beginning)]
    check(bool(found), f"{page} has no line that begins with {beginning}")
    return found


@contextlib.contextmanager
def put_aside(bundle: Path) -> Iterator[None]:
    """What stands there is there again afterwards."""
    aside = bundle.with_name("bundle-put-aside")
    if bundle.exists():
        bundle.rename(aside)
    try:
        yield
    finally:
        shutil.rmtree(bundle, ignore_errors=True)
        if aside.exists():
            aside.rename(bundle)


def play_the_demo(stack: Stack) -> str:
    stack.make("clean-stack")
    for line in lines("docs/stack.md", "make up") + lines("docs/stack.md", "make stack-demo"):
        said = stack.command("bash", "-ec", line)
        check(line != "make up" or "http://localhost:4200" in said, "make up does not say where Prefect is")
    check(all(str(TODAY - timedelta(days=n)) in said for n in range(1, 9)), said)
    return f"version {stack.champion()} is champion"


def run_deployments(stack: Stack) -> str:
    typed = lines("docs/stack.md", ".venv/bin/prefect deployment run")
    for line in typed:
        since, name = datetime.now(UTC), line.split()[3]
        stack.command("bash", "-ec", line)
        asked = until(lambda name=name, since=since: stack.runs(name, since), 60, f"a run of {name}")
        stack.finished(asked[0].id)
    check("weekly" in stack.command("bash", "-ec", *lines("docs/stack.md", ".venv/bin/prefect deployment ls")), typed)
    stack.command("bash", "-ec", *lines("docs/stack.md", "docker compose up -d --scale"))
    count = len(stack.compose("ps", "-q", "worker").split())
    check(count == 3, f"{count} workers")
    return f"{len(typed)} runs, and {count} workers"


def drop_and_read(stack: Stack) -> str:
    """The day's file dropped by the first block of Python, its predictions read by the others."""
    folder = HOME / "typed"
    folder.mkdir(exist_ok=True)
    (folder / ".env").unlink(missing_ok=True)
    (folder / ".env").symlink_to(HOME / "env")
    (folder / "campaigns.parquet").write_bytes(stack.object(f"incoming/day={PLAYED}/campaigns.parquet"))
    drop, *read = blocks("docs/stack.md", "python")
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        exec(drop, names)
        stack.ran("batch-scoring/daily", day=TODAY)
        for code in read:
            exec(code, names)
    check(len(names["predictions"]) == stack.manifest(TODAY)["rows"]["scored"] > 0, names["manifest"])
    return f"{len(names['predictions']):,} predictions read"


def build_images(stack: Stack) -> str:
    folder = HOME / "typed"
    shutil.copy(ROOT / "docs" / "campaigns.csv", folder)
    with put_aside(ROOT / ".campaign" / "bundle"):
        [login, make] = lines("docs/stack.md", "export MLFLOW_") + lines("docs/stack.md", "MLFLOW_TRACKING_URI=")
        stack.command("bash", "-ec", f"{login.replace('.env', stack.env['ENV_FILE'])}\n{make}")
    [line] = lines("docs/stack.md", "docker run")
    said = stack.command("bash", "-ec", f"cd '{folder}'; {line}")
    check("Total successful campaigns" in said, said)
    [line] = lines("docs/web-service.md", "docker run")
    container = stack.command(
        "bash", "-ec", line.replace("run --rm -p 127.0.0.1:8000", "run -d --rm -p 127.0.0.1:8001")
    ).strip()
    until(lambda: is_ready("http://127.0.0.1:8001"), 60, "the web service's image to be ready")
    stack.command("docker", "stop", container)
    return "the batch predictor and the web service, each with the champion in it"


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def roll_back_and_forget(stack: Stack) -> str:
    typed = INLINE.findall((ROOT / "docs" / "operations.md").read_text())
    check(sorted(line.split()[0] for line in typed) == ["exec", "run"], typed)
    gone = stack.table(f"incoming/day={TODAY}/campaigns.parquet")["CampaignID"][0].as_py()
    for line in typed:
        verb, *words = line.replace("set 3", "set 1").replace("ID", gone).split()
        stack.compose(verb, "-T", *words)
    check(stack.champion() == "1", f"champion is {stack.champion()}")
    left = [key for key in sorted(stack.keys()) if key.endswith(".parquet") and f"day={TODAY}/" in key]
    check(all(gone not in stack.table(key).column(0).to_pylist() for key in left), f"{gone} is still there")
    stack.command("bash", "-ec", *lines("docs/stack.md", "make down"))
    return f"{gone} is in none of {len(left)} files"


STEPS = [
    ("docs: make up, make stack-demo", play_the_demo),
    ("docs: prefect deployment run, more workers", run_deployments),
    ("docs: a day dropped and its predictions read", drop_and_read),
    ("docs: make images, docker run", build_images),
    ("docs: a roll-back, a campaign forgotten", roll_back_and_forget),
]
