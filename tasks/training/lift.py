"""What acting on the most probable campaigns finds, and what it pays: lift table, curve of cumulative gains, profit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaign.decision import predicts_success
from campaign.schema_parts import Gain

TENTHS = 10


@dataclass(frozen=True)
class Lift:
    """Of the most probable `share` of campaigns: how many, how many succeeded, of all successes which share.

    `lift` is how much more often they succeed than campaigns do.
    """

    share: float
    rows: int
    successes: float
    found: float
    lift: float

    @property
    def success_rate(self) -> float:
        return self.successes / self.rows if self.rows else float("nan")


@dataclass(frozen=True)
class Profit:
    """Of acting on the campaigns above the threshold: what their probabilities promised, and what came of it."""

    rows: int
    expected: float
    realised: float


def cumulative_gains(
    label: NDArray[np.generic], probability: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and successes among them, the most probable first, from none to all. Equal probabilities come together."""
    values, group = np.unique(-probability, return_inverse=True)
    rows = np.bincount(group, minlength=len(values))
    successes = np.bincount(group, label.astype(float), len(values))
    return np.append(0.0, np.cumsum(rows)), np.append(0.0, np.cumsum(successes))


def lift_table(label: NDArray[np.generic], probability: NDArray[np.float64], parts: int = TENTHS) -> list[Lift]:
    """A row for each tenth; where probabilities are equal, a tenth has its part of their successes."""
    rows, successes = cumulative_gains(label, probability)
    table = []
    for part in range(1, parts + 1):
        count = rows[-1] * part / parts
        won = float(np.interp(count, rows, successes))
        found = won / successes[-1] if successes[-1] else float("nan")
        table.append(Lift(part / parts, round(count), won, found, found / (part / parts)))
    return table


def profit_of(
    label: NDArray[np.generic], probability: NDArray[np.float64], threshold: float, decide: object
) -> Profit | None:
    """None where the schema names no gain and cost."""
    if not isinstance(decide, Gain):
        return None
    acted = predicts_success(probability, threshold)
    rows = int(acted.sum())
    expected, realised = (float(wins[acted].sum()) * decide.gain - rows * decide.cost for wins in (probability, label))
    return Profit(rows, expected, realised)
