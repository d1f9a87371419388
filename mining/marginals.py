"""Distributions of single features, group by group, out of how many rows went left at each split.

Promises: cells and probabilities of every column, the same each time. Leaves how features hang together
to `mining.tree_rows`. Runs in the locked child.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mining.facts import between_integers
from mining.tree_counts import Ints, TreeCounts, narrow

__all__ = ["VALUE_STEPS", "Cells", "cells_of", "group_shares", "resolution"]

Floats = npt.NDArray[np.float64]

STEPS = 15  # of the fit; the prior fills what the counts leave open, so that it need not converge
TAIL = 0.2  # of the thresholds' range: the prior width of the cells outside
PRIOR_ROWS = 2.0  # that the prior counts as, at most
PRIOR_SHARE = (
    0.1  # of what the nodes saw of a column, where that is less: little evidence is the best there is
)
TINY = 1e-12
VALUE_STEPS = (1.0, 0.1, 0.01, 0.001, 0.0001)
ENOUGH = 5  # thresholds that share a step before it counts as the values' own


@dataclass(frozen=True)
class Cells:
    """The cells between the sorted thresholds of each column, one column after the other.

    Column j has the cells first[j] to first[j + 1]; thresholds[j] has one value fewer than it has cells.
    shares: (groups, cells), a column's cells summing to 1.
    """

    thresholds: tuple[Floats, ...]
    first: Ints
    shares: Floats

    @property
    def counts(self) -> Ints:
        return np.diff(self.first)


def group_shares(table: TreeCounts) -> Floats:
    """Share of the rows in each group."""
    found = table.counts[table.roots].mean(axis=0)
    return np.asarray(found / found.sum(), dtype=np.float64)


def cells_of(table: TreeCounts, columns: int) -> Cells:
    """The distribution of each column within each group that agrees best with the counts at the splits.

    A node whose rows lie in (a, b] of its feature and which splits at t saw a binomial: of n rows n_left
    in (a, t]. Taking features as independent within a group (which only a first guess may), the
    likelihood is the product of (P(a, t] / P(a, b])^n_left (P(t, b] / P(a, b])^n_right over all nodes
    of all trees. It is maximised by the steps of Hunter (2004), MM algorithms for generalized
    Bradley-Terry models; nodes count by their share of the rows, since the deeper ones are selected by more
    of the other features. The start, and a prior of few rows, is the square root of a cell's width.
    """
    inner = table.inner
    order = np.lexsort((table.threshold[inner], table.feature[inner]))
    feature, threshold = table.feature[inner][order], table.threshold[inner][order]
    bounds = np.searchsorted(feature, np.arange(columns + 1))
    grids = tuple(np.unique(threshold[bounds[j] : bounds[j + 1]]) for j in range(columns))
    first = np.cumsum([0, *(len(grid) + 1 for grid in grids)]).astype(np.int64)
    low, cut, high = _spans(table, grids, first)
    base = np.concatenate([_prior(grid) for grid in grids])
    rows = table.counts.sum(axis=1)
    weight = rows[inner] / table.rows
    shares = np.stack(
        [
            _fitted(
                (low, cut, high),
                table.counts[table.left[inner], group] * weight,
                table.counts[table.right[inner], group] * weight,
                base,
                first,
            )
            for group in range(table.counts.shape[1])
        ]
    )
    return Cells(grids, first, shares)


def resolution(thresholds: Floats) -> float | None:
    """The step that values lie on, when thresholds halfway between two of them tell it; else None.

    The largest power of ten, up to 1, of which all thresholds are multiples of a half. They are read in
    single precision, as scikit-learn compares.
    """
    if between_integers(thresholds):
        return 1.0
    if len(thresholds) < ENOUGH:
        return None
    largest = float(np.abs(thresholds).max())
    for step in VALUE_STEPS:
        halves = thresholds / step * 2
        slack = 1e-6 * largest / step * 2 + 1e-6
        if slack < 0.05 and (np.abs(halves - np.rint(halves)) <= slack).all():
            return step
    return None


def _spans(table: TreeCounts, grids: tuple[Floats, ...], first: Ints) -> tuple[Ints, Ints, Ints]:
    """Each split's a, t and b as cell edges: those of the ancestors on the same feature bound it."""
    inner = table.inner
    feature = table.feature[inner]
    cut = np.zeros(len(table.left), dtype=np.int64)
    for j, grid in enumerate(grids):
        mine = inner[feature == j]
        cut[mine] = first[j] + 1 + np.searchsorted(grid, table.threshold[mine])
    low, high = first[feature].copy(), first[feature + 1].copy()
    narrow(table, cut, low, high)
    return low, cut[inner], high


def _prior(grid: Floats) -> Floats:
    """Square roots of the cells' widths; a cell between two steps of the values holds none."""
    if len(grid) < 2:
        return np.full(len(grid) + 1, 1 / (len(grid) + 1))
    tail = TAIL * (grid[-1] - grid[0])
    inside = np.diff(grid)
    step = resolution(grid)
    if step is not None:
        inside = np.diff(np.floor(grid / step + 1e-3)) * step
        tail = max(tail, step)
    widths = np.sqrt(np.concatenate([[tail], inside, [tail]]))
    return np.asarray(widths / widths.sum(), dtype=np.float64)


def _fitted(spans: tuple[Ints, Ints, Ints], left: Floats, right: Floats, base: Floats, first: Ints) -> Floats:
    """Probabilities of the cells of one group; counts of rows at each split, left and right."""
    seen = left + right > 0
    low, cut, high = (edges[seen] for edges in spans)
    left, right = left[seen], right[seen]
    size = len(base) + 1
    column = np.repeat(np.arange(len(first) - 1), np.diff(first))
    evidence = np.bincount(column[np.minimum(cut, len(base) - 1)], left + right, len(first) - 1)
    prior = np.clip(PRIOR_SHARE * evidence, TINY, PRIOR_ROWS)[column]
    found = base
    for _ in range(STEPS):
        total = np.concatenate([[0.0], np.cumsum(found)])
        below = np.maximum(total[cut] - total[low], TINY)
        above = np.maximum(total[high] - total[cut], TINY)
        a, b, n = left / below, right / above, (left + right) / (below + above)
        mine = np.bincount(low, a, size) + np.bincount(cut, b - a, size) - np.bincount(high, b, size)
        all_of_it = np.bincount(low, n, size) - np.bincount(high, n, size)
        won = np.maximum(np.cumsum(mine)[:-1], 0.0) * found + prior * base
        found = won / (np.maximum(np.cumsum(all_of_it)[:-1], 0.0) + prior)
        found = found / np.add.reduceat(found, first[:-1])[column]
    return found
