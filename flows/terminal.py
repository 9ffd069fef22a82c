"""What a person at the terminal sees of a run: a line for each stage when it is done, and one that moves meanwhile."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from campaign.masking import without_credentials
from flows.interruption import cancel_when_interrupted, do_when_interrupted

PLAIN_SECONDS = 10.0  # between lines on how far a stage is, where no line can move
TITLE = 14


def keep_logs_back() -> None:
    """Prefect's own lines, and what libraries log and warn of, are not printed. To be said before Prefect is imported.

    They are in the run's log in Prefect's pages as ever.
    """
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    logging.captureWarnings(True)


class Stages(logging.Handler):
    """Follows the tasks of a flow by what they log, and by how far they report to be."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self.console = console
        self.stage = "starting"
        self.started = self.printed = time.monotonic()
        self.said = ""
        self.counted: dict[str, tuple[int, int, str]] = {}
        self.first: tuple[str, int, float] | None = None

    def begin(self, task: Any, run: Any, _state: Any) -> None:
        """A hook of Prefect's."""
        self.stage, self.said, self.counted, self.first = run.name, "", {}, None
        # A run's name ends in digits of its own, unless it says what it is about.
        if run.name.startswith(f"{task.name}-"):
            self.stage = task.name.replace("_", " ")
        self.started = self.printed = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "progress"):
            self._count(*record.progress)
        elif not record.name.startswith("prefect.task_runs"):
            return
        elif record.levelno == logging.WARNING or "Retry " in record.getMessage():
            self._print("[yellow]![/]", f"[yellow]{escape(first_line(record))}[/]")
        elif record.levelno == logging.INFO:
            self.said = first_line(record)

    def _count(self, what: str, done: int, total: int, note: str) -> None:
        outer = list(self.counted)
        for inner in outer[outer.index(what) + 1 :] if what in outer else []:
            del self.counted[inner]
        self.counted[what] = (done, total, note)
        if self.first is None:
            self.first = what, done, time.monotonic()
        if not self.console.is_terminal and time.monotonic() - self.printed >= PLAIN_SECONDS:
            self.printed = time.monotonic()
            self._print(" ", escape(self.how_far()))

    def complete(self, _task: Any, _run: Any, _state: Any) -> None:
        """A hook of Prefect's, as is the next."""
        self._end("[green]✓[/]")

    def fail(self, _task: Any, _run: Any, _state: Any) -> None:
        self._end("[red]✗[/]")

    def _end(self, mark: str) -> None:
        self._print(mark, escape(self.said), f"[dim]{time.monotonic() - self.started:.1f} s[/]")
        self.stage, self.said, self.counted = "", "", {}
        self.started = time.monotonic()

    def __rich__(self) -> Text:
        """The line that moves."""
        return Text(f"{self.stage or 'ending':<{TITLE}} {self.how_far()}", no_wrap=True, overflow="ellipsis")

    def how_far(self) -> str:
        """7 of 30 trials, 16 of 25 trees, least log loss 0.55310, 41 s, about 90 s left."""
        parts = [f"{done} of {total} {what}" for what, (done, total, _) in self.counted.items()] or [self.said]
        parts += [note for _, _, note in self.counted.values() if note]
        parts.append(f"{time.monotonic() - self.started:.0f} s")
        left = self.seconds_left()
        return ", ".join(filter(None, [*parts, f"about {left:.0f} s left" if left else ""]))

    def seconds_left(self) -> float | None:
        """As long as what was counted first took so far, for what of it is left."""
        if self.first is None:
            return None
        what, done_then, since = self.first
        done, total, _ = self.counted.get(what, (done_then, done_then, ""))
        return (time.monotonic() - since) / (done - done_then) * (total - done) if total > done > done_then else None

    def _print(self, mark: str, text: str, seconds: str = "") -> None:
        stage = escape(self.stage)
        if not self.console.is_terminal:
            self.console.print(" ".join(filter(None, [mark, f"{stage:<{TITLE}}", text, seconds])), soft_wrap=True)
            return
        line = Table.grid(expand=True, padding=(0, 1))
        for width in (1, TITLE, None, 7):
            line.add_column(width=width, ratio=None if width else 1, justify="right" if width == 7 else "left")
        line.add_row(mark, stage, text, seconds)
        self.console.print(line)


class LogFollower(logging.Handler):
    """Shows the newest line of the flows' own log while a step lasts."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        if not record.getMessage().startswith("Finished in state"):
            self.show(first_line(record))


def print_table(table: Table) -> None:
    """As wide as the terminal; where it is piped, 80 columns without blanks at the end of a line."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def first_line(record: logging.LogRecord) -> str:
    return without_credentials(record.getMessage().splitlines()[0])


@contextmanager
def stages_shown(flow: Any, tasks: dict[str, Any], quiet: bool, verbose: bool) -> Iterator[None]:
    """Show the stages of a flow: the `tasks` that its module calls. Neither with --quiet nor with --verbose."""
    cancel_when_interrupted(flow)
    if quiet or verbose:
        yield
        return
    from prefect import Task

    console = Console(stderr=True, highlight=False)
    stages = Stages(console)
    followed = [task for task in tasks.values() if isinstance(task, Task)]
    for task in followed:
        task.on_running(stages.begin)
        task.on_completion(stages.complete)
        task.on_failure(stages.fail)
    loggers = [logging.getLogger(name) for name in ("prefect", "campaign.progress")]
    for logger in loggers:
        logger.addHandler(stages)
    try:
        if console.is_terminal:
            with console.status(stages) as status:
                do_when_interrupted(status.stop)
                yield
        else:
            yield
    finally:
        for logger in loggers:
            logger.removeHandler(stages)
        for task in followed:
            task.on_running_hooks.remove(stages.begin)
            task.on_completion_hooks.remove(stages.complete)
            task.on_failure_hooks.remove(stages.fail)
