"""The smallest models that score, with which an image compiles the loops once, into NUMBA_CACHE_DIR."""

import numpy as np

from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.schema_file import published


def smallest_forest() -> Forest:
    """One tree with one comparison."""
    return Forest(
        feature=np.array([0, -1, -1], np.int16),
        threshold=np.array([5e4, 0, 0], np.float32),
        left=np.array([1, 0, 0], np.int32),
        shares=np.array([[0, 0], [1, 0], [0, 1]], np.float64),
        roots=np.zeros(1, np.int32),
        heights=np.ones(1, np.int32),
        depths=np.ones(1, np.float32),
        n_features=len(published().features),
    )


def smallest_model() -> ScoringModel:
    """That forest with an encoder of the published columns."""
    schema = published()
    categories = {column.name: column.categories for column in schema.features if column.is_category}
    return ScoringModel("warm-up", "0", schema, Encoder(schema.features, categories), smallest_forest())
