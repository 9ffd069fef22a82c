"""A schema that is proposed: the tables of its file, with a remark behind what was guessed."""

from dataclasses import dataclass, field
from typing import Any

from tasks.training.leakage import LAUNCH


@dataclass(frozen=True)
class ProposedColumn:
    """A table of `[[column]]`, in the schema's own keys, what the column alone tells of the outcome, and remarks.

    `alone` is a ROC-AUC from 0.5 to 1, NaN for too few outcomes. A remark that begins with ? is to be looked at.
    """

    keys: dict[str, Any]
    alone: float
    note: str = ""

    @property
    def name(self) -> str:
        return str(self.keys["name"])

    @property
    def is_at_launch(self) -> bool:
        return bool(self.keys["known"] == LAUNCH)


@dataclass
class Proposal:
    """What a schema file will hold, by table: keys, and a remark for some of them.

    `equal_rows`: how many equal an earlier one, where no column would do as an id.
    """

    source: str
    rows: int
    row: dict[str, str] = field(default_factory=dict)
    outcome: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] = field(default_factory=dict)
    columns: list[ProposedColumn] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)  # columns of the file, and why the schema does without
    notes: dict[str, str] = field(default_factory=dict)  # by "table.key"
    equal_rows: int = 0
