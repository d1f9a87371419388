"""One-hot columns among those that trees split on: by their names, unless the trees saw two of them at 1.

Promises: only columns with one cut, and no group that a count contradicts; shares of the members that
take account of what the nodes above ruled out. Runs in the locked child.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mining.tree_counts import TreeCounts

__all__ = ["Rivals", "group_members", "padded", "rivals_of", "seen_together"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rivals = tuple[tuple[int, ...], ...]  # positions of columns, group by group

STEPS = 20  # of the fit of a group's shares
PRIOR_SHARE = 0.02  # of what the nodes saw of a member: what an even share counts as
LEAST_OPEN = 0.02  # of all rows, where hardly any category is left at a node
TINY = 1e-12


def rivals_of(groups: Mapping[str, Sequence[int]], table: TreeCounts) -> tuple[Rivals, frozenset[str]]:
    """Columns of which at most one is 1, group by group; and the prefixes that are no group.

    groups: positions of columns by their names' prefix. Members have one cut: above it is 1.
    """
    inner = table.inner
    cuts = np.unique(np.stack([table.feature[inner], table.threshold[inner]], axis=1), axis=0)
    places, counts = np.unique(cuts[:, 0].astype(np.int64), return_counts=True)
    single = set(places[counts == 1].tolist())
    found: list[tuple[int, ...]] = []
    together = set()
    for prefix, members in groups.items():
        own = tuple(j for j in members if j in single)
        if len(own) > 1 and seen_together(own, table):
            together.add(prefix)
        elif len(own) > 1:
            found.append(own)
    return tuple(found), frozenset(together)


def seen_together(members: Sequence[int], table: TreeCounts) -> bool:
    """Whether a tree parted rows by one member where another was 1 already: of a one-hot group none would.

    There all rows have 0, and no tree splits a column that does not vary.
    """
    return any((went_right & ~same).any() for _, _, went_right, same in _above(members, table))


def group_members(members: Sequence[int], table: TreeCounts) -> Floats:
    """How often each member of a one-hot group is 1, and last how often none is: (groups of rows, members +
    1).

    Of the rows at a node that splits on a member, those that nodes above found to be another's are gone: as
    many more would have come by without these. A member's share is that of its rows in all these, nodes
    counted by their share of the rows. Where members sum to more than all, those of little evidence give way.
    """
    inner = table.inner
    place = {j: k for k, j in enumerate(members)}
    own = inner[np.isin(table.feature[inner], members)]
    mine = np.array([place[j] for j in table.feature[own].tolist()], dtype=np.int64)
    open_ = np.ones((len(own), len(members) + 1), dtype=bool)
    for rows, above, _, same in _above(members, table):
        ruled_out = rows[~same]
        open_[ruled_out, [place[j] for j in table.feature[above[~same]].tolist()]] = False
    weight = table.counts[own].sum(axis=1) / table.rows
    right = table.counts[table.right[own]] * weight[:, None]
    left = table.counts[table.left[own]] * weight[:, None]
    return np.stack([_fitted(mine, open_, left[:, c], right[:, c]) for c in range(table.counts.shape[1])])


def padded(rivals: Rivals, columns: int) -> npt.NDArray[np.int32]:
    """Of each column its rivals, (columns, most), -1 at the end; no rows where there are none."""
    if not rivals:
        return np.full((0, 0), -1, dtype=np.int32)
    found = np.full((columns, max(map(len, rivals)) - 1), -1, dtype=np.int32)
    for group in rivals:
        for j in group:
            found[j, : len(group) - 1] = [other for other in group if other != j]
    return found


def _above(
    members: Sequence[int], table: TreeCounts
) -> list[tuple[Ints, Ints, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """(places among the members' nodes, nodes above on a member, whether right of it, same member)."""
    inner = table.inner
    own = inner[np.isin(table.feature[inner], members)]
    is_member = np.zeros(len(table.left), dtype=bool)
    is_member[own] = True
    found = []
    rows, child, above = np.arange(len(own)), own, table.parent[own]
    while len(rows):
        some = above >= 0
        rows, child, above = rows[some], child[some], above[some]
        here = is_member[above]
        if here.any():
            told = above[here]
            same = table.feature[told] == table.feature[own[rows[here]]]
            found.append((rows[here], told, table.left[told] != child[here], same))
        child, above = above, table.parent[above]
    return found


def _fitted(mine: Ints, open_: npt.NDArray[np.bool_], left: Floats, right: Floats) -> Floats:
    count = open_.shape[1] - 1
    evidence = np.maximum(np.bincount(mine, left + right, count), TINY)
    prior = PRIOR_SHARE * evidence
    ones = np.bincount(mine, right, count) + prior / (count + 1)
    found = np.full(count + 1, 1 / (count + 1))
    for _ in range(STEPS):
        reached = np.bincount(mine, (left + right) / np.maximum(open_ @ found, LEAST_OPEN), count)
        shares = ones / (reached + prior)
        excess = shares.sum() - 1
        if excess > 0:
            spare = shares / np.sqrt(evidence)
            shares = np.maximum(shares - excess * spare / spare.sum(), shares / 10)
        total = max(float(shares.sum()), 1.0)
        found = np.append(shares / total, max(1 - shares.sum(), 0.0))
    return found
