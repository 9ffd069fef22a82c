"""Turn the parts of a data set into the float32 matrices that forests work on."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from campaign.encoding import MISSING_CATEGORY, MISSING_NUMBER, Encoder
from campaign.model import QUANTILES
from campaign.reading import read_campaigns
from campaign.schema import LABEL, Schema
from tasks.sampling import sample_rows
from tasks.training.row_times import TIMES
from tasks.training.split import Split
from tasks.training.validate import Dataset

Part = Literal["train", "validation", "test"]
QUANTILE_ROWS = 500_000


@dataclass(frozen=True)
class Parts:
    """A folder with encoder.json, what training saw of each column (columns.json) and, for each part, the matrix, the
    labels, the times and each row's place in the data set.

    Its categories are coded in the order of their names: by which rate they are ranked depends on the rows that are
    fitted (`rank_categories`).
    """

    folder: str
    schema: Schema

    @property
    def encoder(self) -> Encoder:
        return Encoder.from_json(self.schema.features, json.loads((Path(self.folder) / "encoder.json").read_text()))

    @property
    def columns(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads((Path(self.folder) / "columns.json").read_text())
        return stored

    def matrix(self, part: Part) -> NDArray[np.float32]:
        """Rows × features, mapped from disk."""
        return np.load(Path(self.folder) / f"{part}.npy", mmap_mode="r")

    def labels(self, part: Part) -> NDArray[np.int8]:
        return np.load(Path(self.folder) / f"{part}_labels.npy")

    def times(self, part: Part) -> NDArray[np.float64] | None:
        """[rows, 2]: when each was launched and decided; None where the schema does not say how to tell."""
        file = Path(self.folder) / f"{part}_{TIMES}"
        return np.load(file) if file.is_file() else None

    def rows(self, part: Part) -> NDArray[np.int64]:
        """Where the part's rows stand in the data set."""
        return np.load(Path(self.folder) / f"{part}_rows.npy")


def count_categories(path: str, buckets: NDArray[np.uint8], schema: Schema) -> dict[str, Counter[str]]:
    """Of each category column, how many training rows each of its values has."""
    names = [column.name for column in schema.features if column.is_category]
    seen: dict[str, Counter[str]] = {name: Counter() for name in names}
    start = 0
    for batch in pq.ParquetFile(path).iter_batches(columns=names):
        train = pa.array(buckets[start : start + len(batch)] > 1)
        start += len(batch)
        for name in names:
            for found in pc.value_counts(batch.column(name).filter(train)).to_pylist():
                if found["values"]:
                    seen[name][found["values"]] += found["counts"]
    return seen


def write_parts(path: str, buckets: NDArray[np.uint8], schema: Schema, folder: Path) -> Parts:
    """Fit the encoder on training rows and stream all rows through it, in the memory of one batch."""
    folder.mkdir(parents=True, exist_ok=True)
    features = schema.features
    counts = count_categories(path, buckets, schema)
    encoder = Encoder.fit(features, {name: sorted(of_column) for name, of_column in counts.items()})
    bucket = np.minimum(buckets, 2)
    names: tuple[Part, ...] = ("test", "validation", "train")
    sizes = np.bincount(bucket, minlength=3)
    matrices = [
        open_memmap(folder / f"{name}.npy", "w+", np.float32, (int(size), len(features)))
        for name, size in zip(names, sizes, strict=True)
    ]
    filled, start = [0, 0, 0], 0
    for batch in read_campaigns(path, schema.stored):
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
        if (times := Path(path).with_name(TIMES)).is_file():
            np.save(folder / f"{name}_{TIMES}", np.load(times)[bucket == part])
    (folder / "encoder.json").write_text(json.dumps(encoder.to_json()))
    (folder / "columns.json").write_text(json.dumps(seen_columns(encoder, matrices[2])))
    return Parts(str(folder), schema)


def seen_columns(encoder: Encoder, train: NDArray[np.float32]) -> dict[str, Any]:
    """What train rows show of each feature: a number's quantiles, or a category's rows; and how many are missing."""
    rows = sample_rows(len(train), QUANTILE_ROWS)
    seen: dict[str, Any] = {}
    for at, column in enumerate(encoder.features):
        values = np.asarray(train[:, at], np.float64)
        if column.is_category:
            names = encoder.categories[column.name]
            counts = np.bincount(values[values >= 0].astype(np.int64), minlength=len(names))
            of_names = dict(zip(names, counts.tolist(), strict=True))
            seen[column.name] = {"categories": of_names, "missing": int((values == MISSING_CATEGORY).sum())}
        else:
            given = values > MISSING_NUMBER
            sampled = values[rows][given[rows]]
            quantiles = np.quantile(sampled, QUANTILES).tolist() if len(sampled) else []
            if quantiles:  # of all rows: what lies outside is what training never saw
                quantiles[0], quantiles[-1] = float(values[given].min()), float(values[given].max())
            seen[column.name] = {"quantiles": quantiles, "missing": int((~given).sum())}
    return seen


@task(timeout_seconds=3600, cache_policy=NO_CACHE)
def encode(data: Dataset, parts: Split) -> Parts:
    """Write the encoder and the matrices of the parts beside the data set."""
    folder = Path(data.path).parent / data.schema.digest
    return write_parts(data.path, np.load(parts.buckets), data.schema, folder)
