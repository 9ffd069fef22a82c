"""Right on average: a shift of all log-odds where the rate of successes moves in one direction.

What the latest rows miss bets that the movement goes on; so the smaller of what two successive periods miss is taken,
and none where they miss in different directions.
"""

import numpy as np
from numpy.typing import NDArray

from campaign.linear import logit, shifted, sigmoid
from tasks.measures import log_loss
from tasks.training.examples import Examples
from tasks.training.linear_part import fit_linear
from tasks.training.prepare_rows import Rows, rank_and_weigh
from tasks.training.row_times import LATEST, cut_at
from tasks.training.search_space import Recipe

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


def learn_shift(examples: Examples, recipe: Recipe, probability: Floats) -> float:
    """By the period before the judged rows, within the fitted ones, and by the judged rows with their probabilities.

    0 where it would not lower the log loss of the judged rows.
    """
    label = examples.judged.y
    before = missed_by(examples.fitted, recipe, 0.75)  # a quarter of four fifths is as long as the latest fifth
    if before is None:
        return 0.0
    shift = smaller_of(before, shift_of(label, probability))
    return shift if log_loss(label, shifted(probability, shift)) < log_loss(label, probability) else 0.0


def shift_within(rows: Rows, recipe: Recipe) -> float:
    """The same within rows of which none was judged yet."""
    cut = cut_at(rows.times, rows.y) if recipe["linear"] else None
    if cut is None:
        return 0.0
    before, last = missed_by(rows.take(cut.earlier), recipe, 0.75), missed_by(rows, recipe)
    return 0.0 if before is None or last is None else smaller_of(before, last)


def missed_by(rows: Rows, recipe: Recipe, share: float = 1 - LATEST) -> float | None:
    """The shift that a fit on the earlier `share` of rows would have needed on the later ones; None if unknown."""
    cut = cut_at(rows.times, rows.y, share)
    if cut is None:
        return None
    # By the linear part alone: both parts miss a rate that moved by about the same, and trees take longer.
    prepared = rank_and_weigh(rows.take(cut.earlier), recipe["half_life"])
    linear = fit_linear(prepared.encoder, prepared.X, prepared.y, prepared.weight)
    later = rows.take(cut.later)
    return shift_of(later.y, linear.predict(prepared.recode(later.X)))
