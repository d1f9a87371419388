"""XGBoost's trees in the form of scikit-learn's own, with rows in place of hessians.

Promises: at each node the share of the training rows that came by, as far as covers tell it; cuts as
`mining.cuts` gives them. Leaves links to `mining.tree_counts`. Runs in the locked child.
"""

import json
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mining.boosted_trees import BoostedTree, linked
from mining.cuts import between_steps, beyond_all_values, cuts_are_values
from mining.tree_counts import MAX_NODES

__all__ = ["XGBoost", "read_xgboost"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PRIOR_ROWS = 5.0  # that a node's mean hessian is drawn to its parent's with
LEAST_HESSIAN = 1e-3  # of a row, so that a few sure ones do not become thousands
MOST = 5.0  # times that one made-up row is taken
RAKED = 5  # rounds over the first trees
SOFTMAX = ("multi:softprob", "multi:softmax")
COUNTS = ("count:poisson", "reg:tweedie")
LOGISTIC = ("binary:logistic", "reg:logistic", "binary:logitraw")


class _Tree(NamedTuple):
    """One tree as XGBoost numbers it; `splits`: whether a node parts numbers. value: of a leaf."""

    left: Ints
    right: Ints
    feature: Ints
    cut: Floats
    cover: Floats
    value: Floats
    splits: npt.NDArray[np.bool_]
    output: int


class XGBoost(NamedTuple):
    """The first trees of a booster. base: its base score; a_round: trees that see the same answers."""

    trees: tuple[_Tree, ...]
    objective: str
    base: float
    outputs: int
    a_round: int
    weight_of_positives: float

    @property
    def start(self) -> float:
        """The margin before the first tree, as far as hessians depend on it."""
        if self.objective in LOGISTIC:
            return math.log(self.base / (1 - self.base)) if 0 < self.base < 1 else 0.0
        return math.log(self.base) if self.objective in COUNTS and self.base > 0 else 0.0

    @property
    def follows_answers(self) -> bool:
        """Whether hessians can be had from a row's answers: not where trees part categories."""
        known = self.objective in (*LOGISTIC, *SOFTMAX, *COUNTS)
        return known and all((tree.splits == (tree.left >= 0)).all() for tree in self.trees)

    def balanced(self, rows: Floats) -> Floats:
        """The rows, drawn again so that each leaf of the first trees has its share of them.

        There all rows weigh alike, so that these covers are counts: what they say is sure, and the rows that
        later trees asked for give way (iterative proportional fitting, Deming and Stephan 1940).
        """
        weights = np.ones(len(rows))
        hessian = _Hessians(self, rows)
        for _ in range(RAKED):
            for tree in self.trees[: self.a_round]:
                leaves = hessian.leaves(tree)
                cover = np.where(tree.splits, 0.0, tree.cover)
                made = np.bincount(leaves, weights, len(tree.left))
                weights *= np.minimum(cover / cover.sum() * weights.sum() / np.maximum(made, 1e-9), MOST)[
                    leaves
                ]
        weights = np.minimum(weights / weights.mean(), MOST)
        even = (np.arange(len(rows)) + 0.5) / len(rows)
        return np.asarray(rows[np.searchsorted(np.cumsum(weights) / weights.sum(), even)], dtype=np.float64)

    def counted(self, rows: Floats | None) -> list[tuple[BoostedTree, None]]:
        """The trees with the rows that came by each node, as far as covers tell them.

        A node's cover is the sum of its rows' hessians: of the log loss p (1 - p), which is less the surer
        the trees before were, and alike for all rows at the first. rows: made-up ones like the training
        rows, out of which the mean hessian at each node is known; without them the first trees' holds for
        all.
        """
        found: list[tuple[BoostedTree, None]] = []
        hessian = _Hessians(self, np.zeros((1, 0)) if rows is None else rows)
        for place, tree in enumerate(self.trees):
            means = (
                hessian.first if rows is None else hessian.means_at(tree, begins=place % self.a_round == 0)
            )
            found.append((_linked(tree, tree.cover / means), None))
        return found


def read_xgboost(booster: Any, rounds: int) -> XGBoost:
    """The trees of the first rounds of an xgboost.Booster. Raises ValueError for what grows no trees."""
    document = json.loads(bytes(booster[: min(rounds, booster.num_boosted_rounds())].save_raw("json")))
    learner = document["learner"]
    boosted = learner["gradient_booster"]
    boosted = boosted.get("gbtree", boosted)  # dart holds one
    if "model" not in boosted or "trees" not in boosted["model"]:
        raise ValueError("The booster has no trees.")
    names = {str(name): i for i, name in enumerate(booster.feature_names or ())}
    outputs = boosted["model"]["tree_info"]
    trees: list[_Tree] = []
    nodes = 0
    for tree, output in zip(boosted["model"]["trees"], outputs, strict=True):
        nodes += len(tree["left_children"])
        if trees and nodes > MAX_NODES:
            break
        trees.append(_read(tree, int(output), names))
    parameters = learner["learner_model_param"]
    objective = learner["objective"]
    parallel = boosted["model"].get("gbtree_model_param", {}).get("num_parallel_tree", 1)
    count = max(int(parameters["num_class"]), 1)
    return XGBoost(
        tuple(_on_midpoints(trees)),
        objective["name"],
        float(str(parameters["base_score"]).strip("[]").split(",")[0]),
        count,
        count * max(int(parallel), 1),
        float(objective.get("reg_loss_param", {}).get("scale_pos_weight", 1.0)),
    )


def _read(tree: dict[str, Any], output: int, names: dict[str, int]) -> _Tree:
    left, right = (np.asarray(tree[key], dtype=np.int64) for key in ("left_children", "right_children"))
    count = len(left)
    cut = np.asarray(tree["split_conditions"], dtype=np.float32).astype(np.float64)
    feature = [names[name] if isinstance(name, str) else int(name) for name in tree["split_indices"]]
    kinds = np.asarray(tree.get("split_type") or np.zeros(count), dtype=np.int64)
    inner = left >= 0
    if (left >= count).any() or (right >= count).any() or (right[inner] < 0).any():
        raise ValueError("A tree's links lead nowhere.")
    return _Tree(
        left, right, np.asarray(feature, dtype=np.int64), cut,
        np.maximum(np.asarray(tree["sum_hessian"], dtype=np.float64), 1e-9),
        np.where(inner, 0.0, cut), inner & (kinds == 0), output,
    )  # fmt: skip


def _on_midpoints(trees: list[_Tree]) -> list[_Tree]:
    """The same trees with cuts as in `value <= cut`; a split that only parts missing values is gone."""
    feature, cut = (
        np.concatenate([getattr(tree, key)[tree.splits] for tree in trees]) for key in ("feature", "cut")
    )
    used = np.unique(feature).tolist()
    columns = {j: np.unique(cut[feature == j]) for j in used}
    outer = {j: cuts[beyond_all_values(cuts)] for j, cuts in columns.items()}
    inside = {j: np.setdiff1d(cuts, outer[j]) for j, cuts in columns.items()}
    are_values = cuts_are_values(list(inside.values()))
    size = max(used, default=-1) + 1
    less = np.zeros(max(size, 1))
    for j, cuts in inside.items():
        less[j] = between_steps(cuts, are_values)
    found = []
    for tree in trees:
        left, right = tree.left.copy(), tree.right.copy()
        gone = np.zeros(len(left), dtype=bool)
        for j, cuts in outer.items():
            if len(cuts):
                gone |= tree.splits & (tree.feature == j) & np.isin(tree.cut, cuts)
        for node in np.flatnonzero(gone):  # all that is not missing goes on one side of 0: that child stays
            stays = left[node] if tree.cut[node] > 0 else right[node]
            left[node] = right[node] = stays
        cuts_now = tree.cut - np.where(tree.splits, less[np.minimum(tree.feature, len(less) - 1)], 0.0)
        found.append(tree._replace(left=left, right=right, cut=cuts_now))
    return found


def _linked(tree: _Tree, counts: Floats) -> BoostedTree:
    """From the root down, each node once; a node with one child is that child."""

    def read(node: int) -> tuple[Any, Any, int, float, float, bool]:
        seen = 0
        while tree.splits[node] and tree.left[node] == tree.right[node] and seen < len(counts):
            node = int(tree.left[node])
            seen += 1
        return (
            int(tree.left[node]), int(tree.right[node]), int(tree.feature[node]), float(tree.cut[node]),
            float(counts[node]), bool(tree.splits[node]),
        )  # fmt: skip

    return linked(read, 0)


class _Hessians:
    """What made-up rows weigh at each tree, as the trees before it answered them; 1 where no answer tells."""

    def __init__(self, model: XGBoost, rows: Floats) -> None:
        self._rows = np.nan_to_num(rows)
        self._model = model
        self._margins = np.full((len(rows), model.outputs), model.start)
        self._before = self._margins.copy()  # all trees of one round see the same
        self._positives = np.ones(len(rows))
        self.first = float(self._hessians(0)[0])
        if model.weight_of_positives != 1 and model.objective in LOGISTIC and rows.shape[1]:
            self._positives = self._weights()

    def means_at(self, tree: _Tree, *, begins: bool) -> Floats:
        """Mean hessian of the rows that come by each node; where few do, nearly the parent's."""
        if begins:
            self._before = self._margins.copy()
        hessians = self._positives * self._hessians(tree.output)
        count = len(tree.left)
        sums, rows, parent = np.zeros(count), np.zeros(count), np.zeros(count, dtype=np.int64)
        inner = np.flatnonzero(tree.splits)
        parent[tree.left[inner]] = parent[tree.right[inner]] = inner
        leaves = self.leaves(tree)
        for nodes, some in self._levels(tree):
            np.add.at(sums, nodes, hessians[some])
            np.add.at(rows, nodes, 1.0)
        means = np.full(count, float(hessians.mean()))
        level = np.zeros(1, dtype=np.int64)
        for _ in range(count):  # from the root down; links that bend back end here
            means[level] = (sums[level] + PRIOR_ROWS * means[parent[level]]) / (rows[level] + PRIOR_ROWS)
            splits = level[tree.splits[level]]
            level = np.unique(np.concatenate([tree.left[splits], tree.right[splits]]))
            if not len(level):
                break
        self._margins[:, tree.output] += tree.value[leaves]
        return means

    def leaves(self, tree: _Tree) -> Ints:
        """The leaf that each row comes to."""
        found = np.zeros(len(self._rows), dtype=np.int64)
        for nodes, some in self._levels(tree):
            found[some] = nodes
        return found

    def _hessians(self, output: int) -> Floats:
        """Of one row: p (1 - p), with softmax 2 p (1 - p); the mean itself of counts."""
        margins = np.clip(self._before, -30, 30)
        if self._model.objective in SOFTMAX:
            shares = np.exp(margins - margins.max(axis=1, keepdims=True))
            p = (shares / shares.sum(axis=1, keepdims=True))[:, output]
        elif self._model.objective in LOGISTIC:
            p = 1 / (1 + np.exp(-margins[:, output]))
        elif self._model.objective in COUNTS:
            return np.asarray(np.exp(margins[:, output]), dtype=np.float64)
        else:
            return np.ones(len(margins))
        return np.asarray(np.maximum(p * (1 - p), LEAST_HESSIAN), dtype=np.float64)

    def _weights(self) -> Floats:
        """What scale_pos_weight makes of a row's hessian on average: its chance to be positive decides."""
        weight = self._model.weight_of_positives
        margins = np.full(len(self._rows), self._model.start)
        for tree in self._model.trees:
            margins += tree.value[self.leaves(tree)]
        odds = np.exp(np.clip(margins, -30, 30)) / weight
        return np.asarray(1 + (weight - 1) * odds / (1 + odds), dtype=np.float64)

    def _levels(self, tree: _Tree) -> Any:
        """(nodes, rows) at each depth, the root first."""
        node = np.zeros(len(self._rows), dtype=np.int64)
        rows = np.arange(len(self._rows))
        for _ in range(len(tree.left)):
            yield node, rows
            inner = tree.splits[node]
            node, rows = node[inner], rows[inner]
            if not len(node):
                return
            goes = self._rows[rows, tree.feature[node]] <= tree.cut[node]
            node = np.where(goes, tree.left[node], tree.right[node])
