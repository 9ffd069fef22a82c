"""A model in service: an encoder and a flat forest, in a folder without pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.encoding import Encoder
from campaign.errors import ModelMismatch
from campaign.forest import Forest
from campaign.reading import Batch
from campaign.schema import ID, FeatureSet

FORMAT = 1
DESCRIPTION, FOREST = "model.json", "forest.npz"
VERSION = pa.dictionary(pa.int8(), pa.string())  # one text for all rows of a batch
PREDICTIONS = pa.schema(
    [(ID, pa.string()), ("probability", pa.float64()), ("success", pa.int8()), ("model_version", VERSION)]
)
# Without Arrow's schema in the file the version is a string to whoever reads it. A dictionary of ids, which all differ,
# would be made to be thrown away, and no reader here looks one id up, for which statistics of them would serve.
WRITTEN: dict[str, Any] = {
    "compression": "zstd", "compression_level": 1, "use_dictionary": ["probability", "success", "model_version"],
    "write_statistics": ["probability", "success", "model_version"], "store_schema": False,
}  # fmt: skip


@dataclass(frozen=True)
class ScoringModel:
    """`about` holds what the model card says of it: metrics, the data it learnt from, when."""

    name: str
    version: str
    encoder: Encoder
    forest: Forest
    about: Mapping[str, Any] = field(default_factory=dict)

    def score(self, batch: Batch, threads: int = 1) -> tuple[NDArray[np.float64], dict[str, int]]:
        """Probability of success of each row, and the rows with a category that training never saw, per feature."""
        matrix = self.encoder.encode(batch)
        return self.forest.predict(matrix, threads=threads), self.encoder.unknown(matrix)

    def predict(self, batch: Batch, threads: int = 1) -> tuple[pa.RecordBatch, dict[str, int]]:
        """Predictions of the good rows, and how many have a category that training never saw, per feature."""
        good, ids, matrix = batch.good, batch.ids, self.encoder.encode(batch)
        if not good.all():
            matrix, ids = matrix[good], ids.filter(pa.array(good))
        probability = self.forest.predict(matrix, threads=threads)
        success = (probability > 0.5).astype(np.int8)
        version = pa.DictionaryArray.from_arrays(np.zeros(len(ids), np.int8), [self.version])
        predictions = pa.RecordBatch.from_arrays([ids, probability, success, version], schema=PREDICTIONS)
        return predictions, self.encoder.unknown(matrix)

    def save(self, folder: Path) -> list[Path]:
        """Write the two files of the model; gives their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        self.forest.save(folder / FOREST)
        features = [column.name for column in self.encoder.features]
        stored = {"format": FORMAT, "name": self.name, "features": features, "encoder": self.encoder.to_json()}
        (folder / DESCRIPTION).write_text(json.dumps(stored | {"about": dict(self.about)}, indent=1))
        return [folder / DESCRIPTION, folder / FOREST]

    @classmethod
    def load(cls, folder: Path, version: str) -> "ScoringModel":
        """Raises `ModelMismatch` for a model of another schema or format."""
        try:
            stored = json.loads((folder / DESCRIPTION).read_text())
            name, features, about = stored["name"], stored["features"], dict(stored["about"])
            encoder = Encoder.from_json(stored["encoder"])
            forest = Forest.load(folder / FOREST)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ModelMismatch(
                f"Version {version} in {folder} is damaged or not whole ({error!r}).",
                "Register it again with `campaign train`, or roll back with `campaign champion set`.",
            ) from error
        if stored["format"] != FORMAT or not _fits(encoder, features, forest):
            raise ModelMismatch(
                f"Version {version} of {name} was registered under another schema ({', '.join(map(str, features))}).",
                "Train again with this version of the project, or roll back with `campaign champion set`.",
            )
        return cls(name, version, encoder, forest, about)


def _fits(encoder: Encoder, features: list[str], forest: Forest) -> bool:
    """Whether a model sees what the schema of today gives it."""
    if encoder.feature_set not in get_args(FeatureSet):
        return False
    names = [column.name for column in encoder.features]
    categories = {column.name for column in encoder.features if column.is_category}
    return features == names and set(encoder.categories) == categories and forest.n_features == len(names)
