from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.errors import StoreError
from campaign.identity import digests_of
from campaign.schema import ID
from campaign.store import Store
from tasks.sampling import is_in_sample
from tasks.scoring.pieces import plan_day
from tasks.scoring.score import input_files
from tasks.scoring.scored_pieces import batches_of
from tasks.scoring.shadow_part import ShadowPart

DAY, PATH = date(2026, 11, 22), "shadow/day=2026-11-22/part-1.parquet"


@pytest.fixture
def batches(store, model):
    """Those of the day's one piece, read anew each time."""
    [piece] = plan_day(store, DAY, input_files(store, DAY), model).pieces
    return lambda: batches_of(piece, model, {0: 0, 1: 0})


def test_a_part_appears_whole_when_its_block_ends(store, model, batches):
    with ShadowPart(store, PATH, model) as shadow:
        assert sum(map(len, shadow.beside(batches()))) == 42
        assert store.entries("shadow") == []
    piece = shadow.result()
    assert (piece.part.uri, piece.part.rows, piece.successful, piece.fault) == (store.at(PATH), 41, 22, "")
    assert store.exists(PATH)


def test_a_broken_challenger_is_a_fault_and_every_batch_comes_through(store, model, batches, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("no tree")

    monkeypatch.setattr(type(model), "predictions_of", fail)
    with ShadowPart(store, PATH, model) as shadow:
        assert sum(map(len, shadow.beside(batches()))) == 42
    assert shadow.result().fault == "ZeroDivisionError: no tree"
    assert store.entries("shadow", hidden=True) == []


@pytest.mark.parametrize("moment", ["create_dir", "move"])
def test_a_folder_that_cannot_be_written_is_a_fault(store, model, batches, monkeypatch, moment):
    class Refusing:
        def __init__(self, filesystem: object) -> None:
            self.filesystem = filesystem

        def __getattr__(self, name: str) -> object:
            if name == moment:
                raise PermissionError("not yours")
            return getattr(self.filesystem, name)

    monkeypatch.setattr(store, "_fs", Refusing(store._fs))
    with ShadowPart(store, PATH, model) as shadow:
        assert sum(map(len, shadow.beside(batches()))) == 42
    assert "not yours" in shadow.result().fault
    assert not store.exists(PATH)


def test_where_the_champion_fails_the_shadow_leaves_nothing(store: Store, model, batches):
    def score_until_the_store_is_away() -> None:
        with ShadowPart(store, PATH, model) as shadow:
            next(shadow.beside(batches()))
            raise StoreError("The store is away.", "Wait.")

    with pytest.raises(StoreError):
        score_until_the_store_is_away()
    assert store.entries("shadow", hidden=True) == []


@pytest.mark.parametrize("every", [1, 2, 3])
def test_one_in_so_many_campaigns_is_scored_by_its_id(store, model, batches, every):
    ids = [campaign_id for batch in batches() for campaign_id in batch.ids.filter(pa.array(batch.good)).to_pylist()]
    with ShadowPart(store, PATH, model, every) as shadow:
        shadow.score(batches())
    written = pq.read_table(shadow.result().part.uri).column(ID).to_pylist()
    wanted = is_in_sample(digests_of(pa.array(ids)), every)
    assert written == [campaign_id for campaign_id, is_wanted in zip(ids, wanted, strict=True) if is_wanted]
    assert shadow.result().part.rows == len(written) == wanted.sum()
