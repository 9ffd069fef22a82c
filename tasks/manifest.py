"""The manifest of a day's predictions: the commit. It is written last, and readers open it first.

What the challenger predicts of a day lies in a folder of its own, with a manifest of its own.

Files are named by their path in the store, so that a store may be moved; who reads a manifest here gets URIs. What it
names elsewhere is not opened, and what is not as it was written is not used.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from campaign.errors import BadInput
from campaign.files import reading_errors
from campaign.schema import ID
from campaign.store import Store, filesystem_of

PREDICTED, SHADOW = "predictions", "shadow"  # the folders: of the champion, of the challenger
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

    def __hash__(self) -> int:
        return hash((self.day, self.model_version, self.scored_at))

    @property
    def faults(self) -> list[Part]:
        """The inputs that could not be read."""
        return [part for part in self.inputs if part.fault]

    @property
    def failed(self) -> int:
        """Campaigns predicted to fail."""
        return self.rows.scored - self.predicted_success

    def publish(self, store: Store, folder: str = PREDICTED) -> None:
        stored = asdict(self)
        for name in FOLDERS:
            for part in stored[name]:
                part["uri"] = store.path_of(part["uri"])
        store.publish(manifest_path(self.day, folder), json.dumps(stored, indent=1).encode())


def manifest_path(day: date | str, folder: str = PREDICTED) -> str:
    return f"{folder}/day={day}/manifest.json"


def read_manifest(store: Store, day: date | str, folder: str = PREDICTED) -> Manifest | None:
    """The day's manifest, or None when nothing was scored yet.

    Raises `BadInput` for one that is damaged, or names a file outside the store.
    """
    try:
        written = store.read(manifest_path(day, folder))
    except FileNotFoundError:
        return None
    try:
        stored: dict[str, Any] = json.loads(written)
        parts = {
            name: [Part(**part | {"uri": store.at(_path_of(part["uri"]))}) for part in stored[name]] for name in FOLDERS
        }
        return Manifest(**(stored | parts | {"rows": Rows(**stored["rows"])}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{manifest_path(day, folder)}: it is no manifest ({error}).", score_again(day)) from error


def read_part(part: Part, day: date | str) -> pa.BufferReader:
    """A part as it was written. Raises `BadInput` for one that is gone, or another one by now."""
    filesystem, path = filesystem_of(part.uri)
    try:
        with reading_errors(part.uri, part.uri), filesystem.open_input_stream(path) as file:
            content = file.read()
    except BadInput as error:
        raise BadInput(error.cause, score_again(day)) from error
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise BadInput(f"{part.uri}: it is not what the manifest of {day} lists.", score_again(day))
    return pa.BufferReader(content)


def read_predictions(manifest: Manifest) -> Iterator[pa.RecordBatch]:
    """Id and probability of every scored campaign, batch by batch.

    Raises `BadInput` for a part that is gone, or not as it was written.
    """
    for part in manifest.parts:
        with reading_errors(part.uri, part.uri):
            yield from pq.ParquetFile(read_part(part, manifest.day)).iter_batches(columns=[ID, "probability"])


def score_again(day: date | str) -> str:
    """The remedy."""
    return f"Score the day again: `campaign score --day {day}`."


def _path_of(stored: str) -> str:
    """Raises ValueError for what is not below the store."""
    path = stored
    if "://" in stored:
        absolute = ABSOLUTE.fullmatch(stored)
        path = "" if absolute is None else unquote(absolute[1]) if stored.startswith("file://") else absolute[1]
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"it names {stored}, which is not in the store")
    return path
