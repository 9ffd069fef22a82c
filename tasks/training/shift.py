"""Right on average: a shift of all log-odds where the rate of successes moves in one direction.

What the latest rows miss bets that the movement goes on; so the smaller of what two successive periods miss is taken,
none where they miss in different directions, and none where the same rule would not have paid a period ago.
"""

import numpy as np
from numpy.typing import NDArray

from campaign.linear import logit, shifted, sigmoid
from tasks.measures import log_loss
from tasks.sampling import sample_rows
from tasks.training.linear_part import fit_linear
from tasks.training.prepare_rows import Rows, rank_and_weigh
from tasks.training.row_times import cut_at
from tasks.training.search_space import Recipe

MAX_ROWS = 100_000  # to fit on: by then a shift is known to a hundredth
LONGEST = 20.0  # of a shift; beyond it there are no chances but 0 and 1

Floats = NDArray[np.float64]


def shift_of(label: NDArray[np.int8], probability: Floats) -> float:
    """The shift that makes the mean probability the share of successes, which is that of the least log loss."""
    from scipy.optimize import brentq

    log_odds, rate = logit(probability), float(label.mean())
    if rate in (0.0, 1.0):
        return 0.0
    return float(brentq(lambda shift: float(sigmoid(log_odds + shift).mean()) - rate, -LONGEST, LONGEST))


def smaller_of(first: float, second: float) -> float:
    """The smaller of two shifts; 0 where their signs differ."""
    return 0.0 if first * second <= 0 else min(first, second, key=abs)


def learn_shift(earlier: Rows, recipe: Recipe, label: NDArray[np.int8], probability: Floats) -> float:
    """By the rows after the `earlier` ones, with the probabilities of a fit on those, and by two periods within them.

    0 where time is not known, or too few rows of an outcome are in a period.
    """
    # Of four fifths of all rows the last quarter is as long as the latest fifth, and so is the third before it.
    before_last = cut_at(earlier.times, earlier.y, 3 / 4)
    last = missed_by(earlier, recipe, 3 / 4)
    previous = None if before_last is None else missed_by(earlier.take(before_last.earlier), recipe, 2 / 3)
    if last is None or previous is None:
        return 0.0
    would_have_been = shifted(probability, smaller_of(previous, last))
    if log_loss(label, would_have_been) >= log_loss(label, probability):
        return 0.0
    return smaller_of(last, shift_of(label, probability))


def shift_within(rows: Rows, recipe: Recipe) -> float:
    """The same within rows of which none was judged yet."""
    cut = cut_at(rows.times, rows.y) if recipe["linear"] else None
    if cut is None:
        return 0.0
    earlier, later = rows.take(cut.earlier), rows.take(cut.later)
    return learn_shift(earlier, recipe, later.y, by_linear_part(earlier, recipe, later))


def missed_by(rows: Rows, recipe: Recipe, share: float) -> float | None:
    """The shift that a fit on the earlier `share` of rows would have needed on the later ones; None if unknown."""
    cut = cut_at(rows.times, rows.y, share)
    if cut is None:
        return None
    later = rows.take(cut.later)
    return shift_of(later.y, by_linear_part(rows.take(cut.earlier), recipe, later))


def by_linear_part(fitted: Rows, recipe: Recipe, judged: Rows) -> Floats:
    """Probabilities by the linear part alone: both parts miss a rate that moved by about the same, and trees take
    longer."""
    sample = fitted.take(sample_rows(len(fitted.y), MAX_ROWS))
    prepared = rank_and_weigh(sample, recipe["half_life"])
    linear = fit_linear(prepared.encoder, prepared.X, prepared.y, prepared.weight)
    return linear.predict(prepared.recode(judged.X))
