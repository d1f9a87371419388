"""XGBoost's covers as counts, and rows out of its models, against the training rows themselves.

`old_xgboost/` holds boosters of 25 trees that xgboost 1.3.3 and 1.7.6 saved, fitted on `titanic()`.
"""

import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from xgboost import XGBClassifier, XGBRegressor

from mining.class_shares import class_shares
from mining.schema import mine
from mining.xgboost_trees import read_xgboost
from synthetic_data import generate
from tests.support.raw_tables import TABLES, heart, titanic

OLD = sorted((Path(__file__).parent / "old_xgboost").glob("*.xz"))


def counted(tree: Any, rows: Any) -> Any:
    """How many rows come by each node."""
    found = np.zeros(len(tree.feature))
    node, here = np.zeros(len(rows), dtype=np.int64), np.arange(len(rows))
    while len(here):
        np.add.at(found, node, 1.0)
        inner = tree.children_left[node] >= 0
        node, here = node[inner], here[inner]
        left = rows[here, tree.feature[node]] <= tree.threshold[node]
        node = np.where(left, tree.children_left[node], tree.children_right[node])
    return found


@pytest.mark.parametrize("weight", [1.0, 3.0])
@pytest.mark.parametrize("method", ["hist", "exact"])
def test_covers_become_the_rows_at_each_node(method: str, weight: float) -> None:
    rows, labels = titanic()
    model = XGBClassifier(n_estimators=30, tree_method=method, scale_pos_weight=weight, n_jobs=1)
    found = read_xgboost(model.fit(rows, labels).get_booster(), 100)
    table = rows.to_numpy(dtype=float)
    assert len(found.trees) == 30
    for tree, _ in found.counted(table):
        real = counted(tree, table) / len(table)
        told = tree.n_node_samples / tree.n_node_samples[0]
        large = real > 0.05
        assert np.abs(told - real)[large].max() < (0.02 if weight == 1 else 0.12)


def test_of_squared_errors_covers_are_counts_as_they_are() -> None:
    rows, _ = titanic()
    model = XGBRegressor(n_estimators=5, n_jobs=1).fit(rows.drop(columns="Fare"), rows["Fare"])
    found = read_xgboost(model.get_booster(), 100)
    for tree, _ in found.counted(None):
        table = rows.drop(columns="Fare").to_numpy(dtype=float)
        assert np.array_equal(counted(tree, table), tree.n_node_samples)


def test_of_several_classes_each_tree_of_a_round_sees_the_same_answers() -> None:
    rows, labels = heart(900)
    model = XGBClassifier(n_estimators=15, n_jobs=1).fit(rows, labels + rows["exang"])
    found = read_xgboost(model.get_booster(), 100)
    table = rows.to_numpy(dtype=float)
    assert (found.outputs, found.a_round) == (3, 3)
    for tree, _ in found.counted(table):
        real = counted(tree, table) / len(table)
        assert np.abs(tree.n_node_samples / tree.n_node_samples[0] - real)[real > 0.1].max() < 0.05


def worst_share(model: Any, rows: pd.DataFrame, *, but: str = "") -> tuple[float, pd.DataFrame]:
    """Over columns with few whole values: the largest difference of a value's share; and the rows made."""
    found = mine(model)
    assert found is not None
    made = generate(found.schema, 2_000, 0, found.joint).frame.set_axis(list(rows), axis=1)
    few = [n for n in rows if n != but and (rows[n] % 1 == 0).all() and rows[n].nunique() <= 12]
    off = [
        made[name].value_counts(normalize=True).sub(rows[name].value_counts(normalize=True), fill_value=0)
        for name in few
    ]
    return max(float(one.abs().max()) for one in off), made


@pytest.mark.parametrize(
    "model",
    [
        XGBClassifier(n_jobs=1),
        XGBClassifier(n_estimators=300, max_depth=4, learning_rate=0.1, n_jobs=1),
        XGBClassifier(n_estimators=200, max_depth=4, tree_method="exact", n_jobs=1),
        XGBClassifier(subsample=0.8, colsample_bytree=0.8, n_jobs=1),
    ],
    ids=["default", "300 trees", "exact", "sampled"],
)
def test_whole_numbers_and_flags_occur_as_often_as_in_the_training_rows(model: Any) -> None:
    rows, labels = TABLES["titanic"](seed=1)
    worst, made = worst_share(model.fit(rows, labels), rows)
    assert worst < 0.05
    assert all(made[name].nunique() > 1 for name in made)
    assert made.filter(like="Embarked").sum(axis=1).max() == 1
    assert (made[["SibSp", "Parch", "Fare", "Age"]] >= 0).all().all()


@pytest.mark.filterwarnings("ignore:.*Found JSON model saved before XGBoost 1.6")
@pytest.mark.parametrize("path", OLD, ids=lambda path: path.name.removesuffix(".json.xz"))
def test_models_of_older_releases_are_read_alike(path: Path) -> None:
    booster = xgboost.Booster()
    booster.load_model(bytearray(lzma.decompress(path.read_bytes())))
    rows, _ = titanic()
    worst, made = worst_share(booster, rows, but="SibSp")  # which these trees look at a few times only
    assert worst < 0.06
    assert made["Pclass"].isin([1, 2, 3]).all() and made["Sex"].isin([0, 1]).all()


@pytest.mark.filterwarnings("ignore:.*Found JSON model saved before XGBoost 1.6")
def test_the_constant_base_score_of_older_releases_is_no_share_of_classes() -> None:
    for path in OLD:
        model = XGBClassifier()
        model.load_model(bytearray(lzma.decompress(path.read_bytes())))
        model.n_classes_ = 2
        assert class_shares(model) is None


def test_a_booster_without_trees_keeps_its_names() -> None:
    rows, labels = titanic()
    found = mine(XGBClassifier(booster="gblinear", n_estimators=3, n_jobs=1).fit(rows, labels))
    assert found is not None and found.schema.names == tuple(rows)
