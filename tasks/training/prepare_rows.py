"""Rows as the trees of a recipe see them: ranked categories, weights, the score of the linear part before the rest."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from campaign.encoding import Encoder
from campaign.ensemble import Ensemble, with_score
from campaign.forest import Forest
from campaign.linear import Linear
from campaign.predictor import Predictor
from tasks.training.linear_part import fit_with_scores
from tasks.training.rank_categories import rank_categories, recode
from tasks.training.row_times import ages_of, recency_weights
from tasks.training.search_space import Recipe


@dataclass(frozen=True, eq=False)
class Rows:
    """X [rows, features] by an encoder of plain codes, y [rows] of 0 and 1, and times [rows, 2], if they are known."""

    encoder: Encoder
    X: NDArray[np.float32]
    y: NDArray[np.int8]
    times: NDArray[np.float64] | None

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Rows":
        times = None if self.times is None else self.times[which]
        return Rows(self.encoder, self.X[which], self.y[which], times)


@dataclass(frozen=True, eq=False)
class Prepared:
    """`X` is what trees are fitted on, by the ranks of `encoder`, after the linear part's score if there is one."""

    plain: Encoder
    encoder: Encoder
    X: NDArray[np.float32]
    y: NDArray[np.int8]
    weight: NDArray[np.float64] | None
    linear: Linear | None

    def recode(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Other rows of plain codes, as `predictor` takes them."""
        return recode(X, self.plain, self.encoder)

    def predictor(self, forest: Forest, shift: float = 0.0) -> Predictor:
        return forest if self.linear is None else Ensemble(self.linear, forest, shift)


def prepare_rows(rows: Rows, recipe: Recipe) -> Prepared:
    """Rank categories, weigh rows by recency and fit the linear part, all on these rows alone."""
    prepared = rank_and_weigh(rows, recipe["half_life"])
    if not recipe["linear"]:
        return prepared
    linear, scores = fit_with_scores(prepared.encoder, prepared.X, prepared.y, prepared.weight)
    return replace(prepared, X=with_score(scores, prepared.X), linear=linear)


def rank_and_weigh(rows: Rows, half_life: float | None) -> Prepared:
    """The same without a linear part."""
    weight = recency_weights(ages_of(rows.times, len(rows.y)), half_life)
    encoder = rank_categories(rows.encoder, rows.X, rows.y, weight)
    return Prepared(rows.encoder, encoder, recode(rows.X, rows.encoder, encoder), rows.y, weight, None)
