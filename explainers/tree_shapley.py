"""Exact Shapley values of scikit-learn's trees and forests, path-dependent, by Gauss-Legendre quadrature.

Promises: the values of shap.TreeExplainer(feature_perturbation="tree_path_dependent") to rounding, linear
in the nodes of the trees. Imports numba, so only the zygote and its children import this module; `warm_up`
compiles there, before the fork. Leaves boosting and trees of several outputs to `explainers.families`.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from estimators.answers import FloatArray

__all__ = ["LANES", "Forest", "flatten", "forest_shapley", "supports", "warm_up"]

P = ParamSpec("P")
R = TypeVar("R")

LANES = 32  # rows that go through a tree together; a constant. At 16 the loops are unrolled, not vectorised
MAX_THREADS = 8  # each takes address space (stack, arena), which is limited in the child
MAX_OUTPUTS = 16  # carried at once: the work arrays grow with it
FORESTS = frozenset(
    f"{kind}{suffix}"
    for kind in ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")
    for suffix in ("Classifier", "Regressor")
)


class _Nodes(NamedTuple):
    """Nodes of all trees in preorder. A node's edge is the one from its parent; a root has none.

    previous: the level of the nearest edge above that tests the same feature, 0 where there is none.
    ratio: product of the cover ratios of that feature's edges down to this one; ratio_before: without it.
    left, missing: whether values up to the threshold, and missing ones, follow the edge. origin: the node's
    number in its tree. weight: a leaf's share of the cover, over all trees; 0 elsewhere.
    """

    level: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: FloatArray
    left: npt.NDArray[np.bool_]
    missing: npt.NDArray[np.bool_]
    leaf: npt.NDArray[np.bool_]
    previous: npt.NDArray[np.int64]
    ratio: FloatArray
    ratio_before: FloatArray
    origin: npt.NDArray[np.int64]
    weight: FloatArray


class _Work(NamedTuple):
    """What is carried along one path, by level; the last axis is the rows (LANES) where there is one."""

    product: FloatArray  # level, point, row: product of the factors of the path's features
    total: FloatArray  # level, point, output, row: sum over the leaves seen below
    on: FloatArray  # level, row: 1.0 where the row satisfies every edge of this feature so far
    off: FloatArray  # level, row: 1.0 where it fails this edge and satisfied those before
    inverse: FloatArray  # level, point: 1 / factor of this edge's feature for a row that is on
    share: FloatArray  # level, point: (1 - r) / factor, times the weight, for a row that is on
    gain_on: FloatArray  # level, point: what this edge adds to its feature's integral for a row that is on
    gain_off: FloatArray  # the same where the row falls off here; zero where it had fallen off before
    feature: npt.NDArray[np.int64]  # level
    step_on: FloatArray  # point: new factor over old, of this node, for a row that is on
    step_off: FloatArray  # the same where the row falls off here
    leaf: FloatArray  # point, row: the products at a leaf
    gain: FloatArray  # row: scratch


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    """numba without a cache on disk (the child may not write) and without threads of its own."""
    options = {"nogil": True, "cache": False, "error_model": "numpy", "fastmath": {"contract"}}
    return cast(Callable[P, R], numba.njit(**options)(function))


def supports(estimator: Any) -> bool:
    """Whether this is a fitted tree or forest of scikit-learn's own, with one output."""
    kind = type(estimator)
    return (
        kind.__name__ in FORESTS
        and kind.__module__.split(".")[0] == "sklearn"
        and getattr(estimator, "n_outputs_", None) == 1
        and (hasattr(estimator, "estimators_") or hasattr(estimator, "tree_"))
    )


class Forest(NamedTuple):
    """A fitted tree or forest made ready by `flatten`."""

    nodes: _Nodes
    starts: npt.NDArray[np.int64]  # of each tree, and the end
    points: npt.NDArray[np.int64]  # of quadrature, for each tree
    depth: int
    features: int
    value: FloatArray  # node, output: of the leaves
    classifies: bool
    base: FloatArray  # output: the mean of the leaves by cover


def forest_shapley(
    forest: Forest, x: npt.ArrayLike, *, threads: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Shapley values (rows, features, outputs) and base values (outputs,) of predict or predict_proba.

    For one leaf and one row, let r_i be the product of the cover ratios of feature i's splits on the path,
    o_i = 1 when the row satisfies them all, else 0. Feature j's value is the leaf's value times (o_j - r_j)
    times the integral over u in (0, 1) of the product over i != j of r_i + (o_i - r_i) u: a polynomial of
    degree d - 1 for d features, so ceil(d / 2) Gauss-Legendre points are exact. The base value is the mean
    of the leaves by cover. Same values as Lundberg et al. (2020), From local explanations to global
    understanding with explainable AI for trees, algorithm 2.
    """
    with np.errstate(over="ignore"):
        table = np.asarray(x).astype(np.float32)  # what scikit-learn compares with its thresholds
    if table.ndim != 2 or table.shape[1] != forest.features:
        raise ValueError(f"{forest.features} columns are needed, not an array of shape {table.shape}.")
    value = forest.value
    # Probabilities sum to one, so the values of the last class are minus the sum of the others'.
    implied = forest.classifies and value.shape[1] > 1
    kept = value[:, :-1] if implied else value
    parts = [
        _by_rows(forest, np.ascontiguousarray(kept[:, k : k + MAX_OUTPUTS]), table, threads)
        for k in range(0, kept.shape[1], MAX_OUTPUTS)
    ]
    if implied:
        parts.append(-sum(part.sum(axis=2, keepdims=True) for part in parts))
    return np.concatenate(parts, axis=2), forest.base


def warm_up() -> None:
    """Compile, single-threaded, on one stump."""
    from sklearn.tree import DecisionTreeRegressor

    x = np.array([[0.0], [1.0]])
    forest_shapley(flatten(DecisionTreeRegressor().fit(x, x[:, 0])), x, threads=1)


def flatten(estimator: Any) -> Forest:
    """Trees in preorder, one after the other; ValueError for one whose links are broken."""
    trees = [e.tree_ for e in np.ravel(getattr(estimator, "estimators_", [estimator]))]
    features = int(estimator.n_features_in_)
    classifies = hasattr(estimator, "classes_")
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])
    nodes = _blank(int(starts[-1]))
    points, depth = [], 0
    for start, tree in zip(starts, trees, strict=False):
        missing = getattr(tree, "missing_go_to_left", None)
        distinct, deepest = _flatten_tree(
            np.array(tree.children_left, dtype=np.int64),
            np.array(tree.children_right, dtype=np.int64),
            np.array(tree.feature, dtype=np.int64),
            np.array(tree.threshold, dtype=np.float64),
            np.array(missing if missing is not None else np.zeros(tree.node_count), dtype=np.bool_),
            np.array(tree.weighted_n_node_samples, dtype=np.float64),
            nodes,
            int(start),
            features,
        )
        if distinct < 0:
            raise ValueError("A tree's nodes do not form a tree over the model's features.")
        points.append(max(1, -(-distinct // 2)))
        depth = max(depth, deepest)
    nodes.weight[:] /= len(trees)
    value = _leaf_values(trees, nodes, normalise=classifies)
    base = nodes.weight @ value
    counts = np.array(points, dtype=np.int64)
    return Forest(nodes, starts.astype(np.int64), counts, depth, features, value, classifies, base)


def _blank(n: int) -> _Nodes:
    return _Nodes(
        level=np.zeros(n, dtype=np.int64),
        feature=np.zeros(n, dtype=np.int64),
        threshold=np.zeros(n),
        left=np.zeros(n, dtype=np.bool_),
        missing=np.zeros(n, dtype=np.bool_),
        leaf=np.zeros(n, dtype=np.bool_),
        previous=np.zeros(n, dtype=np.int64),
        ratio=np.zeros(n),
        ratio_before=np.zeros(n),
        origin=np.zeros(n, dtype=np.int64),
        weight=np.zeros(n),
    )


@_compiled
def _flatten_tree(
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    feature: npt.NDArray[np.int64],
    threshold: FloatArray,
    missing_left: npt.NDArray[np.bool_],
    cover: FloatArray,
    nodes: _Nodes,
    start: int,
    features: int,
) -> tuple[int, int]:
    """Write one tree from `start` on; (most distinct features on a path, depth), (-1, 0) if it is broken."""
    n = len(left)
    parents, levels, ids = np.empty(n + 2, np.int64), np.empty(n + 2, np.int64), np.empty(n + 2, np.int64)
    weights, path, distinct = np.empty(n + 2), np.empty(n + 2, np.int64), np.zeros(n + 2, np.int64)
    parents[0], levels[0], ids[0], weights[0] = -1, 0, 0, 1.0
    waiting, at, most, deepest = 1, start, 0, 0
    while waiting > 0:
        waiting -= 1
        node, parent, level, weight = ids[waiting], parents[waiting], levels[waiting], weights[waiting]
        if at == start + n or node < 0 or node >= n:
            return -1, 0
        path[level] = at
        nodes.level[at], nodes.origin[at] = level, node
        leaf = left[node] == -1
        nodes.leaf[at], nodes.weight[at] = leaf, weight if leaf else 0.0
        if parent >= 0:
            f = feature[parent]
            nodes.feature[at], nodes.threshold[at] = f, threshold[parent]
            nodes.left[at] = left[parent] == node
            nodes.missing[at] = nodes.left[at] == missing_left[parent]
            ratio = cover[node] / cover[parent] if cover[parent] > 0 else 0.5
            above = _join(nodes, at, path, level, ratio)
            distinct[level] = distinct[level - 1] + (above == 0)
            most, deepest = max(most, distinct[level]), max(deepest, level)
        if not leaf:
            if feature[node] < 0 or feature[node] >= features or waiting + 2 > n:
                return -1, 0
            for child in (right[node], left[node]):  # the left one is taken from the stack first
                if child <= 0 or child >= n:
                    return -1, 0
                share = cover[child] / cover[node] if cover[node] > 0 else 0.5
                ids[waiting], parents[waiting], levels[waiting] = child, node, level + 1
                weights[waiting] = weight * share
                waiting += 1
        at += 1
    return (most, deepest) if at == start + n else (-1, 0)


@_compiled
def _join(nodes: _Nodes, at: int, path: npt.NDArray[np.int64], level: int, ratio: float) -> int:
    """Note the nearest edge above of the same feature (its level is returned), and both ratios."""
    above = level - 1
    while above > 0 and nodes.feature[path[above]] != nodes.feature[at]:
        above -= 1
    nodes.previous[at] = above
    nodes.ratio_before[at] = nodes.ratio[path[above]] if above > 0 else 1.0
    nodes.ratio[at] = nodes.ratio_before[at] * ratio
    return above


def _leaf_values(trees: list[Any], nodes: _Nodes, normalise: bool) -> FloatArray:
    """(nodes, outputs) in the order of `nodes`; for classifiers shares, as predict_proba has them."""
    value = np.concatenate([np.asarray(tree.value, dtype=np.float64)[:, 0, :] for tree in trees])
    if normalise:
        total = value.sum(axis=1, keepdims=True)
        value = value / np.where(total == 0, 1.0, total)
    counts = [tree.node_count for tree in trees]
    offsets = np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    return np.ascontiguousarray(value[nodes.origin + offsets])


def _by_rows(
    forest: Forest, value: FloatArray, table: npt.NDArray[np.float32], threads: int | None
) -> FloatArray:
    """Groups of LANES rows, spread over threads: numba lets go of the interpreter's lock."""
    n, features = table.shape
    groups = -(-n // LANES)
    padded = np.zeros((groups * LANES, features), dtype=np.float32)
    padded[:n] = table
    columns = np.ascontiguousarray(padded.reshape(groups, LANES, features).transpose(0, 2, 1))
    out = np.zeros((groups, features, value.shape[1], LANES))
    u, weights = _rules(tuple(np.unique(forest.points).tolist()))

    def run(group: int) -> None:
        work = _workspace(forest.depth + 1, u.shape[1], value.shape[1])
        _sweep(
            forest.nodes, forest.starts, forest.points, value, u, weights, columns[group], work, out[group]
        )

    width = min(threads or os.cpu_count() or 1, MAX_THREADS, groups)
    if width > 1:
        with ThreadPoolExecutor(width) as pool:
            list(pool.map(run, range(groups)))
    else:
        for group in range(groups):
            run(group)
    values = out.transpose(0, 3, 1, 2).reshape(groups * LANES, features, value.shape[1])[:n]
    return values / len(forest.points)


@cache
def _rules(sizes: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Row g: the points and weights of the Gauss-Legendre rule of g points on (0, 1)."""
    u, weights = np.zeros((sizes[-1] + 1, sizes[-1])), np.zeros((sizes[-1] + 1, sizes[-1]))
    for size in sizes:
        x, w = np.polynomial.legendre.leggauss(size)
        u[size, :size], weights[size, :size] = (x + 1) / 2, w / 2
    return u, weights


def _workspace(levels: int, points: int, outputs: int) -> _Work:
    """Level 0 stands for 'no edge of this feature above': every row is on, the ratio is 1."""
    return _Work(
        product=np.ones((levels, points, LANES)),
        total=np.zeros((levels, points, outputs, LANES)),
        on=np.ones((levels, LANES)),
        off=np.zeros((levels, LANES)),
        inverse=np.ones((levels, points)),
        share=np.zeros((levels, points)),
        gain_on=np.zeros((levels, points)),
        gain_off=np.zeros((levels, points)),
        feature=np.zeros(levels, dtype=np.int64),
        step_on=np.ones(points),
        step_off=np.ones(points),
        leaf=np.ones((points, LANES)),
        gain=np.zeros(LANES),
    )


@_compiled
def _sweep(
    nodes: _Nodes,
    starts: npt.NDArray[np.int64],
    points: npt.NDArray[np.int64],
    value: FloatArray,
    u: FloatArray,
    weights: FloatArray,
    columns: npt.NDArray[np.float32],
    work: _Work,
    out: FloatArray,
) -> None:
    """Add the values of LANES rows (columns: features x rows) to `out` (features, outputs, rows)."""
    for tree in range(len(points)):
        size = points[tree]
        end = starts[tree + 1]
        for node in range(starts[tree] + 1, end):
            level = nodes.level[node]
            _turn(nodes, node, columns, work)
            _weigh(nodes, node, u[size, :size], weights[size, :size], work)
            if not nodes.leaf[node]:
                _descend(nodes, node, size, work, work.product[level])
                work.total[level, :size] = 0.0
                continue
            _descend(nodes, node, size, work, work.leaf)
            _add_leaf(level, size, value[node], work, out)
            following = nodes.level[node + 1] if node + 1 < end else 1
            for done in range(level - 1, following - 1, -1):
                _close(done, size, work, out)


@_compiled
def _turn(nodes: _Nodes, node: int, columns: npt.NDArray[np.float32], work: _Work) -> None:
    """Which rows satisfy the node's edge, and every edge of its feature above."""
    level, threshold = nodes.level[node], nodes.threshold[node]
    left, missing = nodes.left[node], nodes.missing[node]
    before, on, off = work.on[nodes.previous[node]], work.on[level], work.off[level]
    column = columns[nodes.feature[node]]
    work.feature[level] = nodes.feature[node]
    for row in range(LANES):
        x = column[row]
        follows = missing if np.isnan(x) else (x <= threshold) == left
        on[row] = before[row] if follows else 0.0
        off[row] = 0.0 if follows else before[row]


@_compiled
def _weigh(nodes: _Nodes, node: int, u: FloatArray, weights: FloatArray, work: _Work) -> None:
    """At each point: the feature's factor r + (o - r) u over the one that it replaces, and its gain.

    The gain is what the edge's feature adds to its integral, less what its edge above had added.
    """
    level, before, r = nodes.level[node], nodes.previous[node], nodes.ratio[node]
    for q in range(len(u)):
        factor = r + (1.0 - r) * u[q]
        inverse = 1.0 / factor
        share = weights[q] * (1.0 - r) * inverse
        old, old_share = work.inverse[before, q], work.share[before, q]
        work.step_on[q], work.step_off[q] = factor * old, r * (1.0 - u[q]) * old
        work.gain_on[level, q] = share - old_share
        work.gain_off[level, q] = -weights[q] / (1.0 - u[q]) - old_share
        work.inverse[level, q], work.share[level, q] = inverse, share


@_compiled
def _descend(nodes: _Nodes, node: int, size: int, work: _Work, into: FloatArray) -> None:
    """The parent's products, with the factor of the edge's feature replaced."""
    level, before = nodes.level[node], nodes.ratio_before[node]
    fallen = nodes.ratio[node] / before if before > 0 else 0.0
    above, on, off = work.product[level - 1], work.on[level], work.off[level]
    for q in range(size):
        step_on, step_off = work.step_on[q], work.step_off[q]
        for row in range(LANES):
            step = fallen * (1.0 - on[row] - off[row]) + on[row] * step_on + off[row] * step_off
            into[q, row] = above[q, row] * step


@_compiled
def _add_leaf(level: int, size: int, value: FloatArray, work: _Work, out: FloatArray) -> None:
    """A leaf's values go to its own edge's feature and, to be carried up, to its parent's sums."""
    leaf, on, off = work.leaf, work.on[level], work.off[level]
    gain = work.gain
    gain[:] = 0.0
    for q in range(size):
        gain_on, gain_off = work.gain_on[level, q], work.gain_off[level, q]
        for row in range(LANES):
            gain[row] += leaf[q, row] * (on[row] * gain_on + off[row] * gain_off)
    for k in range(len(value)):
        v = value[k]
        if v == 0.0:  # most classes, at the leaves of a tree grown deep
            continue
        to = out[work.feature[level], k]
        for row in range(LANES):
            to[row] += v * gain[row]
        for q in range(size):
            total = work.total[level - 1, q, k]
            for row in range(LANES):
                total[row] += v * leaf[q, row]


@_compiled
def _close(level: int, size: int, work: _Work, out: FloatArray) -> None:
    """All leaves below are seen: their sum goes to the edge's feature, and up."""
    on, off = work.on[level], work.off[level]
    for k in range(out.shape[1]):
        to = out[work.feature[level], k]
        for q in range(size):
            gain_on, gain_off = work.gain_on[level, q], work.gain_off[level, q]
            total, above = work.total[level, q, k], work.total[level - 1, q, k]
            for row in range(LANES):
                to[row] += total[row] * (on[row] * gain_on + off[row] * gain_off)
                above[row] += total[row]
