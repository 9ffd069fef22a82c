"""The smallest models that score, with which an image compiles the loops once, into NUMBA_CACHE_DIR."""

import numpy as np

from campaign.encoding import Encoder
from campaign.ensemble import Ensemble
from campaign.forest import Forest
from campaign.linear import Linear
from campaign.model import ScoringModel
from campaign.schema_file import published


def smallest_forest(n_features: int = len(published().features)) -> Forest:
    """One tree with one comparison."""
    return Forest(
        feature=np.array([0, -1, -1], np.int16),
        threshold=np.array([5e4, 0, 0], np.float32),
        left=np.array([1, 0, 0], np.int32),
        shares=np.array([[0, 0], [1, 0], [0, 1]], np.float64),
        roots=np.zeros(1, np.int32),
        heights=np.ones(1, np.int32),
        depths=np.ones(1, np.float32),
        n_features=n_features,
    )


def smallest_ensemble() -> Ensemble:
    """That forest, beside a linear part that adds the same for each row."""
    n = len(published().features)
    zeros = np.zeros(n)
    linear = Linear(
        starts=np.arange(n + 1, dtype=np.int32),
        offsets=zeros,
        edge_starts=np.zeros(n + 1, np.int32),
        edges=np.empty(0, np.float32),
        slope=zeros,
        low=zeros,
        high=zeros,
        missing=zeros,
        intercept=np.zeros(1),
    )
    return Ensemble(linear, smallest_forest(n + 1))


def smallest_model() -> ScoringModel:
    """That forest with an encoder of the published columns."""
    schema = published()
    categories = {column.name: column.categories for column in schema.features if column.is_category}
    return ScoringModel("warm-up", "0", schema, Encoder(schema.features, categories), smallest_forest())
