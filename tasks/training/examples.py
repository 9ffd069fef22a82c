"""The rows that a search fits on and chooses by, and where whoever takes part in it finds them."""

import io

import numpy as np
from numpy.typing import NDArray

from campaign.store import Store
from tasks.training.encode import Parts
from tasks.training.grow import Examples

SEARCH_ROWS = (
    500_000  # of train, and of validation: by then ROC-AUC is known to three decimals, and no trial takes long
)
SAMPLE_SEED = 1


def examples_of(parts: Parts) -> Examples:
    """What the search fits on and chooses by: all rows of train and validation, or an even sample of SEARCH_ROWS each.

    The test part is not among it.
    """
    train, validation = (sample(len(parts.labels(name))) for name in ("train", "validation"))
    return Examples(
        parts.matrix("train")[train], parts.labels("train")[train],
        parts.matrix("validation")[validation], parts.labels("validation")[validation],
    )  # fmt: skip


def sample(rows: int) -> slice | NDArray[np.int64]:
    """Which of so many rows: the same each time, in their order."""
    if rows <= SEARCH_ROWS:
        return slice(None)
    return np.sort(np.random.default_rng(SAMPLE_SEED).choice(rows, SEARCH_ROWS, replace=False))


def publish_examples(examples: Examples, store: Store, path: str) -> None:
    """Put them where whoever searches finds them."""
    archive = io.BytesIO()
    np.savez(archive, **vars(examples))
    store.publish(path, archive.getvalue())


def load_examples(store: Store, path: str) -> Examples:
    with np.load(io.BytesIO(store.read(path))) as arrays:
        return Examples(**arrays)
