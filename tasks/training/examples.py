"""The rows that a search fits on and chooses by, and where whoever takes part in it finds them."""

import io

import numpy as np

from campaign.store import Store
from tasks.sampling import sample_rows
from tasks.training.encode import Parts
from tasks.training.grow import Examples

# Of train, and of validation: by then ROC-AUC is known to three decimals, and no trial takes long.
SEARCH_ROWS = 500_000


def examples_of(parts: Parts) -> Examples:
    """What the search fits on and chooses by: all rows of train and validation, or an even sample of SEARCH_ROWS each.

    The test part is not among it.
    """
    train, validation = (sample_rows(len(parts.labels(name)), SEARCH_ROWS) for name in ("train", "validation"))
    return Examples(
        parts.matrix("train")[train], parts.labels("train")[train],
        parts.matrix("validation")[validation], parts.labels("validation")[validation],
    )  # fmt: skip


def publish_examples(examples: Examples, store: Store, path: str) -> None:
    """Put them where whoever searches finds them."""
    archive = io.BytesIO()
    np.savez(archive, **vars(examples))
    store.publish(path, archive.getvalue())


def load_examples(store: Store, path: str) -> Examples:
    """What `publish_examples` put there."""
    with np.load(io.BytesIO(store.read(path))) as arrays:
        return Examples(**arrays)
