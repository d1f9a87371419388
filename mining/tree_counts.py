"""Fitted trees as one flat table: where they split, and how many training rows of which group came by.

Promises: links that form trees over the given columns, or a ValueError; bounded size. Leaves what the
counts say of the rows to `mining.marginals` and `mining.tree_rows`. Runs in the locked child.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["BOOSTED", "TreeCounts", "counts_of", "narrow"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TREES = 60
BOOSTED = 300  # trees of a boosted model, which are small
MAX_NODES = 80_000
GROUPS = 4  # of a regressor's leaves by value: as classes, each with distributions of its own
MAX_CLASSES = 20
FEW_ROWS = 2.0  # of `scale`: what is below a node with fewer is noise


class TreeCounts(NamedTuple):
    """Trees one after the other. `left` is -1 at a leaf; a child comes after its parent.

    counts: (nodes, groups), training rows that came by; each tree's root has those of all rows, `rows`
    together. A feature is a position among the columns, and a row with value <= threshold goes left.
    """

    left: Ints
    right: Ints
    parent: Ints
    feature: Ints
    threshold: Floats
    counts: Floats
    roots: Ints
    rows: float

    @property
    def inner(self) -> Ints:
        return np.flatnonzero(self.left >= 0)


def narrow(table: TreeCounts, cuts: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any]) -> None:
    """Brings `low` and `high`, of each split, in place to the nearest cuts above it in its tree.

    cuts: of every node (nodes,), in whatever unit; those of ancestors on the same feature count.
    """
    inner = table.inner
    feature = table.feature[inner]
    waiting = np.arange(len(inner))
    child, above = inner, table.parent[inner]
    while len(waiting):
        some = above >= 0
        waiting, child, above = waiting[some], child[some], above[some]
        same = table.feature[above] == feature[waiting]
        left = table.left[above] == child
        for part, ends, nearer in ((same & left, high, np.minimum), (same & ~left, low, np.maximum)):
            ends[waiting[part]] = nearer(ends[waiting[part]], cuts[above[part]])
        child, above = above, table.parent[above]


def counts_of(
    step: Any, fitted: Sequence[tuple[Any, Any]], columns: int, most: int, *, is_boosting: bool = False
) -> TreeCounts | None:
    """The table of an estimator's fitted trees; None where no tree splits.

    fitted: (tree, positions of its features or None). Groups are the classes of a classifier's trees; of a
    regressor's, GROUPS of leaves by value; boosting, whose leaves hold residuals, has one. Nodes with a share
    of the rows that would be less than FEW_ROWS of `most` rows are cut off. Raises ValueError for links
    that bend back or features out of range.
    """
    is_boosting = is_boosting or hasattr(step, "init_")
    parts: list[tuple[Any, ...]] = []
    nodes = 0
    for tree, positions in fitted[: BOOSTED if is_boosting else TREES]:
        part = _read(tree, positions, columns, most)
        nodes += len(part[0])
        if parts and nodes > MAX_NODES:
            break
        parts.append(part)
    if not any((part[0] >= 0).any() for part in parts):
        return None
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])
    left, right = (
        np.concatenate([np.where(p[0] >= 0, p[k] + at, -1) for p, at in zip(parts, starts, strict=False)])
        for k in (0, 1)
    )
    feature, threshold, rows = (np.concatenate([part[k] for part in parts]) for k in (2, 3, 4))
    values = np.concatenate([part[5] for part in parts])
    inner = np.flatnonzero(left >= 0)
    parent = np.full(len(left), -1)
    parent[left[inner]] = parent[right[inner]] = inner
    roots = starts[:-1]
    if is_boosting or type(step).__name__ == "IsolationForest":
        counts = rows[:, None]
    elif hasattr(step, "classes_") and 1 < values.shape[1] <= MAX_CLASSES:
        counts = values * rows[:, None]
    else:
        counts = _grouped(left, right, roots, rows, values[:, 0])
    totals = rows[roots]
    scale = np.repeat(totals.max() / totals, np.diff(starts))  # trees on subsets of different size
    return TreeCounts(
        left, right, parent, feature, threshold, counts * scale[:, None], roots, float(totals.max())
    )


def _read(tree: Any, positions: Any, columns: int, most: int) -> tuple[Any, ...]:
    """(left, right, feature, threshold, rows, values) of one tree, pruned; children as row numbers."""
    left, right = (np.asarray(links, dtype=np.int64) for links in (tree.children_left, tree.children_right))
    inner = left >= 0
    order = np.arange(len(left))
    children = np.concatenate([left[inner], right[inner]])
    forward = (left[inner] > order[inner]).all() and (right[inner] > order[inner]).all()
    if not forward or len(np.unique(children)) != len(left) - 1 or children.max(initial=0) >= len(left):
        raise ValueError("A tree's nodes do not form a tree.")
    split_on = np.where(inner, tree.feature, 0)
    feature = split_on if positions is None else np.asarray(positions, dtype=np.int64)[split_on]
    threshold = np.asarray(tree.threshold, dtype=np.float64)
    if (feature < 0).any() or (feature >= columns).any() or not np.isfinite(threshold[inner]).all():
        raise ValueError("A tree splits on what is none of the columns.")
    weighted = np.asarray(tree.weighted_n_node_samples, dtype=np.float64)
    rows = np.asarray(tree.n_node_samples, dtype=np.float64)
    values = np.asarray(tree.value, dtype=np.float64)[:, 0, :]
    if values.shape[1] > 1:
        values = np.maximum(values, 0) / np.maximum(values.sum(axis=1, keepdims=True), 1e-300)
    if np.array_equal(weighted, np.rint(weighted)):
        rows = weighted  # rows drawn again by the bootstrap count again
    elif values.shape[1] > 1:
        values = _unweighted(values, rows, weighted, ~inner)
    if not (np.isfinite(rows).all() and np.isfinite(values).all() and (rows > 0).all()):
        raise ValueError("A tree's counts are not numbers above 0.")
    parent = np.zeros(len(left), dtype=np.int64)
    parent[left[inner]] = parent[right[inner]] = np.flatnonzero(inner)
    keep = rows[parent] * min(most / rows[0], 1.0) >= FEW_ROWS
    keep[0] = True
    place = np.cumsum(keep) - 1
    kept_inner = inner & keep
    kept_inner[kept_inner] = keep[left[kept_inner]]
    left = np.where(kept_inner, place[np.where(inner, left, 0)], -1)
    right = np.where(kept_inner, place[np.where(inner, right, 0)], -1)
    return left[keep], right[keep], feature[keep], threshold[keep], rows[keep], values[keep]


def _unweighted(values: Floats, rows: Floats, weighted: Floats, leaf: npt.NDArray[np.bool_]) -> Floats:
    """Class shares without the class weights, which the pure leaves tell: weight over rows."""
    weights = np.ones(values.shape[1])
    for group in range(values.shape[1]):
        pure = leaf & (values[:, group] > 1 - 1e-9)
        if pure.any():
            weights[group] = max(float(weighted[pure].sum() / rows[pure].sum()), 1e-9)
    plain = values / weights
    return np.asarray(plain / plain.sum(axis=1, keepdims=True), dtype=np.float64)


def _grouped(left: Ints, right: Ints, roots: Ints, rows: Floats, values: Floats) -> Floats:
    """Rows of each group of leaves, (nodes, GROUPS): equal parts of the rows, by the leaf's value."""
    leaves = np.flatnonzero(left < 0)
    order = leaves[np.argsort(values[leaves], kind="stable")]
    below = np.cumsum(rows[order]) - rows[order] / 2
    counts = np.zeros((len(left), GROUPS))
    counts[order, np.minimum(below / rows[order].sum() * GROUPS, GROUPS - 1).astype(np.int64)] = rows[order]
    levels = [roots]
    while len(levels[-1]):
        inner = levels[-1][left[levels[-1]] >= 0]
        levels.append(np.concatenate([left[inner], right[inner]]))
    for level in reversed(levels):
        inner = level[left[level] >= 0]
        counts[inner] = counts[left[inner]] + counts[right[inner]]
    return counts
