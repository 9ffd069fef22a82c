"""A logistic regression and a forest that sees its score: the answer is the mean of both."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from campaign.archive import load_arrays, not_one, save_arrays
from campaign.forest import DTYPES, Forest
from campaign.linear import Linear, shifted

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A `Predictor`. The forest's first feature is the linear part's probability, then come the features of both.

    `shift` is added to the log-odds of the mean, so that probabilities are right on average where the rate of successes
    moves. ValueError if the two do not fit together.
    """

    linear: Linear
    forest: Forest
    shift: float = 0.0

    FILE: ClassVar[str] = "ensemble.npz"

    def __post_init__(self) -> None:
        if self.forest.n_features != self.linear.n_features + 1:
            raise ValueError(f"{self.forest.n_features} features of the forest, {self.linear.n_features} of the rest")
        if not np.isfinite(self.shift):
            raise ValueError(f"the shift is {self.shift}")

    @property
    def n_features(self) -> int:
        return self.linear.n_features

    @property
    def size(self) -> int:
        """Number of trees."""
        return self.forest.size

    def cost(self, k: int | None = None) -> float:
        """Comparisons of the first `k` trees, or of all, and the look-ups of the linear part."""
        return self.linear.cost() + self.forest.cost(k)

    def predict(self, X: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """Probability of success of each row of X [rows, features]."""
        probability = self.linear.predict(X)
        return self._answer(probability, self.forest.predict(with_score(probability, X), threads))

    def predict_prefixes(self, X: NDArray[np.float32], sizes: Sequence[int], threads: int = 1) -> NDArray[np.float64]:
        """[sizes, rows]: what the linear part and the first k trees say, for each k of the ascending `sizes`."""
        probability = self.linear.predict(X)
        return self._answer(probability, self.forest.predict_prefixes(with_score(probability, X), sizes, threads))

    def contributions(self, row: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.float64]:
        """[features]: each feature's share of the row's probability, against a background [rows, features].

        Shapley values of each part, against one background row at a time, passed on in proportion to what stands
        behind them (Chen, Lundberg, Lee 2022: a series of models): those of the forest's first feature go to the
        features that the linear part is made of, as they part the two log-odds, and where there is a shift all are
        stretched to the shifted answer. So they add up to the probability less the mean probability of the background.
        """
        both = np.concatenate([row[None], background])
        terms = self.linear.terms(both)
        scores = self.linear.predict(both)
        seen = with_score(scores, both)
        of_forest = self.forest.pairwise_contributions(seen[0], np.ascontiguousarray(seen[1:]))
        differences = terms[0] - terms[1:]
        # Where the two log-odds are the same nothing is to be passed on.
        total = differences.sum(axis=1, keepdims=True)
        shares = np.divide(differences, total, out=np.zeros_like(differences), where=total != 0)
        of_score = (scores[0] - scores[1:])[:, None] + of_forest[:, :1]
        values = (of_score * shares + of_forest[:, 1:]) / 2
        means = (scores + self.forest.predict(seen)) / 2
        if self.shift:
            answers, before = shifted(means, self.shift), means[0] - means[1:]
            after = answers[0] - answers[1:]
            values *= np.divide(after, before, out=np.ones_like(after), where=before != 0)[:, None]
        return np.asarray(values.mean(axis=0), np.float64)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz archive; the same ensemble leaves the same bytes."""
        arrays: dict[str, Any] = {name: getattr(self.forest, name) for name in DTYPES}
        arrays |= {f"linear_{name}": array for name, array in self.linear.arrays().items()}
        save_arrays(path, {"format": FORMAT, "n_features": self.n_features, "shift": self.shift} | arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Ensemble":
        """OSError if the file cannot be opened, ModelMismatch if it is not what `save` wrote."""
        arrays = load_arrays(path, "ensemble", FORMAT)
        try:
            linear = Linear.of({name.removeprefix("linear_"): array for name, array in arrays.items()})
            n_features = int(arrays["n_features"]) + 1
            forest = Forest(n_features=n_features, **{name: arrays[name] for name in DTYPES})
            return cls(linear, forest, float(arrays["shift"]))
        except (ValueError, TypeError, LookupError) as error:
            raise not_one(path, "ensemble", error) from error

    def _answer(self, linear: NDArray[np.float64], forest: NDArray[np.float64]) -> NDArray[np.float64]:
        return shifted((linear + forest) / 2, self.shift)


def with_score(probability: NDArray[np.float64], X: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the forest sees: the linear part's probability before the features, column by column in memory."""
    seen = np.empty((len(X), X.shape[1] + 1), np.float32, order="F")
    seen[:, 0], seen[:, 1:] = probability, X
    return seen
