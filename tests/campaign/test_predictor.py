from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from campaign import predictor
from campaign.model import ScoringModel
from campaign.warm_up import smallest_model
from tests.published import SCHEMA


class ConstantPredictor:
    """The same probability for every row."""

    FILE = "constant.txt"
    n_features = 12

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def predict(self, X: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        return np.full(len(X), self.probability)

    def save(self, path: Path) -> None:
        path.write_text(str(self.probability))

    @classmethod
    def load(cls, path: Path) -> "ConstantPredictor":
        return cls(float(path.read_text()))


def test_a_model_is_loaded_with_the_kind_of_predictor_it_was_saved_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "PREDICTORS", (*predictor.PREDICTORS, ConstantPredictor))
    encoder, X = smallest_model().encoder, np.zeros((3, 12), np.float32)
    ScoringModel("campaign-success", "2", SCHEMA, encoder, ConstantPredictor(0.25)).save(tmp_path / "2")  # type: ignore[arg-type]
    smallest_model().save(tmp_path / "1")
    assert ScoringModel.load(tmp_path / "2", "2").predict(X).tolist() == [0.25] * 3
    assert ScoringModel.load(tmp_path / "1", "1").predict(X).tolist() == [0.0] * 3
