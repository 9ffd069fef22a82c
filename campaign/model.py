"""A model in service: an encoder and a predictor, in a folder without pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.decision import THRESHOLD, predicts_success
from campaign.encoding import Encoder
from campaign.errors import BadInput, CampaignError, ModelMismatch
from campaign.forest import Forest
from campaign.predictor import Predictor, load_predictor
from campaign.schema import ID, Schema
from campaign.schema_file import feature_set_of, published, schema_of

FORMAT, FOREST_FORMAT = 3, 2  # a forest alone, without rare categories, is read by who knows nothing of format 3
KEYS = {"format", "name", "schema", "encoder", "columns", "threshold", "about"}
KEYS_OF = {FOREST_FORMAT: KEYS, FORMAT: KEYS | {"predictor"}}
QUANTILES = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1)  # of what training saw of a number
NEWEST = "is_newest"  # marks the rows of REFERENCE that drift is measured against; no such column: all of them
NORMAL_FORM = "the normal form of ids"  # about.split_by of a model whose rows were split by it
DESCRIPTION, REFERENCE, LEARNT = "model.json", "reference.parquet", "learnt.npy"
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
    """Carries the schema that it was trained under; who uses the model uses that one.

    `columns` holds what training saw of each feature: a number's `quantiles` at QUANTILES, `categories` with their
    rows, how many rows are `missing`. `about` holds what the model card says: metrics, the data it learnt from, when.
    Beside its files lie REFERENCE, a sample of its test rows with its own predictions, where NEWEST marks those of the
    newest labelled days if they are enough, and LEARNT, the sorted digests of all ids that it was fitted or judged on.
    """

    name: str
    version: str
    schema: Schema
    encoder: Encoder
    predictor: Predictor
    about: Mapping[str, Any] = field(default_factory=dict)
    threshold: float = THRESHOLD
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def splits_by_normal_form(self) -> bool:
        """Whether its rows were split by the normal form of ids; before, they were by ids as they came."""
        return self.about.get("split_by") == NORMAL_FORM

    @property
    def format(self) -> int:
        """That of its files: the earliest that says all of it."""
        return FOREST_FORMAT if isinstance(self.predictor, Forest) and not self.encoder.rare else FORMAT

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

    @overload
    def predicts_success(self, probability: float) -> bool: ...
    @overload
    def predicts_success(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]: ...
    def predicts_success(self, probability: Any) -> Any:
        """Whether a probability, or each of an array, is above this model's threshold."""
        return predicts_success(probability, self.threshold)

    def probabilities_of(self, batch: Batch, threads: int = 1) -> NDArray[np.float64]:
        """Probability of success of each row, the bad ones included."""
        return self.predict(self.encoder.encode(batch), threads)

    def predictions_of(
        self, batch: Batch, threads: int = 1, wanted: NDArray[np.bool_] | None = None
    ) -> tuple[pa.RecordBatch, dict[str, int]]:
        """Predictions of the good rows, of those that are wanted, and how many have a category that training never saw,
        per feature."""
        good, ids, matrix = batch.good, batch.ids, self.encoder.encode(batch)
        if wanted is not None:
            good &= wanted
        if not good.all():
            matrix, ids = matrix[good], ids.filter(pa.array(good))
        probability = self.predict(matrix, threads)
        success = self.predicts_success(probability).astype(np.int8)
        version = pa.DictionaryArray.from_arrays(np.zeros(len(ids), np.int8), [self.version])
        predictions = pa.RecordBatch.from_arrays([ids, probability, success, version], schema=PREDICTIONS)
        return predictions, self.encoder.count_unknown(matrix)

    def save(self, folder: Path) -> list[Path]:
        """Write the two files of the model; gives their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        description, predictor = folder / DESCRIPTION, folder / self.predictor.FILE
        self.predictor.save(predictor)
        stored = {
            "format": self.format, "name": self.name,
            "schema": self.schema.to_table(), "encoder": self.encoder.to_json(),
            "columns": dict(self.columns), "threshold": self.threshold, "about": dict(self.about),
        }  # fmt: skip
        if self.format == FORMAT:  # whatever else lies in the folder from before
            stored["predictor"] = self.predictor.FILE
        description.write_text(json.dumps(stored, indent=1))
        return [description, predictor]

    @classmethod
    def load(cls, folder: Path, version: str) -> "ScoringModel":
        """Raises `ModelMismatch` for a model of another format, or one that is damaged."""
        try:
            stored = json.loads((folder / DESCRIPTION).read_text())
            name, found = stored["name"], stored["format"]
            if found == 1:
                schema, encoder = _of_format_1(stored, version)
                model = cls(name, version, schema, encoder, load_predictor(folder), dict(stored["about"]))
            elif found in KEYS_OF and stored.keys() <= KEYS_OF[found]:
                schema = schema_of(stored["schema"], DESCRIPTION)
                encoder = Encoder.from_json(schema.features, stored["encoder"])
                more = float(stored["threshold"]), dict(stored["columns"])
                predictor = load_predictor(folder, stored.get("predictor", Forest.FILE))
                model = cls(name, version, schema, encoder, predictor, dict(stored["about"]), *more)
            else:
                known = KEYS_OF.get(found)
                unknown = f"the format {found}" if known is None else f"the key {min(stored.keys() - known)}"
                raise ModelMismatch(
                    f"Version {version} of {name} has {unknown}, which this version of the project does not know.",
                    "Score with the version of the project that trained it, or train again.",
                )
        except BadInput as error:
            raise ModelMismatch(
                f"Version {version} in {folder} has a schema that this version of the project does not know "
                f"({error.cause})",
                "Score with the version of the project that trained it, or train again.",
            ) from error
        except CampaignError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ModelMismatch(
                f"Version {version} in {folder} is damaged or not whole ({error!r}).",
                "Register it again with `campaign train`, or roll back with `campaign champion set`.",
            ) from error
        categories = {column.name for column in model.encoder.features if column.is_category}
        if set(model.encoder.categories) != categories or model.n_features != len(model.encoder.features):
            raise _another_schema(version, name, [column.name for column in model.encoder.features])
        return model


def _of_format_1(stored: Mapping[str, Any], version: str) -> tuple[Schema, Encoder]:
    """A model from before models carried their schema: it was the published one."""
    try:
        schema = published().select(feature_set_of(stored["encoder"]["feature_set"]))
    except BadInput as error:
        raise _another_schema(version, stored["name"], stored["features"]) from error
    if stored["features"] != [column.name for column in schema.features]:
        raise _another_schema(version, stored["name"], stored["features"])
    return schema, Encoder.from_json(schema.features, stored["encoder"])


def _another_schema(version: str, name: str, features: list[str]) -> ModelMismatch:
    return ModelMismatch(
        f"Version {version} of {name} was registered under another schema ({', '.join(map(str, features))}).",
        "Train again with this version of the project, or roll back with `campaign champion set`.",
    )
