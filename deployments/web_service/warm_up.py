"""Compile the loops of campaign/ into NUMBA_CACHE_DIR, by using each once."""

from dataclasses import replace

import pyarrow as pa

from campaign.identity import SeenIds
from campaign.records import split_records
from campaign.schema_file import published
from campaign.synthetic import campaigns
from campaign.warm_up import smallest_ensemble, smallest_model
from deployments.web_service.explanation import explain
from deployments.web_service.live_model import LiveModel

model = smallest_model()
rows = pa.Table.from_batches(campaigns(5000))  # enough ids for their table to grow
campaign = rows.select([column.name for column in published().columns]).slice(0, 1).to_pylist()[0]
for predictor in (model.predictor, smallest_ensemble()):
    live = LiveModel(replace(model, predictor=predictor), 0)
    live.score(campaign)
    explain(live, campaign)
SeenIds().repeats(rows.column("CampaignID").combine_chunks())
list(split_records([b"a,b\n1,2\n"], ",", 2))
