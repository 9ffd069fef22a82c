"""A logistic regression as look-ups: what each value of each feature adds to the log-odds of success."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaign.encoding import MISSING_NUMBER
from campaign.kernels import compiled

DTYPES = {"starts": "i4", "offsets": "f8", "edge_starts": "i4", "edges": "f4"}
DTYPES |= {"slope": "f8", "low": "f8", "high": "f8", "missing": "f8", "intercept": "f8"}


@dataclass(frozen=True, eq=False)
class Linear:
    """One entry a feature, on rows of float32 as an encoder makes them. ValueError if the arrays do not fit together.

    A category adds the offset of its code, the first two being those of a missing and of an unknown one. A number adds
    `slope` for each unit, as far as `low` and `high`, and the offset of the bin in which it lies: of those that its
    ascending `edges` part, an edge belonging to the upper one. A missing number adds `missing`.
    """

    starts: NDArray[np.int32]  # [features + 1]: where a feature's offsets begin
    offsets: NDArray[np.float64]
    edge_starts: NDArray[np.int32]  # [features + 1]: where a feature's edges begin
    edges: NDArray[np.float32]
    slope: NDArray[np.float64]  # [features], NaN for a category
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    missing: NDArray[np.float64]
    intercept: NDArray[np.float64]  # [1]

    def __post_init__(self) -> None:
        for name, dtype in DTYPES.items():
            array = np.ascontiguousarray(getattr(self, name)).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
            if array.dtype != dtype or array.ndim != 1:
                raise ValueError(f"{name} is a {array.ndim}-dimensional array of {array.dtype}")
        n = self.n_features
        if n < 1 or not all(len(array) == n for array in (self.low, self.high, self.missing)):
            raise ValueError("arrays of features differ in length")
        if len(self.intercept) != 1:
            raise ValueError(f"there are {len(self.intercept)} intercepts")
        offsets, edges = np.diff(self.starts), np.diff(self.edge_starts)
        if len(offsets) != n or len(edges) != n or self.starts[0] != 0 or self.edge_starts[0] != 0:
            raise ValueError("offsets or edges are not those of the features")
        if self.starts[-1] != self.offsets.size or self.edge_starts[-1] != self.edges.size or edges.min() < 0:
            raise ValueError("offsets or edges are not as many as is said")
        wanted = np.where(self.is_category, np.maximum(offsets, 2), edges + 1)
        if not np.array_equal(offsets, wanted) or edges[self.is_category].any():
            raise ValueError("a feature has more or fewer offsets than it has values")
        numbers = ~self.is_category
        if not all(np.isfinite(array[numbers]).all() for array in (self.slope, self.low, self.high, self.missing)):
            raise ValueError("a slope or a bound is not finite")
        if not np.isfinite(self.offsets).all() or not np.isfinite(self.intercept).all():
            raise ValueError("an offset is not finite")

    @property
    def n_features(self) -> int:
        return len(self.slope)

    @property
    def is_category(self) -> NDArray[np.bool_]:
        """[features]"""
        claims: NDArray[np.bool_] = np.isnan(self.slope)
        return claims

    def cost(self) -> float:
        """Look-ups and comparisons that a row takes."""
        return float(self.n_features + self.edges.size / 2)

    def log_odds(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """[rows], of X [rows, features]. A code that is none of a category counts as unknown."""
        rows = np.asarray(X, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ValueError(f"the linear part has {self.n_features} features, X has the shape {rows.shape}")
        out = np.full(len(rows), self.intercept[0])
        for at in range(self.n_features):
            # Column by column: one contiguous run of memory each, as the encoder lays them out.
            column = np.ascontiguousarray(rows[:, at])
            column.setflags(write=False)
            self._add(at, column, out)
        return out

    def terms(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """[rows, features]: what each feature adds to the log-odds."""
        terms = np.zeros(X.shape)
        for at in range(self.n_features):
            column = np.ascontiguousarray(X[:, at], np.float32)
            column.setflags(write=False)
            out = np.zeros(len(X))
            self._add(at, column, out)
            terms[:, at] = out
        return terms

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of success of each row of X [rows, features]."""
        return sigmoid(self.log_odds(X))

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in DTYPES}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Linear":
        """What `arrays` gave."""
        return cls(**{name: arrays[name] for name in DTYPES})

    def _add(self, at: int, column: NDArray[np.float32], out: NDArray[np.float64]) -> None:
        offsets = self.offsets[self.starts[at] : self.starts[at + 1]]
        if self.is_category[at]:
            compiled(add_codes)(column, offsets, out)
        else:
            edges = self.edges[self.edge_starts[at] : self.edge_starts[at + 1]]
            bounds = self.low[at], self.high[at]
            compiled(add_numbers)(column, edges, offsets, self.slope[at], *bounds, self.missing[at], out)


def add_codes(column: Any, offsets: Any, out: Any) -> None:
    """Add the offset of each row's code: -2 missing, -1 unknown, then the categories."""
    for row in range(column.size):
        code = int(column[row]) + 2
        out[row] += offsets[code] if 0 <= code < offsets.size else offsets[1]


def add_numbers(
    column: Any, edges: Any, offsets: Any, slope: float, low: float, high: float, missing: float, out: Any
) -> None:
    """Add the slope and the bin of each row's number."""
    for row in range(column.size):
        value = column[row]
        if value == np.float32(MISSING_NUMBER):
            out[row] += missing
            continue
        bin_of_value = 0
        for edge in range(edges.size):
            bin_of_value += 1 if value >= edges[edge] else 0
        out[row] += offsets[bin_of_value] + slope * min(max(np.float64(value), low), high)


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # the exponential of a very small chance, which is 0 then
        return 1 / (1 + np.exp(-log_odds))


def logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):  # of 0 and 1
        return np.log(probability) - np.log1p(-probability)
