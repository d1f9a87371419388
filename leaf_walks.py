"""The training data's marginals, out of what fitted trees keep: how many rows went left at each split.

Promises: bounded work whatever the forest's size, and the same values each time. Leaves which trees and
which columns to `model_splits`. Runs in the locked child.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Tree", "by_shares", "by_walks", "tree_of"]

Floats = npt.NDArray[np.float64]

ROWS = 400
TREES_A_ROW = 20
TAIL = 0.1  # of the thresholds' range: rows lie on both sides of the outermost split
SEED = 0


class Tree(NamedTuple):
    """One tree as lists, which a walk reads faster than arrays; children of a leaf are -1."""

    left: list[int]
    right: list[int]
    feature: list[int]
    threshold: list[float]
    share_left: list[float]


def tree_of(fitted: Any, positions: Any = None) -> Tree:
    """A scikit-learn tree; positions: of its features among the columns, where it saw only some."""
    inner = fitted.children_left >= 0
    rows = fitted.weighted_n_node_samples
    shares = np.where(inner, rows[fitted.children_left] / np.maximum(rows, 1e-300), 0.0)
    features = fitted.feature if positions is None else np.asarray(positions)[np.maximum(fitted.feature, 0)]
    arrays = (fitted.children_left, fitted.children_right, features, fitted.threshold, shares)
    return Tree(*(array.tolist() for array in arrays))


def by_walks(trees: Sequence[Tree], features: int) -> dict[int, Floats]:
    """Values of each feature that the trees split on, for ROWS made-up rows. For trees grown on rows alone.

    A row walks down one tree after another, left with the share that went left there in training, and
    forced where an earlier tree has decided already. What is left is a box that agrees with all of these
    trees, and the row lies in it, between thresholds of the whole forest.
    """
    rng = np.random.default_rng(SEED)
    low, high = np.full((ROWS, features), -np.inf), np.full((ROWS, features), np.inf)
    for row in range(ROWS):
        for number in rng.permutation(len(trees))[:TREES_A_ROW]:
            _walk(trees[number], low[row], high[row], rng)
    pools = _thresholds(trees)
    return {j: _drawn(pool, low[:, j], high[:, j], rng.random(ROWS)) for j, pool in pools.items()}


def _walk(tree: Tree, low: Floats, high: Floats, rng: np.random.Generator) -> None:
    """Narrow one row's box by one tree."""
    left, right, feature, threshold, share_left = tree
    node = 0
    for _ in left:  # a path is no longer than the tree is large, unless somebody bent it into a ring
        if left[node] < 0:
            return
        j, edge = feature[node], threshold[node]
        if high[j] <= edge:
            node = left[node]
        elif low[j] >= edge:
            node = right[node]
        elif rng.random() < share_left[node]:
            high[j], node = edge, left[node]
        else:
            low[j], node = edge, right[node]


def _thresholds(trees: Sequence[Tree]) -> dict[int, Floats]:
    """The sorted thresholds of each feature, with a tail's end at both sides."""
    found: dict[int, list[float]] = {}
    for tree in trees:
        for node, child in enumerate(tree.left):
            if child >= 0:
                found.setdefault(tree.feature[node], []).append(tree.threshold[node])
    pools = {}
    for feature, values in found.items():
        pool = np.sort(np.asarray(values, dtype=np.float64))
        tail = TAIL * ((pool[-1] - pool[0]) or abs(pool[0]) or 1.0)
        pools[feature] = np.concatenate([[pool[0] - tail], pool, [pool[-1] + tail]])
    return pools


def _drawn(pool: Floats, low: Floats, high: Floats, shares: Floats) -> Floats:
    """A value for each row within its bounds: each gap between two thresholds is as likely as any other."""
    low, high = np.maximum(low, pool[0]), np.minimum(high, pool[-1])
    first, last = np.searchsorted(pool, low, side="right"), np.searchsorted(pool, high, side="left")
    gaps = np.maximum(last - first, 0) + 1
    place = np.minimum((shares * gaps).astype(np.intp), gaps - 1)
    top = len(pool) - 1
    start = np.where(place == 0, low, pool[np.minimum(np.maximum(first + place - 1, 0), top)])
    end = np.where(place == gaps - 1, high, pool[np.minimum(first + place, top)])
    return np.asarray(start + (shares * gaps - place) * (end - start), dtype=np.float64)


def by_shares(trees: Sequence[Tree], weights: Sequence[Sequence[float]]) -> dict[int, Floats]:
    """Values of each feature at even shares. For boosting, whose later trees are grown on residuals.

    Each split is a point of a distribution function, over the rows of its node: the share that went left
    at the threshold. The rising curve that fits these points best, the larger nodes (`weights`: share of
    the rows that reach each) counting more, stands for the function of all rows.
    """
    from sklearn.isotonic import isotonic_regression

    points: dict[int, list[tuple[float, float, float]]] = {}
    for tree, reached in zip(trees, weights, strict=True):
        for node, child in enumerate(tree.left):
            if child >= 0:
                point = (tree.threshold[node], tree.share_left[node], max(reached[node], 1e-9))
                points.setdefault(tree.feature[node], []).append(point)
    found = {}
    for feature, listed in points.items():
        edges, shares, masses = np.asarray(sorted(listed), dtype=np.float64).T
        rising = isotonic_regression(shares, sample_weight=masses, y_min=0.0, y_max=1.0)
        spread = (edges[-1] - edges[0]) or abs(edges[0]) or 1.0
        # The tails hold what is below the first and above the last split, as thinly as the middle.
        ends = (edges[0] - rising[0] * spread, edges[-1] + (1 - rising[-1]) * spread)
        heights = np.concatenate([[0.0], rising, [1.0]]) + np.arange(len(rising) + 2) * 1e-12
        even = (np.arange(ROWS) + 0.5) / ROWS
        found[feature] = np.interp(even, heights, np.concatenate([[ends[0]], edges, [ends[1]]]))
    return found
