"""Split campaigns into the parts that a model is fitted, chosen and judged on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from campaign.errors import BadInput
from campaign.identity import TEST, VALIDATION, bucket_of
from campaign.schema import ID, LABEL
from tasks.training.validate import Dataset

MIN_ROWS = 100


@dataclass(frozen=True)
class Split:
    """Rows per part, and the file of uint8 buckets, one a row: 0 test, 1 validation, else train."""

    buckets: str
    train: int
    validation: int
    test: int


def buckets_of(path: str) -> NDArray[np.uint8]:
    """The bucket of each row, by its id alone.

    A campaign keeps its part in every run, however the data grows: no champion was ever fitted on a row that a later
    model is judged on.
    """
    ids = pq.ParquetFile(path).iter_batches(columns=[ID])
    return np.fromiter(
        (bucket_of(campaign_id) for batch in ids for campaign_id in batch.column(0).to_pylist()), np.uint8
    )


def check_parts(buckets: NDArray[np.uint8], labels: NDArray[np.integer], origin: str, outcome: str = LABEL) -> None:
    """Raises `BadInput` when the data is too small, or a part has one outcome only."""
    if len(buckets) < MIN_ROWS:
        raise BadInput(
            f"{origin}: {len(buckets)} good rows are too few to fit, choose and judge a model.",
            f"Bring at least {MIN_ROWS}; some thousands make the figures mean something.",
        )
    for name, part in (("train", buckets > 1), ("validation", buckets == VALIDATION), ("test", buckets == TEST)):
        outcomes = set(np.unique(labels[part]).tolist())
        if outcomes != {0, 1}:
            only = "no rows" if not outcomes else "only successes" if outcomes == {1} else "only failures"
            raise BadInput(
                f"{origin}: the {name} part has {only} in {outcome}.",
                "Bring campaigns of both outcomes, and more of them.",
            )


@task(timeout_seconds=1800, cache_policy=NO_CACHE)
def split(data: Dataset) -> Split:
    """Write each row's bucket beside the data set."""
    buckets = buckets_of(data.path)
    labels = pq.read_table(data.path, columns=[LABEL]).column(0).to_numpy()
    check_parts(buckets, labels, data.shown, " and ".join(data.schema.outcome.sources))
    where = Path(data.path).with_name("buckets.npy")
    np.save(where, buckets)
    counts = np.bincount(np.minimum(buckets, 2), minlength=3)
    return Split(str(where), train=int(counts[2]), validation=int(counts[VALIDATION]), test=int(counts[TEST]))
