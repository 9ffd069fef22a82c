"""Whether the ids of outcomes are those of the day's campaigns, and what to do where they are not."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from campaign.errors import BadInput
from campaign.identity import digests_of
from campaign.reading import read_outcomes
from campaign.schema import Schema

LEAST_ROWS = 20  # of fewer nothing can be said
EXAMPLES = 3

Rewrite = Callable[[pa.StringArray], pa.StringArray]
REWRITES: Mapping[str, Rewrite] = {
    "case": pc.utf8_lower,
    "leading zeros": lambda ids: pc.replace_substring_regex(ids, r"^0+(.)", r"\1"),
    "case and leading zeros": lambda ids: pc.replace_substring_regex(pc.utf8_lower(ids), r"^0+(.)", r"\1"),
    "what is neither letter nor digit": lambda ids: pc.replace_substring_regex(pc.utf8_lower(ids), r"[^0-9a-z]", ""),
}


def do_not_join(unjoined: int, rows: int) -> bool:
    """Whether of enough outcomes less than half are of campaigns of their day."""
    return rows >= LEAST_ROWS and unjoined * 2 > rows


def ids_of_outcomes(uris: Iterable[str], schema: Schema) -> Iterator[pa.StringArray]:
    """As they are written; of files that cannot be read, those before the fault."""
    for uri in uris:
        try:
            for batch in read_outcomes(uri, schema):
                yield batch.ids.drop_null()
        except BadInput:
            continue


def why_unjoined(
    day: str, unjoined: int, rows: int, campaigns: Iterable[pa.StringArray], outcomes: Iterable[pa.StringArray]
) -> str:
    """A sentence with examples of both sides, and with what would make them join, where something would."""
    ours, theirs = (pa.chunked_array(ids, pa.string()).combine_chunks() for ids in (campaigns, outcomes))
    lone = {
        "campaigns": ours.filter(pa.array(~np.isin(digests_of(ours), digests_of(theirs)))),
        "outcomes": theirs.filter(pa.array(~np.isin(digests_of(theirs), digests_of(ours)))),
    }
    named = {side: ", ".join(ids.slice(0, EXAMPLES).to_pylist()) or "none" for side, ids in lone.items()}
    cause = (
        f"{unjoined:,} of the {rows:,} outcomes of {day} are of no campaign of that day: "
        f"campaigns are called {named['campaigns']}, outcomes {named['outcomes']}."
    )
    for what, rewrite in REWRITES.items():
        joined = np.isin(digests_of(rewrite(lone["outcomes"])), digests_of(rewrite(ours))).mean()
        if joined > 0.5:
            return f"{cause} They differ in {what}: write them alike, and they join."
    return f"{cause} Look whether they are of another day, or of another column."
