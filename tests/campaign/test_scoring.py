import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from campaign import synthetic
from campaign.batch import Batch
from campaign.identity import SeenIds
from campaign.reading import read_campaigns
from campaign.schema import ID, LABEL
from campaign.scoring import score_batches
from campaign.store import Store
from campaign.warm_up import smallest_model
from tests.published import SCHEMA

OUT, QUARANTINE = "predictions/out.parquet", "quarantine/out.parquet"


@pytest.fixture
def campaigns() -> pd.DataFrame:
    """Twenty campaigns; two of them, in different batches of ten, are bad, and one has an unknown country."""
    frame = pa.Table.from_batches(synthetic.campaigns(20)).to_pandas().drop(columns=LABEL)
    frame = frame.astype({"Country": "str", "NumBackers": "Int64"})
    frame.loc[3, "NumBackers"] = None
    frame.loc[12, "RaisedAmount"] = -1
    frame.loc[15, "Country"] = "Atlantis"
    return frame


def batches_of(frame: pd.DataFrame, folder: Path) -> Iterator[Batch]:
    frame.to_parquet(folder / "in.parquet", index=False)
    return read_campaigns(str(folder / "in.parquet"), SCHEMA, seen=SeenIds(), batch_rows=10)


def test_good_rows_are_scored_and_bad_ones_quarantined(campaigns: pd.DataFrame, tmp_path: Path) -> None:
    store, model = Store(str(tmp_path / "store")), smallest_model()
    rows = score_batches(batches_of(campaigns, tmp_path), model, store, OUT, QUARANTINE)
    predictions = pd.read_parquet(io.BytesIO(store.read(OUT)))
    good = campaigns.drop(index=[3, 12])
    assert predictions[ID].tolist() == good[ID].tolist()
    assert predictions["success"].tolist() == (good["GoalAmount"] > 50_000).astype(int).tolist()
    rejected = pd.read_parquet(io.BytesIO(store.read(QUARANTINE)))
    assert rejected[[ID, "reasons"]].to_numpy().tolist() == [
        [campaigns[ID][3], "NumBackers is missing"],
        [campaigns[ID][12], "RaisedAmount is negative"],
    ]
    assert (rows.scored, rows.successful, rows.quarantined) == (18, predictions["success"].sum(), 2)
    # Where none is missing or unknown that is a figure, too.
    features = SCHEMA.features
    assert rows.missing == {column.name: int(column.name == "NumBackers") for column in features}
    assert rows.missing.keys() == {column.name for column in features}
    assert dict(rows.unknown) == {
        column.name: int(column.name == "Country") for column in features if column.is_category
    }
    digests = [hashlib.sha256(store.read(path)).hexdigest() for path in (OUT, QUARANTINE)]
    assert [rows.sha256, rows.quarantine_sha256] == digests


def test_without_a_bad_row_there_is_no_quarantine(campaigns: pd.DataFrame, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    rows = score_batches(batches_of(campaigns.drop(index=[3, 12]), tmp_path), smallest_model(), store, OUT, QUARANTINE)
    assert rows.quarantine_sha256 == ""
    assert [entry.path for entry in store.entries("", hidden=True)] == [OUT]


def test_a_stream_that_breaks_off_leaves_neither_predictions_nor_quarantine(
    campaigns: pd.DataFrame, tmp_path: Path
) -> None:
    def broken() -> Iterator[Batch]:
        yield next(batches_of(campaigns, tmp_path))  # with a bad row
        raise OSError("the network is away")

    store = Store(str(tmp_path / "store"))
    with pytest.raises(Exception, match="the network is away"):
        score_batches(broken(), smallest_model(), store, OUT, QUARANTINE)
    assert store.entries("", hidden=True) == []
