"""Compile the loops of campaign/ and of the explanation into NUMBA_CACHE_DIR, by using each once."""

import numpy as np
import pyarrow as pa

from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.identity import SeenIds
from campaign.model import ScoringModel
from campaign.schema import FEATURES, NAMES
from campaign.synthetic import campaigns
from deployments.web_service.explain import explain
from deployments.web_service.served import Served

stump = Forest(
    feature=np.array([0, -1, -1], np.int16),
    threshold=np.array([5e4, 0, 0], np.float32),
    left=np.array([1, 0, 0], np.int32),
    shares=np.array([[0, 0], [1, 0], [0, 1]], np.float64),
    roots=np.zeros(1, np.int32),
    heights=np.ones(1, np.int32),
    depths=np.ones(1, np.float32),
    n_features=len(FEATURES),
)
categories = {column.name: column.categories for column in FEATURES if column.is_category}
model = ScoringModel("warm-up", "0", Encoder("published", categories), stump)
rows = pa.Table.from_batches(campaigns(5000))  # enough ids for their table to grow
one = rows.select(NAMES).slice(0, 1).to_pylist()[0]
Served(model, 0).score(one)
explain(model, one)
SeenIds().repeats(rows.column("CampaignID").combine_chunks())
