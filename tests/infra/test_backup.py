"""Backup and restore with a stand-in for Docker: `make e2e` runs them on the real one."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ["metrics.dump", "mlflow.dump", "objects.tar", "optuna.dump", "prefect.dump"]
# Records what it is asked, answers in place of the stack, and keeps what is restored.
DOCKER = """\
#!/bin/sh
echo "$*" >> docker-calls
case "$*" in *"${FAILS_AT:-nothing}"*) exit 1 ;; *"${HANGS_AT:-nothing}"*) exec "$PYTHON" -c "$HANG" ;; esac
case "$*" in
  *"ps --services"*) printf 'postgres\\nobject-store\\nweb\\n' ;;
  *pg_dump*|*"tar --create"*) echo "bytes of $*" ;;
  *pg_restore*|*"tar --extract"*) cat >> restored ;;
esac
"""
# Dies of SIGINT at any moment once `hangs` is there: sh and Python's own handler may miss one between two commands.
HANG = "import pathlib, signal; signal.signal(2, signal.SIG_DFL); pathlib.Path('hangs').touch(); signal.pause()"


def hear_interrupts() -> None:
    """What starts tests in the background has them ignore SIGINT, and their children with them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Stack:
    """A folder to call the scripts in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backup_folder = folder / "backups" / "day"
        docker = folder / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(DOCKER)
        docker.chmod(0o755)

    def start(self, script: str, **variables: str) -> subprocess.Popen[str]:
        path = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "PYTHON": sys.executable, "HANG": HANG}
        command = ["sh", str(ROOT / "infra" / script), "backups/day"]
        env = os.environ | path | variables
        return subprocess.Popen(
            command, cwd=self.folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=hear_interrupts,
        )  # fmt: skip

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.start(script, **variables)
        output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def calls(self) -> list[str]:
        recorded = self.folder / "docker-calls"
        return recorded.read_text().splitlines() if recorded.exists() else []

    def forget_calls(self) -> None:
        (self.folder / "docker-calls").unlink()


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


@pytest.fixture
def saved(stack: Stack) -> Stack:
    """A stack that has a backup, and was asked nothing since."""
    ended = stack.run("backup.sh")
    assert ended.returncode == 0, ended.stderr
    stack.forget_calls()
    return stack


def test_a_backup_is_for_its_user_alone_and_lists_the_digest_of_each_file(saved):
    files = list(saved.backup_folder.iterdir())
    assert sorted(file.name for file in files) == ["SHA256SUMS", *FILES]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert saved.backup_folder.stat().st_mode & 0o777 == 0o700
    listed = [line.split() for line in (saved.backup_folder / "SHA256SUMS").read_text().splitlines()]
    assert sorted((name, digest) for digest, name in listed) == [
        (name, hashlib.sha256((saved.backup_folder / name).read_bytes()).hexdigest()) for name in FILES
    ]


def test_a_restore_puts_back_what_was_saved(saved):
    ended = saved.run("restore.sh")
    assert (ended.returncode, ended.stderr) == (0, "")
    restored = (saved.folder / "restored").read_bytes()
    assert all((saved.backup_folder / name).read_bytes() in restored for name in FILES)


def change_byte(file: Path) -> None:
    file.write_bytes(b"B" + file.read_bytes()[1:])


def drop_from_list(file: Path) -> None:
    listed = file.with_name("SHA256SUMS")
    listed.write_text("".join(line for line in listed.read_text().splitlines(True) if file.name not in line))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [change_byte, drop_from_list, Path.unlink])
def test_a_damaged_backup_is_refused_by_name_before_anything_is_stopped(saved, damage, name):
    damage(saved.backup_folder / name)
    ended = saved.run("restore.sh")
    assert ended.returncode == 1
    assert name in ended.stderr
    assert saved.calls() == []


def test_the_message_on_damage_says_what_to_do(saved):
    change_byte(saved.backup_folder / "metrics.dump")
    assert saved.run("restore.sh").stderr == (
        "backups/day/metrics.dump is damaged: its digest is not the one in SHA256SUMS. Nothing was changed. "
        "Restore another backup, or another copy of this one.\n"
    )


def test_a_backup_of_an_earlier_version_is_restored_with_a_warning(saved):
    (saved.backup_folder / "SHA256SUMS").unlink()
    ended = saved.run("restore.sh")
    assert ended.returncode == 0
    assert "cannot be checked" in ended.stderr
    assert (saved.folder / "restored").exists()


@pytest.mark.parametrize("fails_at", ["pg_dump -U postgres --format=custom optuna", "tar --create"])
def test_a_backup_that_fails_leaves_nothing_and_starts_the_stack_again(stack, fails_at):
    ended = stack.run("backup.sh", FAILS_AT=fails_at)
    assert ended.returncode == 1
    assert "nothing was kept" in ended.stderr
    assert list((stack.folder / "backups").iterdir()) == []
    assert stack.calls()[-1] == "compose up -d --wait --no-build"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_backup_that_is_interrupted_leaves_nothing_and_starts_the_stack_again(stack, number):
    backup = stack.start("backup.sh", HANGS_AT="tar --create")
    while not (stack.folder / "hangs").exists():
        assert backup.poll() is None
        time.sleep(0.02)
    os.killpg(backup.pid, number)  # as Ctrl-C does: the script and what it waits for
    assert backup.wait(timeout=30) == 130
    assert list((stack.folder / "backups").iterdir()) == []
    assert stack.calls()[-1] == "compose up -d --wait --no-build"


def test_a_machine_without_sha256sum_takes_shasum(stack):
    if not shutil.which("shasum"):
        pytest.skip("no shasum here")
    tools = stack.folder / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "cut", "du", "grep", "mkdir", "mv", "rm", "shasum", "perl", "env"):
        (tools / name).symlink_to(shutil.which(name))
    path = f"{stack.folder / 'bin'}:{tools}"
    assert stack.run("backup.sh", PATH=path).returncode == 0
    ended = stack.run("restore.sh", PATH=path)
    assert (ended.returncode, ended.stderr) == (0, "")
