"""Whole rows like those that trees were grown on, out of the counts at the trees' nodes.

Promises: rows whose columns hang together as the nodes' counts ask for, with bounded work, and the same
rows each time. Leaves reading trees to `mining.tree_counts`. Runs in the locked child.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mining.marginals import Cells, cells_of, group_shares, resolution
from mining.particles import Cloud, Paths, settle
from mining.rivals import Rivals, group_members, padded
from mining.tree_counts import TreeCounts

__all__ = ["ROWS", "rows_of"]

Floats = npt.NDArray[np.float64]

ROWS = 500
FEWEST_ROWS = 200
SWEEPS = 4  # moves of each value of each row
VISITS = 30_000_000  # of nodes, by all moves together; a few nanoseconds each
TAIL = 0.1  # of the thresholds' range: as far as whole numbers lie outside them
FIRST_HEAT, LATER_HEAT = 1.0, 0.3  # rows that were settled before are moved less
SEED = 0


def rows_of(table: TreeCounts, columns: int, rivals: Rivals = (), start: Floats | None = None) -> Floats:
    """(rows, columns) made-up training rows; NaN in a column that no tree splits on.

    rivals: groups of columns of which at most one is 1: see `mining.rivals`. start: rows made before, by
    other counts, that are moved on.

    A group and then each value within it are drawn from the distributions of `mining.marginals`; then
    values move until each node has its share of the rows (`mining.particles`). What a cell's inside
    looks like no tree knows: values are spread evenly there, on the values' own step where they have one.
    """
    rng = np.random.default_rng(SEED)
    cells, fitted = _with_groups(cells_of(table, columns), table, rivals)
    n = int(np.clip(table.rows, FEWEST_ROWS, ROWS)) if start is None else len(start)
    shares = np.cumsum(group_shares(table))
    group = np.searchsorted(shares / shares[-1], (np.arange(n) + 0.5) / n).astype(np.int32)
    cumulated = _cumulated(cells)
    rows = _drawn(cells, cumulated, group, rng)
    for members, own in zip(rivals, fitted, strict=True):
        _draw_members(rows, group, members, own, rng)
    if start is not None:
        for j in np.flatnonzero(np.isfinite(start).all(axis=0)).tolist():
            rows[:, j] = np.searchsorted(cells.thresholds[j], start[:, j])
    used = np.flatnonzero(cells.counts > 1).astype(np.int32)
    paths = _paths(table, cells)
    leaves = (table.left < 0).sum() / len(table.roots)
    visits = len(table.roots) * (2 + np.log2(leaves)) * 2
    settle(
        paths,
        (table.counts * (n / table.rows)).astype(np.float32),
        Cloud(
            rows, group, cumulated.astype(np.float32), cells.first.astype(np.int32), used,
            padded(rivals, columns),
        ),
        int(min(SWEEPS * n * len(used), VISITS / visits)),
        SEED,
        FIRST_HEAT if start is None else LATER_HEAT,
    )  # fmt: skip
    found = np.full((n, columns), np.nan)
    for j in used.tolist():
        found[:, j] = _values(cells.thresholds[j], rows[:, j], rng)
    return found


def _paths(table: TreeCounts, cells: Cells) -> Paths:
    cut = np.zeros(len(table.left), dtype=np.int32)
    inner = table.inner
    for j, grid in enumerate(cells.thresholds):
        mine = inner[table.feature[inner] == j]
        cut[mine] = np.searchsorted(grid, table.threshold[mine])
    left, right, feature, roots = (
        links.astype(np.int32) for links in (table.left, table.right, table.feature, table.roots)
    )
    return Paths(left, right, feature, cut, roots)


def _draw_members(
    rows: npt.NDArray[np.int32],
    group: npt.NDArray[np.int32],
    members: tuple[int, ...],
    shares: Floats,
    rng: np.random.Generator,
) -> None:
    """One of a one-hot group's columns is 1 in a row, or none, as often as `shares` have it."""
    for c in np.unique(group):
        mine = np.flatnonzero(group == c)
        even = (rng.permutation(len(mine)) + 0.5) / len(mine)
        chosen = np.searchsorted(np.cumsum(shares[c])[:-1], even)
        rows[np.ix_(mine, np.asarray(members))] = chosen[:, None] == np.arange(len(members))


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


def _with_groups(cells: Cells, table: TreeCounts, rivals: Rivals) -> tuple[Cells, list[Floats]]:
    """The cells with the shares of one-hot columns fitted group by group, and these."""
    shares, fitted = cells.shares.copy(), []
    for group in rivals:
        own = group_members(group, table)
        for k, j in enumerate(group):
            start = cells.first[j]
            shares[:, start], shares[:, start + 1] = 1 - own[:, k], own[:, k]
        fitted.append(own)
    return replace(cells, shares=shares), fitted


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
