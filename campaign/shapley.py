"""Each fact's share of a forest's prediction: exact Shapley values against a background (interventional).

A row's features replace those of a background row one after the other; a feature's value is what it changes, averaged
over every order. They add up to the prediction less that of the background row; the mean over all background rows is
what is shown. A path-based attribution would need the class shares of inner nodes, which the flat forest does not keep.
"""

from functools import cache
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaign.kernels import compiled

MAX_FEATURES = 64  # a set of features is the bits of one integer


def shapley_values(
    row: NDArray[np.float32], background: NDArray[np.float32], nodes: tuple[NDArray[Any], ...], height: int
) -> NDArray[np.float64]:
    """[rows, features], for a row [features] and each row of a background; ValueError past 64 features.

    `nodes` are a forest's feature, threshold, left, shares and roots; `height` is that of its highest tree.
    """
    if row.size > MAX_FEATURES:
        raise ValueError(f"a set of {row.size} features does not fit into {MAX_FEATURES} bits")
    totals = np.zeros(background.shape)
    stack = np.empty((height + 2, 3), np.uint64)
    compiled(add_shapley_values)(row, background, *nodes, _weights(row.size), stack, totals)
    return totals / nodes[-1].size


def add_shapley_values(
    row: Any, background: Any, feature: Any, threshold: Any, left: Any, shares: Any, roots: Any, weights: Any,
    stack: Any, totals: Any,
) -> None:  # fmt: skip
    """Add every leaf's part in the Shapley values to `totals` [background rows, features], summed over trees.

    Each tree is walked once for a pair of row and background row. Where the two part at a feature that has not parted
    them before, both ways are followed, one with the feature taken from the row, the other with it taken from the
    background. So a leaf is reached by a set `from_row` of features that must be the row's and a set `from_background`
    that must be the background's; their sizes p and q alone say in which share of all orders the leaf counts for whom.
    """
    bit_one, no_feature = np.uint64(1), np.uint64(0)
    for tree in range(roots.size):
        for other in range(background.shape[0]):
            stack[0, 0], stack[0, 1], stack[0, 2] = np.uint64(roots[tree]), no_feature, no_feature
            depth = 1
            while depth > 0:
                depth -= 1
                node, from_row, from_background = np.int64(stack[depth, 0]), stack[depth, 1], stack[depth, 2]
                while feature[node] >= 0:
                    at = feature[node]
                    bit = bit_one << np.uint64(at)
                    row_child = left[node] + (1 if row[at] > threshold[node] else 0)
                    background_child = left[node] + (1 if background[other, at] > threshold[node] else 0)
                    if row_child == background_child or from_row & bit:
                        node = row_child
                    elif from_background & bit:
                        node = background_child
                    else:
                        stack[depth, 0], stack[depth, 1] = np.uint64(background_child), from_row
                        stack[depth, 2] = from_background | bit
                        depth += 1
                        node, from_row = row_child, from_row | bit
                p, q = 0, 0
                for at in range(row.size):
                    p += 1 if from_row >> np.uint64(at) & bit_one else 0
                    q += 1 if from_background >> np.uint64(at) & bit_one else 0
                for at in range(row.size):
                    if from_row >> np.uint64(at) & bit_one:
                        totals[other, at] += shares[node, 1] * weights[p - 1, q]
                    elif from_background >> np.uint64(at) & bit_one:
                        totals[other, at] -= shares[node, 1] * weights[p, q - 1]


@cache
def _weights(n: int) -> NDArray[np.float64]:
    """[p, q]: the share of orders of p + q + 1 features in which p given ones come first, q last, one in between."""
    table = [[factorial(p) * factorial(q) / factorial(p + q + 1) for q in range(n + 1)] for p in range(n + 1)]
    return np.array(table)
