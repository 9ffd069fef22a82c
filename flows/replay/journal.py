"""What of a course is done, so that a replay that was killed goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Trained:
    """One training: what it gave, what it cost (0 if a kill left that unknown), and what called for it."""

    version: str
    promoted: bool
    reason: str
    seconds: float
    cpu_seconds: float
    called_for: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Played:
    """What monitoring said when a period was over, and the training that followed.

    `state` and `drifted_columns` are those of its newest day.

    `period` is empty for the training of the beginning.
    """

    period: str
    state: str = ""
    drifted_columns: list[str] = field(default_factory=list)
    call: str = ""
    trained: Trained | None = None


@dataclass(frozen=True)
class Before:
    """How the home stood when a period began: how often retraining had been called for, and the newest version."""

    calls: int
    version: int


class Journal:
    """A line a period, written when it is over, and how the home stood before the one that is being played."""

    def __init__(self, home: Path) -> None:
        self._file, self._before = home / "journal.jsonl", home / "before.json"

    def read(self) -> list[Played]:
        lines = self._file.read_text().split("\n")[:-1] if self._file.exists() else []  # the last one may be half
        read = map(json.loads, lines)
        return [Played(**line | {"trained": Trained(**line["trained"]) if line["trained"] else None}) for line in read]

    def before(self, now: Before) -> Before:
        """As it was when the period was first begun; `now`, if it is begun now."""
        if not self._before.exists():
            partial = self._before.with_suffix(".partial")
            partial.write_text(json.dumps(asdict(now)))
            partial.rename(self._before)
        return Before(**json.loads(self._before.read_text()))

    def add(self, played: Played) -> None:
        """The period is over."""
        with self._file.open("a") as file:
            file.write(f"{json.dumps(asdict(played))}\n")
        self._before.unlink(missing_ok=True)

    def forget_before(self) -> None:
        """In the copy of a home: its period begins anew."""
        self._before.unlink(missing_ok=True)
