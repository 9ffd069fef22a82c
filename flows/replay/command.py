"""`campaign replay FILE`: play a history, print what came of it, and write the page."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from campaign.errors import BadInput
from campaign.files import files_of
from campaign.schema import Schema
from campaign.schema_file import NAME, home_schema, read_schema
from campaign.schema_toml import schema_text
from campaign.settings import Settings
from campaign.store import filesystem_of
from flows.batch_scoring import batch_scoring
from flows.interruption import cancel_when_interrupted, do_when_interrupted
from flows.monitoring import monitoring
from flows.replay.courses import RULES, Plan, Rule, replay
from flows.replay.journal import Played
from flows.replay.page import render
from flows.replay.results import Replayed, read_replayed
from flows.replay.table import results_table
from flows.terminal import LogFollower, print_table
from flows.training import training
from tasks.replay import FOLDER
from tasks.replay.history import read_history, require_replayable
from tasks.replay.periods import Every, first_day, periods_of, read_first_day

PAGE = "replay.html"
LOGGERS = ("prefect", "campaign.progress")

console = Console(highlight=False)


def play(file: str, schema_path: str, first: str, every: Every, rules: Sequence[str], trials: int) -> Replayed:
    """Play what is not played yet; print the table and the advice; write replay.html."""
    wanted = read_rules(rules)
    schema = read_schema(schema_path) if schema_path else home_schema()
    require_replayable(schema)
    with Progress() as progress:
        progress.say(f"reading {file}")
        history = read_history(file, schema)
        begin = read_first_day(first) if first else first_day(history, every)
        periods = periods_of(history, begin, every)
        folder = replay_folder(file, schema, {"from": str(begin), "every": every, "trials": trials})
        folder.mkdir(parents=True, exist_ok=True)
        (folder / NAME).write_text(schema_text(schema.to_table()))
        plan = Plan(folder, schema, history, periods, trials)
        progress.expect(len(periods), len(wanted))
        homes = replay(plan, wanted, progress.show)
        progress.say("comparing")
        replayed = read_replayed(plan, homes)
        page = folder / PAGE
        page.write_text(render(replayed))
    print_table(results_table(replayed))
    console.print(replayed.advice, soft_wrap=True)
    held, judged = replayed.estimates_held
    if judged:
        console.print(f"Estimated ROC-AUC lay within the realised 95 % interval in {held} of {judged} spans.")
    console.print(f"The page: {page}", soft_wrap=True)
    return replayed


def read_rules(rules: Sequence[str]) -> list[Rule]:
    """Raises `BadInput` for one that there is not."""
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown:
        raise BadInput(f"There is no --retrain {unknown[0]}.", "Say called, never or always, or several of them.")
    return [rule for rule in RULES if rule in rules]


def replay_folder(file: str, schema: Schema, options: dict[str, object]) -> Path:
    """Where a replay of this file, schema and these options is kept."""
    digest = hashlib.sha256(json.dumps([schema.digest, options], sort_keys=True).encode())
    for uri in files_of(file):
        filesystem, path = filesystem_of(uri)
        with filesystem.open_input_stream(path) as stream:
            while read := stream.read(1 << 22):
                digest.update(read)
    return Settings().home.absolute() / FOLDER / digest.hexdigest()[:12]


class Progress:
    """A line for each period that is over, and one that moves: what is being done, and how long it may take still."""

    def __init__(self) -> None:
        self._status = console.status("")
        self._follow = LogFollower(self.say)
        self._began = self._last = time.monotonic()
        self._periods = self._courses = self._done = 0

    def __enter__(self) -> Progress:
        for flow in (training, batch_scoring, monitoring):
            cancel_when_interrupted(flow)
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self._follow)
        self._status.start()
        do_when_interrupted(self._status.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self._follow)

    def expect(self, periods: int, courses: int) -> None:
        """How much there is to play, at most."""
        self._periods, self._courses = periods, courses

    def say(self, line: str) -> None:
        room = max(console.width - 30, 20)
        self._status.update(f"{escape(line[:room])} [dim]{self._left()}[/]")

    def show(self, rule: Rule, played: Played) -> None:
        """A period is over."""
        seconds, self._last = time.monotonic() - self._last, time.monotonic()
        self._done += bool(played.period)
        trained = played.trained
        parts = [played.state or "scored"] if played.period else []
        if played.drifted_columns:
            parts[0] += f" ({', '.join(played.drifted_columns)})"
        if not played.period:
            self._began = self._last  # the first training says nothing of how long periods take
        if trained:
            became = "champion" if trained.promoted else "challenger"
            parts.append(f"trained version {trained.version}: {became}")
        title = f"{rule} {played.period}" if played.period else "beginning"
        console.print(f"[green]✓[/] {title:<18} {escape('; '.join(parts))} [dim]{seconds:.0f} s[/]", soft_wrap=True)

    def _left(self) -> str:
        if not self._done:
            return ""
        left = (time.monotonic() - self._began) / self._done * max(self._periods * self._courses - self._done, 0)
        return f"at most about {left / 60:.0f} min left" if left >= 60 else f"at most about {left:.0f} s left"
