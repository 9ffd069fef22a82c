"""What a model asks of what predicts for it.

A forest stands behind this seam, or a forest beside a linear part. Another kind of predictor is a class of its own with
these methods, in a file of its own, and its place in PREDICTORS.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from campaign.ensemble import Ensemble
from campaign.forest import Forest


class Predictor(Protocol):
    """Made of `size` parts (trees), of which the first few may predict alone. Rows are float32, [rows, features]."""

    FILE: ClassVar[str]  # what `save` writes, by its name in a model's folder

    @property
    def n_features(self) -> int: ...

    @property
    def size(self) -> int: ...

    def predict(self, X: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """[rows]: probability of success."""

    def predict_prefixes(self, X: NDArray[np.float32], sizes: Sequence[int]) -> NDArray[np.float64]:
        """[sizes, rows]: what the first k parts alone predict, for each k of the ascending `sizes`."""

    def cost(self, k: int | None = None) -> float:
        """Comparisons to score a row with the first `k` parts, or with all."""

    def contributions(self, row: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.float64]:
        """[features]: each feature's share of the row's probability, against a background [rows, features].

        They add up to the probability less the mean probability of the background.
        """

    def save(self, path: Path) -> None:
        """Write it; the same predictor leaves the same bytes."""

    @classmethod
    def load(cls, path: Path) -> Any:
        """OSError if the file cannot be opened, ModelMismatch if it is not what `save` wrote."""


PREDICTORS: tuple[type[Predictor], ...] = (Forest, Ensemble)


def load_predictor(folder: Path, name: str = Forest.FILE) -> Predictor:
    """The predictor in a model's folder, of whose kind the name of its file is.

    Raises as its `load` does, and LookupError for a name of no kind.
    """
    kinds = {kind.FILE: kind for kind in PREDICTORS}
    predictor: Predictor = kinds[name].load(folder / name)
    return predictor
