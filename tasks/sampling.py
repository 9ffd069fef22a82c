"""An even sample of rows: the same one each time, in the rows' own order."""

import numpy as np
from numpy.typing import NDArray


def sample_rows(rows: int, most: int, seed: int = 1) -> NDArray[np.int64]:
    """Which of so many rows to take, ascending: all of them, or `most` drawn without replacement."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def is_in_sample(digests: NDArray[np.uint64], every: int) -> NDArray[np.bool_]:
    """Whether campaigns are among one in `every`, by the digest of the id; a sample holds every smaller one."""
    return digests <= np.uint64(np.iinfo(np.uint64).max // every)
