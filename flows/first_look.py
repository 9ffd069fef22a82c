"""`campaign init`: look at a file, write what it seems to hold as campaign.toml, and say what to do next."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from campaign.errors import BadInput
from campaign.schema_file import NAME, parse_schema
from campaign.schema_toml import table_lines
from campaign.settings import Settings
from flows.terminal import print_table
from tasks.training.choose_schema import refuse_second_model
from tasks.training.proposal import Proposal, ProposedColumn
from tasks.training.propose_schema import propose_schema

ORDER = '# order = "time"                  # if the rows stand in the order of time; no column says when they began'
SUFFIXES = re.compile(r"\.(csv|tsv|jsonl|ndjson|parquet|parq|pq|gz|zip)$", re.IGNORECASE)


def init(file: str, outcome: str = "", success: Sequence[str] = (), force: bool = False) -> Path:
    """Write `<home>/campaign.toml` and print what is in it. Raises `BadInput` rather than write over another."""
    target = Settings().home / NAME
    if target.exists() and not force:
        raise BadInput(
            f"{target} is there already.",
            f"Look at it, and train with it: {train_command(file)}. Or say --force to write it anew.",
        )
    proposal = propose_schema(file, outcome, success)
    text = render(proposal, model_name(file))
    schema = parse_schema(text)
    refuse_second_model(schema, "init")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    console = Console()
    print_table(columns_table(proposal))
    outcome_keys = proposal.outcome
    console.print(
        f"Outcome: {outcome_keys['column']}; success is {', '.join(outcome_keys['success'])}, "
        f"failure {', '.join(outcome_keys['failure'])}.", highlight=False, soft_wrap=True,
    )  # fmt: skip
    if equal := equal_rows_note(proposal):
        console.print(equal, highlight=False, soft_wrap=True)
    marked = text.count("# ?")
    console.print(f"Written: {target}" + (f", with {marked} guesses marked ?." if marked else "."), soft_wrap=True)
    console.print(f"Next: {train_command(file)}", highlight=False, soft_wrap=True)
    return target


def train_command(file: str) -> str:
    """What to type next, in the home that this was about."""
    home = Settings().home
    folder = f" --home {shlex.quote(str(home))}" if home != Settings.model_fields["home"].default else ""
    return f"campaign{folder} train {shlex.quote(file)}"


def model_name(file: str) -> str:
    """A file's name without its endings, in the characters that a model's name may have."""
    name = PurePosixPath(file.rstrip("/")).name
    while (shorter := SUFFIXES.sub("", name)) != name:
        name = shorter
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-_.") or "campaigns"


def render(proposal: Proposal, name: str) -> str:
    """The file: model, row, outcome, text, columns known at launch, derived ones, those that are left out."""

    def notes(table: str) -> dict[str, str]:
        prefix = f"{table}."
        return {key.removeprefix(prefix): note for key, note in proposal.notes.items() if key.startswith(prefix)}

    lines = [
        f"# Written by `campaign init {proposal.source}` from {proposal.rows:,} rows. `train` uses it as it stands; "
        "look at what is marked ?.",
    ]
    lines += table_lines("[model]", {"name": name, "feature_set": "launch"}, {})
    if proposal.row:
        lines += table_lines("[row]", proposal.row, notes("row"))
    if "launch" not in proposal.row:
        lines[-1:] = [*([] if proposal.row else ["", "[row]"]), ORDER, ""]
    if equal := equal_rows_note(proposal):
        lines[-1:] = [f"# ? {equal}", ""]
    lines += table_lines("[outcome]", proposal.outcome, notes("outcome"))
    if proposal.text:
        lines += table_lines("[text]", proposal.text, notes("text"))
    at_launch = [column for column in proposal.columns if column.is_at_launch]
    groups = {
        "known at launch": [column for column in at_launch if "derive" not in column.keys],
        "derived": [column for column in at_launch if "derive" in column.keys],
        'left out of "launch": they tell the outcome, or are known later': [
            column for column in proposal.columns if not column.is_at_launch
        ],
    }
    for title, columns in groups.items():
        if columns:
            lines.append(f"# --- {title} {'-' * (70 - len(title))}")
        for column in columns:
            lines += table_lines("[[column]]", column.keys, {"name": column.note})
    if proposal.left_out:
        lines.append("# --- not in the schema " + "-" * 53)
        lines += [f"# {name}: {reason}" for name, reason in proposal.left_out.items()]
    return "\n".join(lines).rstrip() + "\n"


def equal_rows_note(proposal: Proposal) -> str:
    """What rows that no column tells apart will count as; empty if there are none."""
    if not proposal.equal_rows:
        return ""
    return f"No id, and {proposal.equal_rows:,} rows equal an earlier one: each counts as a campaign of its own."


def columns_table(proposal: Proposal) -> Table:
    """What a person looks at: each column, when it is known, and what it alone tells."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("column", "type", "known", "alone tells", "note"):
        table.add_column(title, justify="right" if title == "alone tells" else "left")
    for column in sorted(proposal.columns, key=lambda column: (not column.is_at_launch, "derive" in column.keys)):
        table.add_row(*_cells(column))
    for name, reason in proposal.left_out.items():
        table.add_row(name, "-", "-", "", reason, style="dim")
    return table


def _cells(column: ProposedColumn) -> tuple[str, str, str, str, str]:
    alone = "" if column.alone != column.alone else f"{column.alone:.2f}"
    derived = column.keys.get("derive")
    note = "derived: " + ", ".join(derived) if derived else column.note.replace("? ", "")
    style = "[yellow]" if "?" in column.note else ""
    return column.name, str(column.keys["type"]), f"{style}{column.keys['known']}", f"{style}{alone}", note
