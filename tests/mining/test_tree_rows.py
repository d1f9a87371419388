"""Rows read out of trees against the rows that the trees were grown on."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.stats import ks_2samp, spearmanr
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mining.marginals import cells_of, group_shares, resolution
from mining.particles import Cloud, Paths, settle
from mining.rivals import padded
from mining.schema import mine
from mining.splits import trees_of
from mining.tree_counts import TreeCounts, counts_of
from mining.tree_rows import ROWS, rows_of
from synthetic_data import generate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 1)


def table_of(model: Any, columns: int, most: int = 10**9) -> TreeCounts:
    table = counts_of(model, trees_of(model), columns, most)
    assert table is not None
    return table


def passed(table: TreeCounts, rows: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How many of the rows come by each node, followed one by one."""
    found = np.zeros(len(table.left))
    for row in rows:
        for root in table.roots:
            node = root
            found[node] += 1
            while table.left[node] >= 0:
                goes_left = row[table.feature[node]] <= table.threshold[node]
                node = table.left[node] if goes_left else table.right[node]
                found[node] += 1
    return found


# --- counts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, "balanced", {0: 1.0, 1: 2.5, 2: 7.0}])
def test_counts_are_the_training_rows_of_each_class_whatever_their_weights(weights: Any) -> None:
    model = DecisionTreeClassifier(random_state=0, class_weight=weights).fit(X, Y)
    reached = model.decision_path(X).toarray().astype(bool)
    expected = np.stack([reached[c == Y].sum(axis=0) for c in range(3)], axis=1)
    assert np.allclose(table_of(model, 3).counts, expected)


def test_a_regressors_groups_are_equal_parts_and_add_up() -> None:
    model = DecisionTreeRegressor(random_state=0).fit(X, X[:, 0])
    table = table_of(model, 3)
    assert np.allclose(table.counts[0], len(X) / 4, atol=1)
    inner = table.inner
    assert np.allclose(
        table.counts[inner], table.counts[table.left[inner]] + table.counts[table.right[inner]]
    )
    assert np.allclose(table.counts.sum(axis=1), model.tree_.n_node_samples)


@pytest.mark.parametrize(
    "model",
    [
        IsolationForest(n_estimators=5, random_state=0),
        GradientBoostingRegressor(n_estimators=5),
        AdaBoostClassifier(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_root_has_all_rows(model: Any) -> None:
    table = table_of(model.fit(X, Y), 3)
    assert np.allclose(table.counts[table.roots].sum(axis=1), table.rows)


def test_nodes_with_too_few_rows_for_the_rows_wanted_are_cut_off() -> None:
    model = DecisionTreeClassifier(random_state=0).fit(X, Y)
    small = table_of(model, 3, most=30)
    assert len(small.left) < len(table_of(model, 3).left)
    assert (small.counts[small.inner].sum(axis=1) * 30 / len(X) >= 2).all()


def test_a_subset_of_features_is_counted_among_all_columns() -> None:
    model = BaggingRegressor(DecisionTreeRegressor(), max_features=1, n_estimators=8, random_state=0)
    table = table_of(model.fit(X, X.sum(axis=1)), 3)
    assert set(table.feature[table.inner]) == {int(f) for (f,) in model.estimators_features_}


BENT = SimpleNamespace(
    children_left=[1, 0],
    children_right=[1, 0],
    feature=[0, 0],
    threshold=[0.0, 1.0],
    n_node_samples=[2, 1],
    weighted_n_node_samples=[2, 1],
    value=np.ones((2, 1, 1)),
)


def test_links_that_bend_back_are_refused_and_what_never_splits_tells_nothing() -> None:
    with pytest.raises(ValueError, match="do not form a tree"):
        counts_of(object(), [(BENT, None)], 1, ROWS)
    tree = DecisionTreeRegressor().fit(X, X[:, 0]).tree_
    with pytest.raises(ValueError, match="none of the columns"):
        counts_of(object(), [(tree, None)], 0, ROWS)
    leaf = DecisionTreeRegressor().fit([[1.0], [2.0]], [0, 0])
    assert counts_of(leaf, trees_of(leaf), 1, ROWS) is None


# --- distributions -----------------------------------------------------------------------------------


def test_a_tree_on_one_feature_gives_its_leaves_shares() -> None:
    values = RNG.exponential(size=(5_000, 1))
    model = DecisionTreeRegressor(max_leaf_nodes=12, random_state=0).fit(values, np.sin(values[:, 0] * 3))
    table = table_of(model, 1)
    cells = cells_of(table, 1)
    grid = cells.thresholds[0]
    expected = np.searchsorted(np.sort(values[:, 0]), grid, "right") / len(values)
    together = np.cumsum(group_shares(table) @ cells.shares)[:-1]
    assert np.allclose(together, expected, atol=0.01)


def test_truncated_splits_do_not_pull_the_distribution_to_where_the_splits_are() -> None:
    """Thresholds crowd at 1.5 of a normal; their mean lies there, the distribution's must not."""
    values = RNG.normal(size=(4_000, 4))
    labels = (values[:, 0] > 1.5).astype(int)
    noisy = np.where(RNG.random(4_000) < 0.05, 1 - labels, labels)
    model = RandomForestClassifier(30, max_depth=6, random_state=0).fit(values, noisy)
    rows = rows_of(table_of(model, 4, ROWS), 4)
    assert max(ks_2samp(rows[:, j], values[:, j]).statistic for j in range(4)) < 0.1


# --- rows --------------------------------------------------------------------------------------------


def test_settling_brings_the_counts_of_the_nodes_to_those_expected() -> None:
    model = ExtraTreesRegressor(20, random_state=0).fit(X, X[:, 0] * X[:, 1])
    table = table_of(model, 3, ROWS)
    expected = table.counts.sum(axis=1, keepdims=True).astype(np.float32)
    cells = cells_of(table, 3)
    cumulated = np.concatenate([np.cumsum(np.full(n, 1 / n)) for n in cells.counts])[None].astype(np.float32)
    start = np.stack([RNG.integers(0, n, 300) for n in cells.counts], axis=1).astype(np.int32)
    cut = np.zeros(len(table.left), dtype=np.int32)
    for j, grid in enumerate(cells.thresholds):
        mine_ = table.inner[table.feature[table.inner] == j]
        cut[mine_] = np.searchsorted(grid, table.threshold[mine_])
    links = [part.astype(np.int32) for part in (table.left, table.right, table.feature)]
    paths = Paths(links[0], links[1], links[2], cut, table.roots.astype(np.int32))

    def misfit(rows: npt.NDArray[Any]) -> float:
        codes = table._replace(threshold=cut.astype(np.float64))
        off = passed(codes, rows)[:, None] - expected
        return float((off**2 / (expected + 1)).mean())

    moved = start.copy()
    cloud = Cloud(
        moved, np.zeros(300, dtype=np.int32), cumulated, cells.first.astype(np.int32),
        np.arange(3, dtype=np.int32), padded((), 3),
    )  # fmt: skip
    said = settle(paths, expected, cloud, 20_000, 0)
    assert said == pytest.approx(misfit(moved), rel=1e-4)
    assert said < misfit(start) / 5


def test_columns_that_hang_together_do_so_in_the_rows() -> None:
    first = RNG.normal(size=2_000)
    frame = np.stack([first, first + RNG.normal(size=2_000) / 2, RNG.normal(size=2_000)], axis=1)
    model = RandomForestRegressor(30, random_state=0).fit(frame, frame @ [1.0, 1.0, 1.0])
    rows = rows_of(table_of(model, 3, ROWS), 3)
    real, made = spearmanr(frame).statistic, spearmanr(rows).statistic
    assert made[0, 1] > 0.6 * real[0, 1] > 0.4
    assert abs(made[0, 2]) < 0.2


def test_the_same_trees_give_the_same_rows_and_an_unused_column_is_unknown() -> None:
    model = DecisionTreeClassifier(random_state=0).fit(X[:, :2], X[:, 0] > 0.3)
    first, second = (rows_of(table_of(model, 2, ROWS), 2) for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)
    assert np.isfinite(first[:, 0]).all() and np.isnan(first[:, 1]).all()


@pytest.mark.parametrize(
    ("thresholds", "step"),
    [
        ([0.5, 1.5, 2.0, 7.5, 30.0], 1.0),
        ([2.45, 0.8, 1.75, 4.95, 1.65], 0.1),
        ([1.005, 0.125, 3.14, 2.715, 0.5], 0.01),
        ([0.25, 1.5], None),
        ([0.5, 1.5], 1.0),
        (RNG.normal(size=9).tolist(), None),
        ([1e7 + 0.31, 2e7, 3e7, 4e7, 5e7], None),
    ],
)
def test_the_step_of_the_values_is_told_by_midpoints(thresholds: list[float], step: float | None) -> None:
    single = np.asarray(thresholds, dtype=np.float32).astype(np.float64)
    assert resolution(single) == step


def test_values_on_a_grid_come_back_on_that_grid() -> None:
    grid = RNG.integers(0, 17, (500, 2)).astype(float)
    tenths = np.round(RNG.normal(size=500), 1)
    frame = np.column_stack([grid, tenths])
    rows = rows_of(table_of(RandomForestRegressor(20, random_state=0).fit(frame, frame.sum(axis=1)), 3), 3)
    assert np.array_equal(rows[:, :2], np.rint(rows[:, :2])) and rows[:, :2].min() >= 0
    assert np.allclose(rows[:, 2] * 10, np.rint(rows[:, 2] * 10))


# --- the whole way -----------------------------------------------------------------------------------


def compared(model: Any, real: pd.DataFrame, target: Any) -> tuple[float, float]:
    """(median KS distance over features, largest difference of a predicted class's share)."""
    found = mine(model.fit(real, target))
    assert found is not None and found.joint is not None
    made = generate(found.schema, 4_000, 0, found.joint).frame
    distances = [ks_2samp(made[name].astype(float), real[name]).statistic for name in real]
    shares = [pd.Series(model.predict(rows)).value_counts(normalize=True) for rows in (made, real)]
    return float(np.median(distances)), float(shares[0].sub(shares[1], fill_value=0).abs().max())


@pytest.mark.parametrize(
    ("model", "load", "farthest"),
    [
        (RandomForestClassifier(100, random_state=0), load_breast_cancer, 0.17),
        (RandomForestClassifier(100, random_state=0), load_wine, 0.17),
        (KNeighborsClassifier(), load_wine, 0.05),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), load_breast_cancer, 0.05),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_made_rows_are_like_the_real_ones_and_predicted_like_them(
    model: Any, load: Any, farthest: float
) -> None:
    """Features drawn one by one gave 0.2 to 0.3, and classes off by up to 0.26."""
    distance, share = compared(model, *load(return_X_y=True, as_frame=True))
    assert distance < farthest and share < 0.1


@pytest.mark.parametrize(
    ("model", "farthest"),
    [(RandomForestRegressor(50, random_state=0), 0.1), (GradientBoostingRegressor(random_state=0), 0.1)],
    ids=str,
)
def test_made_rows_of_a_regressor_are_like_the_real_ones(model: Any, farthest: float) -> None:
    real, target = load_diabetes(return_X_y=True, as_frame=True)
    found = mine(model.fit(real, target))
    assert found is not None
    made = generate(found.schema, 4_000, 0, found.joint).frame
    assert np.median([ks_2samp(made[name].astype(float), real[name]).statistic for name in real]) < farthest


def test_a_model_without_rows_has_no_joint() -> None:
    found = mine(LogisticRegression().fit(X, Y))
    assert found is not None and found.joint is None
