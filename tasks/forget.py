"""Remove a campaign's rows from every folder of the store that holds them; manifests stay true."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from campaign.errors import CampaignError
from campaign.files import count_rows, is_readable_name
from campaign.identity import digests_of
from campaign.model import ScoringModel
from campaign.reading import likely_names, read_campaigns
from campaign.schema import Schema
from campaign.settings import Settings
from campaign.store import Published, Store
from campaign.without_rows import write_without
from tasks.manifest import PREDICTED, SHADOW, Manifest, Part, Rows, read_manifest
from tasks.metrics_database import database, scored
from tasks.model_versions import find_version, load_version

FOLDERS = ("base", "incoming", "outcomes", PREDICTED, SHADOW, "quarantine", "captured", "by-hand")
COMMITTED = (PREDICTED, SHADOW, "quarantine")  # what a manifest lists by name and nobody else writes


@dataclass
class Forgotten:
    """`files` that held rows of the campaign and hold none now, with how many rows that were.

    `unread` could not be looked into, and why.
    """

    files: dict[str, int] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Places:
    """At which rows of a file, counted from 0, a campaign is, and how many rows that file has."""

    rows: list[int]
    total: int

    @property
    def is_all(self) -> bool:
        return len(self.rows) == self.total


def forget(campaign_id: str, schema: Schema) -> Forgotten:
    """Rewrite the files of the store that hold a campaign; a file that holds nothing else goes.

    Of a day, first what no manifest commits, then the manifests, then the parts that they listed before: what readers
    open is whole at any moment, and who was interrupted finds the campaign again.
    """
    store, forgotten, found = Store(Settings().store), Forgotten(), dict[str, Places]()
    for folder in FOLDERS:
        for entry in store.entries(folder):
            if not is_readable_name(entry.path.rpartition("/")[2]):
                continue
            try:
                places = find_places(store.at(entry.path), schema, campaign_id)
            except CampaignError as error:
                forgotten.unread[entry.path] = error.cause
                continue
            if places.rows:
                found[entry.path] = places
    days = {path: _day_of(path) for path in found}
    for day in sorted({day for day in days.values() if day}):
        _forget_on_day(store, day, {path: places for path, places in found.items() if days[path] == day}, schema)
    for path, places in found.items():
        if days[path] is None:
            _rewrite(store, path, path, places, schema)
    forgotten.files = {path: len(places.rows) for path, places in found.items()}
    return forgotten


def find_places(uri: str, schema: Schema, campaign_id: str) -> Places:
    """Raises `BadInput` for a file that cannot be read as campaigns."""
    wanted, rows, total = digests_of(pa.array([campaign_id]))[0], list[int](), 0
    for batch in read_campaigns(uri, schema, ()):
        has_id = np.asarray(batch.ids.is_valid())
        digests = digests_of(batch.ids.fill_null(""))
        rows += (batch.first_row + np.flatnonzero(has_id & (digests == wanted))).tolist()
        total += len(batch)
    return Places(rows, total)


def _forget_on_day(store: Store, day: date, found: dict[str, Places], schema: Schema) -> None:
    manifests = {folder: known for folder in (PREDICTED, SHADOW) if (known := read_manifest(store, day, folder))}
    listed = {store.path_of(part.uri) for known in manifests.values() for part in [*known.parts, *known.quarantine]}
    gone = {folder: _counts_of(store, manifest, found) for folder, manifest in manifests.items()}
    renamed = {}
    for path, places in found.items():
        if path in listed:
            # Under another name: the manifest that readers have open goes on listing what is there.
            digest = hashlib.sha256(f"{path} {places.rows}".encode()).hexdigest()[:8]
            renamed[path] = _rewrite(store, path, f"{path.removesuffix('.parquet')}-{digest}.parquet", places, schema)
        elif path.startswith(COMMITTED):
            store.delete(path)  # superseded, and not swept yet
        else:
            _rewrite(store, path, path, places, schema)

    def without(parts: list[Part]) -> list[Part]:
        kept = []
        for part in parts:
            path = store.path_of(part.uri)
            if path not in renamed:
                kept.append(part)
            elif published := renamed[path]:
                kept.append(Part(published.uri, published.sha256, part.rows - len(found[path].rows)))
        return kept

    for folder, manifest in manifests.items():
        inputs = [now for part in manifest.inputs if (now := _as_it_is_now(store, part, schema))]
        parts, quarantine, counts = without(manifest.parts), without(manifest.quarantine), gone[folder]
        manifests[folder] = replace(
            manifest, inputs=inputs, parts=parts, quarantine=quarantine,
            rows=Rows(*(sum(part.rows for part in listed) for listed in (inputs, parts, quarantine))),
            predicted_success=manifest.predicted_success - counts.successes,
            missing={name: rows - counts.missing[name] for name, rows in manifest.missing.items()},
            unknown={name: rows - counts.unknown[name] for name, rows in manifest.unknown.items()},
        )  # fmt: skip
        manifests[folder].publish(store, folder)
    for path in renamed:
        store.delete(path)
    if truer := manifests.get(PREDICTED):
        rows = truer.rows
        values = {"rows_read": rows.read, "rows_scored": rows.scored, "rows_quarantined": rows.quarantined}
        with database().begin() as connection:
            changed = sa.update(scored).where(scored.c.day == day)
            connection.execute(changed.values(**values, predicted_success=truer.predicted_success))


@dataclass
class _Counts:
    """What the rows that go had added to a manifest's counts."""

    successes: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def _counts_of(store: Store, manifest: Manifest, found: dict[str, Places]) -> _Counts:
    counts, model = _Counts(), _model_of(manifest)
    for part in manifest.parts:
        if places := found.get(store.path_of(part.uri)):
            success = pq.read_table(pa.BufferReader(store.read(store.path_of(part.uri))), columns=["success"]).column(0)
            counts.successes += int(success.take(places.rows).to_numpy().sum())
    for part in manifest.inputs:
        places = found.get(store.path_of(part.uri))
        if places is None or model is None:
            continue
        for batch in read_campaigns(part.uri, model.schema):
            own = np.array(places.rows) - batch.first_row
            own = own[(own >= 0) & (own < len(batch))]
            if not len(own):
                continue
            counts.missing += Counter(
                {name: int(np.isnan(values[own]).sum()) for name, values in batch.numbers.items()}
            )
            texts = batch.categories.items()
            counts.missing += Counter({name: values.take(pa.array(own)).null_count for name, values in texts})
            matrix = model.encoder.encode(batch)[own[batch.good[own]]]
            counts.unknown += Counter(model.encoder.count_unknown(matrix))
    return counts


def _model_of(manifest: Manifest) -> ScoringModel | None:
    try:
        return load_version(find_version(manifest.model, manifest.model_version))
    except CampaignError:  # deleted since: missing and unknown values stay counted
        return None


def _as_it_is_now(store: Store, part: Part, schema: Schema) -> Part | None:
    """An input as the store has it, rewritten by this run or by one that was interrupted; None if it went."""
    path = store.path_of(part.uri)
    entry = next((entry for entry in store.entries(path.rpartition("/")[0]) if entry.path == path), None)
    if entry is None:
        return None
    if (entry.size, entry.changed.isoformat()) == (part.size, part.changed):
        return part
    digest = hashlib.sha256(store.read(path)).hexdigest()
    rows = count_rows(part.uri, path, schema.text, likely_names(schema))
    return replace(part, sha256=digest, rows=rows, size=entry.size, changed=entry.changed.isoformat())


def _rewrite(store: Store, path: str, target: str, places: Places, schema: Schema) -> Published | None:
    """The file without those rows; None where nothing is left of it."""
    if places.is_all:
        if path == target:
            store.delete(path)
        return None
    with store.writing(target) as sink:
        write_without(store.at(path), schema, set(places.rows), sink)
    return Published(store.at(target), sink.sha256)


def _day_of(path: str) -> date | None:
    """The day of a file below the store; none of a data set's."""
    for folder in path.split("/")[:-1]:
        if folder.startswith("day="):
            try:
                return date.fromisoformat(folder.removeprefix("day="))
            except ValueError:
                return None
    return None
