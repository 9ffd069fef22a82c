"""Compile the loops of campaign/ into NUMBA_CACHE_DIR, by scoring a small file of each kind once."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from predict import score

from campaign.model import ScoringModel
from campaign.schema import ID
from campaign.synthetic import campaigns
from campaign.warm_up import smallest_ensemble, smallest_model

rows = pa.Table.from_batches(campaigns(5000))  # enough ids for their table to grow

ensemble = smallest_ensemble()
ensemble.predict(np.zeros((64, ensemble.n_features), np.float32, order="F"))

with TemporaryDirectory() as folder:
    os.chdir(folder)
    smallest_model().save(Path("bundle"))
    model = ScoringModel.load(Path("bundle"), "0")
    for number, table in enumerate([rows, rows.drop_columns([ID])]):
        pq.write_table(table, f"{number}.parquet")
        pacsv.write_csv(table, f"{number}.csv")
        for kind in ("parquet", "csv"):
            score(f"{number}.{kind}", str(Path("out.parquet").absolute()), model)
