"""Moves made-up rows until as many of them lie in each node of a forest as training rows did.

Promises: the same rows from the same start and seed. Imports numba, so only the zygote, its children and
tests import this module; `warm_up` compiles there, before the fork.
"""

from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["Cloud", "Paths", "settle", "warm_up"]

P = ParamSpec("P")
R = TypeVar("R")
Ints = npt.NDArray[np.int32]
Singles = npt.NDArray[np.float32]

LAST_HEAT = 0.1
SHIFT = np.uint64(11)
UNIT = 2.0**-53
ZERO_CELL = np.int32(0)
ZERO, ONE = np.uint64(0), np.uint64(1)


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    """numba without a cache on disk (the child may not write) and without threads."""
    return cast(Callable[P, R], numba.njit(nogil=True, cache=False, error_model="numpy")(function))


class Paths(NamedTuple):
    """Trees for many rows: children (-1 at a leaf), features, and the last cell that goes left."""

    left: Ints
    right: Ints
    feature: Ints
    cut: Ints
    roots: Ints


class Cloud(NamedTuple):
    """The rows (n, columns; numbers of cells), each row's group, and from where its values are drawn.

    cumulated: groups x cells, column j's from first[j] on. columns: those that some tree splits on. rivals:
    of each column those that must be in their first cell where it is not, -1 at the end; no rows where none
    has any.
    """

    rows: Ints
    group: Ints
    cumulated: Singles
    first: Ints
    columns: Ints
    rivals: Ints


def settle(paths: Paths, expected: Singles, cloud: Cloud, moves: int, seed: int, heat: float = 1.0) -> float:
    """Moves the cloud's rows in place; returns the misfit per node and group.

    expected: (nodes, groups), how many of the rows should come by each node. A move puts one value of one
    row to a cell drawn from its group's distribution, and is kept or not by Metropolis' rule on the sum of
    (count - expected)^2 / (expected + 1) over nodes, at a temperature that falls from `heat`, of which 1
    accepts misfits as sampling noise would make them. Links must have been
    checked: here they are followed.
    """
    return float(_settled(paths, expected, cloud, moves, seed, heat, LAST_HEAT))


def warm_up() -> None:
    """Compile on one stump."""
    left, right, nothing = (np.array(links, dtype=np.int32) for links in ([1, -1, -1], [2, -1, -1], [0] * 3))
    first, zero = np.array([0, 2], dtype=np.int32), np.zeros(1, dtype=np.int32)
    cloud = Cloud(
        np.zeros((2, 1), dtype=np.int32), np.zeros(2, dtype=np.int32),
        np.array([[0.5, 1.0]], dtype=np.float32), first, zero, np.full((0, 0), -1, dtype=np.int32),
    )  # fmt: skip
    settle(Paths(left, right, nothing, nothing, zero), np.ones((3, 1), dtype=np.float32), cloud, 1, 0)


@_compiled
def _settled(
    paths: Paths, expected: Singles, cloud: Cloud, moves: int, seed: int, hot: float, cold: float
) -> float:
    left, right, feature, cut, roots = paths
    rows, group, cumulated, first, columns, rivals = cloud
    counts = np.zeros_like(expected)
    # Which features each row's path through each tree tests, as bits (beyond 64 they share): a value that
    # the path does not test moves nothing there.
    tested = np.zeros((rows.shape[0], roots.shape[0]), dtype=np.uint64)
    for i in range(rows.shape[0]):
        for tree in range(roots.shape[0]):
            node = roots[tree]
            counts[node, group[i]] += 1
            while left[node] >= 0:
                tested[i, tree] |= ONE << np.uint64(feature[node] & 63)
                node = left[node] if rows[i, feature[node]] <= cut[node] else right[node]
                counts[node, group[i]] += 1
    state = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15)
    for move in range(moves):
        heat = hot * (cold / hot) ** (move / moves)
        i = move % rows.shape[0]
        c = group[i]
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        j = columns[np.int64(state >> SHIFT) % columns.shape[0]]
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        share = np.float64(state >> SHIFT) * UNIT
        low, high = first[j], first[j + 1] - 1
        while low < high:  # the first cell whose cumulated share is above
            middle = (low + high) // 2
            if cumulated[c, middle] > share:
                high = middle
            else:
                low = middle + 1
        new, old = low - first[j], rows[i, j]
        if new == old:
            continue
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        luck = np.float64(state >> SHIFT) * UNIT
        # Of a group of rivals another becomes the one that is 1, or none does, as often as its share has it.
        k = np.int64(j)
        if rivals.shape[0] > 0 and rivals[j, 0] >= 0:
            if new > 0:
                for place in range(rivals.shape[1]):
                    if rivals[j, place] >= 0 and rows[i, rivals[j, place]] > 0:
                        k = np.int64(rivals[j, place])
            else:
                none = np.float64(cumulated[c, first[j]])
                for place in range(rivals.shape[1]):
                    if rivals[j, place] >= 0:
                        none -= 1 - np.float64(cumulated[c, first[rivals[j, place]]])
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                if np.float64(state >> SHIFT) * UNIT * np.float64(cumulated[c, first[j]]) > none:
                    continue
        change = 0.0
        bit = (ONE << np.uint64(j & 63)) | (ONE << np.uint64(k & 63))
        for kept in range(2):  # the first time to weigh the move, the second to make it
            if kept == 1 and change > 0 and luck >= np.exp(-change / (2 * heat)):
                break
            for tree in range(roots.shape[0]):
                if tested[i, tree] & bit == ZERO:
                    continue
                node = roots[tree]
                seen = ZERO
                while left[node] >= 0:
                    f = feature[node]
                    seen |= ONE << np.uint64(f & 63)
                    was = rows[i, f] <= cut[node]
                    if f == j and was != (new <= cut[node]):
                        break
                    if f == k and k != j and not was:  # it becomes 0
                        break
                    node = left[node] if was else right[node]
                if left[node] < 0:
                    continue
                parts = feature[node]
                for side in range(2):
                    sign = -1.0 if side == 0 else 1.0
                    value = old if side == 0 else new
                    if parts != j:  # the rival, which goes from 1 to 0
                        value = rows[i, k] if side == 0 else ZERO_CELL
                    here = left[node] if value <= cut[node] else right[node]
                    while True:
                        if kept == 1:
                            counts[here, c] += sign
                        else:
                            off = counts[here, c] - expected[here, c]
                            change += (1 + 2 * sign * off) / (expected[here, c] + 1)
                        if left[here] < 0:
                            break
                        f = feature[here]
                        if side == 1:
                            seen |= ONE << np.uint64(f & 63)
                        own = rows[i, f]
                        if side == 1 and f == j:
                            own = new
                        elif side == 1 and f == k:
                            own = ZERO_CELL
                        goes = own <= cut[here]
                        here = left[here] if goes else right[here]
                if kept == 1:
                    tested[i, tree] = seen
            if kept == 1:
                rows[i, j] = new
                if k != j:
                    rows[i, k] = 0
    misfit = 0.0
    for node in range(expected.shape[0]):
        for c in range(expected.shape[1]):
            misfit += (counts[node, c] - expected[node, c]) ** 2 / (expected[node, c] + 1)
    return misfit / expected.size
