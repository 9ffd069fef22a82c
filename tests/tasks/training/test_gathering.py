from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.batch import Batch
from campaign.identity import digests_of
from campaign.schema import ID, LABEL, LABELLED_DAY
from tasks.training.gathering import Gathering, canonical_schema
from tests.tasks.training.made_up_rows import schema_with

SCHEMA = schema_with({"name": "price", "type": "number"}, {"name": "kind", "type": "category"})


def batch_of(first: int, prices: list[float], kinds: list[str | None]) -> Batch:
    ids = pa.array([f"id {first + at}" for at in range(len(prices))])
    raw = pa.record_batch({ID: ids})
    kind = pa.array(kinds, pa.string()).dictionary_encode()
    return Batch("a.csv", first, raw, ids, {"price": np.array(prices)}, {"kind": kind}, None)


def gathered(path: Path, *batches: Batch, keep: list[bool] | None = None, label: float = 1.0) -> Gathering:
    with pq.ParquetWriter(path, canonical_schema(SCHEMA)) as writer:
        gathering = Gathering(writer, SCHEMA, None)
        for batch in batches:
            kept = np.ones(len(batch), bool) if keep is None else np.array(keep)
            gathering.add(batch, np.where(kept, label, np.nan), kept, "2026-11-22")
    return gathering


PRICES, KINDS = [1.5, np.nan, 3.0], ["film", None, "art"]


def test_what_is_missing_stays_missing_and_what_is_not_kept_is_left_out(tmp_path):
    gathering = gathered(tmp_path / "a.parquet", batch_of(0, PRICES, KINDS), keep=[True, True, False])
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [
        {ID: "id 0", "price": 1.5, "kind": "film", LABEL: 1, LABELLED_DAY: "2026-11-22"},
        {ID: "id 1", "price": None, "kind": None, LABEL: 1, LABELLED_DAY: "2026-11-22"},
    ]
    assert gathering.rows == 2
    assert gathering.learnt.tolist() == sorted(digests_of(pa.array(["id 0", "id 1"])).tolist())


def test_a_digest_is_that_of_the_rows_however_they_came(tmp_path):
    whole = gathered(tmp_path / "a.parquet", batch_of(0, PRICES, KINDS))
    apart = gathered(tmp_path / "b.parquet", batch_of(0, PRICES[:1], KINDS[:1]), batch_of(1, PRICES[1:], KINDS[1:]))
    assert apart.digest == whole.digest
    assert len(whole.digest) == 12
    assert apart.learnt.tolist() == whole.learnt.tolist()


@pytest.mark.parametrize(
    ("prices", "kinds", "label"),
    [
        ([1.5, np.nan, 3.5], KINDS, 1.0),
        ([1.5, 0.0, 3.0], KINDS, 1.0),
        (PRICES, ["film", "", "art"], 1.0),
        (PRICES, ["fil", None, "mart"], 1.0),
        (PRICES, KINDS, 0.0),
    ],
    ids=["a number", "a missing number", "a missing text", "where texts end", "the label"],
)
def test_rows_that_differ_have_another_digest(tmp_path, prices, kinds, label):
    before = gathered(tmp_path / "a.parquet", batch_of(0, PRICES, KINDS)).digest
    assert gathered(tmp_path / "b.parquet", batch_of(0, prices, kinds), label=label).digest != before
