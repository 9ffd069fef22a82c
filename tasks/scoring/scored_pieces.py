"""Score a day's pieces, and put together the manifest of what came of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import numpy as np

from campaign.batch import Batch
from campaign.checking import REPEATED
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.scoring import ScoredRows, score_batches
from campaign.store import Entry, Store
from tasks.day_files import unread_files
from tasks.manifest import PREDICTED, SHADOW, Manifest, Part, Rows
from tasks.progress import report
from tasks.scoring.pieces import Piece, Plan, Span, UnreadableInput, plan_day, reading_input
from tasks.scoring.shadow_part import ShadowPart, ShadowPiece
from tasks.task_runner import count_cores


@dataclass
class ScoredPiece:
    """What became of one piece: its part, its bad rows, and what was counted. `read` counts rows per input."""

    part: Part
    quarantine: Part | None
    rows: ScoredRows
    read: Counter[int] = field(default_factory=Counter)
    shadow: ShadowPiece | None = None


def score_all(
    store: Store, pieces: list[Piece], model: ScoringModel, challenger: ScoringModel | None = None, every: int = 1
) -> list[ScoredPiece]:
    """Score pieces in threads, one a core: reading one overlaps with scoring another."""
    scored = []
    with ThreadPoolExecutor(count_cores()) as pool:
        for piece in pool.map(lambda piece: score_piece(store, piece, model, challenger, every), pieces):
            scored.append(piece)
            report("pieces", len(scored), len(pieces))
    return scored


def score_piece(
    store: Store, piece: Piece, model: ScoringModel, challenger: ScoringModel | None = None, every: int = 1
) -> ScoredPiece:
    """Stream a piece into its part, and its bad rows, if it has any, into another.

    A challenger scores one in `every` campaigns of the same batches on their way. One of another schema reads them
    again, by its own.
    """
    read: Counter[int] = Counter()
    batches = batches_of(piece, model, read)
    if challenger is None:
        return _score_batches(store, piece, batches, model, read)
    with ShadowPart(store, shadow_path(piece, challenger), challenger, every) as shadow:
        if challenger.schema.digest == model.schema.digest:
            scored = _score_batches(store, piece, shadow.beside(batches), model, read)
        else:
            scored = _score_batches(store, piece, batches, model, read)
            shadow.score(batches_of(piece, challenger, Counter()))
    return replace(scored, shadow=shadow.result())


def shadow_path(piece: Piece, challenger: ScoringModel) -> str:
    """Named by the inputs, by the version that cut them into pieces, and by the challenger: two writers never meet."""
    return f"{SHADOW}/{piece.path.removesuffix('.parquet')}-v{challenger.version}.parquet"


def _score_batches(
    store: Store, piece: Piece, batches: Iterable[Batch], model: ScoringModel, read: Counter[int]
) -> ScoredPiece:
    part, rejected = f"{PREDICTED}/{piece.path}", f"quarantine/{piece.path}"
    rows = score_batches(batches, model, store, part, rejected)
    quarantine = Part(store.at(rejected), rows.quarantine_sha256, rows.quarantined) if rows.quarantined else None
    return ScoredPiece(Part(store.at(part), rows.sha256, rows.scored), quarantine, rows, read)


def batches_of(piece: Piece, model: ScoringModel, read: Counter[int]) -> Iterator[Batch]:
    """A piece's rows, those whose id came before among the bad ones; `read` counts them per input."""
    for span in piece.spans:
        for batch in _batches_of_span(span, model):
            read[span.place] += len(batch)
            yield batch


def _batches_of_span(span: Span, model: ScoringModel) -> Iterator[Batch]:
    with reading_input(span.place):
        for batch in read_campaigns(span.uri, model.schema, groups=span.groups or None, first_row=span.first_row):
            start = batch.first_row - span.first_row
            batch.rename({row - start: made for row, made in span.numbered if start <= row < start + len(batch)})
            first, last = np.searchsorted(span.repeated, [start, start + len(batch)])
            batch.reject(span.repeated[first:last] - np.uint32(start), REPEATED)
            yield batch


def score_inputs(
    store: Store,
    day: date,
    entries: list[Entry],
    model: ScoringModel,
    score_pieces: Callable[[list[Piece]], list[ScoredPiece]],
) -> Manifest:
    """Cut the day's inputs into pieces, have them scored in whatever order, and publish the manifest.

    An input that cannot be read is left out, and stands in the manifest with its fault. Raises `BadInput` where none
    can be.
    """
    faults: dict[int, str] = {}
    while True:
        try:
            plan = plan_day(store, day, entries, model, faults)
            scored = score_pieces(plan.pieces)
            break
        except UnreadableInput as error:
            if error.place in faults or len(faults) + 1 == len(entries):  # left out, it is not read another time
                raise
            faults[error.place] = error.cause
    manifest = manifest_of(plan, model, scored, unread_files(store, "incoming", day))
    manifest.publish(store)
    return manifest


def manifest_of(plan: Plan, model: ScoringModel, pieces: list[ScoredPiece], unread: list[str]) -> Manifest:
    """What was read and what came of it, all pieces together."""
    read = sum((piece.read for piece in pieces), Counter())
    good = sum(piece.rows.scored for piece in pieces)
    return Manifest(
        plan.day,
        model.name,
        model.version,
        [replace(part, rows=read[place]) for place, part in enumerate(plan.inputs)],
        [piece.part for piece in pieces],
        [piece.quarantine for piece in pieces if piece.quarantine],
        Rows(read.total(), good, read.total() - good),
        datetime.now(UTC).isoformat(timespec="seconds"),
        sum(piece.rows.successful for piece in pieces),
        add_counts(piece.rows.missing for piece in pieces),
        add_counts(piece.rows.unknown for piece in pieces),
        plan.ignored_columns,
        unread,
    )


def add_counts(counts: Iterable[Counter[str]]) -> dict[str, int]:
    """Counts of the same names added up, zeros kept."""
    total: Counter[str] = Counter()
    for counted in counts:
        total.update(counted)
    return dict(total)
