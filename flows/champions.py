"""The versions of a model and the history of its champions, as tables."""

import json
import shutil
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from sqlalchemy import select

from campaign.errors import BadInput
from tasks.metrics_database import champions, database, in_utc
from tasks.model_versions import files_of, find_champion, list_versions, require_champion


def versions_table(model: str) -> Table:
    """Every registered version, the newest first."""
    table = Table(title=f"Versions of {model}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "role", "test\nROC-AUC", "labelled\ndays", "registered", "schema", "verdict"):
        table.add_column(name, justify="left" if name in ("role", "registered", "schema", "verdict") else "right")
    champion = find_champion(model)
    for version in list_versions(model):
        is_champion = champion is not None and version.number == champion.number
        role = "champion" if is_champion else "was champion" if version.promoted_at else "challenger"
        table.add_row(
            version.number,
            f"[bold green]{role}[/]" if is_champion else role,
            version.tags.get("test_roc_auc", "")[:7],
            str(len(json.loads(version.tags.get("days", "{}")))),
            f"{version.created:%Y-%m-%d}",
            f"{version.tags['schema']} {version.tags['schema_digest'][:6]}"
            if "schema" in version.tags
            else "published",
            version.tags.get("verdict", "").partition(": ")[2],
        )
    return table


def versions_in_json(model: str) -> str:
    """The same for programs: number, role, when it was registered and promoted, and its tags."""
    champion = find_champion(model)
    listed = [
        {
            "version": version.number, "is_champion": champion is not None and version.number == champion.number,
            "registered": version.created.isoformat(), "promoted_at": version.promoted_at, "tags": version.tags,
        }
        for version in list_versions(model)
    ]  # fmt: skip
    return json.dumps(listed, indent=1)


def history_table() -> Table:
    """Which version followed which as champion, when and why."""
    columns = ("since (UTC)", "version", "after", "reason")
    table = Table(*columns, title="Champions", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    with database().connect() as connection:
        for row in connection.execute(select(champions).order_by(champions.c.changed_at)):
            table.add_row(f"{in_utc(row.changed_at):%Y-%m-%d %H:%M:%S}", row.version, row.previous or "-", row.reason)
    return table


def export_champion(model: str, folder: Path) -> str:
    """Write the champion's own files into a folder; gives its version."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file, and a champion is several.", "Name a folder.")
    version = require_champion(model)
    folder.mkdir(parents=True, exist_ok=True)
    for file in files_of(version).iterdir():
        shutil.copyfile(file, folder / file.name)
    (folder / "version.txt").write_text(version.number + "\n")
    return version.number
