"""The campaigns that a version had learnt from, by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.identity import MADE_ID, digests_of
from campaign.model import LEARNT
from campaign.schema import ID


@dataclass(frozen=True)
class LearntIds:
    """The ids that a version was fitted or judged on, as ascending digests.

    An id made of a row's values says little: other people's rows have the same. It counts on a day that the version
    learnt from alone.
    """

    digests: NDArray[np.uint64]
    is_learnt_day: bool = False

    @classmethod
    def of_day(cls, folder: Path, about: Mapping[str, Any], day: str, sample: pa.Table) -> LearntIds | None:
        """None where none of a sample of the day's predictions is among them: then its others are not looked up.

        Models of FORMAT 1 kept no ids.
        """
        if not (folder / LEARNT).exists():
            return None
        known = cls(np.load(folder / LEARNT, mmap_mode="r"), day in about.get("days", {}))
        return known if known.has(sample[ID].combine_chunks()).any() else None

    def has(self, ids: pa.StringArray) -> NDArray[np.bool_]:
        """Which of some campaigns the version had learnt from."""
        if not len(self.digests):
            return np.zeros(len(ids), np.bool_)
        wanted = digests_of(ids)
        nearest = np.minimum(np.searchsorted(self.digests, wanted), len(self.digests) - 1)
        found = np.asarray(self.digests[nearest] == wanted)
        return found if self.is_learnt_day else found & ~np.asarray(pc.starts_with(ids, MADE_ID))
