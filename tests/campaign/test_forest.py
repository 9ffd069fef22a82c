from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from campaign.errors import ModelMismatch
from campaign.forest import BLOCK, DTYPES, THREAD_ROWS, Forest

VALUES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Any]] = {
    "a few integers": lambda rng, shape: rng.integers(-3, 4, shape),
    "integers which float32 rounds": lambda rng, shape: rng.integers(2**24 - 20, 2**24 + 40, shape),
    "amounts": lambda rng, shape: rng.integers(500, 150_000, shape),
    "neighbours": lambda rng, shape: np.float32(1) + rng.integers(0, 12, shape) * np.finfo(np.float32).eps,
    "huge and tiny": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-40, 38, shape),
}


def fitted(X: Any, y: Any, **params: Any) -> RandomForestClassifier:
    return RandomForestClassifier(**{"n_estimators": 7, "random_state": 0, "n_jobs": 1} | params).fit(X, y)


def published_rows(rows: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    goal = rng.integers(1_000, 100_000, rows)
    raised = goal * rng.uniform(0.5, 1.5, rows)
    X = np.column_stack([goal, raised, rng.integers(0, 50, (rows, 10))]).astype(np.float32)
    return X, (raised >= goal).astype(int)


def awkward(model: RandomForestClassifier, X: Any) -> Any:
    """Rows whose every value is one of the model's thresholds, or the next float32 above or below it, or a zero."""
    cuts = np.concatenate([e.tree_.threshold[e.tree_.children_left >= 0] for e in model.estimators_] + [[0.0]])
    near = cuts.astype(np.float32)
    infinity = np.float32(np.inf)
    points = np.concatenate([near, np.nextafter(near, infinity), np.nextafter(near, -infinity), [0.0, -0.0]])
    return np.random.default_rng(1).choice(points.astype(np.float32), size=(300, X.shape[1]))


def assert_same(forest: Forest, model: RandomForestClassifier, X: Any) -> None:
    actual, expected = forest.predict(X), model.predict_proba(X)[:, 1]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(actual > 0.5, model.predict(X))


@pytest.fixture(scope="module")
def model() -> RandomForestClassifier:
    return fitted(*published_rows(3_000, seed=1), n_estimators=12, max_depth=8)


@pytest.fixture(scope="module")
def forest(model: RandomForestClassifier) -> Forest:
    return Forest.from_sklearn(model)


@settings(max_examples=60, deadline=None)
@given(
    values=st.sampled_from(sorted(VALUES)),
    shape=st.tuples(st.integers(4, 200), st.integers(1, 6)),
    seed=st.integers(0, 2**32 - 1),
    params=st.fixed_dictionaries(
        {
            "n_estimators": st.integers(1, 12),
            "max_depth": st.sampled_from([1, 2, 3, 6, None]),
            "min_samples_leaf": st.integers(1, 7),
            "max_features": st.sampled_from(["sqrt", 1.0]),
            "bootstrap": st.booleans(),
            "criterion": st.sampled_from(["gini", "entropy"]),
            "class_weight": st.sampled_from([None, "balanced", {0: 0.3, 1: 0.7}]),
        }
    ),
)
def test_probabilities_and_labels_are_those_of_scikit_learn(
    values: str, shape: tuple[int, int], seed: int, params: dict[str, Any]
) -> None:
    rng = np.random.default_rng(seed)
    X = np.asarray(VALUES[values](rng, shape)).astype(np.float32)
    y = rng.permutation(np.arange(shape[0]) % 2)
    model = fitted(X, y, **params)
    assert_same(Forest.from_sklearn(model), model, np.concatenate([X, awkward(model, X)]))


@pytest.mark.parametrize("params", [{"n_estimators": 40, "max_depth": 10}, {"max_features": 6}, {"max_features": None}])
def test_on_campaigns_every_label_is_that_of_scikit_learn(params: dict[str, Any]) -> None:
    X, y = published_rows(20_000, seed=2)
    model = fitted(X[:10_000], y[:10_000], **params)
    assert_same(Forest.from_sklearn(model), model, X)


def test_rounding_errors_decide_no_tie_otherwise_than_in_scikit_learn() -> None:
    # Leaves of three rows and more: their shares are thirds, fifths, sevenths, and many sums of them are a half.
    X = np.arange(40, dtype=np.float32).reshape(-1, 1)
    for seed in range(60):
        y = np.random.default_rng(seed).permutation(np.arange(40) % 2)
        model = fitted(X, y, n_estimators=6, max_depth=3, random_state=seed)
        np.testing.assert_array_equal(Forest.from_sklearn(model).predict(X) > 0.5, model.predict(X))


def test_a_row_alone_scores_as_among_others(forest: Forest) -> None:
    X, _ = published_rows(BLOCK + 37, seed=3)
    together = forest.predict(X)
    alone = [forest.predict(X[row : row + 1])[0] for row in [0, 15, 16, BLOCK - 1, BLOCK, BLOCK + 36]]
    assert together[[0, 15, 16, BLOCK - 1, BLOCK, BLOCK + 36]].tolist() == alone


def test_threads_leave_the_same_bytes_as_one(forest: Forest) -> None:
    X, _ = published_rows(3 * THREAD_ROWS + 5, seed=4)
    assert forest.predict(X, threads=3).tobytes() == forest.predict(X).tobytes()
    assert forest.leaves(X, threads=2).tobytes() == forest.leaves(X).tobytes()


def test_no_rows_have_no_probabilities(forest: Forest) -> None:
    assert forest.predict(np.empty((0, 12), np.float32), threads=4).shape == (0,)


@pytest.mark.parametrize("as_given", [np.float64, np.asfortranarray, lambda X: np.repeat(X, 2, axis=0)[::2]])
def test_another_layout_of_the_same_rows_scores_alike(forest: Forest, as_given: Callable[[Any], Any]) -> None:
    X, _ = published_rows(100, seed=5)
    before = X.copy()
    assert forest.predict(as_given(X)).tolist() == forest.predict(X).tolist()
    assert X.flags.writeable
    np.testing.assert_array_equal(X, before)


def test_read_only_rows_are_scored(forest: Forest) -> None:
    X, _ = published_rows(20, seed=5)
    X.setflags(write=False)
    assert forest.predict(X).shape == (20,)


@pytest.mark.parametrize("shape", [(3, 11), (3, 13), (12,), (1, 3, 12)])
def test_rows_of_another_width_are_refused(forest: Forest, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="12 features"):
        forest.predict(np.zeros(shape, np.float32))


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_what_is_no_number_still_ends_in_a_leaf(forest: Forest, value: float) -> None:
    X = np.full((20, 12), value, np.float32)
    assert np.all(forest.feature[forest.leaves(X)] == -1)


def test_prefixes_are_the_averages_of_the_first_trees(forest: Forest, model: RandomForestClassifier) -> None:
    X, _ = published_rows(500, seed=6)
    by_tree = np.array([tree.predict_proba(X)[:, 1] for tree in model.estimators_])
    prefixes = forest.predict_prefixes(X, [1, 2, 7, 12])
    expected = [by_tree[:k].mean(axis=0) for k in (1, 2, 7, 12)]
    np.testing.assert_allclose(prefixes, expected, rtol=0, atol=1e-12)
    assert prefixes[-1].tobytes() == forest.predict(X).tobytes()


@pytest.mark.parametrize("sizes", [[], [0, 3], [3, 2], [3, 3], [13]])
def test_sizes_that_no_prefix_has_are_refused(forest: Forest, sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="sizes"):
        forest.predict_prefixes(np.zeros((1, 12), np.float32), sizes)


def test_leaves_tell_the_same_rows_apart_as_scikit_learn(forest: Forest, model: RandomForestClassifier) -> None:
    X, _ = published_rows(400, seed=7)
    actual, expected = forest.leaves(X), model.apply(X)
    for tree in range(12):
        pairs = set(zip(actual[:, tree].tolist(), expected[:, tree].tolist(), strict=True))
        assert len(pairs) == len(set(actual[:, tree])) == len(set(expected[:, tree]))


def test_leaf_shares_are_those_of_the_rows_given(forest: Forest, model: RandomForestClassifier) -> None:
    X, y = published_rows(BLOCK + 800, seed=8)
    expected = np.zeros(len(X))
    for leaves in model.apply(X).T:
        expected += np.bincount(leaves, weights=y)[leaves] / np.bincount(leaves)[leaves] / 12
    np.testing.assert_allclose(forest.with_leaf_shares(X, y).predict(X), expected, rtol=0, atol=1e-12)


def test_a_leaf_that_no_row_reaches_keeps_its_share(forest: Forest) -> None:
    X, _ = published_rows(1, seed=9)
    changed = forest.with_leaf_shares(X, [1])
    reached = np.isin(np.arange(forest.feature.size), forest.leaves(X))
    assert np.array_equal(changed.shares[reached], [[0, 1]] * reached.sum())
    np.testing.assert_array_equal(changed.shares[~reached], forest.shares[~reached])


def test_labels_for_other_rows_are_refused(forest: Forest) -> None:
    with pytest.raises(ValueError, match="labels"):
        forest.with_leaf_shares(np.zeros((2, 12), np.float32), [1])


def test_leaves_with_counts_give_the_same_forest_as_leaves_with_shares(
    forest: Forest, model: RandomForestClassifier
) -> None:
    names = ["node_count", "n_features", "children_left", "children_right", "feature", "threshold"]
    trees = [estimator.tree_ for estimator in model.estimators_]
    counted = [
        SimpleNamespace(
            **{name: getattr(tree, name) for name in [*names, "weighted_n_node_samples"]},
            value=tree.value * tree.weighted_n_node_samples[:, None, None],
        )
        for tree in trees
    ]
    np.testing.assert_allclose(Forest.from_trees(counted).shares, forest.shares, rtol=1e-12)


def test_cost_is_the_comparisons_of_a_training_row() -> None:
    X, y = published_rows(1_000, seed=10)
    model = fitted(X, y, bootstrap=False, max_features=3)
    forest = Forest.from_sklearn(model)
    by_tree = [tree.decision_path(X).sum(axis=1).mean() - 1 for tree in model.estimators_]
    assert forest.cost(3) == pytest.approx(sum(by_tree[:3]), rel=1e-6)
    assert forest.cost() == pytest.approx(sum(by_tree), rel=1e-6)
    assert forest.cost() / forest.size == pytest.approx(np.mean(by_tree), rel=1e-6)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [0, 1, 2], ["no", "yes", "no"]])
def test_classes_other_than_0_and_1_are_refused(labels: list[Any]) -> None:
    with pytest.raises(ValueError, match="not 0 and 1"):
        Forest.from_sklearn(fitted(np.eye(3), labels))


def test_no_trees_are_no_forest() -> None:
    with pytest.raises(ValueError, match="at least one tree"):
        Forest.from_trees([])


def test_a_forest_of_single_leaves_predicts() -> None:
    model = fitted(np.zeros((4, 2)), [0, 1, 1, 1])
    assert_same(Forest.from_sklearn(model), model, np.ones((20, 2), np.float32))


def test_a_saved_forest_predicts_the_same(forest: Forest, tmp_path: Path) -> None:
    X, _ = published_rows(100, seed=11)
    forest.save(tmp_path / "forest.npz")
    loaded = Forest.load(tmp_path / "forest.npz")
    assert loaded.predict(X).tobytes() == forest.predict(X).tobytes()
    assert loaded.cost() == forest.cost()


def test_a_forest_saved_twice_leaves_the_same_bytes(forest: Forest, tmp_path: Path) -> None:
    forest.save(tmp_path / "first")
    Forest.load(tmp_path / "first").save(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


Arrays = dict[str, Any]


def without_thresholds(arrays: Arrays) -> None:
    del arrays["threshold"]


def of_another_format(arrays: Arrays) -> None:
    arrays["format"] = np.array(99)


def with_a_loop(arrays: Arrays) -> None:
    arrays["left"][arrays["feature"] >= 0] = 0


def with_a_child_outside_its_tree(arrays: Arrays) -> None:
    arrays["left"][0] = arrays["roots"][1] - 1


def with_a_feature_too_many(arrays: Arrays) -> None:
    arrays["feature"][0] = arrays["n_features"]


def with_wide_thresholds(arrays: Arrays) -> None:
    arrays["threshold"] = arrays["threshold"].astype(np.float64)


def with_short_shares(arrays: Arrays) -> None:
    arrays["shares"] = arrays["shares"][:-1]


def with_counts_for_shares(arrays: Arrays) -> None:
    arrays["shares"] = arrays["shares"] * 100


def with_roots_out_of_order(arrays: Arrays) -> None:
    arrays["roots"][1:] = arrays["roots"][:0:-1]


def with_a_first_tree_that_begins_late(arrays: Arrays) -> None:
    arrays["roots"][0] = 1


def without_end(arrays: Arrays) -> None:
    arrays["heights"][0] = 2**31 - 1


def without_trees(arrays: Arrays) -> None:
    for name in ("roots", "heights", "depths"):
        arrays[name] = arrays[name][:0]


def without_nodes(arrays: Arrays) -> None:
    for name in DTYPES:
        arrays[name] = arrays[name][:0]


@pytest.mark.parametrize(
    "damage",
    [
        without_thresholds,
        of_another_format,
        with_a_loop,
        with_a_child_outside_its_tree,
        with_a_feature_too_many,
        with_wide_thresholds,
        with_short_shares,
        with_counts_for_shares,
        with_roots_out_of_order,
        with_a_first_tree_that_begins_late,
        without_end,
        without_trees,
        without_nodes,
    ],
)
def test_a_forest_that_could_lead_astray_is_refused_by_name(
    forest: Forest, tmp_path: Path, damage: Callable[[Arrays], None]
) -> None:
    path = tmp_path / "forest.npz"
    forest.save(path)
    with np.load(path) as archive:
        arrays = {name: archive[name].copy() for name in archive.files}
    damage(arrays)
    np.savez(path, **arrays)
    with pytest.raises(ModelMismatch, match=r"forest\.npz"):
        Forest.load(path)


@pytest.mark.parametrize("damage", [with_roots_out_of_order, with_a_first_tree_that_begins_late])
def test_trees_that_do_not_lie_one_behind_the_other_are_refused_as_such(
    forest: Forest, damage: Callable[[Arrays], None]
) -> None:
    arrays = {name: getattr(forest, name).copy() for name in DTYPES}
    damage(arrays)
    with pytest.raises(ValueError, match="a tree has not between 1 and"):
        Forest(**arrays, n_features=forest.n_features)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99])
def test_a_file_cut_short_is_refused_by_name(forest: Forest, tmp_path: Path, part: float) -> None:
    path = tmp_path / "forest.npz"
    forest.save(path)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(ModelMismatch, match=r"forest\.npz"):
        Forest.load(path)


def test_a_file_with_a_byte_changed_predicts_the_same_or_is_refused(forest: Forest, tmp_path: Path) -> None:
    path = tmp_path / "forest.npz"
    forest.save(path)
    good = path.read_bytes()
    X, _ = published_rows(20, seed=12)
    for position in np.random.default_rng(0).integers(0, len(good), 60).tolist():
        path.write_bytes(good[:position] + bytes([good[position] ^ 255]) + good[position + 1 :])
        try:
            loaded = Forest.load(path)
        except ModelMismatch:
            continue
        assert loaded.predict(X).tobytes() == forest.predict(X).tobytes()


def test_an_array_or_a_text_is_no_forest(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    for name in ("array.npy", "text.npz"):
        with pytest.raises(ModelMismatch, match=name):
            Forest.load(tmp_path / name)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Forest.load(tmp_path / "forest.npz")
