"""The manifest of a day's predictions: the commit. It is written last, and readers open it first.

Files below the store are named by their path in it, so that a store may be moved; who reads a manifest here gets URIs.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any
from urllib.parse import unquote

from campaign.store import Store

FOLDERS = ("inputs", "parts", "quarantine")
ABSOLUTE = re.compile(r"\w+://.*/((?:incoming|predictions|quarantine)/day=.+)")  # as manifests had it before


@dataclass(frozen=True)
class Part:
    """One file: where, its digest, its rows. `size` and `changed` of an input tell cheaply that it is the same.

    `written` is how an input that is a text is written, as it was found; `fault` why one could not be read.
    """

    uri: str
    sha256: str
    rows: int
    size: int = 0
    changed: str = ""
    written: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Rows:
    read: int
    scored: int
    quarantined: int


@dataclass(frozen=True)
class Manifest:
    """What was read, what came of it, and by which version. Counts are of all rows read, the quarantined included.

    `unread` are the names of what else the day's folder held.
    """

    day: str
    model: str
    model_version: str
    inputs: list[Part]
    parts: list[Part]
    quarantine: list[Part]
    rows: Rows
    scored_at: str
    predicted_success: int
    missing: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    ignored_columns: int = 0
    unread: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[Part]:
        """The inputs that could not be read."""
        return [part for part in self.inputs if part.fault]

    @property
    def failed(self) -> int:
        """Campaigns predicted to fail."""
        return self.rows.scored - self.predicted_success

    def publish(self, store: Store) -> None:
        stored = asdict(self)
        for folder in FOLDERS:
            for part in stored[folder]:
                part["uri"] = store.path_of(part["uri"])
        store.publish(manifest_path(self.day), json.dumps(stored, indent=1).encode())


def manifest_path(day: date | str) -> str:
    return f"predictions/day={day}/manifest.json"


def read_manifest(store: Store, day: date | str) -> Manifest | None:
    """The day's manifest, or None when nothing was scored yet."""
    try:
        stored: dict[str, Any] = json.loads(store.read(manifest_path(day)))
    except FileNotFoundError:
        return None
    parts = {
        folder: [Part(**part | {"uri": _uri_in(store, part["uri"])}) for part in stored[folder]] for folder in FOLDERS
    }
    return Manifest(**(stored | parts | {"rows": Rows(**stored["rows"])}))


def _uri_in(store: Store, stored: str) -> str:
    if "://" not in stored:
        return store.at(stored)
    if absolute := ABSOLUTE.fullmatch(stored):
        return store.at(unquote(absolute[1]) if stored.startswith("file://") else absolute[1])
    return stored
