"""Trees of histogram boosting and LightGBM in the form of scikit-learn's own: links, splits and row counts.

Promises: a split on a category ends its branch, since it has no threshold. Leaves checking links to
`mining.tree_counts`. Runs in the locked child.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["BoostedTree", "histogram_trees", "lightgbm_trees", "linked"]

MAX_TREE = 20_000  # nodes; boosting grows small trees


class BoostedTree(NamedTuple):
    """What `mining.tree_counts` reads of a scikit-learn tree; the values are of no use here."""

    children_left: npt.NDArray[np.int64]
    children_right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float64]
    n_node_samples: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]

    @property
    def weighted_n_node_samples(self) -> npt.NDArray[np.float64]:
        return self.n_node_samples


def histogram_trees(step: Any, order: Sequence[int], most: int) -> list[tuple[BoostedTree, Any]]:
    """(tree, columns of its features) of the first rounds of a HistGradientBoosting estimator."""
    found: list[tuple[BoostedTree, Any]] = []
    for predictors in step._predictors:
        for predictor in predictors:
            nodes = predictor.nodes
            inner = ~nodes["is_leaf"].astype(bool)
            links = [
                (int(left), int(right), int(feature), float(threshold), float(count), bool(splits))
                for left, right, feature, threshold, count, splits in zip(
                    nodes["left"],
                    nodes["right"],
                    nodes["feature_idx"],
                    nodes["num_threshold"],
                    nodes["count"],
                    inner & ~nodes["is_categorical"].astype(bool),
                    strict=True,
                )
            ]
            found.append((linked(lambda i, links=links: links[i], 0), order))
            if len(found) >= most:
                return found
    return found


def lightgbm_trees(model: dict[str, Any]) -> list[tuple[BoostedTree, Any]]:
    """(tree, None) of each tree of a dumped LightGBM model."""

    def read(node: dict[str, Any]) -> tuple[Any, Any, int, float, float, bool]:
        if "split_feature" not in node:
            return None, None, 0, 0.0, float(node.get("leaf_count", 1)), False
        numeric = node["decision_type"] == "<="
        threshold = float(node["threshold"]) if numeric else 0.0
        count = float(node["internal_count"])
        return node["left_child"], node["right_child"], int(node["split_feature"]), threshold, count, numeric

    return [(linked(read, tree["tree_structure"]), None) for tree in model["tree_info"]]


def linked(read: Any, root: Any) -> BoostedTree:
    """Arrays out of linked nodes; read(node) is (left, right, feature, threshold, rows, splits)."""
    rows: list[tuple[int, float, float]] = []
    left: list[int] = []
    right: list[int] = []
    waiting: list[tuple[Any, int, bool]] = [(root, -1, True)]
    while waiting:
        node, parent, is_left = waiting.pop()
        below, above, feature, threshold, count, splits = read(node)
        place = len(rows)
        if place > MAX_TREE:
            raise ValueError("A tree has too many nodes, or its links bend back.")
        if parent >= 0:
            (left if is_left else right)[parent] = place
        rows.append((feature, threshold, count))
        left.append(-1)
        right.append(-1)
        if splits:
            waiting += [(above, place, False), (below, place, True)]
    feature_, threshold_, counts = (np.asarray(part) for part in zip(*rows, strict=True))
    return BoostedTree(
        np.asarray(left),
        np.asarray(right),
        feature_.astype(np.int64),
        threshold_.astype(np.float64),
        np.maximum(counts.astype(np.float64), 1.0),
        np.zeros((len(rows), 1, 1)),
    )
