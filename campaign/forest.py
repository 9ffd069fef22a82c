"""A fitted scikit-learn forest as flat arrays, and the fast way to score with it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from campaign.archive import load_arrays, not_one, save_arrays
from campaign.kernels import compiled
from campaign.shapley import shapley_values
from campaign.walk import BLOCK, LEAF_KEY, MAX_FEATURES, walk_trees

FORMAT = 1
DTYPES = {"feature": "i2", "threshold": "f4", "left": "i4", "shares": "f8"}  # per node
DTYPES |= {"roots": "i4", "heights": "i4", "depths": "f4"}  # per tree
THREAD_ROWS = 8192  # fewer rows are scored in less time than it takes to start another thread
MAX_NODES = 1 << 22  # of one tree; what a packed node has bits for


@dataclass(frozen=True, eq=False)
class Forest:
    """A `Predictor`: the nodes of all trees, each from its root downwards; a right child follows its left sibling.

    The arrays become read-only. ValueError if a row could leave its tree or walk for ever.
    """

    feature: NDArray[np.int16]  # -1 at leaves
    threshold: NDArray[np.float32]  # a row goes left if x <= threshold
    left: NDArray[np.int32]  # index of the left child
    shares: NDArray[np.float64]  # [nodes, 2]: of class 0 and class 1 in a leaf
    roots: NDArray[np.int32]  # [trees]
    heights: NDArray[np.int32]  # [trees]: comparisons on the way to the deepest leaf
    depths: NDArray[np.float32]  # [trees]: comparisons for a training row, on average
    n_features: int

    FILE: ClassVar[str] = "forest.npz"

    def __post_init__(self) -> None:
        for name, dtype in DTYPES.items():
            array = np.ascontiguousarray(getattr(self, name)).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
            if array.dtype != dtype or array.ndim != 1 + (name == "shares"):
                raise ValueError(f"{name} is a {array.ndim}-dimensional array of {array.dtype}")
        nodes, trees = self.feature.size, self.roots.size
        if self.threshold.size != nodes or self.left.size != nodes or self.shares.shape != (nodes, 2):
            raise ValueError("arrays of nodes differ in length")
        if not 0 < trees == self.heights.size == self.depths.size:
            raise ValueError("there is no tree, or arrays of trees differ in length")
        if self.roots[0] != 0 or self._sizes.min() < 1 or self._sizes.max() > MAX_NODES:
            raise ValueError(f"a tree has not between 1 and {MAX_NODES:,} nodes")
        if not 0 < self.n_features <= MAX_FEATURES or self.feature.min() < -1 or self.feature.max() >= self.n_features:
            raise ValueError(f"a feature is out of range, or there are more than {MAX_FEATURES:,}")
        inner = np.flatnonzero(self.feature >= 0)
        last = np.repeat(self.roots + self._sizes - 1, self._sizes)[inner]
        if np.any(self.left[inner] <= inner) or np.any(self.left[inner] >= last):
            raise ValueError("a node's children do not follow it within its tree")
        children = np.concatenate([self.left[inner], self.left[inner] + 1])
        parents = np.bincount(children, minlength=nodes)
        if np.any(parents[self.roots]) or np.any(np.delete(parents, self.roots) != 1):
            raise ValueError("a node has no parent, or several")
        if not np.array_equal(self.heights, self._heights()):  # explaining a row takes room for so many steps
            raise ValueError("a tree is not as high as it says")
        if not np.all((self.depths >= 0) & (self.depths <= self.heights * (1 + 1e-6))):
            raise ValueError("a row takes more comparisons than its tree is high")
        if not np.all(np.abs(self.shares - 0.5) < 0.5 + 1e-6):
            raise ValueError("a share is not between 0 and 1")

    @classmethod
    def from_sklearn(cls, model: Any) -> Forest:
        """ValueError if the classes are not 0 and 1."""
        if list(model.classes_) != [0, 1]:
            raise ValueError(f"the forest tells the classes {list(model.classes_)} apart, not 0 and 1")
        return cls.from_trees([estimator.tree_ for estimator in model.estimators_])

    @classmethod
    def from_trees(cls, trees: Sequence[Any]) -> Forest:
        """From `tree_` objects whose `value` holds class shares, class counts or votes, [nodes, 1, 2]."""
        if not trees:
            raise ValueError("a forest has at least one tree")
        sizes = [tree.node_count for tree in trees]
        roots = np.cumsum([0, *sizes[:-1]])
        parts = [_by_level(tree) for tree in trees]
        arrays: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        arrays |= {"roots": roots, "left": arrays["left"] + np.repeat(roots, sizes)}
        n_features = int(trees[0].n_features)
        return cls(n_features=n_features, **{name: arrays[name].astype(DTYPES[name]) for name in DTYPES})

    @property
    def size(self) -> int:
        """Number of trees."""
        return int(self.roots.size)

    def cost(self, k: int | None = None) -> float:
        """Comparisons that a training row takes in the first `k` trees, or in all of them, on average."""
        return float(self.depths[:k].sum(dtype=np.float64))

    def predict(self, X: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """Probability of class 1 for each row of X [rows, features]; above 0.5 exactly where scikit-learn says 1.

        ValueError if X has another number of features. A row with NaN gets the probability of some leaf.
        """
        return self._walk(X, np.array([self.roots.size]), _NO_LEAVES, threads)[0]

    def predict_prefixes(self, X: NDArray[np.float32], sizes: Sequence[int], threads: int = 1) -> NDArray[np.float64]:
        """[sizes, rows]: what the first k trees alone predict, for each k of the ascending `sizes`, in one pass."""
        ks = np.array(sizes, dtype=np.int64)
        if ks.ndim != 1 or not ks.size or ks[0] < 1 or ks[-1] > self.roots.size or (ks[1:] <= ks[:-1]).any():
            raise ValueError(f"sizes do not ascend within 1 to {self.roots.size}: {list(sizes)}")
        return self._walk(X, ks, _NO_LEAVES, threads)

    def leaves(self, X: NDArray[np.float32], threads: int = 1) -> NDArray[np.int32]:
        """[rows, trees]: index of the node in which each row ends."""
        leaves = np.empty((len(X), self.roots.size), dtype=np.int32)
        self._walk(X, np.array([self.roots.size]), leaves, threads)
        return leaves

    def contributions(self, row: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.float64]:
        """[features]: exact Shapley values of a row [features] against a background [rows, features].

        ValueError past 64 features.
        """
        return np.asarray(self.pairwise_contributions(row, background).mean(axis=0), np.float64)

    def pairwise_contributions(self, row: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.float64]:
        """[rows, features]: the same against each row of the background alone."""
        nodes = (self.feature, self.threshold, self.left, self.shares, self.roots)
        return shapley_values(row, background, nodes, height=int(self.heights.max()))

    def with_leaf_shares(
        self, X: NDArray[np.float32], y: ArrayLike, weight: NDArray[np.float64] | None = None
    ) -> Forest:
        """The same trees with the shares of y (0 or 1) among the rows of X that reach a leaf; others keep theirs.

        `weight` [rows] is what each of them counts for.
        """
        label = np.asarray(y).astype(bool)
        if label.shape != (len(X),):
            raise ValueError(f"{len(X)} rows have labels of shape {label.shape}")
        counts = np.zeros(self.shares.shape)
        for start in range(0, len(X), BLOCK):  # all rows × trees at once could fill the memory
            leaves, ones = self.leaves(X[start : start + BLOCK]), label[start : start + BLOCK]
            of_rows = None if weight is None else weight[start : start + BLOCK]
            for column, chosen in enumerate((~ones, ones)):
                each = None if of_rows is None else np.repeat(of_rows[chosen], self.size)
                counts[:, column] += np.bincount(leaves[chosen].ravel(), each, minlength=len(counts))
        rows = counts.sum(axis=1, keepdims=True)
        return replace(self, shares=np.divide(counts, rows, out=self.shares.copy(), where=rows > 0))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz archive; the same forest leaves the same bytes."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in DTYPES}
        save_arrays(path, {"format": FORMAT, "n_features": self.n_features} | arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Forest:
        """OSError if the file cannot be opened, ModelMismatch if it is not what `save` wrote."""
        arrays = load_arrays(path, "forest", FORMAT)
        try:
            return cls(n_features=int(arrays["n_features"]), **{name: arrays[name] for name in DTYPES})
        except (ValueError, TypeError, LookupError) as error:
            raise not_one(path, "forest", error) from error

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        return np.diff(self.roots, append=self.feature.size).astype(np.int64)

    def _heights(self) -> NDArray[np.int64]:
        """[trees]: counted level by level."""
        heights, level, at = np.zeros(self.size, np.int64), 0, self.roots.astype(np.int64)
        while (inner := at[self.feature[at] >= 0]).size:
            level += 1
            heights[np.searchsorted(self.roots, inner, side="right") - 1] = level
            at = np.concatenate([self.left[inner], self.left[inner] + 1])
        return heights

    @cached_property
    def _nodes(self) -> NDArray[np.uint64]:
        """Eight bytes a node, so that a step reads memory once: left child within its tree, feature, threshold's key.

        A key is a float32 as an unsigned integer of the same order: integers compare without a detour. No key exceeds
        a leaf's, which is no threshold's, and its left child is itself, so a row that has arrived may go on walking.
        """
        leaf = self.feature < 0
        left = np.where(leaf, np.arange(leaf.size), self.left) - np.repeat(self.roots, self._sizes)
        bits = (self.threshold + np.float32(0)).view(np.uint32)  # -0.0 + 0 = 0.0, which no zero exceeds
        key = np.where(leaf, LEAF_KEY, np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)))
        feature = np.maximum(self.feature, 0)
        nodes: NDArray[np.uint64] = left.astype(np.uint64) << np.uint64(42) | feature.astype(np.uint64) << np.uint64(32)
        return nodes | key

    def _walk(
        self, X: NDArray[np.float32], sizes: NDArray[np.int64], leaves: NDArray[np.int32], threads: int
    ) -> NDArray[np.float64]:
        X = np.asarray(X, dtype=np.float32)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"the forest has {self.n_features} features, X has the shape {X.shape}")
        by_column = X.flags.f_contiguous  # as the encoder lays it out
        rows = np.ascontiguousarray(X.T if by_column else X).reshape(-1)
        steps = (1, len(X)) if by_column else (X.shape[1], 1)
        rows.setflags(write=False)  # whatever X was: one type, one compiled kernel
        out = np.empty((sizes.size, len(X)))
        model = (self._nodes, self.roots, self.heights, self.shares)
        walk = partial(compiled(walk_trees), rows, X.shape[1], *steps, *model, sizes, out, leaves)
        parts = min(threads, len(X) // THREAD_ROWS)
        if parts <= 1:
            walk(0, len(X))
        else:
            cuts = [len(X) * part // parts for part in range(parts + 1)]
            with ThreadPoolExecutor(parts) as pool:
                list(pool.map(walk, cuts[:-1], cuts[1:]))
        return out


_NO_LEAVES = np.empty((0, 0), dtype=np.int32)


def _by_level(tree: Any) -> dict[str, NDArray[Any]]:
    """One tree's arrays, level by level: siblings side by side, and the busiest nodes in the same cache lines."""
    if tree.value.shape[1:] != (1, 2):
        raise ValueError(f"a leaf has the shape {tree.value.shape[1:]}, not that of one answer with two classes")
    levels = [np.zeros(1, dtype=np.int64)]
    while (inner := levels[-1][tree.children_left[levels[-1]] >= 0]).size:
        levels.append(np.column_stack([tree.children_left[inner], tree.children_right[inner]]).ravel())
    order = np.concatenate(levels)
    leaf = tree.children_left[order] < 0
    values = tree.value[order, 0]
    totals = values.sum(axis=1, keepdims=True)
    exact = tree.threshold[order]
    nearest = exact.astype(np.float32)
    with np.errstate(over="ignore"):  # of thresholds beside the code of a missing number, which stay as they are
        below = np.nextafter(nearest, np.float32(-np.inf))
    depth = np.repeat(np.arange(len(levels)), [level.size for level in levels])
    return {
        "feature": np.where(leaf, -1, tree.feature[order]),
        # Rounded up, a float32 between the two thresholds would turn left where scikit-learn turns right.
        "threshold": np.where(nearest > exact, below, nearest),
        "left": np.where(leaf, 0, np.argsort(order)[tree.children_left[order]]),
        # Shares stay what they are to the last bit, as ties depend on it.
        "shares": np.where(leaf[:, None], np.where(np.isclose(totals, 1), values, values / totals), 0),
        "heights": np.array([len(levels) - 1]),
        "depths": np.average(depth, weights=leaf * tree.weighted_n_node_samples[order], keepdims=True),
    }
