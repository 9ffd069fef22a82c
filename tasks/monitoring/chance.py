"""How far apart two parts of the same rows are by chance: what a drift distance has to exceed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
SPLITS = 1_000
# Every column is looked at every day, and a reference is one sample: in twenty quiet years the largest of 1,000
# re-splits was exceeded by up to 15 % (`make bench-small-days`).
MARGIN = 0.5  # of the way from the middle re-split to the largest, beyond that one
MOST_ROWS = 10_000  # of numbers, of either side: fewer rows are further apart by chance, so the limit errs upwards
AT_ONCE = 100  # re-splits that are made together
# Times the limit by the first hundred: nine hundred more of counts raise it by a tenth at most. Of numbers with long
# tails by up to 2.6, so that there a hundred never suffice.
FAR = 1.5


def chance_limit(
    reference: pd.Series, current: pd.Series, counted: bool, distance: float = 0.0, seed: int = 1
) -> float:
    """A distance that random re-splits of both, put together, into parts of the same two sizes do not reach.

    It lies beyond the largest of 1,000 of them, by half as much as that one lies beyond the middle one. Where
    `distance`, that of the two, is far beyond what a hundred re-splits of counts give, these are enough.

    `counted`: by Jensen-Shannon distance of how often each value comes (many numbers: each bin), else by Wasserstein
    distance over the reference's standard deviation. Both as Evidently computes them. Rows drawn from the reference
    alone would leave out its own sampling noise.
    """
    rng = np.random.default_rng(seed)
    if counted:
        hundreds = _distances_of_counts(*count_values(reference, current), rng)
        distances = next(hundreds)
        if distance <= FAR * _limit(distances):
            distances = np.concatenate([distances, *hundreds])
    else:
        before, after = (_thinned(part.to_numpy(dtype=float), rng) for part in (reference, current))
        distances = _distances_of_numbers(before, after, rng)
    return _limit(distances)


def _limit(distances: Floats) -> float:
    largest = distances.max()
    return float(largest + MARGIN * (largest - np.median(distances)))


def count_values(reference: pd.Series, current: pd.Series) -> tuple[Counts, Counts]:
    """How many rows of each side have each value; of more than 20 different numbers, how many are in each bin."""
    import pandas as pd

    pooled = pd.concat([reference, current], ignore_index=True)
    if pd.api.types.is_numeric_dtype(pooled) and reference.nunique() > 20:
        edges = np.histogram_bin_edges(pooled.to_numpy(dtype=float), bins="sturges")
        return np.histogram(reference, edges)[0], np.histogram(current, edges)[0]
    codes, values = pd.factorize(pooled)
    first, second = (np.bincount(part, minlength=len(values)) for part in np.split(codes, [len(reference)]))
    return first, second


def _distances_of_counts(reference: Counts, current: Counts, rng: np.random.Generator) -> Iterator[Floats]:
    from scipy.spatial.distance import jensenshannon

    pooled, rows = reference + current, int(current.sum())
    for _ in range(SPLITS // AT_ONCE):
        drawn = rng.multivariate_hypergeometric(pooled, rows, size=AT_ONCE, method="marginals")
        yield jensenshannon(pooled - drawn, drawn, axis=1)


def _distances_of_numbers(reference: Floats, current: Floats, rng: np.random.Generator) -> Floats:
    values = np.sort(np.concatenate([reference, current]))
    gaps, places = np.diff(values), np.arange(1, len(values))
    is_current, distances = np.arange(len(values)) < len(current), np.empty(SPLITS)
    for split in range(SPLITS):
        rng.shuffle(is_current)
        below = np.cumsum(is_current)[:-1]
        distance = (np.abs(below / len(current) - (places - below) / len(reference)) * gaps).sum()
        distances[split] = distance / max(values[~is_current].std(), 0.001)
    return distances


def _thinned(values: Floats, rng: np.random.Generator) -> Floats:
    return rng.choice(values, MOST_ROWS, replace=False) if len(values) > MOST_ROWS else values
