"""Boosted trees of both libraries, their counts against the training rows themselves."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, spearmanr
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor

from mining.boosted_trees import BoostedTree, histogram_trees, lightgbm_trees
from mining.schema import mine
from synthetic_data import generate

RNG = np.random.default_rng(0)
FIRST = RNG.normal(size=1_500)
X = np.stack([FIRST, FIRST + RNG.normal(size=1_500) / 2, RNG.exponential(size=1_500)], axis=1)
Y = X[:, 0] + X[:, 1] ** 2 - X[:, 2]


def rows_at_leaves(tree: BoostedTree, rows: Any) -> Any:
    node = np.zeros(len(rows), dtype=np.int64)
    while (tree.children_left[node] >= 0).any():
        goes_left = rows[np.arange(len(rows)), tree.feature[node]] <= tree.threshold[node]
        child = np.where(goes_left, tree.children_left[node], tree.children_right[node])
        node = np.where(tree.children_left[node] >= 0, child, node)
    return np.bincount(node, minlength=len(tree.feature))


def test_histogram_boostings_counts_are_the_rows_at_its_leaves() -> None:
    model = HistGradientBoostingRegressor(max_iter=5).fit(X, Y)
    trees = histogram_trees(model, [0, 1, 2], 100)
    assert len(trees) == 5
    for tree, _ in trees:
        leaf = tree.children_left < 0
        assert np.array_equal(rows_at_leaves(tree, X)[leaf], tree.n_node_samples[leaf])


def test_lightgbms_counts_are_the_rows_at_its_leaves() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1).fit(X, Y)
    found = lightgbm_trees(model.booster_.dump_model())
    leaves = model.booster_.predict(X, pred_leaf=True)
    for (tree, _), own in zip(found, leaves.T, strict=True):
        leaf = tree.children_left < 0
        assert np.array_equal(rows_at_leaves(tree, X)[leaf], tree.n_node_samples[leaf])
        assert sorted(tree.n_node_samples[leaf]) == sorted(np.bincount(own))


def test_a_split_on_a_category_ends_its_branch() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    frame = pd.DataFrame({"kind": pd.Categorical(RNG.choice(list("abcd"), 1_500)), "x": X[:, 0]})
    target = frame["kind"].cat.codes * 10 + X[:, 0]
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1).fit(frame, target)
    assert any(len(tree.feature) == 1 for tree, _ in lightgbm_trees(model.booster_.dump_model()))
    found = mine(model)
    assert found is not None and found.schema.features[0].categories == ("a", "b", "c", "d")


def test_links_that_bend_back_are_refused() -> None:
    kinds: Any = [
        ("left", int), ("right", int), ("feature_idx", int), ("num_threshold", float), ("count", int),
        ("is_leaf", bool), ("is_categorical", bool),
    ]  # fmt: skip
    nodes = np.zeros(1, dtype=kinds)  # an inner node that is its own child
    step = SimpleNamespace(_predictors=[[SimpleNamespace(nodes=nodes)]])
    with pytest.raises(ValueError, match="bend back"):
        histogram_trees(step, [0], 10)


def test_rows_of_both_are_near_the_real_ones_and_hang_together() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    for model in (HistGradientBoostingRegressor(), lightgbm.LGBMRegressor(verbose=-1, n_jobs=1)):
        found = mine(model.fit(X, Y))
        assert found is not None and found.joint is not None
        made = generate(found.schema, 4_000, 0, found.joint).frame.to_numpy(dtype=float)
        assert max(ks_2samp(made[:, j], X[:, j]).statistic for j in range(3)) < 0.1
        assert spearmanr(made[:, :2]).statistic > 0.5 * spearmanr(X[:, :2]).statistic > 0.4


def test_a_rare_class_stays_as_rare_as_boosting_remembers() -> None:
    labels = (X[:, 0] + X[:, 2] > 3).astype(int)
    model = GradientBoostingClassifier(random_state=0).fit(X, labels)
    found = mine(model)
    assert found is not None
    made = generate(found.schema, 4_000, 0, found.joint).frame
    assert model.predict(made.to_numpy()).mean() == pytest.approx(labels.mean(), abs=0.04)
