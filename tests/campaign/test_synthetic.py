from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.identity import SeenIds
from campaign.reading import read_campaigns
from campaign.schema import ID, LABEL, Column
from tests.published import CATEGORIES, FEATURES, NAMES, SCHEMA

ROWS = 20_000


def generate(rows: int = ROWS, **options: Any) -> pa.Table:
    return pa.Table.from_batches(synthetic.campaigns(rows, **options))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return generate().to_pandas()


@pytest.mark.parametrize("flaws", [0.0, 0.1])
def test_the_same_arguments_give_the_same_rows(flaws: float) -> None:
    assert generate(500, seed=3, flaws=flaws).equals(generate(500, seed=3, flaws=flaws))


def test_another_seed_gives_other_rows() -> None:
    assert not generate(500, seed=3).drop([ID]).equals(generate(500, seed=4).drop([ID]))


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 250])
def test_the_number_of_rows_and_their_ids_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(synthetic, "CHUNK_ROWS", 100)
    chunks = list(synthetic.campaigns(rows))
    ids = [campaign_id for chunk in chunks for campaign_id in chunk.column(ID).to_pylist()]
    assert ids == [f"CID_{number:05d}" for number in range(rows)]
    assert len(chunks) == -(-rows // 100)


def test_chunks_are_not_copies_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "CHUNK_ROWS", 100)
    first, second = (chunk.column("RaisedAmount") for chunk in synthetic.campaigns(200))
    assert not first.equals(second)


def test_every_campaign_has_an_id_of_its_own_with_its_prefix(frame: pd.DataFrame) -> None:
    assert frame[ID].is_unique
    assert generate(3, prefix="C20261122_")[ID].to_pylist() == ["C20261122_00000", "C20261122_00001", "C20261122_00002"]


@pytest.mark.parametrize(
    "column", [column for column in FEATURES if not column.is_category], ids=lambda column: column.name
)
def test_a_number_fills_its_published_range_evenly(frame: pd.DataFrame, column: Column) -> None:
    values = frame[column.name]
    assert values.min() >= column.low
    assert values.max() <= column.high
    if column.name != "RaisedAmount":
        spread = column.high - column.low
        assert values.min() <= column.low + spread * 0.01
        assert values.max() >= column.high - spread * 0.01
        assert values.mean() == pytest.approx((column.low + column.high) / 2, rel=0.03)


@pytest.mark.parametrize("name", CATEGORIES)
def test_every_category_is_as_frequent_as_another(frame: pd.DataFrame, name: str) -> None:
    shares = frame[name].value_counts(normalize=True)
    categories = next(column.categories for column in FEATURES if column.name == name)
    assert set(shares.index) == set(categories)
    assert shares.to_numpy() == pytest.approx(1 / len(categories), rel=0.15)


def test_a_campaign_succeeds_when_it_raises_its_goal_and_half_of_them_do(frame: pd.DataFrame) -> None:
    assert (frame[LABEL] == (frame["RaisedAmount"] >= frame["GoalAmount"])).all()
    assert frame[LABEL].mean() == pytest.approx(0.5, abs=0.02)
    assert (frame["RaisedAmount"] / frame["GoalAmount"]).between(0.5, 1.5).all()


def test_drift_multiplies_goals_and_amounts_and_nothing_else(frame: pd.DataFrame) -> None:
    drifted = generate(drift=3.0).to_pandas()
    amounts = ["GoalAmount", "RaisedAmount"]
    pd.testing.assert_frame_equal(drifted[amounts].astype(float), frame[amounts].astype(float) * 3)
    pd.testing.assert_frame_equal(drifted.drop(columns=amounts), frame.drop(columns=amounts))


def test_flaws_are_a_quarter_each_of_the_share_that_was_asked_for(frame: pd.DataFrame) -> None:
    flawed = generate(flaws=0.2).to_pandas()
    shares = {
        "missing": flawed["NumBackers"].isna().mean(),
        "negative": (flawed["RaisedAmount"] < 0).mean(),
        "copied id": (flawed[ID] != frame[ID]).mean(),
        "unheard of": (flawed["Category"] == "Podcast").mean(),
    }
    assert shares == pytest.approx(dict.fromkeys(shares, 0.05), abs=0.006)
    assert sum(shares.values()) == pytest.approx(0.2, abs=0.01)


def test_every_flaw_but_the_unheard_of_category_is_quarantined(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(generate(5_000, flaws=0.04), path)
    (batch,) = read_campaigns(str(path), SCHEMA, seen=SeenIds())
    reasons = {reason for row in batch.reasons.values() for reason in row}
    assert reasons == {"NumBackers is missing", "RaisedAmount is negative", f"{ID} was there before"}
    assert len(batch.reasons) / len(batch) == pytest.approx(0.03, abs=0.008)


@pytest.mark.parametrize("flaws", [0.0, 0.05])
def test_all_chunks_have_one_schema(monkeypatch: pytest.MonkeyPatch, flaws: float) -> None:
    monkeypatch.setattr(synthetic, "CHUNK_ROWS", 100)
    schemas = {str(chunk.schema) for chunk in synthetic.campaigns(1_000, flaws=flaws)}
    assert len(schemas) == 1
    assert {*NAMES, ID, LABEL} == set(next(synthetic.campaigns(1)).schema.names)
