"""How long a text may be: an id and a category hold few characters, what columns are derived from some thousands."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MAX_CHARACTERS = 200  # of an id and of a category
MAX_TEXT_CHARACTERS = 20_000  # of what a derived column is computed from, and of what is kept of a bad row


def long_texts(texts: pa.Array, most: int) -> NDArray[np.bool_]:
    """Which texts have more characters."""
    if pa.types.is_dictionary(texts.type):
        texts = texts.cast(texts.type.value_type)
    return np.asarray(pc.fill_null(pc.greater(pc.utf8_length(texts.cast(pa.string())), most), False))
