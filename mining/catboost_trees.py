"""CatBoost's symmetric trees in the form of scikit-learn's own: a split a level, rows counted at leaves.

Promises: no split with a side that has no row. Leaves links to `mining.tree_counts`. In the locked child.
"""

import re
from typing import Any

import numpy as np

from mining.boosted_trees import BoostedTree, linked
from mining.tree_counts import BOOSTED, MAX_NODES

__all__ = ["catboost_trees"]

SPLIT = re.compile(r"(\d+), bin=(\S+)")


def catboost_trees(model: Any) -> list[tuple[BoostedTree, None]]:
    """(tree, None) of the first trees. Raises ValueError for splits on categories, and other shapes.

    Bit i of a leaf's number is whether a row's value is above the i-th split's border. The borders as text
    are rounded, so that the nearest one of the feature is meant.
    """
    borders = {feature: np.asarray(values) for feature, values in model.get_borders().items()}
    counts = [int(count) for count in model.get_tree_leaf_counts()]
    weights = np.asarray(model.get_leaf_weights(), dtype=np.float64)
    ends = np.cumsum([0, *counts])
    found: list[tuple[BoostedTree, None]] = []
    for tree in range(min(len(counts), BOOSTED)):
        if found and ends[tree + 1] > MAX_NODES / 2:
            break
        splits = [SPLIT.fullmatch(text) for text in model._get_tree_splits(tree, None)]
        if not all(splits) or counts[tree] != 2 ** len(splits):
            raise ValueError("The trees are not symmetric, or split on categories.")
        features = [int(split[1]) for split in splits if split]
        cuts = [float(split[2]) for split in splits if split]
        near = [
            borders[j][np.argmin(np.abs(borders[j] - cut))] for j, cut in zip(features, cuts, strict=True)
        ]
        found.append((_tree(features, near, weights[ends[tree] : ends[tree + 1]]), None))
    return found


def _tree(features: list[int], cuts: list[float], weights: Any) -> BoostedTree:
    """A node is a row of leaves, in the order of their numbers; a level down are its halves."""

    def read(node: tuple[int, int]) -> tuple[Any, Any, int, float, float, bool]:
        first, level = node
        while level > 0:
            middle = first + 2 ** (level - 1)
            below, above = weights[first:middle].sum(), weights[middle : first + 2**level].sum()
            if below > 0 and above > 0:
                left, right = (first, level - 1), (middle, level - 1)
                return left, right, features[level - 1], cuts[level - 1], float(below + above), True
            first, level = (middle if above > 0 else first), level - 1
        return None, None, 0, 0.0, float(weights[first]), False

    return linked(read, (0, len(features)))
