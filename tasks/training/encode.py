"""Turn the parts of a data set into the float32 matrices that forests work on."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from campaign.encoding import Encoder
from campaign.reading import read_campaigns
from campaign.schema import LABEL, features_of
from tasks.training.split import Split
from tasks.training.validate import Dataset

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Parts:
    """A folder with encoder.json and, for each part, the matrix, the labels and each row's place in the data set."""

    folder: str
    feature_set: str

    @property
    def encoder(self) -> Encoder:
        return Encoder.from_json(json.loads((Path(self.folder) / "encoder.json").read_text()))

    def matrix(self, part: Part) -> NDArray[np.float32]:
        """Rows × features, mapped from disk."""
        return np.load(Path(self.folder) / f"{part}.npy", mmap_mode="r")

    def labels(self, part: Part) -> NDArray[np.int8]:
        return np.load(Path(self.folder) / f"{part}_labels.npy")

    def rows(self, part: Part) -> NDArray[np.int64]:
        """Where the part's rows stand in the data set."""
        return np.load(Path(self.folder) / f"{part}_rows.npy")


def categories_in_train(path: str, buckets: NDArray[np.uint8], feature_set: str) -> dict[str, set[str]]:
    """The categories that training rows show."""
    names = [column.name for column in features_of(feature_set) if column.is_category]
    seen: dict[str, set[str]] = {name: set() for name in names}
    start = 0
    for batch in pq.ParquetFile(path).iter_batches(columns=names):
        train = buckets[start : start + len(batch)] > 1
        start += len(batch)
        for name in names:
            seen[name].update(pc.unique(batch.column(name).filter(train)).to_pylist())
    return seen


def write_parts(path: str, buckets: NDArray[np.uint8], feature_set: str, folder: Path) -> Parts:
    """Fit the encoder on training rows and stream all rows through it, in the memory of one batch."""
    folder.mkdir(parents=True, exist_ok=True)
    features = features_of(feature_set)
    encoder = Encoder.fit(feature_set, categories_in_train(path, buckets, feature_set))
    bucket = np.minimum(buckets, 2)
    names: tuple[Part, ...] = ("test", "validation", "train")
    sizes = np.bincount(bucket, minlength=3)
    matrices = [
        open_memmap(folder / f"{name}.npy", "w+", np.float32, (int(size), len(features)))
        for name, size in zip(names, sizes, strict=True)
    ]
    filled, start = [0, 0, 0], 0
    for batch in read_campaigns(path, features):
        matrix = encoder.encode(batch)
        for part in range(3):
            rows_of_part = matrix[bucket[start : start + len(batch)] == part]
            matrices[part][filled[part] : filled[part] + len(rows_of_part)] = rows_of_part
            filled[part] += len(rows_of_part)
        start += len(batch)
    labels = pq.read_table(path, columns=[LABEL]).column(0).to_numpy()
    for part, name in enumerate(names):
        matrices[part].flush()
        np.save(folder / f"{name}_labels.npy", labels[bucket == part])
        np.save(folder / f"{name}_rows.npy", np.flatnonzero(bucket == part))
    (folder / "encoder.json").write_text(json.dumps(encoder.to_json()))
    return Parts(str(folder), feature_set)


@task(timeout_seconds=3600, cache_policy=NO_CACHE)
def encode(data: Dataset, parts: Split, feature_set: str) -> Parts:
    """Write the encoder and the matrices of the parts beside the data set."""
    return write_parts(data.path, np.load(parts.buckets), feature_set, Path(data.path).parent / feature_set)
