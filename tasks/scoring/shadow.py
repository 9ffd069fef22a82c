"""A day in the shadow: the challenger's predictions of it, committed by a manifest of their own.

Nothing here fails or holds up the champion's predictions: what goes wrong is said, and the day has no shadow.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from prefect import get_run_logger, task

from campaign.errors import CampaignError
from campaign.model import ScoringModel
from campaign.settings import Settings
from campaign.store import Entry, Store
from tasks.manifest import SHADOW, Manifest, manifest_path
from tasks.model_versions import Version, find_challenger, load_version
from tasks.retries import RETRIES
from tasks.scoring.pieces import Piece, plan_day
from tasks.scoring.scored_pieces import batches_of, shadow_path
from tasks.scoring.shadow_part import ShadowPart, ShadowPiece
from tasks.task_runner import count_cores

SHADOW_ROWS = 100_000  # of a larger day a sample says as much, and costs a fraction of the champion's work


def one_in(pieces: Sequence[Piece]) -> int:
    """Of how many campaigns of a day's pieces the challenger scores one."""
    rows = sum(span.rows for piece in pieces for span in piece.spans)
    return max(1, -(-rows // SHADOW_ROWS))


@lru_cache(maxsize=2)
def load_challenger(version: str, model: str, run_id: str) -> ScoringModel | None:
    """The challenger's arrays, read once for all days of a run; None for one that is lost or broken."""
    try:
        return load_version(Version(model, version, run_id, {}, datetime.now(UTC)))
    except Exception as error:  # of whatever kind: the champion can score
        get_run_logger().warning("Version %s does not score in the shadow: %s", version, error)
        return None


@task(name="find challenger", timeout_seconds=120, **RETRIES)
def find_challenger_to_shadow(champion: Version) -> Version | None:
    """The version that scores beside the champion; None where there is none, or it cannot be loaded.

    Whatever goes wrong is caught, so this is not tried again: the champion waits for it.
    """
    try:
        challenger = find_challenger(champion.model)
    except Exception as error:  # likewise
        get_run_logger().warning("No shadow: the challenger cannot be looked for (%s)", error)
        return None
    if challenger is None:
        get_run_logger().info("No shadow: %s has no challenger", champion.model)
        return None
    return challenger if load_challenger(challenger.number, challenger.model, challenger.run_id) else None


def publish_shadow(
    store: Store,
    entries: list[Entry],
    manifest: Manifest,
    challenger: Version,
    pieces: Sequence[ShadowPiece | None] | None,
) -> bool:
    """Commit a day's shadow beside its predictions, of which `manifest` is; says whether that could be done.

    `pieces` is what the challenger left while the champion scored, None where the champion had nothing to do: then the
    challenger scores alone.
    """
    try:
        model = load_challenger(challenger.number, challenger.model, challenger.run_id)
        if model is None:
            return False
        given = score_alone(store, entries, manifest, model) if pieces is None else pieces
        written = [piece for piece in given if piece]
        lost = "it could not be loaded where the day was scored" if len(written) < len(given) else ""
        fault = next((piece.fault for piece in written if piece.fault), lost)
        if not fault:
            committed = shadow_manifest(manifest, model, written)
            committed.publish(store, SHADOW)
            kept = {manifest_path(manifest.day, SHADOW), *(store.path_of(part.uri) for part in committed.parts)}
            grace = timedelta(hours=Settings().sweep_grace_hours)
            store.sweep(f"{SHADOW}/day={manifest.day}", kept, grace)
    except Exception as error:  # the predictions of the day are there
        fault = error.cause if isinstance(error, CampaignError) else f"{type(error).__name__}: {error}"
    if fault:
        get_run_logger().warning("%s has no shadow of version %s: %s", manifest.day, challenger.number, fault)
    return not fault


def score_alone(store: Store, entries: list[Entry], manifest: Manifest, challenger: ScoringModel) -> list[ShadowPiece]:
    """What the challenger predicts of a day that the champion had scored before, without the inputs at fault."""
    faults = {place: part.fault for place, part in enumerate(manifest.inputs) if part.fault}
    plan = plan_day(store, date.fromisoformat(manifest.day), entries, challenger, faults)
    every = one_in(plan.pieces)

    def score(piece: Piece) -> ShadowPiece:
        with ShadowPart(store, shadow_path(piece, challenger), challenger, every) as shadow:
            shadow.score(batches_of(piece, challenger, Counter()))
        return shadow.result()

    with ThreadPoolExecutor(count_cores()) as pool:
        return [*pool.map(score, plan.pieces)]


def shadow_manifest(manifest: Manifest, challenger: ScoringModel, pieces: Sequence[ShadowPiece]) -> Manifest:
    """That of the same inputs and bad rows."""
    return replace(
        manifest,
        model=challenger.name,
        model_version=challenger.version,
        parts=[piece.part for piece in pieces],
        rows=replace(manifest.rows, scored=sum(piece.part.rows for piece in pieces)),
        scored_at=datetime.now(UTC).isoformat(timespec="seconds"),
        predicted_success=sum(piece.successful for piece in pieces),
        missing={},
        unknown={},
    )
