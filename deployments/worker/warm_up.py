"""Compile the loops of campaign/ into NUMBA_CACHE_DIR, by using each once."""

import numpy as np
import pyarrow as pa

from campaign.identity import SeenIds
from campaign.records import split_records
from campaign.warm_up import smallest_ensemble, smallest_forest

for predictor in (smallest_forest(), smallest_ensemble()):
    X = np.zeros((64, predictor.n_features), np.float32)
    predictor.predict(X)
    predictor.predict_prefixes(X, [1])
SeenIds().repeats(pa.array(["a", "b"]))
list(split_records([b"a,b\n1,2\n"], ",", 2))
