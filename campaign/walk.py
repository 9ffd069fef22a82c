"""The loop that rows walk a forest in, to be compiled."""

from typing import Any

import numpy as np

from campaign.decision import JUST_ABOVE_THRESHOLD, THRESHOLD

BLOCK = 4096  # rows for which a tree stays in the processor's cache
MAX_FEATURES = 1 << 10  # what a packed node has bits for
LEAF_KEY = np.uint32(0xFFFFFFFF)

# Few rows reach the deep levels: every row walks the first ones, then only those that have not reached a leaf go on.
FIRST_LEVELS, MORE_LEVELS = 10, 4


def walk_trees(
    rows: Any, width: int, row_step: int, column_step: int, nodes: Any, roots: Any, heights: Any, shares: Any,
    sizes: Any, out: Any, leaves: Any, start: int, stop: int,
) -> None:  # fmt: skip
    """Fill `out` [sizes, rows] and, unless it is empty, `leaves` [rows, trees] for the rows from start to stop.

    `rows` is flat: the steps say how far two rows, and two columns, lie apart.
    """
    block = min(BLOCK, stop - start)
    keys = np.empty(block * width, np.uint32)
    ends = np.empty(block, np.uint64)
    unfinished = np.empty(block, np.int64)
    totals = np.empty((block, 2))

    def child(tree: Any, row: Any, at: Any) -> Any:
        node = tree[at]
        key = keys[np.uint64(row * width) + (node >> np.uint64(32) & np.uint64(MAX_FEATURES - 1))]
        return (node >> np.uint64(42)) + np.uint64(key > np.uint32(node))  # no branch that could be guessed wrong

    def children(tree: Any, four: Any, at: Any) -> Any:
        (p, q, r, s), (a, b, c, d) = four, at
        return child(tree, p, a), child(tree, q, b), child(tree, r, c), child(tree, s, d)

    # 16 rows side by side: while one waits for its node to come from memory, the others go on.
    def walk_16(tree: Any, p: Any, q: Any, r: Any, s: Any, a: Any, b: Any, c: Any, d: Any, levels: Any) -> None:
        for _ in range(levels):
            a, b = children(tree, p, a), children(tree, q, b)
            c, d = children(tree, r, c), children(tree, s, d)
        for i in range(4):
            ends[p[i]], ends[q[i]], ends[r[i]], ends[s[i]] = a[i], b[i], c[i], d[i]

    def four_from(row: Any) -> Any:
        return row, row + 1, row + 2, row + 3

    def unfinished_from(i: Any) -> Any:
        return unfinished[i], unfinished[i + 1], unfinished[i + 2], unfinished[i + 3]

    def ends_of(four: Any) -> Any:
        p, q, r, s = four
        return ends[p], ends[q], ends[r], ends[s]

    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        for column in range(width):
            corner = first * row_step + column * column_step
            for row in range(count):
                bits = np.float32(rows[corner + row * row_step]).view(np.uint32)
                keys[row * width + column] = ~bits if bits >> np.uint32(31) else bits | np.uint32(1 << 31)
        totals[:] = 0
        size = 0
        for t in range(sizes[-1]):
            tree, root = nodes[roots[t] :], np.uint64(0)
            levels = min(heights[t], FIRST_LEVELS)
            for row in range(0, count - 15, 16):
                p, q, r, s = four_from(row), four_from(row + 4), four_from(row + 8), four_from(row + 12)
                at = root, root, root, root
                walk_16(tree, p, q, r, s, at, at, at, at, levels)
            for row in range(count - count % 16, count):
                end = root
                for _ in range(heights[t]):
                    end = child(tree, row, end)
                ends[row] = end
            pending = 0
            if levels < heights[t]:
                for row in range(count):
                    unfinished[pending] = row
                    pending += np.uint32(tree[ends[row]]) != LEAF_KEY
            while pending > 15:
                for i in range(0, pending - 15, 16):
                    p, q = unfinished_from(i), unfinished_from(i + 4)
                    r, s = unfinished_from(i + 8), unfinished_from(i + 12)
                    walk_16(tree, p, q, r, s, ends_of(p), ends_of(q), ends_of(r), ends_of(s), MORE_LEVELS)
                remaining = 0
                for i in range(pending):
                    unfinished[remaining] = unfinished[i]
                    remaining += np.uint32(tree[ends[unfinished[i]]]) != LEAF_KEY
                pending = remaining
            for i in range(pending):
                end = ends[unfinished[i]]
                while np.uint32(tree[end]) != LEAF_KEY:
                    end = child(tree, unfinished[i], end)
                ends[unfinished[i]] = end
            for row in range(count):
                leaf = np.uint64(roots[t]) + ends[row]
                totals[row, 0] += shares[leaf, 0]
                totals[row, 1] += shares[leaf, 1]
                if leaves.size:
                    leaves[first + row, t] = leaf
            if t + 1 == sizes[size]:
                for row in range(count):
                    failure, success = totals[row, 0] / sizes[size], totals[row, 1] / sizes[size]
                    # Rounding errors must not decide a tie: scikit-learn compares the two classes, the decision one
                    # of them with the threshold.
                    if (success > THRESHOLD) != (success > failure):
                        success = JUST_ABOVE_THRESHOLD if success > failure else THRESHOLD
                    out[size, first + row] = success
                size += 1
