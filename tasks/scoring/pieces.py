"""Cut a day's campaigns into pieces that are scored apart, here or on a cluster, to the same bytes."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from campaign.errors import BadInput, NoRows
from campaign.files import is_parquet_file, is_text_file, metadata_of
from campaign.identity import NO_ID, SPACES, SeenIds
from campaign.model import ScoringModel
from campaign.read_ahead import read_ahead
from campaign.reading import count_ignored, read_campaigns, source_of
from campaign.schema import ID, Column, Schema
from campaign.store import Entry, Store, filesystem_of
from tasks.manifest import Part

PIECE_ROWS = 1 << 19
PIECES_A_TASK = 4  # some seconds of work: little is lost with a task, and Prefect's own time for it is small beside


class UnreadableInput(BadInput):
    """One of a day's files cannot be read; `place` says which of them, counted from 0."""

    place = -1


@contextmanager
def reading_input(place: int) -> Iterator[None]:
    """Whatever is wrong with an input is wrong with this one."""
    try:
        yield
    except BadInput as error:
        unreadable = UnreadableInput(error.cause, error.remedy)
        unreadable.place = place
        raise unreadable from error


@dataclass(frozen=True)
class Span:
    """Consecutive row groups of one input, named by its place among the day's; none of a text, which is read whole.

    `first_row` is where in the file they begin; `repeated` are the rows, counted from there, whose id came before, and
    `numbered` those without an id that equal an earlier row of the file, with the id that they get.
    """

    place: int
    uri: str
    groups: tuple[int, ...]
    first_row: int
    rows: int
    repeated: NDArray[np.uint32]
    numbered: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Piece:
    """What becomes one part: the part's path below `predictions/`, and below `quarantine/` if it has bad rows."""

    path: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Plan:
    """A day's inputs with their digests and rows, and its pieces."""

    day: str
    inputs: list[Part]
    ignored_columns: int
    pieces: list[Piece]


def plan_day(
    store: Store, day: date, entries: list[Entry], model: ScoringModel, faults: Mapping[int, str] | None = None
) -> Plan:
    """Read every byte once, for the digests, and every id, for repeats anywhere in the day.

    `faults` are the inputs that are left out, by their place, with the reason. Raises `UnreadableInput` for another one
    that has to be.

    Part names carry a digest of inputs and model version: the same inputs and version leave the same bytes under the
    same names, and two writers of different ones never touch each other's. Ids take 8 bytes a row while this runs.
    """
    schema, faults = model.schema, faults or {}
    seen = SeenIds(rows_to_expect(store, entries, faults))
    inputs, spans, ignored = [], [], 0
    for place, entry in enumerate(entries):
        uri = store.at(entry.path)
        if place in faults:
            inputs.append(Part(uri, "", 0, entry.size, entry.changed.isoformat(), fault=faults[place]))
            continue
        with reading_input(place), local_copy(uri, entry) as local, ThreadPoolExecutor(1) as hashing:
            digest = hashing.submit(sha256_of, local)
            try:
                found, written = spans_of(local, place, uri, schema, seen)
            except NoRows:  # a part of a day on which nobody wrote to it
                found, written = [], ""
            ignored = max(ignored, count_ignored(local, schema))
        spans += found
        rows = sum(span.rows for span in found)
        inputs.append(Part(uri, digest.result(), rows, entry.size, entry.changed.isoformat(), written))
    identity = "\n".join([*(f"{part.uri} {part.sha256}" for part in inputs), model.name, model.version])
    common = hashlib.sha256(identity.encode()).hexdigest()[:12]
    pieces = [
        Piece(f"day={day}/part-{common}-{number:05d}.parquet", tuple(join_neighbours(piece)))
        for number, piece in enumerate(cut_into_pieces(spans))
    ]
    return Plan(str(day), inputs, ignored, pieces)


def rows_to_expect(store: Store, entries: list[Entry], faults: Mapping[int, str]) -> int:
    """The rows of the Parquet inputs, by their own account."""
    rows = 0
    for place, entry in enumerate(entries):
        if is_parquet_file(entry.path) and place not in faults:
            uri = store.at(entry.path)
            with reading_input(place):
                rows += int(metadata_of(uri, source_of(uri)).num_rows)
    return rows


@contextmanager
def local_copy(uri: str, entry: Entry) -> Iterator[str]:
    """A local file with the bytes of an input, downloaded for the time of the block if need be."""
    filesystem, path = filesystem_of(uri)
    if uri.startswith("file://"):
        yield path
        return
    with TemporaryDirectory(prefix="campaign-") as folder, filesystem.open_input_stream(path) as stream:
        # The same folders as in the store, so that messages name the file as the user knows it.
        target = Path(folder) / entry.path
        target.parent.mkdir(parents=True)
        with target.open("wb") as copy:
            while read := stream.read(1 << 22):
                copy.write(read)
        yield str(target)


def sha256_of(local: str) -> str:
    with Path(local).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def spans_of(local: str, place: int, uri: str, schema: Schema, seen: SeenIds) -> tuple[list[Span], str]:
    """A span for each row group of a file, or one for a text, and how that is written."""
    if is_text_file(local):
        ids = compare_ids(local, schema, None, seen)
        span = Span(place, uri, (), 0, ids.rows, ids.repeated.astype(np.uint32), tuple(ids.numbered))
        return ([span] if ids.rows else []), ids.written
    metadata = metadata_of(local, source_of(local))
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    ids = compare_ids(local, schema, () if every_row_has_an_id(metadata, schema) else None, seen)
    starts = np.cumsum([0, *groups])
    bounds = np.searchsorted(ids.repeated, starts)
    made_bounds = np.searchsorted([row for row, _ in ids.numbered], starts)
    return [
        Span(
            place, uri, (number,), int(starts[number]), rows,
            (ids.repeated[bounds[number] : bounds[number + 1]] - starts[number]).astype(np.uint32),
            tuple((row - int(starts[number]), made)
                  for row, made in ids.numbered[made_bounds[number] : made_bounds[number + 1]]),
        )
        for number, rows in enumerate(groups)
        if rows
    ], ""  # fmt: skip


def every_row_has_an_id(metadata: pq.FileMetaData, schema: Schema) -> bool:
    """Whether a file's own statistics say so. Rows without an id take one from their values."""
    words = (NO_ID, *filter(None, schema.text.missing_values))
    names = {ID.casefold(), schema.row.id.casefold()}
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(at) for at in range(group.num_columns)]
        ids = [column.statistics for column in columns if column.path_in_schema.strip().casefold() in names]
        if len(ids) != 1 or not (statistics := ids[0]) or not statistics.has_null_count or not statistics.has_min_max:
            return False
        least, most = statistics.min, statistics.max
        if statistics.null_count or not least:
            return False
        if isinstance(least, str) and (least[0] in SPACES or any(least <= word <= most for word in words)):
            return False  # one of its ids may stand for none
    return True


@dataclass(frozen=True)
class IdsOfFile:
    """The rows of a file whose id came before, in it or in an earlier one; numbered ones; how many it has."""

    repeated: NDArray[np.int64]
    numbered: list[tuple[int, str]]
    rows: int
    written: str


def compare_ids(local: str, schema: Schema, columns: Sequence[Column] | None, seen: SeenIds) -> IdsOfFile:
    """`seen` has seen the ids of earlier files."""
    repeated, numbered, rows, written = [np.empty(0, np.int64)], [], 0, ""
    for batch in read_ahead(read_campaigns(local, schema, columns)):
        came_before = seen.repeats(batch.ids)
        came_before[list(batch.texts or ())] = False  # no row could be read there
        repeated.append(batch.first_row + np.flatnonzero(came_before))
        rows, written = rows + len(batch), batch.written
        numbered += [(batch.first_row + row, made) for row, made in sorted(batch.numbered.items())]
    return IdsOfFile(np.concatenate(repeated), numbered, rows, written)


def cut_into_pieces(spans: list[Span]) -> list[list[Span]]:
    """Spans in order, gathered into pieces of about PIECE_ROWS rows, of one row group that has more, or of a text."""
    pieces: list[list[Span]] = []
    room = 0
    for span in spans:
        if not span.groups or room < span.rows / 2:
            pieces.append([])
            room = PIECE_ROWS if span.groups else 0
        pieces[-1].append(span)
        room -= span.rows
    return pieces


def split_among_tasks(pieces: list[Piece], most: int) -> list[list[Piece]]:
    """Pieces in order, in lists for a task run each: of PIECES_A_TASK, or more where that is over `most`."""
    lists = max(1, min(most, -(-len(pieces) // PIECES_A_TASK)))
    return [[pieces[at] for at in places] for places in np.array_split(np.arange(len(pieces)), lists)]


def join_neighbours(spans: list[Span]) -> Iterator[Span]:
    """Neighbouring row groups of one file as one span, so that a file is opened once."""
    for _, group in groupby(spans, key=lambda span: span.place):
        first, *others = group
        repeated = [first.repeated, *(span.repeated + np.uint32(span.first_row - first.first_row) for span in others)]
        numbered = [
            (row + span.first_row - first.first_row, made) for span in (first, *others) for row, made in span.numbered
        ]
        yield replace(
            first,
            groups=tuple(number for span in (first, *others) for number in span.groups),
            rows=sum(span.rows for span in (first, *others)),
            repeated=np.concatenate(repeated),
            numbered=tuple(numbered),
        )
