"""Score a day's campaigns with the champion: parts, then the manifest, then the row in the metrics database."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import get_run_logger, task
from sqlalchemy import delete, insert, select

from campaign.errors import BadInput
from campaign.identity import SeenIds
from campaign.model import PREDICTIONS, ScoringModel
from campaign.reading import Batch, count_ignored, read_campaigns
from campaign.settings import Settings
from campaign.store import Entry, Published, Store, filesystem_of
from tasks.days import days_in_question
from tasks.manifest import Manifest, Part, Rows, read_manifest
from tasks.metrics_db import database, scored
from tasks.patience import PATIENT
from tasks.registry import Version, champion_of, load


@dataclass(frozen=True)
class ScoredDay:
    """`reused`: the inputs were those of the manifest, so nothing was scored again."""

    day: str
    model_version: str
    rows: Rows
    successful: int
    unsuccessful: int
    reused: bool


@dataclass(frozen=True)
class Input:
    """One incoming object, and a local file with its bytes."""

    part: Part
    local: str


@dataclass
class Tally:
    """What was counted while a day was streamed."""

    read: int = 0
    scored: int = 0
    successful: int = 0
    ignored: int = 0

    def __post_init__(self) -> None:
        self.missing: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()


def inputs_of(store: Store, day: date) -> list[Entry]:
    """The Parquet files of a day."""
    return [entry for entry in store.entries(f"incoming/day={day}") if entry.path.endswith(".parquet")]


def is_current(manifest: Manifest | None, entries: list[Entry], store: Store) -> bool:
    """Whether a manifest is of these inputs, as they are now."""
    if manifest is None:
        return False
    listed = {(part.uri, part.size, part.changed) for part in manifest.inputs}
    return listed == {(store.at(entry.path), entry.size, entry.changed.isoformat()) for entry in entries}


@contextmanager
def fetched(store: Store, entries: list[Entry]) -> Iterator[list[Input]]:
    """The inputs with their digests: local files where they lie, others downloaded for the time of the block."""
    with ExitStack() as stack:
        inputs = []
        for entry in entries:
            uri = store.at(entry.path)
            filesystem, path = filesystem_of(uri)
            digest = hashlib.sha256()
            with filesystem.open_input_stream(path) as stream, ExitStack() as files:
                local, copy = path, None
                if not uri.startswith("file://"):
                    folder = stack.enter_context(TemporaryDirectory(prefix="campaign-"))
                    # The same folders as in the store, so that messages name the file as the user knows it.
                    target = Path(folder) / entry.path
                    target.parent.mkdir(parents=True)
                    local, copy = str(target), files.enter_context(target.open("wb"))
                while piece := stream.read(1 << 22):
                    digest.update(piece)
                    if copy:
                        copy.write(piece)
            inputs.append(Input(Part(uri, digest.hexdigest(), 0, entry.size, entry.changed.isoformat()), local))
        yield inputs


def score_inputs(store: Store, day: date, inputs: list[Input], model: ScoringModel) -> Manifest:
    """Write the day's parts and publish its manifest.

    Part names carry a digest of inputs and model version: the same inputs and version leave the same bytes under the
    same names, and two writers of different ones never touch each other's.
    """
    named = "\n".join([*(f"{one.part.uri} {one.part.sha256}" for one in inputs), model.name, model.version])
    digest = hashlib.sha256(named.encode()).hexdigest()[:12]
    seen, tally = SeenIds(), Tally()
    read, parts, quarantine = [], [], []
    for number, one in enumerate(inputs):
        before = (tally.read, tally.scored)
        name = f"day={day}/part-{digest}-{number:05d}.parquet"
        part, rejected = score_file(store, name, one.local, model, seen, tally)
        rows, scored_rows = tally.read - before[0], tally.scored - before[1]
        read.append(replace(one.part, rows=rows))
        parts.append(Part(part.uri, part.sha256, scored_rows))
        if rejected:
            quarantine.append(Part(rejected.uri, rejected.sha256, rows - scored_rows))
    counts = Rows(tally.read, tally.scored, tally.read - tally.scored)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(
        str(day), model.name, model.version, read, parts, quarantine, counts, moment, tally.successful,
        dict(tally.missing), dict(tally.unknown), tally.ignored,
    )  # fmt: skip
    manifest.publish(store)
    return manifest


def score_file(
    store: Store, name: str, local: str, model: ScoringModel, seen: SeenIds, tally: Tally
) -> tuple[Published, Published | None]:
    """Stream one file into a part, and its bad rows, if it has any, into another."""
    part, rejected = f"predictions/{name}", f"quarantine/{name}"
    bad_sink, bad_writer = None, None
    with ExitStack() as stack:
        sink = stack.enter_context(store.writing(part))
        writer = stack.enter_context(pq.ParquetWriter(sink, PREDICTIONS, compression="zstd", compression_level=1))
        for batch in read_campaigns(local, model.encoder.features, seen):
            writer.write_batch(predict(batch, model, tally))
            if batch.reasons:
                bad = batch.rejected()
                if bad_writer is None:
                    bad_sink = stack.enter_context(store.writing(rejected))
                    bad_writer = stack.enter_context(pq.ParquetWriter(bad_sink, bad.schema, compression="zstd"))
                bad_writer.write_table(bad)
    tally.ignored = max(tally.ignored, count_ignored(local, model.encoder.features))
    bad_part = Published(store.at(rejected), bad_sink.sha256) if bad_sink else None
    return Published(store.at(part), sink.sha256), bad_part


def predict(batch: Batch, model: ScoringModel, tally: Tally) -> pa.RecordBatch:
    """The good rows of a batch as predictions."""
    predicted, unknown = model.predict(batch, threads=os.cpu_count() or 1)
    tally.read += len(batch)
    tally.scored += len(predicted)
    tally.successful += int(predicted["success"].to_numpy().sum())
    tally.missing.update(batch.missing())
    tally.unknown.update(unknown)
    return predicted


def record(manifest: Manifest) -> None:
    """Write the day's row in `scored`, in place of an earlier one."""
    row = {
        "day": date.fromisoformat(manifest.day),
        "model_version": manifest.model_version,
        "rows_read": manifest.rows.read,
        "rows_scored": manifest.rows.scored,
        "rows_quarantined": manifest.rows.quarantined,
        "predicted_success": manifest.predicted_success,
        "scored_at": datetime.fromisoformat(manifest.scored_at),
    }
    with database().begin() as connection:
        connection.execute(delete(scored).where(scored.c.day == row["day"]))
        connection.execute(insert(scored).values(row))


def recorded_days() -> set[date]:
    """Days with a row in `scored`."""
    with database().connect() as connection:
        return set(connection.execute(select(scored.c.day)).scalars())


@lru_cache(maxsize=2)
def loaded(version: str, model: str, run_id: str) -> ScoringModel:
    """The champion's arrays, read once for all days of a run."""
    return load(Version(model, version, run_id, {}, datetime.now(UTC)))


@task(timeout_seconds=60, **PATIENT)
def find_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days to score: named ones, else those whose inputs are new or differ from their manifest."""
    store = Store(Settings().store)
    days, named = days_in_question(store, "incoming", day, from_day, to_day)
    if not named:
        recorded = recorded_days()
        days = [
            one for one in days
            if one not in recorded or not is_current(read_manifest(store, one), inputs_of(store, one), store)
        ]  # fmt: skip
    get_run_logger().info("Days to score: %s", ", ".join(map(str, days)) or "none is new or changed")
    return days


@task(timeout_seconds=120, **PATIENT)
def find_champion_to_score_with() -> Version:
    """The version that the alias names now; one version scores all days of a run."""
    return champion_of(Settings().model)


@task(name="score day", task_run_name="score {day}", timeout_seconds=6 * 3600, **PATIENT)
def score_day(day: date, champion: Version) -> ScoredDay:
    """Score one day and say how many campaigns will succeed."""
    store, logger = Store(Settings().store), get_run_logger()
    entries = inputs_of(store, day)
    if not entries:
        raise BadInput(f"{store.at(f'incoming/day={day}')} holds no Parquet file.", "Put the day's campaigns there.")
    manifest = read_manifest(store, day)
    reused = is_current(manifest, entries, store) and manifest is not None and manifest.model_version == champion.number
    if not reused:
        model = loaded(champion.number, champion.model, champion.run_id)
        with fetched(store, entries) as inputs:
            manifest = score_inputs(store, day, inputs, model)
    assert manifest is not None
    record(manifest)
    grace = timedelta(hours=Settings().sweep_grace_hours)
    kept = {store.path_of(part.uri) for part in [*manifest.parts, *manifest.quarantine]}
    for folder in ("predictions", "quarantine"):
        store.sweep(f"{folder}/day={day}", kept | {f"predictions/day={day}/manifest.json"}, grace)
    logger.info("%s: %d rows read, %d quarantined", day, manifest.rows.read, manifest.rows.quarantined)
    logger.info("Total successful campaigns: %d", manifest.predicted_success)
    logger.info("Total unsuccessful campaigns: %d", manifest.failed)
    return ScoredDay(
        manifest.day, manifest.model_version, manifest.rows, manifest.predicted_success, manifest.failed, reused
    )
