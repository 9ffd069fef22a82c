"""Right on average: a shift of all log-odds where the rate of successes moves in one direction.

What the latest rows miss bets that the movement goes on; so the smaller of what two successive periods miss is taken,
and none where they miss in different directions.
"""

import numpy as np
from numpy.typing import NDArray

from campaign.forest import Forest
from campaign.linear import logit, sigmoid
from tasks.measures import log_loss
from tasks.training.examples import Examples
from tasks.training.grow import fit_trees
from tasks.training.prepare_rows import Rows, prepare_rows
from tasks.training.row_times import LATEST, cut_at
from tasks.training.search_space import Recipe, forest_params

TREES = 32  # what probabilities are on average takes no more
LONGEST = 20.0  # of a shift; beyond it there are no chances but 0 and 1

Floats = NDArray[np.float64]


def shifted(probability: Floats, shift: float) -> Floats:
    return sigmoid(logit(probability) + shift) if shift else probability


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


def learn_shift(examples: Examples, recipe: Recipe, probability: Floats, seed: int) -> float:
    """By the period before the judged rows, within the fitted ones, and by the judged rows with their probabilities.

    0 where it would not lower the log loss of the judged rows.
    """
    label = examples.judged.y
    before = missed_by(examples.fitted, recipe, seed, 0.75)  # a quarter of four fifths is as long as the latest fifth
    if before is None:
        return 0.0
    shift = smaller_of(before, shift_of(label, probability))
    return shift if log_loss(label, shifted(probability, shift)) < log_loss(label, probability) else 0.0


def shift_within(rows: Rows, recipe: Recipe, seed: int) -> float:
    """The same within rows of which none was judged yet."""
    cut = cut_at(rows.times, rows.y) if recipe["linear"] else None
    if cut is None:
        return 0.0
    before, last = missed_by(rows.take(cut.earlier), recipe, seed, 0.75), missed_by(rows, recipe, seed)
    return 0.0 if before is None or last is None else smaller_of(before, last)


def missed_by(rows: Rows, recipe: Recipe, seed: int, share: float = 1 - LATEST) -> float | None:
    """The shift that a fit on the earlier `share` of rows would have needed on the later ones; None if unknown."""
    cut = cut_at(rows.times, rows.y, share)
    if cut is None:
        return None
    prepared = prepare_rows(rows.take(cut.earlier), recipe)
    trees = fit_trees(forest_params(recipe), prepared, TREES, seed)
    forest = Forest.from_trees(trees).with_leaf_shares(prepared.X, prepared.y, prepared.weight)
    later = rows.take(cut.later)
    return shift_of(later.y, prepared.predictor(forest).predict(prepared.recode(later.X)))
