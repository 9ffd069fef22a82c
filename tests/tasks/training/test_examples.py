import numpy as np
import pytest

from campaign.schema_file import published
from campaign.store import Store
from tasks.training import examples
from tasks.training.encode import Parts
from tasks.training.examples import examples_of, load_examples, publish_examples


@pytest.fixture
def parts(tmp_path) -> Parts:
    """Each value says its part and row: 1000s are train, 2000s validation, 3000s test."""
    for name, start, rows in (("train", 1_000, 300), ("validation", 2_000, 100), ("test", 3_000, 100)):
        np.save(tmp_path / f"{name}.npy", np.arange(start, start + rows, dtype=np.float32)[:, None])
        np.save(tmp_path / f"{name}_labels.npy", np.arange(rows, dtype=np.int8) % 2)
    return Parts(str(tmp_path), published())


def test_the_search_never_sees_a_test_row(parts):
    taken = examples_of(parts)
    assert (len(taken.train), len(taken.validation)) == (300, 100)
    assert max(taken.train.max(), taken.validation.max()) < 3_000


def test_of_many_rows_it_sees_an_even_sample_each_with_its_own_label(parts, monkeypatch):
    monkeypatch.setattr(examples, "SEARCH_ROWS", 50)
    taken = examples_of(parts)
    assert (len(taken.train), len(taken.validation)) == (50, 50)
    assert (taken.train[:, 0] % 2 == taken.train_label).all()
    assert (examples_of(parts).train == taken.train).all()


def test_a_worker_finds_what_was_published(parts, tmp_path):
    store = Store((tmp_path / "store").as_uri())
    taken = examples_of(parts)
    publish_examples(taken, store, "search/study.npz")
    for name, array in vars(load_examples(store, "search/study.npz")).items():
        np.testing.assert_array_equal(array, getattr(taken, name))
