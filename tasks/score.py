"""Score a day's campaigns with the champion: parts, then the manifest, then the row in the metrics database."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import get_run_logger, task, unmapped
from sqlalchemy import delete, insert, select

from campaign.errors import BadInput
from campaign.model import PREDICTIONS, WRITTEN, ScoringModel
from campaign.reading import REPEATED, Batch, read_campaigns
from campaign.settings import Settings
from campaign.store import Entry, Store
from tasks.days import days_in_question
from tasks.manifest import Manifest, Part, Rows, read_manifest
from tasks.metrics_db import database, scored
from tasks.patience import PATIENT
from tasks.pieces import Piece, Plan, Span, plan_day, shared_out
from tasks.registry import Version, champion_of, load
from tasks.spread import MOST_TASKS, cores


@dataclass(frozen=True)
class ScoredDay:
    """`reused`: the inputs were those of the manifest, so nothing was scored again."""

    day: str
    model_version: str
    rows: Rows
    successful: int
    unsuccessful: int
    reused: bool


@dataclass
class Scored:
    """What became of one piece: its part, its bad rows, and what was counted. `read` counts rows per input."""

    part: Part
    quarantine: Part | None = None
    successful: int = 0
    read: Counter[int] = field(default_factory=Counter)
    scored: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def inputs_of(store: Store, day: date) -> list[Entry]:
    """The Parquet files of a day."""
    return [entry for entry in store.entries(f"incoming/day={day}") if entry.path.endswith(".parquet")]


def is_current(manifest: Manifest | None, entries: list[Entry], store: Store) -> bool:
    """Whether a manifest is of these inputs, as they are now."""
    if manifest is None:
        return False
    listed = {(part.uri, part.size, part.changed) for part in manifest.inputs}
    return listed == {(store.at(entry.path), entry.size, entry.changed.isoformat()) for entry in entries}


def score_all(store: Store, pieces: list[Piece], model: ScoringModel) -> list[Scored]:
    """Score pieces side by side, one a core: what a piece waits for, its neighbour makes use of."""
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(lambda piece: score_piece(store, piece, model), pieces))


def score_piece(store: Store, piece: Piece, model: ScoringModel) -> Scored:
    """Stream a piece into its part, and its bad rows, if it has any, into another."""
    part, rejected = f"predictions/{piece.path}", f"quarantine/{piece.path}"
    scored = Scored(Part(store.at(part), "", 0))
    bad_sink, bad_writer = None, None
    with ExitStack() as stack:
        sink = stack.enter_context(store.writing(part))
        writer = stack.enter_context(pq.ParquetWriter(sink, PREDICTIONS, **WRITTEN))
        for span in piece.spans:
            for batch in batches_of(span, model):
                writer.write_batch(predict(batch, model, scored))
                scored.read[span.place] += len(batch)
                if batch.reasons:
                    bad = batch.rejected()
                    if bad_writer is None:
                        bad_sink = stack.enter_context(store.writing(rejected))
                        bad_writer = stack.enter_context(pq.ParquetWriter(bad_sink, bad.schema, compression="zstd"))
                    bad_writer.write_table(bad)
    scored.part = replace(scored.part, sha256=sink.sha256, rows=scored.scored)
    if bad_sink:
        scored.quarantine = Part(store.at(rejected), bad_sink.sha256, scored.read.total() - scored.scored)
    return scored


def batches_of(span: Span, model: ScoringModel) -> Iterator[Batch]:
    """The span's rows, those whose id came before among the bad ones."""
    features = model.encoder.features
    for batch in read_campaigns(span.uri, features, groups=span.groups, first_row=span.first_row):
        start = batch.first_row - span.first_row
        first, last = np.searchsorted(span.repeated, [start, start + len(batch)])
        batch.reject(span.repeated[first:last] - np.uint32(start), REPEATED)
        yield batch


def predict(batch: Batch, model: ScoringModel, scored: Scored) -> pa.RecordBatch:
    """The good rows of a batch as predictions."""
    predicted, unknown = model.predict(batch)
    scored.scored += len(predicted)
    scored.successful += int(predicted["success"].to_numpy().sum())
    scored.missing.update(batch.missing())
    scored.unknown.update(unknown)
    return predicted


def score_inputs(
    store: Store, day: date, entries: list[Entry], model: ScoringModel, spread: Callable[[list[Piece]], list[Scored]]
) -> Manifest:
    """Cut the day's inputs into pieces, let `spread` score them in whatever order, and publish the manifest."""
    plan = plan_day(store, day, entries, model)
    manifest = manifest_of(plan, model, spread(plan.pieces))
    manifest.publish(store)
    return manifest


def manifest_of(plan: Plan, model: ScoringModel, scored: list[Scored]) -> Manifest:
    """What was read and what came of it, all pieces together."""
    read = sum((one.read for one in scored), Counter())
    good = sum(one.scored for one in scored)
    return Manifest(
        plan.day,
        model.name,
        model.version,
        [replace(part, rows=read[place]) for place, part in enumerate(plan.inputs)],
        [one.part for one in scored],
        [one.quarantine for one in scored if one.quarantine],
        Rows(read.total(), good, read.total() - good),
        datetime.now(UTC).isoformat(timespec="seconds"),
        sum(one.successful for one in scored),
        total(one.missing for one in scored),
        total(one.unknown for one in scored),
        plan.ignored_columns,
    )


def total(counts: Iterable[Counter[str]]) -> dict[str, int]:
    """Counts of the same names added up, zeros kept."""
    added: Counter[str] = Counter()
    for one in counts:
        added.update(one)
    return dict(added)


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


@task(name="score pieces", task_run_name="score {day} {number}", **PATIENT)
def score_pieces(day: date, number: int, pieces: list[Piece], champion: Version, store: str) -> list[Scored]:
    """Score some pieces of a day, wherever this runs: it knows them by what the store holds, which is the flow's."""
    model = loaded(champion.number, champion.model, champion.run_id)
    return score_all(Store(store), pieces, model)


@task(name="score day", task_run_name="score {day}", timeout_seconds=6 * 3600, **PATIENT)
def score_day(day: date, champion: Version, most_tasks: int = MOST_TASKS) -> ScoredDay:
    """Score one day, piece by piece, publish its manifest and say how many campaigns will succeed."""
    store, logger = Store(Settings().store), get_run_logger()
    entries = inputs_of(store, day)
    if not entries:
        raise BadInput(f"{store.at(f'incoming/day={day}')} holds no Parquet file.", "Put the day's campaigns there.")
    manifest = read_manifest(store, day)
    reused = is_current(manifest, entries, store) and manifest is not None and manifest.model_version == champion.number
    if not reused:
        model = loaded(champion.number, champion.model, champion.run_id)

        def spread(pieces: list[Piece]) -> list[Scored]:
            shares = shared_out(pieces, most_tasks)
            numbers = [*range(len(shares))]
            done = score_pieces.map(unmapped(day), numbers, shares, unmapped(champion), unmapped(store.uri)).result()
            return [one for share in done for one in share]

        manifest = score_inputs(store, day, entries, model, spread)
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
