"""What became of campaigns, in the memory of eight bytes each."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.identity import SeenIds, digests_of
from campaign.reading import read_outcomes
from campaign.schema import Schema

NO_OUTCOME = -1
LAST_BIT = np.uint64(1)


@dataclass(frozen=True)
class Outcomes:
    """The outcome (0 or 1) of each campaign, as the last bit of its id's digest, ascending: 8 bytes a campaign.

    `undecided` are the digests of the campaigns for which a row has come whose word decides nothing yet.
    """

    packed: NDArray[np.uint64]
    undecided: NDArray[np.uint64]

    @classmethod
    def read(cls, uris: tuple[str, ...], schema: Schema) -> "Outcomes":
        """Those of some outcome files; the first outcome of a campaign counts."""
        seen, pieces, undecided = SeenIds(), [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
        for uri in uris:
            for batch in read_outcomes(uri, schema):
                assert batch.label is not None
                has_id = np.asarray(batch.ids.is_valid())
                known = ~np.isnan(batch.label) & has_id
                undecided.append(digests_of(batch.ids.filter(pa.array(has_id & ~known))))
                ids, label = batch.ids.filter(pa.array(known)), batch.label[known].astype(np.uint64)
                first = ~seen.repeats(ids)
                pieces.append((digests_of(ids) & ~LAST_BIT | label)[first])
        del seen
        packed = np.concatenate(pieces)
        pieces.clear()
        packed.sort()
        return cls(packed, np.unique(np.concatenate(undecided)))

    def of(self, ids: pa.StringArray) -> NDArray[np.int8]:
        """The outcome of each campaign, NO_OUTCOME for those that have none yet."""
        if not len(self.packed):
            return np.full(len(ids), NO_OUTCOME, np.int8)
        wanted = digests_of(ids) & ~LAST_BIT
        # Looked up in ascending order: random ones among ten million miss the processor's cache, three times slower.
        order = np.argsort(wanted)
        wanted = wanted[order]
        nearest = self.packed[np.minimum(np.searchsorted(self.packed, wanted), len(self.packed) - 1)]
        found = np.empty(len(wanted), np.int8)
        found[order] = np.where(nearest & ~LAST_BIT == wanted, (nearest & LAST_BIT).astype(np.int8), NO_OUTCOME)
        return found

    def count_undecided(self, ids: pa.StringArray) -> int:
        """Of campaigns without an outcome, how many have a row that decides nothing yet."""
        return int(np.isin(digests_of(ids), self.undecided).sum()) if len(self.undecided) else 0
