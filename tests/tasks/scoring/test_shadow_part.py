from datetime import date

import pytest

from campaign.errors import StoreError
from campaign.store import Store
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
