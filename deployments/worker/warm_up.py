"""Compile the loops of campaign/ into NUMBA_CACHE_DIR, by using each once."""

import numpy as np
import pyarrow as pa
from sklearn.ensemble import RandomForestClassifier

from campaign.forest import Forest
from campaign.identity import SeenIds

X = np.random.default_rng(1).random((64, 3), dtype=np.float32)
forest = Forest.from_sklearn(RandomForestClassifier(2, random_state=1).fit(X, X[:, 0] > 0.5))
forest.predict(X)
forest.leaves(X)
forest.predict_prefixes(X, [1, 2])
SeenIds().repeats(pa.array(["a", "b"]))
