"""What became of campaigns, in the memory of eight bytes each."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.errors import BadInput, NoRows, NothingDecided
from campaign.files import count_rows
from campaign.identity import SeenIds, digests_of
from campaign.reading import likely_names, read_outcomes, source_of
from campaign.schema import Schema

NO_OUTCOME = -1
LAST_BIT = np.uint64(1)
Digests = NDArray[np.uint64]
NO_DIGESTS: Digests = np.empty(0, np.uint64)


@dataclass(frozen=True)
class Outcomes:
    """The outcome (0 or 1) of each campaign, as the last bit of its id's digest, ascending: 8 bytes a campaign.

    `undecided` are the digests of the campaigns for which a row has come whose word decides nothing yet, the last bit
    left out. `unread` are the files that cannot be read, by name, with the cause, and `unread_rows` how many rows those
    say to have; `empty` are the files without a row.
    """

    packed: Digests
    undecided: Digests
    unread: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    unread_rows: int = 0

    @classmethod
    def read(cls, uris: tuple[str, ...], schema: Schema) -> "Outcomes":
        """Those of some outcome files; the first outcome of a campaign counts.

        Of a file that cannot be read nothing is taken: its outcomes might be half of it, or in another coding.
        """
        seen, pieces, undecided = SeenIds(), [NO_DIGESTS], [NO_DIGESTS]
        unread, empty, unread_rows = dict[str, str](), list[str](), 0
        for uri in uris:
            try:
                decided, waiting = _read_file(uri, schema)
            except NoRows:
                empty.append(source_of(uri))
                continue
            except BadInput as error:
                unread[source_of(uri)] = error.cause
                unread_rows += count_outcome_rows((uri,), schema)
                continue
            pieces.append(decided[~seen.repeats_of(decided & ~LAST_BIT)])
            undecided.append(waiting)
        del seen
        packed = np.concatenate(pieces)
        pieces.clear()
        packed.sort()
        return cls(packed, np.unique(np.concatenate(undecided)), unread, empty, unread_rows)

    def of(self, ids: pa.StringArray) -> NDArray[np.int8]:
        """The outcome of each campaign, NO_OUTCOME for those that have none yet."""
        return self._look_up(digests_of(ids))

    def count_undecided(self, ids: pa.StringArray) -> int:
        """Of campaigns without an outcome, how many have a row that decides nothing yet."""
        return int(self._is_undecided(digests_of(ids)).sum())

    def has_row(self, digests: Digests) -> NDArray[np.bool_]:
        """For which campaigns a row has come, decided or not."""
        return (self._look_up(digests) != NO_OUTCOME) | self._is_undecided(digests)

    @property
    def campaigns(self) -> int:
        """For how many a row has come, decided or not."""
        return len(self.packed) + int((self._look_up(self.undecided) == NO_OUTCOME).sum())

    def _look_up(self, digests: Digests) -> NDArray[np.int8]:
        if not len(self.packed):
            return np.full(len(digests), NO_OUTCOME, np.int8)
        wanted = digests & ~LAST_BIT
        # Looked up in ascending order: random ones among ten million miss the processor's cache, three times slower.
        order = np.argsort(wanted)
        wanted = wanted[order]
        nearest = self.packed[np.minimum(np.searchsorted(self.packed, wanted), len(self.packed) - 1)]
        found = np.empty(len(wanted), np.int8)
        found[order] = np.where(nearest & ~LAST_BIT == wanted, (nearest & LAST_BIT).astype(np.int8), NO_OUTCOME)
        return found

    def _is_undecided(self, digests: Digests) -> NDArray[np.bool_]:
        if not len(self.undecided):
            return np.zeros(len(digests), np.bool_)
        return np.isin(digests & ~LAST_BIT, self.undecided)


def count_outcome_rows(uris: Iterable[str], schema: Schema) -> int:
    """How many outcomes have come, in files that can be opened: what is twice or undecided counts too."""
    rows = 0
    for uri in uris:
        with suppress(BadInput):
            rows += count_rows(uri, source_of(uri), schema.text, likely_names(schema))
    return rows


def _read_file(uri: str, schema: Schema) -> tuple[Digests, Digests]:
    """The digests of the campaigns that have an outcome, as the last bit, and of those whose row decides nothing."""
    decided, undecided = [NO_DIGESTS], [NO_DIGESTS]
    with suppress(NothingDecided):  # all of them wait
        for batch in read_outcomes(uri, schema):
            assert batch.label is not None
            digests, has_id = digests_of(batch.ids) & ~LAST_BIT, np.asarray(batch.ids.is_valid())
            known = ~np.isnan(batch.label) & has_id
            undecided.append(digests[has_id & ~known])
            decided.append(digests[known] | batch.label[known].astype(np.uint64))
    return np.concatenate(decided), np.concatenate(undecided)
