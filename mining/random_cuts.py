"""Whole numbers behind cuts that were drawn at random, as extremely randomized trees draw them.

Promises: cuts are moved halfway between two whole numbers only where the trees never parted what lies between
them, though by chance they would have. Source: Geurts, Ernst and Wehenkel (2006). Runs in the locked child.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from mining.tree_counts import TreeCounts, narrow

__all__ = ["between_whole_numbers", "has_random_cuts"]

Floats = npt.NDArray[np.float64]

ENOUGH = 5.0  # second cuts between the same two whole numbers, by chance; none has a chance of exp(-5)
FEWEST = 20  # cuts of a column of two values
COVERED = 0.6  # of the way between two values by the cuts of such a column


def has_random_cuts(fitted: list[tuple[Any, Any]], step: Any) -> bool:
    """Whether an estimator's trees draw their cuts: `splitter` is "random"."""
    if not fitted:
        return False
    members = list(np.ravel(np.asarray(getattr(step, "estimators_", [step]), dtype=object)))
    return len(members) > 0 and all(getattr(member, "splitter", "") == "random" for member in members)


def between_whole_numbers(table: TreeCounts, columns: int) -> TreeCounts:
    """The table with cuts of whole-number columns at k + 0.5.

    A column of whole numbers is never cut twice between k and k + 1 on one way down a tree; another is, the
    more often the narrower what is left. A column of two values is cut once on each way.
    """
    inner = table.inner
    low, high = _left_over(table)
    threshold = table.threshold.copy()
    for j in range(columns):
        mine = table.feature[inner] == j
        cuts = table.threshold[inner[mine]]
        if len(cuts) < FEWEST or not _are_of_whole(cuts, low[mine], high[mine]):
            continue
        threshold[inner[mine]] = np.floor(cuts) + 0.5
    return table._replace(threshold=threshold)


def _are_of_whole(cuts: Floats, low: Floats, high: Floats) -> bool:
    is_nested = np.isfinite(low) | np.isfinite(high)
    cells = np.floor(cuts)
    if (cells == cells[0]).all():
        return not is_nested.any() and bool(np.ptp(cuts) >= COVERED)
    again = ((cells == np.floor(low)) | (cells == np.floor(high)))[is_nested]
    below = np.where(np.isfinite(low), low, cuts.min())[is_nested]
    above = np.where(np.isfinite(high), high, cuts.max())[is_nested]
    starts, ends = (np.where(np.isfinite(bound), bound, 0.0) for bound in (low, high))
    near = np.ceil(starts) - starts + ends - np.floor(ends)
    chance = np.minimum(near[is_nested] / np.maximum(above - below, 1e-12), 1.0)
    return not again.any() and float(chance.sum()) >= ENOUGH


def _left_over(table: TreeCounts) -> tuple[Floats, Floats]:
    """Between which cuts of the same column each split lies; infinite where none is above it."""
    low, high = np.full(len(table.inner), -np.inf), np.full(len(table.inner), np.inf)
    narrow(table, table.threshold, low, high)
    return low, high
