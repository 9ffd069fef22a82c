"""What a person at the terminal sees and does: stages, how far they are, Ctrl-C."""

import logging
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from prefect import flow, get_run_logger, task
from rich.console import Console

from campaign.store import Store
from flows import terminal
from flows.environment import configure_logging
from flows.terminal import stages_shown
from tasks.progress import report
from tasks.synthetic_days import write_training_data

CAMPAIGN = Path(sys.executable).parent / "campaign"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


class Terminal:
    """A command in a terminal of 80 columns, as whoever sits at it sees and interrupts it."""

    def __init__(self, environment: dict[str, str], *words: str) -> None:
        self.pid, self.keyboard = pty.fork()
        if self.pid == 0:
            os.execve(CAMPAIGN, [str(CAMPAIGN), *words], environment | {"COLUMNS": "80", "TERM": "xterm"})
        self.seen = ""

    def read_until(self, is_enough: Callable[[str], bool]) -> None:
        while not is_enough(self.seen):
            try:
                read = os.read(self.keyboard, 65_536)
            except OSError:  # how Linux says that nobody has the terminal open any more
                return
            self.seen += read.decode(errors="replace")

    def read_some(self, seconds: float = 0.05) -> None:
        """What is printed within that time."""
        if select.select([self.keyboard], [], [], seconds)[0]:
            self.seen += os.read(self.keyboard, 65_536).decode(errors="replace")

    def press_ctrl_c(self, times: int) -> None:
        """In one write: at each press the terminal throws away what it has printed and nobody has read yet."""
        os.write(self.keyboard, b"\x03" * times)

    def end(self) -> int:
        self.read_until(lambda seen: False)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def text(self) -> str:
        return ESCAPES.sub("", self.seen)


def states_of_runs(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as runs:
        return [state for (state,) in runs.execute("SELECT state_type FROM flow_run")]


def test_ctrl_c_ends_a_training_says_what_is_kept_and_leaves_nothing_running(environment, tmp_path):
    data = write_training_data(Store(f"file://{tmp_path}"), 5_000).uri
    terminal = Terminal(environment, "train", data, "--trials", "40")
    terminal.read_until(lambda seen: "2 of 40 trials" in ESCAPES.sub("", seen))
    terminal.press_ctrl_c(times=3)
    assert terminal.end() == 130
    last = terminal.text.strip().splitlines()[-1]
    assert re.fullmatch(r"Interrupted\. \d+ trials are kept: run it again to go on\.", last), terminal.text
    assert "Traceback" not in terminal.text
    assert terminal.seen.rindex(SHOW_CURSOR) > terminal.seen.rindex(HIDE_CURSOR)
    assert states_of_runs(tmp_path / "home") == ["CANCELLED"]
    assert not serving(tmp_path / "home")


def test_ctrl_c_ends_a_command_whose_server_has_just_been_started(environment, tmp_path):
    terminal = Terminal(environment, "demo")
    while not serving(tmp_path / "home"):
        terminal.read_some()
    terminal.press_ctrl_c(times=3)
    assert terminal.end() == 130
    assert terminal.text.strip().splitlines()[-1].startswith("Interrupted."), terminal.text
    assert "Traceback" not in terminal.text
    assert not serving(tmp_path / "home")


def serving(home: Path) -> list[int]:
    """Prefect's servers of a home that are still there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, own = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if b"uvicorn" in words and f"PREFECT_HOME={home}/prefect".encode() in own:
            found.append(int(process.name))
    return found


def test_a_signal_to_the_command_alone_ends_it_too(environment, tmp_path):
    command = subprocess.Popen([CAMPAIGN, "train"], env=environment, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "home" / "prefect" / "prefect.db").exists():
        assert command.poll() is None
        time.sleep(0.05)
    command.send_signal(signal.SIGINT)
    said = command.communicate()[1]
    assert command.returncode == 130
    assert said.splitlines()[-1] == "Interrupted. No trials are kept: run it again to go on."


@task(task_run_name="count {to}")
def count(to: int) -> None:
    for done in range(to + 1):
        report("numbers", done, to, "none is missing")
    get_run_logger().warning("It took a while")
    get_run_logger().info("Counted to %d", to)


@task
def break_down() -> None:
    raise ValueError("no")


@flow
def counting(breaks: bool = False) -> None:
    count(3)
    if breaks:
        break_down()


TASKS = {"count": count, "break_down": break_down}


@pytest.fixture
def at_the_terminal(prefect_api, monkeypatch, caplog, capsys):
    """What is printed of a run of `counting`. Prefect's own handler is not asked."""
    configure_logging()
    caplog.set_level(logging.INFO, "prefect")
    monkeypatch.setenv("COLUMNS", "80")

    def look(breaks: bool = False, quiet: bool = False) -> list[str]:
        with stages_shown(counting, TASKS, quiet, verbose=False):
            counting(breaks, return_state=True)
        return [re.sub(r"\d+\.\d s", "0.0 s", line) for line in capsys.readouterr().err.splitlines()]

    return look


def test_a_stage_is_one_line_with_what_came_of_it_and_its_seconds(at_the_terminal):
    said = [line for line in at_the_terminal() if line[:1] in "✓✗!"]
    assert said == ["! count 3        It took a while", "✓ count 3        Counted to 3 0.0 s"]


def test_a_stage_that_failed_is_marked_and_its_error_left_to_the_end(at_the_terminal):
    said = at_the_terminal(breaks=True)
    assert [line.split() for line in said if line[0] == "✗"] == [["✗", "break", "down", "0.0", "s"]]
    assert not [line for line in said if "ValueError" in line and line[:1] in "✓✗!"]


def test_quiet_says_nothing_of_stages(at_the_terminal):
    assert not [line for line in at_the_terminal(quiet=True) if line[:1] in "✓✗!"]


def test_how_far_a_stage_is_and_how_long_it_may_take(monkeypatch):
    now = 0.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now)
    stages = terminal.Stages(Console(force_terminal=True))
    said = []
    for progress in (("trials", 0, 12, ""), ("trees", 8, 25, ""), ("trials", 4, 12, "least log loss 0.6")):
        now += 10
        stages.emit(logging.makeLogRecord({"progress": progress}))
        said.append(stages.how_far())
    assert said[1] == "0 of 12 trials, 8 of 25 trees, 20 s"
    assert said[2] == "4 of 12 trials, least log loss 0.6, 30 s, about 40 s left"
