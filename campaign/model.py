"""A model in service: an encoder and a predictor, in a folder without pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.decision import predicts_success
from campaign.encoding import Encoder
from campaign.errors import ModelMismatch
from campaign.predictor import Predictor, load_predictor
from campaign.reading import Batch
from campaign.schema import ID, FeatureSet

FORMAT = 1
DESCRIPTION, REFERENCE = "model.json", "reference.parquet"
VERSION_TYPE = pa.dictionary(pa.int8(), pa.string())  # one text for all rows of a batch
PREDICTIONS = pa.schema(
    [(ID, pa.string()), ("probability", pa.float64()), ("success", pa.int8()), ("model_version", VERSION_TYPE)]
)
# Without Arrow's schema in the file, readers take the version for a string. Ids all differ, so a dictionary of them
# would be built and thrown away, and nobody looks up a single id, which is what statistics of them would help with.
PARQUET_OPTIONS: dict[str, Any] = {
    "compression": "zstd", "compression_level": 1, "use_dictionary": ["probability", "success", "model_version"],
    "write_statistics": ["probability", "success", "model_version"], "store_schema": False,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ScoringModel:
    """`about` holds what the model card says of it: metrics, the data it learnt from, when.

    A model's reference, a sample of its test rows with its own predictions, lies beside its files as REFERENCE.
    """

    name: str
    version: str
    encoder: Encoder
    predictor: Predictor
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_features(self) -> int:
        return self.predictor.n_features

    def predict(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """Probability of success of each row of a matrix [rows, features] that the encoder made."""
        return self.predictor.predict(matrix, threads=threads)

    def cost(self) -> float:
        """Comparisons that scoring a row takes, on average."""
        return self.predictor.cost()

    def contributions(self, row: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.float64]:
        """[features]: each feature's share of a row's probability, against a background [rows, features]."""
        return self.predictor.contributions(row, background)

    def probabilities_of(self, batch: Batch, threads: int = 1) -> NDArray[np.float64]:
        """Probability of success of each row, the bad ones included."""
        return self.predict(self.encoder.encode(batch), threads)

    def predictions_of(self, batch: Batch, threads: int = 1) -> tuple[pa.RecordBatch, dict[str, int]]:
        """Predictions of the good rows, and how many have a category that training never saw, per feature."""
        good, ids, matrix = batch.good, batch.ids, self.encoder.encode(batch)
        if not good.all():
            matrix, ids = matrix[good], ids.filter(pa.array(good))
        probability = self.predict(matrix, threads)
        success = predicts_success(probability).astype(np.int8)
        version = pa.DictionaryArray.from_arrays(np.zeros(len(ids), np.int8), [self.version])
        predictions = pa.RecordBatch.from_arrays([ids, probability, success, version], schema=PREDICTIONS)
        return predictions, self.encoder.count_unknown(matrix)

    def save(self, folder: Path) -> list[Path]:
        """Write the two files of the model; gives their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        description, predictor = folder / DESCRIPTION, folder / self.predictor.FILE
        self.predictor.save(predictor)
        features = [column.name for column in self.encoder.features]
        stored = {"format": FORMAT, "name": self.name, "features": features, "encoder": self.encoder.to_json()}
        description.write_text(json.dumps(stored | {"about": dict(self.about)}, indent=1))
        return [description, predictor]

    @classmethod
    def load(cls, folder: Path, version: str) -> "ScoringModel":
        """Raises `ModelMismatch` for a model of another schema or format."""
        try:
            stored = json.loads((folder / DESCRIPTION).read_text())
            name, features, about = stored["name"], stored["features"], dict(stored["about"])
            encoder = Encoder.from_json(stored["encoder"])
            predictor = load_predictor(folder)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ModelMismatch(
                f"Version {version} in {folder} is damaged or not whole ({error!r}).",
                "Register it again with `campaign train`, or roll back with `campaign champion set`.",
            ) from error
        if stored["format"] != FORMAT or not _fits_schema(encoder, features, predictor):
            raise ModelMismatch(
                f"Version {version} of {name} was registered under another schema ({', '.join(map(str, features))}).",
                "Train again with this version of the project, or roll back with `campaign champion set`.",
            )
        return cls(name, version, encoder, predictor, about)


def _fits_schema(encoder: Encoder, features: list[str], predictor: Predictor) -> bool:
    """Whether a model takes the columns that today's schema gives it."""
    if encoder.feature_set not in get_args(FeatureSet):
        return False
    names = [column.name for column in encoder.features]
    categories = {column.name for column in encoder.features if column.is_category}
    return features == names and set(encoder.categories) == categories and predictor.n_features == len(names)
