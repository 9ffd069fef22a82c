from dataclasses import replace

import numpy as np
import pytest

from campaign.store import Store
from tasks.training import examples
from tasks.training.encode import Parts
from tasks.training.examples import examples_of, load_examples, publish_examples, rows_at
from tests.tasks.training.made_up_rows import FOREST, schema_with

SCHEMA = schema_with({"name": "x", "type": "number"}, {"name": "c", "type": "category"})


@pytest.fixture
def parts(tmp_path) -> Parts:
    """Each number says its part and row: 1000s are train, 2000s validation, 3000s test."""
    (tmp_path / "encoder.json").write_text('{"categories": {"c": ["a", "b"]}}')
    for name, start, rows in (("train", 1_000, 300), ("validation", 2_000, 100), ("test", 3_000, 100)):
        values = np.arange(start, start + rows, dtype=np.float32)
        np.save(tmp_path / f"{name}.npy", np.column_stack([values, values % 2]))
        np.save(tmp_path / f"{name}_labels.npy", np.arange(rows, dtype=np.int8) % 2)
    return Parts(str(tmp_path), SCHEMA)


def launched(parts: Parts, lasting: float = 0.0) -> Parts:
    """The same, launched one after the other, each part over the same time."""
    for name, rows in (("train", 300), ("validation", 100), ("test", 100)):
        launch = np.linspace(0, 1_000, rows)
        np.save(f"{parts.folder}/{name}_times.npy", np.column_stack([launch, launch + lasting]))
    return parts


def test_the_search_never_sees_a_test_row(parts):
    for taken in (examples_of(parts), examples_of(launched(parts))):
        assert max(taken.fitted.X[:, 0].max(), taken.judged.X[:, 0].max()) < 3_000


def test_where_time_is_not_known_it_is_fitted_on_train_and_judged_on_validation_rows(parts):
    taken = examples_of(parts)
    assert (len(taken.fitted.y), len(taken.judged.y), taken.by_time, taken.knows_time) == (300, 100, False, False)
    assert taken.fitted.X[:, 0].max() < 2_000 <= taken.judged.X[:, 0].min()


def test_where_time_is_known_it_is_judged_on_the_latest_fifth_of_both_and_fitted_on_train_rows_before(parts):
    taken = examples_of(launched(parts))
    assert taken.by_time
    assert taken.knows_time
    assert len(taken.judged.y) == pytest.approx(80, abs=2)
    assert taken.judged.times[:, 0].min() > taken.fitted.times[:, 0].max()
    assert taken.fitted.X[:, 0].max() < 2_000
    assert set(taken.judged.X[:, 0] // 1_000) == {1, 2}


def test_what_was_not_decided_by_then_is_not_fitted(parts):
    at_once, later = (examples_of(launched(parts, lasting)).fitted for lasting in (0.0, 400.0))
    assert at_once.times[:, 0].max() == pytest.approx(800, abs=10)
    assert later.times[:, 0].max() == pytest.approx(400, abs=10)


def test_too_few_late_rows_of_an_outcome_are_not_judged_by(parts):
    launched(parts)
    for name, rows in (("train", 300), ("validation", 100)):
        labels = np.arange(rows, dtype=np.int8) % 2
        labels[int(0.78 * rows) :] = 0
        np.save(f"{parts.folder}/{name}_labels.npy", labels)
    assert not examples_of(parts).by_time


def test_of_many_rows_it_sees_an_even_sample_each_with_its_own_label(parts, monkeypatch):
    monkeypatch.setattr(examples, "SEARCH_ROWS", 50)
    taken = examples_of(parts)
    assert (len(taken.fitted.y), len(taken.judged.y)) == (50, 50)
    assert (taken.fitted.X[:, 0] % 2 == taken.fitted.y).all()
    assert (examples_of(parts).fitted.X == taken.fitted.X).all()


def test_rows_of_several_parts_keep_label_and_time(parts):
    launched(parts)
    which = np.zeros(500, bool)
    which[[5, 299, 300, 450]] = True
    taken = rows_at(parts, which, 10, "train", "validation", "test")
    assert taken.X[:, 0].tolist() == [1_005, 1_299, 2_000, 3_050]
    assert taken.y.tolist() == [1, 1, 0, 0]
    assert taken.times[:, 0] == pytest.approx([5 * 1_000 / 299, 1_000, 0, 50 * 1_000 / 99])


@pytest.mark.parametrize("with_times", [True, False])
def test_a_worker_finds_what_was_published(parts, tmp_path, with_times):
    store = Store((tmp_path / "store").as_uri())
    taken = examples_of(launched(parts) if with_times else parts)
    publish_examples(taken, store, "search/study.npz")
    loaded = load_examples(store, "search/study.npz")
    assert (loaded.by_time, loaded.knows_time) == (with_times, with_times)
    for side in ("fitted", "judged"):
        before, after = getattr(taken, side), getattr(loaded, side)
        assert after.encoder == before.encoder
        for name in ("X", "y", "times"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_rows_are_prepared_once_for_all_trials_that_see_them_alike(parts):
    taken = examples_of(launched(parts))
    recipe = FOREST | {"half_life": 0.5}
    first = taken.prepared(recipe)
    assert taken.prepared(recipe | {"n_estimators": 3}) is first
    other = taken.prepared(recipe | {"half_life": 0.25})
    assert other is not first
    assert other[0].weight.min() < first[0].weight.min()
    assert replace(taken).prepared(recipe) is not first
