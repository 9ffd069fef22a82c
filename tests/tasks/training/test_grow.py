import sys
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from tasks.training.examples import Examples
from tasks.training.grow import Grown, fit_trees, grow
from tasks.training.prepare_rows import Prepared
from tasks.training.search_space import Recipe, forest_params
from tests.tasks.training.made_up_rows import BOTH, FOREST, examples_from, rows_of


def examples_with(rows: int, seed: int = 1) -> Examples:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * rows, 6)).astype(np.float32)
    label = (X[:, 0] + X[:, 1] + rng.normal(size=2 * rows) > 0).astype(np.int8)
    return examples_from(X, label, rows)


@pytest.fixture(scope="module")
def examples() -> Examples:
    return examples_with(2_000)


@pytest.fixture
def plain(monkeypatch) -> None:
    """A machine that scikit-learn-intelex is not made for."""
    monkeypatch.setitem(sys.modules, "sklearnex.ensemble", None)


def recipe(trees: int, base: Recipe = FOREST) -> Recipe:
    return Recipe(**{**base, "n_estimators": trees})


def never(stage: int, log_loss: float) -> bool:
    return False


def grown_with(examples: Examples, trees: int, stop_at: int | None = None) -> tuple[Grown, list[int]]:
    """What came of it, and the stages at which `stop` was asked."""
    asked = []

    def stop(stage: int, log_loss: float) -> bool:
        assert 0 < log_loss < 0.8
        asked.append(stage)
        return stage == stop_at

    return grow(recipe(trees), examples, 1, stop), asked


@pytest.mark.parametrize("trees", [1, 2, 7, 20])
def test_every_smaller_forest_comes_along(examples, trees):
    grown, asked = grown_with(examples, trees)
    assert asked == [0, 1]
    assert grown.sizes[0].trees == 1
    assert grown.sizes[-1].trees == trees
    for smaller, larger in pairwise(grown.sizes):
        assert smaller.trees < larger.trees
        assert smaller.cost < larger.cost
    assert grown.cpu_seconds > 0
    assert (grown.stopped, grown.cpu_seconds_saved) == (False, 0.0)


def test_more_trees_are_better(examples):
    sizes = grown_with(examples, 32)[0].sizes
    assert sizes[-1].roc_auc > sizes[0].roc_auc + 0.01


@pytest.mark.parametrize(("stage", "trees"), [(0, []), (1, [1, 2, 3, 4, 5])])
def test_a_poor_forest_is_stopped_and_what_that_saved_is_told(examples, stage, trees, monkeypatch):
    import tasks.training.grow

    fit_trees, fitted = tasks.training.grow.fit_trees, []
    monkeypatch.setattr(tasks.training.grow, "fit_trees", lambda *given: fitted.append(given[2]) or fit_trees(*given))
    grown, _ = grown_with(examples, 20, stop_at=stage)
    assert fitted == [8, 5][: stage + 1]
    assert [size.trees for size in grown.sizes] == trees
    assert grown.stopped
    assert grown.cpu_seconds_saved > 0


def test_the_later_trees_are_others_than_the_first(examples):
    """Trees of the same seed are the same trees: half of a forest would repeat the other."""
    sizes = {size.trees: size for size in grown_with(examples, 4)[0].sizes}
    assert sizes[2].roc_auc != sizes[1].roc_auc


def test_leaves_hold_the_shares_of_their_rows_whoever_grew_them(examples, monkeypatch):
    """As votes of 0 and 1, the leaves of a forest this shallow would be off by far more."""
    pytest.importorskip("sklearnex", exc_type=ImportError)
    fast = grow(recipe(32), examples, 1, never).sizes[-1]
    monkeypatch.setitem(sys.modules, "sklearnex.ensemble", None)
    slow = grow(recipe(32), examples, 1, never).sizes[-1]
    assert fast.log_loss == pytest.approx(slow.log_loss, abs=0.02)
    assert fast.roc_auc == pytest.approx(slow.roc_auc, abs=0.02)


@pytest.mark.usefixtures("plain")
def test_scikit_learn_alone_is_enough(examples):
    prepared, _ = examples.prepared(recipe(1))
    [tree] = fit_trees(forest_params(recipe(1)), prepared, 1, 1)
    assert type(tree).__module__.startswith("sklearn.")
    assert grown_with(examples, 4)[0].sizes[-1].roc_auc > 0.7


@pytest.mark.parametrize("positives", [[1, 2, 3], [1]])
def test_a_rare_outcome_that_the_first_sample_misses_stops_nothing(positives):
    """The first stage looks at every fourth row; the outcome may stand in none of them."""
    few = examples_with(100)
    label = few.judged.y.copy()
    label = np.concatenate([np.zeros(100, np.int8), label])
    label[positives] = 1
    rare = examples_from(np.concatenate([few.fitted.X, few.judged.X]), label, 100)
    assert grow(recipe(8), rare, 1, never).sizes[-1].trees == 8


def test_a_forest_beside_a_linear_part_is_judged_with_it(examples):
    """These rows are a line and noise: a few shallow trees alone are far behind."""
    alone, both = (grow(recipe(4, base), examples, 1, never).sizes[-1] for base in (FOREST, BOTH))
    assert both.roc_auc > alone.roc_auc + 0.01
    assert both.log_loss < alone.log_loss
    assert both.cost > alone.cost


@pytest.mark.parametrize("without_intelex", [True, False])
def test_rows_count_by_their_weight_whoever_grew_the_trees(monkeypatch, without_intelex):
    """Old rows say the contrary of new ones: a tree that weighs them alike knows nothing."""
    if without_intelex:
        monkeypatch.setitem(sys.modules, "sklearnex.ensemble", None)
    rng = np.random.default_rng(3)
    X = rng.normal(size=(4_000, 2)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int8)
    y[:1_500] = 1 - y[:1_500]
    times = np.column_stack([np.arange(4_000.0)] * 2)
    rows = replace(examples_from(X, y, 3_000), fitted=rows_of(X[:3_000], y[:3_000], times[:3_000]))
    alike, recent = (
        grow(Recipe(**{**FOREST, "half_life": half_life}), rows, 1, never).sizes[-1] for half_life in (None, 0.1)
    )
    assert recent.log_loss < 0.2 < alike.log_loss


@pytest.fixture
def intelex_fits(monkeypatch) -> list[tuple[RandomForestClassifier, np.ndarray]]:
    """Each fit of a scikit-learn-intelex that is scikit-learn itself, and takes no weights: its forest and its rows."""
    fits = []

    class Recording(RandomForestClassifier):
        def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
            fits.append((self, X[:, 0]))
            return super().fit(X, y)

    monkeypatch.setitem(sys.modules, "sklearnex.ensemble", SimpleNamespace(RandomForestClassifier=Recording))
    return fits


def weighed(weight: np.ndarray, y: np.ndarray) -> Prepared:
    """Rows whose only number is their place."""
    X = np.arange(len(y), dtype=np.float32)[:, None]
    return replace(examples_from(np.tile(X, (2, 1)), np.tile(y, 2), len(y)).prepared(FOREST)[0], weight=weight)


def test_where_no_weights_are_known_the_heaviest_rows_are_drawn_always_and_others_by_their_share(intelex_fits):
    weight = np.repeat([1.5, 0.75, 0.15], 2_000)
    trees = fit_trees(forest_params(recipe(20)), weighed(weight, (np.arange(6_000) % 2).astype(np.int8)), 20, 1)
    assert len(trees) == 20
    assert [forest.n_estimators for forest, _ in intelex_fits] == [8, 8, 4]
    assert len({forest.random_state for forest, _ in intelex_fits}) == 3
    for _, rows in intelex_fits:
        drawn = np.bincount(rows.astype(int) // 2_000, minlength=3) / 2_000
        assert drawn[0] == 1
        assert drawn[1:] == pytest.approx([0.5, 0.1], abs=0.05)
    assert not np.array_equal(intelex_fits[0][1], intelex_fits[1][1])


def test_where_the_rows_drawn_are_of_one_outcome_all_are_taken(intelex_fits):
    """The only success weighs next to nothing."""
    y = (np.arange(100) == 7).astype(np.int8)
    assert len(fit_trees(forest_params(recipe(2)), weighed(np.where(y, 1e-9, 1.0), y), 2, 1)) == 2
    assert [len(rows) for _, rows in intelex_fits] == [100]


def test_rows_that_weigh_the_same_are_all_taken_at_once(intelex_fits):
    prepared = replace(weighed(np.ones(40), (np.arange(40) % 2).astype(np.int8)), weight=None)
    fit_trees(forest_params(recipe(20)), prepared, 20, 1)
    assert [(forest.n_estimators, len(rows)) for forest, rows in intelex_fits] == [(20, 40)]
