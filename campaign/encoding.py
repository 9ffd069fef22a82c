"""Batches of campaigns as the float32 matrix that a forest is fitted on and scores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.schema import Column
from campaign.spelling import spellings

UNKNOWN_CATEGORY, MISSING_CATEGORY = -1, -2
MISSING_NUMBER = float(np.finfo(np.float32).min)  # of a nullable column: below all that a file may hold


@dataclass(frozen=True)
class Encoder:
    """Ordinal codes for categories, in the order of `categories`; numbers as they are.

    Training orders categories by how often their campaigns succeed: a forest then parts them by one comparison.
    `rare` says which of a column's categories share one code: so many of them, from a place in their order on.

    What training never saw, and what is missing, has a code of its own below them.
    """

    features: tuple[Column, ...]
    categories: Mapping[str, tuple[str, ...]]
    rare: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def fit(cls, features: tuple[Column, ...], seen: Mapping[str, Iterable[str]]) -> "Encoder":
        """An encoder for categories in the order in which they are given, in the schema's spelling where it has one.

        One that is written in several cases is one category, and stands where it is given first.
        """
        categories = {}
        for column in features:
            if column.is_category:
                listed = {name.casefold(): name for name in column.categories}
                names: dict[str, str] = {}
                for name in seen[column.name]:
                    names.setdefault(name.casefold(), listed.get(name.casefold(), name))
                categories[column.name] = tuple(names.values())
        return cls(features, categories)

    def encode(self, batch: Batch) -> NDArray[np.float32]:
        """Rows × features, column by column in memory; rows that were found bad included, with whatever they hold."""
        matrix = np.empty((len(batch), len(self.features)), np.float32, order="F")
        # A bad row's number may be past float32; it becomes infinite here and is dropped with its row.
        with np.errstate(over="ignore"):
            for at, column in enumerate(self.features):
                if column.is_category:
                    self.codes(column.name, batch.categories[column.name], matrix[:, at])
                elif column.nullable:
                    values = batch.numbers[column.name]
                    matrix[:, at] = np.where(np.isnan(values), MISSING_NUMBER, values)
                else:
                    matrix[:, at] = batch.numbers[column.name]
        return matrix

    def codes(
        self, name: str, values: pa.DictionaryArray, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """One code a row, written to `out` if it is given. Values are matched without regard to case."""
        known = self.codes_by_word(name)
        names = map(str, values.dictionary.to_pylist())
        codes = np.array(
            [*(known.get(name.casefold(), UNKNOWN_CATEGORY) for name in names), MISSING_CATEGORY], np.float32
        )
        indices = values.indices
        if indices.null_count:
            indices = pc.fill_null(indices.cast(pa.int64()), len(codes) - 1)
        # No index is out of range; to look for one, numpy would copy all that it takes.
        return codes.take(indices.to_numpy(zero_copy_only=False), out=out, mode="clip")

    def code_of_each(self, name: str) -> NDArray[np.int64]:
        """The code of each category of a column, in their order."""
        places = np.arange(len(self.categories[name]))
        first, count = self.rare.get(name, (0, 1))
        return np.where(places < first, places, np.maximum(places - (count - 1), first))

    def codes_by_word(self, name: str) -> dict[str, int]:
        """The code of each category by how it may be written, in lower case."""
        codes = dict(zip(self.categories[name], self.code_of_each(name).tolist(), strict=True))
        return {word: codes[value] for word, value in spellings(codes).items()}

    def count_unknown(self, matrix: NDArray[np.float32]) -> dict[str, int]:
        """Rows of a matrix with a category that training never saw, per feature."""
        return {
            column.name: int(np.count_nonzero(matrix[:, at] == UNKNOWN_CATEGORY))
            for at, column in enumerate(self.features)
            if column.is_category
        }

    def to_json(self) -> dict[str, Any]:
        stored: dict[str, Any] = {"categories": {name: list(values) for name, values in self.categories.items()}}
        return stored | {"rare": {name: list(span) for name, span in self.rare.items()}} if self.rare else stored

    @classmethod
    def from_json(cls, features: tuple[Column, ...], stored: Mapping[str, Any]) -> "Encoder":
        """ValueError if categories that are said to share a code are not there."""
        categories = {name: tuple(values) for name, values in stored["categories"].items()}
        rare = {name: (int(first), int(count)) for name, (first, count) in stored.get("rare", {}).items()}
        for name, (first, count) in rare.items():
            if first < 0 or count < 1 or first + count > len(categories[name]):
                raise ValueError(f"{count} rare categories of {name} from the place {first} on are not all there")
        return cls(features, categories, rare)
