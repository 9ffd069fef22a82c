"""Score a day's campaigns with the champion: parts, then the manifest, then the row in the metrics database.

With a challenger its predictions of the same campaigns come last, as the day's shadow.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from prefect import get_run_logger, task, unmapped
from sqlalchemy import delete, insert, select

from campaign.errors import BadInput
from campaign.model import ScoringModel
from campaign.reading import source_of
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Entry, Store
from tasks.day_files import readable_files, unread_files
from tasks.days import misnamed_folders, select_days
from tasks.manifest import PREDICTED, SHADOW, Manifest, Rows, manifest_path, read_manifest
from tasks.metrics_database import database, scored
from tasks.model_versions import Version, load_version, require_champion
from tasks.retries import RETRIES, tried_again_inside
from tasks.scoring.pieces import Piece, split_among_tasks
from tasks.scoring.scored_pieces import ScoredPiece, score_all, score_inputs
from tasks.scoring.shadow import load_challenger, one_in, publish_shadow
from tasks.scoring.shadow_part import ShadowPiece
from tasks.task_runner import MAX_TASK_RUNS


@dataclass(frozen=True)
class ScoredDay:
    """`reused`: the inputs were those of the manifest, so nothing was scored again. `unread`: inputs that could not be
    read. `shadow`: the challenger that scored the day, too."""

    day: str
    model_version: str
    rows: Rows
    successful: int
    unsuccessful: int
    reused: bool
    unread: int
    shadow: str


def input_files(store: Store, day: date) -> list[Entry]:
    """The files of a day that hold campaigns."""
    return readable_files(store, "incoming", day)


def is_current(manifest: Manifest | None, entries: list[Entry], store: Store) -> bool:
    """Whether a manifest is of these inputs, as they are now."""
    if manifest is None:
        return False
    listed = {(part.uri, part.size, part.changed) for part in manifest.inputs}
    return listed == {(store.at(entry.path), entry.size, entry.changed.isoformat()) for entry in entries}


def usable_manifest(store: Store, day: date, folder: str = PREDICTED) -> Manifest | None:
    """The day's manifest; None where there is none, or one that cannot be used: the day is scored again then."""
    try:
        return read_manifest(store, day, folder)
    except BadInput:
        return None


def reusable_manifest(
    store: Store, day: date, entries: list[Entry], version: str, folder: str = PREDICTED
) -> Manifest | None:
    """The day's manifest, if it is of these inputs and this version."""
    manifest = usable_manifest(store, day, folder)
    if manifest is None or not is_current(manifest, entries, store) or manifest.model_version != version:
        return None
    return manifest


def sweep_superseded(store: Store, manifest: Manifest, older_than: timedelta) -> None:
    """Delete the day's parts that the manifest does not list and that have not changed for some time."""
    kept = {store.path_of(part.uri) for part in [*manifest.parts, *manifest.quarantine]}
    for folder in (PREDICTED, "quarantine"):
        store.sweep(f"{folder}/day={manifest.day}", kept | {manifest_path(manifest.day)}, older_than)


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


def days_to_score(store: Store, days: list[date]) -> list[date]:
    """Those whose inputs are new or differ from their manifest, or that have no row in `scored`."""
    recorded = recorded_days()
    return [
        day for day in days
        if day not in recorded or not is_current(usable_manifest(store, day), input_files(store, day), store)
    ]  # fmt: skip


@lru_cache(maxsize=2)
def load_champion(version: str, model: str, run_id: str) -> ScoringModel:
    """The champion's arrays, read once for all days of a run."""
    return load_version(Version(model, version, run_id, {}, datetime.now(UTC)))


def days_due(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Named days, else those of the lookback whose inputs are new or differ from their manifest."""
    store = Store(Settings().store)
    days, by_name = select_days(store, "incoming", day, from_day, to_day)
    return days if by_name else days_to_score(store, days)


@task(timeout_seconds=60, **RETRIES)
def find_days(day: date | None, from_day: date | None, to_day: date | None) -> list[date]:
    """Days to score."""
    days = days_due(day, from_day, to_day)
    for sentence in misnamed_folders(Store(Settings().store), "incoming"):
        get_run_logger().warning("%s", sentence)
    get_run_logger().info("Days to score: %s", ", ".join(map(str, days)) or "none is new or changed")
    return days


@task(name="find champion", timeout_seconds=120, **RETRIES)
def find_champion_to_score_with() -> Version:
    """The version that the alias names now; one version scores all days of a run."""
    return require_champion(served_model())


@task(name="score pieces", task_run_name="score {day} {number}", **RETRIES)
def score_pieces(
    day: date, number: int, pieces: list[Piece], champion: Version, challenger: Version | None, every: int, store: str
) -> list[ScoredPiece]:
    """Score some pieces of a day, wherever this runs: it knows them by what the store holds, which is the flow's.

    The challenger, if there is one, scores one in `every` campaigns.
    """
    model = load_champion(champion.number, champion.model, champion.run_id)
    rival = load_challenger(challenger.number, challenger.model, challenger.run_id) if challenger else None
    return score_all(Store(store), pieces, model, rival, every)


@task(name="score day", task_run_name="score {day}", timeout_seconds=6 * 3600, **RETRIES)
def score_day(
    day: date, champion: Version, most_tasks: int = MAX_TASK_RUNS, challenger: Version | None = None
) -> ScoredDay:
    """Score one day, piece by piece, publish its manifest and say how many campaigns will succeed."""
    store, logger = Store(Settings().store), get_run_logger()
    entries = input_files(store, day)
    if not entries:
        others = ", ".join(unread_files(store, "incoming", day)) or "nothing"
        raise BadInput(
            f"{store.at(f'incoming/day={day}')} holds no file of campaigns (it holds {others}).",
            "Put the day's campaigns there, in files that end in .parquet, .csv or .jsonl.",
        )

    if challenger and reusable_manifest(store, day, entries, challenger.number, SHADOW):
        challenger = None  # it has scored these inputs
    shadows: list[ShadowPiece | None] = []

    def score_in_task_runs(pieces: list[Piece]) -> list[ScoredPiece]:
        shares = split_among_tasks(pieces, most_tasks)
        numbers = [*range(len(shares))]
        alike = map(unmapped, (champion, challenger, one_in(pieces), store.uri))
        runs = score_pieces.map(unmapped(day), numbers, shares, *alike)
        with tried_again_inside():
            scored = [piece for share in runs.result() for piece in share]
        shadows[:] = [piece.shadow for piece in scored]
        return scored

    reused = reusable_manifest(store, day, entries, champion.number)
    if reused is None:
        model = load_champion(champion.number, champion.model, champion.run_id)
        manifest = score_inputs(store, day, entries, model, score_in_task_runs)
    else:
        manifest = reused
    for part in manifest.inputs:
        if part.written:
            logger.info("%s is read as %s", source_of(part.uri), part.written)
    for part in manifest.faults:
        logger.warning("%s is scored without %s", day, part.fault)
    if manifest.unread:
        logger.warning("%s: not read: %s", day, ", ".join(manifest.unread))
    record(manifest)
    sweep_superseded(store, manifest, timedelta(hours=Settings().sweep_grace_hours))
    in_shadow = ""
    if challenger and publish_shadow(store, entries, manifest, challenger, None if reused else shadows):
        in_shadow = challenger.number
        logger.info("%s: scored in the shadow by version %s", day, in_shadow)
    logger.info("%s: %d rows read, %d quarantined", day, manifest.rows.read, manifest.rows.quarantined)
    logger.info("Total successful campaigns: %d", manifest.predicted_success)
    logger.info("Total unsuccessful campaigns: %d", manifest.failed)
    return ScoredDay(
        manifest.day, manifest.model_version, manifest.rows, manifest.predicted_success, manifest.failed,
        reused is not None, len(manifest.faults), in_shadow,
    )  # fmt: skip
