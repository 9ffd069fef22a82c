"""When rows were launched and decided, and which of them are the latest.

What is measured on the latest rows, by a model that learnt from earlier ones alone, is what to expect of the rows to
come; random rows cannot show that the world moves.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from campaign.batch import Batch

TIMES = "times.npy"
LATEST = 0.2  # of all rows
MIN_RARER = 10  # of the rarer outcome, on either side of a cut: fewer say nothing

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def times_of(batch: Batch, keep: Mask, day: str) -> Floats:
    """[rows kept, 2]: Unix seconds of launch and end. A row of a labelled day that does not say was launched on it."""
    nothing = np.full(len(batch), np.nan)
    launched, ended = (batch.times.get(part, nothing)[keep] for part in ("launch", "end"))
    if day:
        launched = np.where(np.isnan(launched), datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp(), launched)
    return np.column_stack([launched, ended])


def in_order(first: int, rows: int) -> Floats:
    """[rows, 2]: their places, for rows that stand in the order of time."""
    places = np.arange(first, first + rows, dtype=np.float64)
    return np.column_stack([places, places])


@dataclass(frozen=True)
class Cut:
    """Rows before a moment that were decided by then, and those launched from then on."""

    earlier: Mask
    later: Mask


def cut_at(times: Floats | None, label: NDArray[np.generic], share: float = 1 - LATEST) -> Cut | None:
    """The rows launched before the quantile `share` of launches, and those from then on.

    What was launched before and decided after the cut is in neither. None where time is not known, or either side has
    too few rows of an outcome to say something. Rows that do not say when they were launched count as the earliest.
    """
    if times is None or not len(times):
        return None
    launched, moment = _launches(times, share)
    decided = np.fmax(launched, times[:, 1])
    earlier = (launched < moment) & (decided <= moment)
    later = launched >= moment
    return Cut(earlier, later) if says_something(label[earlier]) and says_something(label[later]) else None


def latest_rows(times: Floats | None, label: NDArray[np.generic]) -> Mask | None:
    """The rows of the latest fifth of launches; None where time is not known, or they are too few to say something."""
    if times is None or not len(times):
        return None
    launched, moment = _launches(times, 1 - LATEST)
    latest = launched >= moment
    return latest if says_something(label[latest]) else None


def says_something(label: NDArray[np.generic]) -> bool:
    """Whether rows have enough of either outcome."""
    return int(np.bincount(label.astype(np.int64), minlength=2).min()) >= MIN_RARER


def _launches(times: Floats, share: float) -> tuple[Floats, float]:
    """When each row was launched, and the moment before which that share of them was."""
    launched = np.nan_to_num(times[:, 0], nan=-np.inf)
    return launched, float(np.quantile(launched, share, method="lower"))


def ages_of(times: Floats | None, rows: int) -> NDArray[np.float32]:
    """How long before the latest row each was launched, as a share of the whole span; 0 where time is not known."""
    if times is None or not len(times):
        return np.zeros(rows, np.float32)
    launched = times[:, 0]
    known = np.isfinite(launched)
    if not known.any():
        return np.zeros(rows, np.float32)
    # One date mistyped by decades must not stretch the span.
    first, last = np.quantile(launched[known], [0.01, 1])
    if first == last:
        return np.zeros(rows, np.float32)
    return np.where(known, np.clip((last - launched) / (last - first), 0, 1), 1).astype(np.float32)


def recency_weights(ages: NDArray[np.float32], half_life: float | None) -> Floats | None:
    """Weights that halve with each `half_life` of the span, 1 in the mean; None where all weigh the same."""
    if half_life is None or not ages.any():
        return None
    weights = 0.5 ** (ages.astype(np.float64) / half_life)
    return weights / weights.mean()
