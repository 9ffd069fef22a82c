"""A first schema for a file that nobody has described: identity, times, outcome, columns, and why each is as it is."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from campaign.errors import BadInput
from campaign.files import files_of, raw_batches
from campaign.raw import Dialect, RawColumns
from campaign.reading import source_of
from campaign.schema_parts import Text
from tasks.training.column_profile import ColumnProfile, profile_column
from tasks.training.guess_outcome import propose_outcome
from tasks.training.proposal import Proposal
from tasks.training.propose_columns import ID_NAME, propose_column, propose_derived

SAMPLE_ROWS = 100_000
RARE, RARE_SHARE = 0.2, 0.1  # of a success rate that no probability of one half is reached at; whom to act on instead
ORDERS_AND_MARKS: tuple[tuple[Any, Any], ...] = (("YMD", "."), ("DMY", ","), ("MDY", "."), ("DMY", "."))
WAYS = [Text(date_order=order, decimal_char=mark) for order, mark in ORDERS_AND_MARKS]
END_NAME = re.compile(r"deadline|end|clos|finish|until|due|expir", re.IGNORECASE)
LAUNCH_NAME = re.compile(r"launch|start|begin|sent|open|from|call", re.IGNORECASE)


def propose_schema(uri: str, outcome: str = "", success: Sequence[str] = ()) -> Proposal:
    """Look at the first SAMPLE_ROWS of a file. Raises `BadInput` if no column looks like an outcome."""
    sample, dialect = read_sample(uri)
    profiles = profile_columns(sample)
    proposal = Proposal(source_of(uri), len(sample))
    label = propose_outcome(proposal, sample, outcome, success)
    if (rate := float(np.nanmean(label))) < RARE:
        proposal.outcome["decide"] = {"share": RARE_SHARE}
        proposal.notes["outcome.decide"] = f"? {rate:.1%} succeed: act on the most probable tenth"
    _propose_row(proposal, profiles)
    if "id" not in proposal.row and (equal := len(sample) - _count_distinct(sample)):
        proposal.equal_rows = equal
    if dialect is not None:
        _propose_text(proposal, dialect, profiles)
    taken = {*proposal.row.values(), proposal.outcome["column"]}
    for name, profile in profiles.items():
        if name not in taken:
            propose_column(proposal, profile, label)
    propose_derived(proposal, profiles, label)
    return proposal


def read_sample(uri: str) -> tuple[pa.Table, Dialect | None]:
    """The first rows of a file or folder with every column, texts as they are; and how it is written."""
    every = RawColumns(lambda names: {name: name for name in dict.fromkeys(names) if name.strip()}, missing_words=("",))
    tables, rows, dialect = [], 0, None
    for batch in (
        batch for file in files_of(uri) for batch in raw_batches(file, source_of(file), every, 1 << 16, None, Text())
    ):
        readable = np.ones(len(batch.rows), bool)
        readable[list(batch.unread)] = False
        tables.append(pa.Table.from_batches([batch.rows.filter(pa.array(readable))]))
        rows += len(batch.rows)
        dialect = batch.dialect
        if rows >= SAMPLE_ROWS:
            break
    if not rows:
        raise BadInput(f"{source_of(uri)}: it holds no rows.", "Write it again with its rows.")
    return pa.concat_tables(tables, promote_options="permissive").slice(0, SAMPLE_ROWS), dialect


def _propose_row(proposal: Proposal, profiles: dict[str, ColumnProfile]) -> None:
    chosen, by_name = find_id_column(profiles)
    if chosen:
        proposal.row["id"] = chosen
        proposal.notes["row.id"] = "every value differs" if by_name else "? every value differs"
    times = [profile for profile in profiles.values() if profile.kind == "time"]
    ends = [profile for profile in times if END_NAME.search(profile.name)]
    starts = [profile for profile in times if profile not in ends]
    starts.sort(key=lambda profile: not LAUNCH_NAME.search(profile.name))
    if starts:
        launch = starts[0]
        proposal.row["launch"] = launch.name
        proposal.notes["row.launch"] = "a time" if LAUNCH_NAME.search(launch.name) else "? a time"
        if ends:
            proposal.row["end"] = ends[0].name
            before = _count(pc.less_equal(ends[0].values, launch.values))
            early = _count(pc.less(pc.year(launch.values), 1971))
            wrong = [f"{early} in or before 1970"] * bool(early)
            wrong += [f"{before} not before {ends[0].name}"] * bool(before)
            proposal.notes["row.launch"] += f", {'; '.join(wrong)}" if wrong else f", always before {ends[0].name}"


def find_id_column(profiles: dict[str, ColumnProfile]) -> tuple[str, bool]:
    """The column that would do as an id, empty if none would; and whether it is called like one."""
    unique = [profile for profile in profiles.values() if profile.is_unique and profile.kind != "time"]
    ids = [profile for profile in unique if ID_NAME.search(profile.name.strip())]
    short = [profile for profile in unique if profile.kind in ("category", "text") and _is_code(profile)]
    return next((profile.name for profile in [*ids, *short]), ""), bool(ids)


def profile_columns(sample: pa.Table) -> dict[str, ColumnProfile]:
    return {name: profile_column(name, sample.column(name).combine_chunks(), WAYS) for name in sample.column_names}


def _is_code(profile: ColumnProfile) -> bool:
    """Whether values look like codes and not like titles: one word, not long."""
    return all(" " not in example and len(example) <= 40 for example in profile.examples)


def _count_distinct(sample: pa.Table) -> int:
    return int(sample.group_by(sample.column_names).aggregate([]).num_rows)


def _count(claims: pa.Array) -> int:
    return int(pc.sum(claims.cast(pa.int64())).as_py() or 0)


def _propose_text(proposal: Proposal, dialect: Dialect, profiles: dict[str, ColumnProfile]) -> None:
    if dialect.delimiter:
        proposal.text["delimiter"] = dialect.delimiter
        proposal.notes["text.delimiter"] = f"read as {dialect}" if dialect.broken else ""
    if dialect.encoding != "utf-8" and not dialect.broken:  # once it is said, no character may be broken
        proposal.text["encoding"] = dialect.encoding
    numbers = [profile for profile in profiles.values() if profile.kind == "number"]
    if any(profile.text.decimal == "," for profile in numbers):
        proposal.text |= {"decimalChar": ",", "groupChar": "."}
    else:
        proposal.text["decimalChar"] = "."
    orders = {profile.text.date_order for profile in profiles.values() if profile.kind == "time"} - {"YMD"}
    if orders:
        proposal.text["dateOrder"] = orders.pop()
        proposal.notes["text.dateOrder"] = "?" if len(orders) else ""
