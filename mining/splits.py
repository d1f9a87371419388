"""What the splits of trees and boosters tell of the features that they split on.

Promises: thresholds are read as a picture of the training data, weighted by the rows that reached
them. Leaves the way through pipelines to `mining.schema`. Runs in the locked child.
"""

import math
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from mining.boosted_trees import histogram_trees, lightgbm_trees
from mining.cuts import without_zero_bin
from mining.facts import (
    Column,
    Columns,
    Facts,
    Floats,
    between_integers,
    mine_categories,
    tell_raw,
    tell_spread,
)
from mining.marginals import resolution
from mining.random_cuts import between_whole_numbers, has_random_cuts
from mining.rivals import rivals_of
from mining.tree_counts import BOOSTED, TreeCounts, counts_of
from mining.tree_rows import ROWS, rows_of
from mining.xgboost_trees import read_xgboost
from rows.one_hot import groups_by_name
from rows.shapes import quantiles_of
from schema_utils import CATEGORIES_KEPT, MAX_WITH_QUANTILES

__all__ = ["SPLIT_MINERS", "tell_boosted", "tell_thresholds", "trees_of"]

MOST_REPEATED = 5.0  # times that one made-up row is taken
ROUNDS = 4  # of XGBoost's covers and rows
TREES = 50  # of a forest: enough thresholds, and a bound on the time


def _mine_sklearn_trees(step: Any, columns: Columns, facts: Facts) -> None:
    """Forests, single trees, gradient boosting, isolation forests: rows that agree with all node counts."""
    fitted = trees_of(step)
    if not fitted:
        return
    if facts.count <= MAX_WITH_QUANTILES:
        with suppress(ValueError):  # links that form no tree: the thresholds are still thresholds
            table = counts_of(step, fitted, len(columns), ROWS)
            if table is not None and has_random_cuts(fitted, step):
                table = between_whole_numbers(table, len(columns))
            if table is not None:
                rows = _balanced(step, _grown(table, columns, facts))
                _tell_grown(rows, table, columns, facts)
    features, thresholds, weights = [], [], []
    for tree, chosen in fitted[:TREES]:
        inner = tree.children_left >= 0
        split_on = tree.feature[inner]
        features.append(split_on if chosen is None else np.asarray(chosen)[split_on])
        thresholds.append(tree.threshold[inner])
        weights.append(tree.n_node_samples[inner])
    tell_thresholds(
        facts,
        columns,
        *(np.concatenate(parts) for parts in (features, thresholds, weights)),
        midpoints=True,
    )


def _balanced(step: Any, rows: Floats) -> Floats:
    """The rows of a boosted classifier, drawn again so that its predictions have the classes' known shares.

    Its trees are grown on residuals and know no class, but what it starts from is the classes' shares.
    """
    known = getattr(getattr(step, "init_", None), "class_prior_", None)
    if known is None or not hasattr(step, "classes_"):
        return rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the columns have no names here
        answers = step.predict(np.nan_to_num(rows).astype(np.float32))
    said = np.searchsorted(step.classes_, answers)
    counts = np.bincount(said, minlength=len(known))
    weights = np.minimum(np.asarray(known) * len(rows) / np.maximum(counts, 1), MOST_REPEATED)[said]
    even = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.asarray(rows[np.searchsorted(np.cumsum(weights) / weights.sum(), even)], dtype=np.float64)


def tell_boosted(step: Any, fitted: list[tuple[Any, Any]], columns: Columns, facts: Facts) -> None:
    """Rows out of trees that were grown on residuals; a model whose trees cannot be read keeps its splits."""
    if facts.count <= MAX_WITH_QUANTILES:
        with suppress(ValueError):
            table = counts_of(step, fitted, len(columns), ROWS, is_boosting=True)
            if table is not None:
                _tell_grown(_grown(table, columns, facts), table, columns, facts)


def _grown(table: TreeCounts, columns: Columns, facts: Facts, start: Floats | None = None) -> Floats:
    """Made-up training rows, in which at most one column of a one-hot group is 1."""
    names = ["" if column is None else facts.names[column.feature] for column in columns]
    rivals, together = rivals_of(groups_by_name(names), table)
    facts.together |= together
    return rows_of(table, len(columns), rivals, start)


def _tell_grown(rows: Floats, table: TreeCounts, columns: Columns, facts: Facts) -> None:
    """What made-up training rows say of each feature, and how features hang together."""
    facts.tell_rows(columns, rows)
    for position, column in enumerate(columns):
        values = rows[:, position]
        if column is None or not np.isfinite(values).all():
            continue
        own = column.own(values)
        if own is None:
            tell_spread(facts, column, values)
            continue
        feature = Column(column.feature, True)
        low, high = float(own.min()), float(own.max())
        told = facts.of(column.feature)
        own = np.clip(own, told.get("min", low), told.get("max", high))
        thresholds = table.threshold[table.inner[table.feature[table.inner] == position]]
        if column.raw and resolution(np.unique(thresholds)) == 1.0:
            facts.tell(feature, type="integer")
        tell_raw(facts, feature, min=low, max=high, mean=float(own.mean()), std=float(own.std()))
        facts.tell(feature, quantiles=quantiles_of(own))


def trees_of(step: Any) -> list[tuple[Any, Any]]:
    """(tree, its features' positions or None) of every fitted scikit-learn tree of an estimator."""
    if hasattr(step, "tree_"):
        return [(step.tree_, None)]
    members = getattr(step, "estimators_", None)
    if members is None:
        return []
    flat = list(np.ravel(np.asarray(members, dtype=object))) if len(members) else []
    if not flat or not all(hasattr(member, "tree_") for member in flat):
        return []
    subsets = getattr(step, "estimators_features_", None)
    return [(member.tree_, None if subsets is None else subsets[i]) for i, member in enumerate(flat)]


def _mine_hist_boosting(step: Any, columns: Columns, facts: Facts) -> None:
    """HistGradientBoosting keeps its bin edges: quantiles of the training data. It takes missing values."""
    mapper = step._bin_mapper
    for column in columns:
        facts.tell(column, nullable=True)
    categorical = step.is_categorical_
    order = list(range(len(columns)))
    if categorical is not None and step._preprocessor is not None:
        order = [*np.flatnonzero(categorical), *np.flatnonzero(~np.asarray(categorical))]
        encoder = step._preprocessor.named_transformers_["encoder"]
        mine_categories(encoder, [columns[i] for i in np.flatnonzero(categorical)], facts)
    for position, edges in zip(order, mapper.bin_thresholds_, strict=True):
        if categorical is None or not categorical[position]:
            tell_spread(
                facts, columns[position], _widened(np.asarray(edges, dtype=np.float64)), midpoints=True
            )
    tell_boosted(step, histogram_trees(step, order, BOOSTED), columns, facts)


def _mine_xgboost(step: Any, columns: Columns, facts: Facts) -> None:
    """Types, categories and thresholds of an XGBoost model; it takes missing values."""
    booster = step.get_booster() if hasattr(step, "get_booster") else step
    if type(booster).__module__.partition(".")[0] != "xgboost":
        return
    for column in columns:
        facts.tell(column, nullable=True)
    types = booster.feature_types or [""] * len(columns)
    with suppress(Exception):
        exported = dict(booster.get_categories(export_to_arrow=True).to_arrow())
        names = booster.feature_names or []
        for name, values in exported.items():
            if values is not None:
                kept = tuple(values.to_pylist()[:CATEGORIES_KEPT])
                facts.tell(columns[names.index(name)], type="category", categories=kept)
    for column, kind in zip(columns, types, strict=True):
        if column is not None and column.raw and kind in ("int", "i"):
            facts.tell(column, type="integer" if kind == "int" else "boolean")
    if booster.num_boosted_rounds():
        model = read_xgboost(booster, BOOSTED)
        trees = model.counted(None)
        rows = None
        if facts.count <= MAX_WITH_QUANTILES:
            with suppress(ValueError):
                # Counts and rows in turn: out of rows like the training rows the hessians are known.
                for _ in range(ROUNDS if model.follows_answers else 1):
                    table = counts_of(step, trees, len(columns), ROWS, is_boosting=True)
                    if table is None:
                        break
                    rows = model.balanced(_grown(table, columns, facts, rows))
                    trees = model.counted(rows) if model.follows_answers else trees
                if table is not None and rows is not None:
                    _tell_grown(rows, table, columns, facts)
        tell_thresholds(facts, columns, *_splits_of(trees[:TREES]), midpoints=True)


def _splits_of(trees: list[tuple[Any, Any]]) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """(features, thresholds, rows) of all splits."""
    inner = [tree.children_left >= 0 for tree, _ in trees]
    features, thresholds, rows = (
        np.concatenate([getattr(tree, key)[here] for (tree, _), here in zip(trees, inner, strict=True)])
        for key in ("feature", "threshold", "n_node_samples")
    )
    return features.astype(np.int64), thresholds, rows


def _mine_lightgbm(step: Any, columns: Columns, facts: Facts) -> None:
    """Exact ranges and categories of a LightGBM model, and its thresholds; it takes missing values."""
    booster = getattr(step, "booster_", step)
    if type(booster).__module__.partition(".")[0] != "lightgbm":
        return
    model = booster.dump_model(num_iteration=TREES)
    categories = iter(model.get("pandas_categorical") or [])
    for column, name in zip(columns, model["feature_names"], strict=True):
        facts.tell(column, nullable=True)
        info = model["feature_infos"].get(name, {})
        if info.get("values"):
            values = next(categories, None) or [value for value in info["values"] if value >= 0]
            facts.tell(column, type="category", categories=tuple(values[:CATEGORIES_KEPT]))
        elif "min_value" in info:
            tell_raw(facts, column, min=info["min_value"], max=info["max_value"])
    trees = lightgbm_trees(model)
    if any((tree.children_left >= 0).any() for tree, _ in trees):
        ends = [model["feature_infos"].get(name, {}) for name in model["feature_names"]]
        trees = _without_zero_bins(trees, [(end.get("min_value"), end.get("max_value")) for end in ends])
        tell_boosted(step, trees, columns, facts)
        tell_thresholds(facts, columns, *_splits_of(trees), midpoints=True)


def _without_zero_bins(trees: list[tuple[Any, Any]], ends: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """LightGBM's trees with all cuts halfway between two values: see `mining.cuts`."""
    feature, threshold, _ = _splits_of(trees)
    moved = {}
    for j in np.unique(feature).tolist():
        cuts = np.unique(threshold[feature == j])
        moved[j] = dict(zip(cuts.tolist(), without_zero_bin(cuts, *ends[j]).tolist(), strict=True))
    found = []
    for tree, positions in trees:
        own = zip(tree.children_left, tree.feature.tolist(), tree.threshold.tolist(), strict=True)
        halved = [moved[j][cut] if left >= 0 else cut for left, j, cut in own]
        found.append((tree._replace(threshold=np.asarray(halved, dtype=np.float64)), positions))
    return found


def tell_thresholds(
    facts: Facts,
    columns: Columns,
    features: npt.NDArray[np.int64],
    thresholds: Floats,
    weights: Floats,
    *,
    midpoints: bool = False,
) -> None:
    """Splits as a picture of the data: they fall where rows are, and early ones near the middle.

    Mean and std are those of the thresholds, each weighted by the rows that reached its node; the
    range is the outermost thresholds, a tenth wider on each side: data lies on both sides of a split.
    midpoints: thresholds lie between two neighbouring values, so that k + 0.5 speaks of integers.
    """
    for position, column in enumerate(columns):
        mine = (features == position) & np.isfinite(thresholds)
        if column is None or not column.raw or not mine.any():
            continue
        values, mass = thresholds[mine], weights[mine].astype(np.float64)
        mean = float(np.average(values, weights=mass if mass.sum() > 0 else None))
        std = float(np.sqrt(np.average(np.square(values - mean), weights=mass if mass.sum() > 0 else None)))
        if midpoints and between_integers(values):
            low, high = math.floor(values.min()), math.ceil(values.max())
            facts.tell(column, type="integer")
            tell_raw(facts, column, min=low, max=high, mean=mean, std=max(std, (high - low) / 4))
        elif values.min() < values.max():
            wide = _widened(values)
            tell_raw(facts, column, min=wide.min(), max=wide.max(), mean=mean, std=std)
        else:
            tell_raw(facts, column, mean=mean)


def _widened(values: Floats) -> Floats:
    """With two values more, a tenth of the range outside; what is never negative does not become so."""
    if len(values) < 2 or between_integers(values):
        return values
    low, high = values.min(), values.max()
    margin = (high - low) / 10
    return np.concatenate([values, [max(low - margin, 0.0) if low >= 0 else low - margin, high + margin]])


SPLIT_MINERS = (_mine_sklearn_trees, _mine_hist_boosting, _mine_xgboost, _mine_lightgbm)
