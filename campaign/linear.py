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
        out = np.full((len(X), 1), self.intercept[0])
        self._add(X, out)
        return out[:, 0]

    def terms(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """[rows, features]: what each feature adds to the log-odds."""
        out = np.zeros((len(X), self.n_features))
        self._add(X, out)
        return out

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of success of each row of X [rows, features]."""
        return sigmoid(self.log_odds(X))

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in DTYPES}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Linear":
        """What `arrays` gave."""
        return cls(**{name: arrays[name] for name in DTYPES})

    def _add(self, X: NDArray[np.float32], out: NDArray[np.float64]) -> None:
        """Add each feature's term to its column of `out`, or to the only one."""
        X = np.asarray(X, np.float32)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"the linear part has {self.n_features} features, X has the shape {X.shape}")
        by_column = X.flags.f_contiguous  # as the encoder lays it out
        rows = np.ascontiguousarray(X.T if by_column else X).reshape(-1)
        steps = (1, len(X)) if by_column else (X.shape[1], 1)
        rows.setflags(write=False)
        compiled(add_terms)(rows, *steps, *self.arrays().values(), out)


def add_terms(
    rows: Any, row_step: int, column_step: int, starts: Any, offsets: Any, edge_starts: Any, edges: Any, slope: Any,
    low: Any, high: Any, missing: Any, intercept: Any, out: Any,
) -> None:  # fmt: skip
    """Column by column: the offset of a code (-2 missing, -1 unknown, then categories), or slope and bin of a number.

    `rows` is flat: the steps say how far two rows, and two columns, lie apart.
    """
    missing_number = np.float32(MISSING_NUMBER)
    for at in range(slope.size):
        first, last = starts[at], starts[at + 1]
        target = at if out.shape[1] > 1 else 0
        for row in range(out.shape[0]):
            value = rows[row * row_step + at * column_step]
            if np.isnan(slope[at]):
                code = np.int64(value) + 2
                out[row, target] += offsets[first + code] if 0 <= code < last - first else offsets[first + 1]
            elif value == missing_number:
                out[row, target] += missing[at]
            else:
                reached = first
                for edge in range(edge_starts[at], edge_starts[at + 1]):
                    reached += 1 if value >= edges[edge] else 0
                out[row, target] += offsets[reached] + slope[at] * min(max(np.float64(value), low[at]), high[at])


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # the exponential of a very small chance, which is 0 then
        return 1 / (1 + np.exp(-log_odds))


def logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):  # of 0 and 1
        return np.log(probability) - np.log1p(-probability)


def shifted(probability: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Probabilities whose log-odds are so much higher; without a shift the same to the last bit."""
    return sigmoid(logit(probability) + shift) if shift else probability
