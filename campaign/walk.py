"""The loop that rows walk a forest in, to be compiled."""

from typing import Any

import numpy as np

BLOCK = 4096  # rows for which a tree stays in the processor's cache
MAX_FEATURES = 1 << 10  # what a packed node has bits for
LEAF_KEY = np.uint32(0xFFFFFFFF)
JUST_OVER_HALF = float(np.nextafter(0.5, 1.0))

# Few rows go deep: all walk the first levels, and those that are at no leaf by then go on without the others.
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
    late = np.empty(block, np.int64)
    totals = np.empty((block, 2))

    def child(tree: Any, row: Any, at: Any) -> Any:
        node = tree[at]
        key = keys[np.uint64(row * width) + (node >> np.uint64(32) & np.uint64(MAX_FEATURES - 1))]
        return (node >> np.uint64(42)) + np.uint64(key > np.uint32(node))  # no branch that could be guessed wrong

    def children(tree: Any, four: Any, at: Any) -> Any:
        (p, q, r, s), (a, b, c, d) = four, at
        return child(tree, p, a), child(tree, q, b), child(tree, r, c), child(tree, s, d)

    # 16 rows in step: one waits for its memory while others walk.
    def walk_16(tree: Any, p: Any, q: Any, r: Any, s: Any, a: Any, b: Any, c: Any, d: Any, levels: Any) -> None:
        for _ in range(levels):
            a, b = children(tree, p, a), children(tree, q, b)
            c, d = children(tree, r, c), children(tree, s, d)
        for i in range(4):
            ends[p[i]], ends[q[i]], ends[r[i]], ends[s[i]] = a[i], b[i], c[i], d[i]

    def in_a_row(row: Any) -> Any:
        return row, row + 1, row + 2, row + 3

    def of_the_late(i: Any) -> Any:
        return late[i], late[i + 1], late[i + 2], late[i + 3]

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
                p, q, r, s = in_a_row(row), in_a_row(row + 4), in_a_row(row + 8), in_a_row(row + 12)
                at = root, root, root, root
                walk_16(tree, p, q, r, s, at, at, at, at, levels)
            for row in range(count - count % 16, count):
                end = root
                for _ in range(heights[t]):
                    end = child(tree, row, end)
                ends[row] = end
            waiting = 0
            if levels < heights[t]:
                for row in range(count):
                    late[waiting] = row
                    waiting += np.uint32(tree[ends[row]]) != LEAF_KEY
            while waiting > 15:
                for i in range(0, waiting - 15, 16):
                    p, q, r, s = of_the_late(i), of_the_late(i + 4), of_the_late(i + 8), of_the_late(i + 12)
                    walk_16(tree, p, q, r, s, ends_of(p), ends_of(q), ends_of(r), ends_of(s), MORE_LEVELS)
                still = 0
                for i in range(waiting):
                    late[still] = late[i]
                    still += np.uint32(tree[ends[late[i]]]) != LEAF_KEY
                waiting = still
            for i in range(waiting):
                end = ends[late[i]]
                while np.uint32(tree[end]) != LEAF_KEY:
                    end = child(tree, late[i], end)
                ends[late[i]] = end
            for row in range(count):
                leaf = np.uint64(roots[t]) + ends[row]
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
