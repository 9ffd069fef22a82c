"""The loop that rows walk a forest in, to be compiled."""

from typing import Any

import numpy as np

BLOCK = 4096  # rows for which a tree stays in the processor's cache
MAX_FEATURES = 1 << 10  # what a packed node has bits for
JUST_OVER_HALF = float(np.nextafter(0.5, 1.0))


def walk_trees(
    rows: Any, width: int, nodes: Any, roots: Any, heights: Any, shares: Any, sizes: Any, out: Any, leaves: Any,
    start: int, stop: int,
) -> None:  # fmt: skip
    """Fill `out` [sizes, rows] and, unless it is empty, `leaves` [rows, trees] for the rows from start to stop."""
    block = min(BLOCK, stop - start)
    keys = np.empty(block * width, np.uint32)
    ends = np.empty(block, np.int64)
    totals = np.empty((block, 2))

    def child(tree: Any, row: Any, at: Any) -> Any:
        node = tree[at]
        key = keys[np.uint64(row * width) + (node >> np.uint64(32) & np.uint64(MAX_FEATURES - 1))]
        return (node >> np.uint64(42)) + np.uint64(key > np.uint32(node))  # no branch that could be guessed wrong

    def children(tree: Any, row: Any, at: Any) -> Any:
        a, b, c, d = at
        return child(tree, row, a), child(tree, row + 1, b), child(tree, row + 2, c), child(tree, row + 3, d)

    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        for i in range(count * width):
            bits = np.float32(rows[first * width + i]).view(np.uint32)
            keys[i] = ~bits if bits >> np.uint32(31) else bits | np.uint32(1 << 31)
        totals[:] = 0
        size = 0
        for t in range(sizes[-1]):
            tree, root = nodes[roots[t] :], np.uint64(0)
            for row in range(0, count - 15, 16):  # 16 rows in step: one waits for its memory while others walk
                a = b = c = d = (root, root, root, root)
                for _ in range(heights[t]):
                    a, b = children(tree, row, a), children(tree, row + 4, b)
                    c, d = children(tree, row + 8, c), children(tree, row + 12, d)
                for i in range(4):
                    ends[row + i], ends[row + 4 + i], ends[row + 8 + i], ends[row + 12 + i] = a[i], b[i], c[i], d[i]
            for row in range(count - count % 16, count):
                at = root
                for _ in range(heights[t]):
                    at = child(tree, row, at)
                ends[row] = at
            for row in range(count):
                leaf = roots[t] + ends[row]
                totals[row, 0] += shares[leaf, 0]
                totals[row, 1] += shares[leaf, 1]
                if leaves.size:
                    leaves[first + row, t] = leaf
            if t + 1 == sizes[size]:
                for row in range(count):
                    failure, success = totals[row, 0] / sizes[size], totals[row, 1] / sizes[size]
                    # Rounding errors must not decide a tie: scikit-learn compares the two, its users one with a half.
                    if (success > 0.5) != (success > failure):
                        success = JUST_OVER_HALF if success > failure else 0.5
                    out[size, first + row] = success
                size += 1
