"""Compile the loops of campaign/ into NUMBA_CACHE_DIR, by scoring a small file of each kind once."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from predict import score

from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.schema import FEATURES, ID
from campaign.synthetic import campaigns

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
rows = pa.Table.from_batches(campaigns(5000))  # enough ids for their table to grow

with TemporaryDirectory() as folder:
    os.chdir(folder)
    ScoringModel("warm-up", "0", Encoder("published", categories), stump).save(Path("bundle"))
    model = ScoringModel.load(Path("bundle"), "0")
    for number, table in enumerate([rows, rows.drop_columns([ID])]):
        pq.write_table(table, f"{number}.parquet")
        pacsv.write_csv(table, f"{number}.csv")
        for kind in ("parquet", "csv"):
            score(f"{number}.{kind}", str(Path("out.parquet").absolute()), model)
