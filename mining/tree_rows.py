"""Whole rows like those that trees were grown on, out of the counts at the trees' nodes.

Promises: rows whose columns hang together as the nodes' counts ask for, with bounded work, and the same
rows each time. Leaves reading trees to `mining.tree_counts`. Runs in the locked child.
"""

import numpy as np
import numpy.typing as npt

from mining.marginals import Cells, cells_of, group_shares, resolution
from mining.particles import Cloud, Paths, settle
from mining.tree_counts import TreeCounts

__all__ = ["ROWS", "rows_of"]

Floats = npt.NDArray[np.float64]

ROWS = 500
FEWEST_ROWS = 200
SWEEPS = 4  # moves of each value of each row
VISITS = 12_000_000  # of nodes, by all moves together; a few nanoseconds each
TAIL = 0.1  # of the thresholds' range: as far as whole numbers lie outside them
SEED = 0


def rows_of(table: TreeCounts, columns: int) -> Floats:
    """(rows, columns) made-up training rows; NaN in a column that no tree splits on.

    A group and then each value within it are drawn from the distributions of `mining.marginals`; then
    values move until each node has its share of the rows (`mining.particles`). What a cell's inside
    looks like no tree knows: values are spread evenly there, on the values' own step where they have one.
    """
    rng = np.random.default_rng(SEED)
    cells = cells_of(table, columns)
    n = int(np.clip(table.rows, FEWEST_ROWS, ROWS))
    shares = np.cumsum(group_shares(table))
    group = np.searchsorted(shares / shares[-1], (np.arange(n) + 0.5) / n).astype(np.int32)
    cumulated = _cumulated(cells)
    rows = _drawn(cells, cumulated, group, rng)
    cut = np.zeros(len(table.left), dtype=np.int32)
    inner = table.inner
    for j, grid in enumerate(cells.thresholds):
        mine = inner[table.feature[inner] == j]
        cut[mine] = np.searchsorted(grid, table.threshold[mine])
    used = np.flatnonzero(cells.counts > 1).astype(np.int32)
    leaves = (table.left < 0).sum() / len(table.roots)
    visits = len(table.roots) * (2 + np.log2(leaves)) * 2
    left, right, feature, roots = (
        links.astype(np.int32) for links in (table.left, table.right, table.feature, table.roots)
    )
    settle(
        Paths(left, right, feature, cut, roots),
        (table.counts * (n / table.rows)).astype(np.float32),
        Cloud(rows, group, cumulated.astype(np.float32), cells.first.astype(np.int32), used),
        int(min(SWEEPS * n * len(used), VISITS / visits)),
        SEED,
    )
    found = np.full((n, columns), np.nan)
    for j in used.tolist():
        found[:, j] = _values(cells.thresholds[j], rows[:, j], rng)
    return found


def _cumulated(cells: Cells) -> Floats:
    """Cumulated shares within each column, ending at 1 exactly."""
    found = np.empty_like(cells.shares)
    for start, end in zip(cells.first, cells.first[1:], strict=False):
        part = np.cumsum(cells.shares[:, start:end], axis=1)
        found[:, start:end] = part / part[:, -1:]
    return found


def _drawn(
    cells: Cells, cumulated: Floats, group: npt.NDArray[np.int32], rng: np.random.Generator
) -> npt.NDArray[np.int32]:
    """Cells of each row's group, at evenly spread shares: the marginals are met as well as n rows can."""
    rows = np.zeros((len(group), len(cells.thresholds)), dtype=np.int32)
    for c in np.unique(group):
        mine = np.flatnonzero(group == c)
        for j, (start, end) in enumerate(zip(cells.first, cells.first[1:], strict=False)):
            even = (rng.permutation(len(mine)) + 0.5) / len(mine)
            rows[mine, j] = np.searchsorted(cumulated[c, start:end], even)
    return rows


def _values(grid: Floats, chosen: npt.NDArray[np.int32], rng: np.random.Generator) -> Floats:
    """A value in each row's cell (grid[k - 1], grid[k]]."""
    span = float(grid[-1] - grid[0]) or abs(float(grid[0])) or 1.0
    step = resolution(grid)
    shares = rng.random(len(chosen))
    below, above = (_tail(float((chosen == cell).mean()), step) * span for cell in (0, len(grid)))
    if grid[0] >= 0:
        below = min(below, float(grid[0]))  # what is never split below 0 is taken not to go there
    edges = np.concatenate([[grid[0] - below], grid, [grid[-1] + above]])
    low, high = edges[chosen], edges[chosen + 1]
    outside = 1 - np.sqrt(1 - shares)  # thinner with the distance
    values = np.where(chosen == len(grid), low + outside * (high - low), high - shares * (high - low))
    values = np.where(chosen == 0, high - outside * (high - low), values)
    if step is None:
        return np.asarray(values, dtype=np.float64)
    # The float noise of single precision must not push a multiple over the edge.
    first, last = np.floor(low / step + 1e-3) + 1, np.floor(high / step + 1e-3)
    first = np.where(chosen == 0, np.minimum(first, last), first)
    last = np.where(chosen == len(grid), np.maximum(first, last), last)
    nearest = np.clip(np.rint(values / step), first, np.maximum(first, last))
    return np.asarray(np.where(last >= first, np.round(nearest * step, 6), values), dtype=np.float64)


def _tail(share: float, step: float | None) -> float:
    """How far rows lie outside the outermost threshold, over the range of the thresholds.

    As wide as `share` of the rows is at the density inside, and half as much again since it thins out.
    Whole numbers are often counts and codes, whose most frequent value is the first.
    """
    return TAIL if step == 1.0 else 1.5 * float(np.clip(share / max(1 - share, 0.05), 0.02, 1.0))
