"""Consecutive rows of one file, checked: what a model scores, and what is wrong with the others."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.lengths import MAX_TEXT_CHARACTERS


@dataclass
class Batch:
    """`numbers` are float64 with NaN where missing or unreadable; `categories` dictionary arrays, null where missing;
    `label` float64 (0, 1, NaN where it is not decided). `ids` are as they came, or made of the row's values.

    `times` are Unix seconds of launch and end, where the schema names them and the file has them, NaN where missing.

    By their place in the batch, `reasons` names bad rows and what is wrong with them, `numbered` the ids of rows
    without one that equal an earlier row of their file, `texts` what stands in a text file where no row could be read.
    `written` is how that file is written, as far as it has been read.
    """

    source: str
    first_row: int
    raw: pa.RecordBatch
    ids: pa.Array
    numbers: dict[str, NDArray[np.float64]]
    categories: dict[str, pa.DictionaryArray]
    label: NDArray[np.float64] | None
    reasons: dict[int, list[str]] = field(default_factory=dict)
    numbered: dict[int, str] = field(default_factory=dict)
    texts: Mapping[int, str] | None = None
    times: dict[Literal["launch", "end"], NDArray[np.float64]] = field(default_factory=dict)
    written: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def good(self) -> NDArray[np.bool_]:
        good = np.ones(len(self), bool)
        good[list(self.reasons)] = False
        return good

    def reject(self, rows: NDArray[np.integer], reason: str) -> None:
        """Take rows, by their place in the batch, for bad ones."""
        for row in rows:
            self.reasons.setdefault(int(row), []).append(reason)

    def rename(self, numbered: dict[int, str]) -> None:
        """Give rows, by their place in the batch, other ids."""
        if numbered:
            mask = np.zeros(len(self), bool)
            mask[list(numbered)] = True
            self.ids = pc.replace_with_mask(self.ids, pa.array(mask), [numbered[row] for row in sorted(numbered)])
            self.numbered |= numbered

    def missing(self) -> Counter[str]:
        """Missing or unreadable values per feature."""
        counts = {name: int(np.count_nonzero(np.isnan(values))) for name, values in self.numbers.items()}
        return Counter(counts | {name: values.null_count for name, values in self.categories.items()})

    def rejected(self) -> pa.Table:
        """The bad rows as they came, as text, with where they stood (`row` counts from 1) and why they are out.

        Of a text that is too long its beginning stays.
        """
        at = sorted(self.reasons)
        rows = self.raw.take(pa.array(at, pa.int64()))
        columns = {
            name: pc.utf8_slice_codeunits(rows.column(name).cast(pa.string()), 0, MAX_TEXT_CHARACTERS)
            for name in self.raw.schema.names
        }
        if self.texts is not None:
            columns["text"] = pa.array([self.texts.get(row) for row in at], pa.string())
        columns["source"] = pa.array([self.source] * len(at), pa.string())
        columns["row"] = pa.array([self.first_row + i + 1 for i in at], pa.int64())
        columns["reasons"] = pa.array(["; ".join(self.reasons[i]) for i in at], pa.string())
        return pa.table(columns)
