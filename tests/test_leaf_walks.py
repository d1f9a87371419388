"""What trees remember of the rows that they were grown on, against those rows."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier

from leaf_walks import Tree, by_shares, by_walks, tree_of
from model_schema import infer_from_model
from synthetic_data import generate


def distance(model: Any, X: Any) -> float:
    """Median over features of the KS distance between mined and real rows."""
    schema = infer_from_model(model)
    assert schema is not None
    mined = generate(schema, 4_000, 0).frame
    return float(np.median([ks_2samp(mined[name].astype(float), X[name]).statistic for name in X]))


@pytest.mark.parametrize(
    ("model", "load", "most"),
    [
        (RandomForestRegressor(50, random_state=0), load_diabetes, 0.15),
        (RandomForestClassifier(50, random_state=0), load_breast_cancer, 0.30),
        (GradientBoostingRegressor(random_state=0), load_diabetes, 0.25),
    ],
)
def test_mined_rows_come_near_the_real_ones(model: Any, load: Any, most: float) -> None:
    """Far nearer than uniform rows between 0 and 1 (0.9 to 1.0)."""
    X, y = load(return_X_y=True, as_frame=True)
    assert distance(model.fit(X, y), X) < most


def test_the_walk_keeps_a_skewed_shape_that_thresholds_alone_lose() -> None:
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(2_000, 3))
    y = np.log(X[:, 0]) + np.log(X[:, 1]) > np.log(X[:, 2])
    forest = RandomForestClassifier(30, random_state=0).fit(X, y)
    found = by_walks([tree_of(member.tree_) for member in forest.estimators_], 3)
    assert sorted(found) == [0, 1, 2]
    assert all(ks_2samp(found[j], X[:, j]).statistic < 0.2 for j in range(3))


def test_the_same_trees_give_the_same_values() -> None:
    X = np.random.default_rng(0).normal(size=(100, 2))
    trees = [tree_of(DecisionTreeClassifier(random_state=0).fit(X, X[:, 0] > X[:, 1]).tree_)]
    first, second = by_walks(trees, 2), by_walks(trees, 2)
    assert all(np.array_equal(first[j], second[j]) for j in first)


def test_a_subset_of_features_is_counted_among_all_columns() -> None:
    X = np.random.default_rng(0).normal(size=(100, 1)) + 50
    tree = tree_of(DecisionTreeClassifier(random_state=0).fit(X, X[:, 0] > 50).tree_, positions=[4])
    found = by_walks([tree], 6)
    assert list(found) == [4] and 40 < found[4].mean() < 60


def test_a_tree_without_a_split_tells_nothing() -> None:
    leaf = tree_of(DecisionTreeClassifier().fit([[1.0], [2.0]], [0, 0]).tree_)
    assert by_walks([leaf], 1) == {} and by_shares([leaf], [[1.0]]) == {}


def test_a_tree_bent_into_a_ring_ends() -> None:
    ring = Tree(left=[1, 0], right=[1, 0], feature=[0, 0], threshold=[0.0, 1.0], share_left=[1.0, 1.0])
    assert np.isfinite(by_walks([ring], 1)[0]).all()
