"""Rows out of models that split on whole numbers and one-hot columns, against those they were fitted on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)

from mining.random_cuts import between_whole_numbers
from mining.rivals import group_members, rivals_of, seen_together
from mining.schema import mine
from mining.splits import trees_of
from mining.tree_counts import TreeCounts, counts_of
from tests.mining.test_xgboost_trees import worst_share
from tests.support.raw_tables import telco, titanic


def table_of(model: Any, columns: int) -> TreeCounts:
    table = counts_of(model, trees_of(model), columns, 500)
    assert table is not None
    return table


@pytest.mark.parametrize(
    ("model", "allowed"),
    [
        (RandomForestClassifier(100, random_state=0), 0.05),
        (RandomForestClassifier(100, max_depth=5, random_state=0), 0.05),
        (ExtraTreesClassifier(60, random_state=0), 0.05),
        (HistGradientBoostingClassifier(max_iter=50), 0.06),
    ],
    ids=lambda value: type(value).__name__,
)
def test_forests_hold_the_shares_and_no_two_of_a_one_hot_group(model: Any, allowed: float) -> None:
    for table in (titanic, telco) if isinstance(model, RandomForestClassifier) else (titanic,):
        rows, labels = table()
        worst, made = worst_share(model.fit(rows, labels), rows)
        assert worst < allowed
        for prefix in ("Embarked", "Contract", "InternetService", "PaymentMethod"):
            members = made.filter(like=f"{prefix}_")
            assert members.empty or members.sum(axis=1).max() == 1


def test_lightgbm_and_catboost_hold_them_too() -> None:
    lightgbm, catboost = pytest.importorskip("lightgbm"), pytest.importorskip("catboost")
    rows, labels = telco()
    models = (
        lightgbm.LGBMClassifier(verbose=-1, n_jobs=1),
        catboost.CatBoostClassifier(100, verbose=False, thread_count=1, allow_writing_files=False),
    )
    for model in models:
        worst, made = worst_share(model.fit(rows, labels), rows)
        assert worst < 0.05
        assert made.filter(like="Contract_").sum(axis=1).eq(1).all()
        assert made["tenure"].min() >= 0


def test_flags_that_go_together_are_no_group_whatever_their_names() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({f"Symptom_{s}": rng.integers(0, 2, 800) for s in ("Cough", "Fever", "Pain")})
    labels = (rows.sum(axis=1) + rng.normal(size=800) > 1.5).astype(int)
    model = RandomForestClassifier(20, random_state=0).fit(rows, labels)
    assert seen_together((0, 1, 2), table_of(model, 3))
    worst, made = worst_share(model, rows)
    assert worst < 0.05
    assert (made.sum(axis=1) > 1).mean() == pytest.approx((rows.sum(axis=1) > 1).mean(), abs=0.1)


def test_a_members_share_is_of_all_rows_not_of_those_left_by_the_others() -> None:
    rows, labels = telco()
    contract = rows.filter(like="Contract_")
    model = RandomForestClassifier(30, random_state=0).fit(contract, labels)
    table = table_of(model, 3)
    rivals, together = rivals_of({"Contract": [0, 1, 2]}, table)
    assert (rivals, together) == (((0, 1, 2),), frozenset())
    shares = group_members((0, 1, 2), table)
    known = [contract[labels == c].mean().to_numpy() for c in (0, 1)]
    np.testing.assert_allclose(shares[:, :3], known, atol=0.05)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-9)


def test_random_cuts_of_whole_numbers_are_told_from_those_of_other_numbers() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(0, 2, 900), rng.poisson(2, 900), rng.exponential(2, 900)], axis=1)
    labels = (rows.sum(axis=1) + rng.normal(size=900) > 5).astype(int)
    model = ExtraTreesClassifier(40, random_state=0).fit(rows, labels)
    plain = table_of(model, 3)
    moved = between_whole_numbers(plain, 3)
    for j in range(3):
        mine_ = moved.inner[moved.feature[moved.inner] == j]
        halves = moved.threshold[mine_] % 1 == 0.5
        assert halves.all() if j < 2 else not halves.any()


def test_what_a_group_leaves_is_the_share_of_a_member_that_no_tree_looked_at() -> None:
    rows, labels = telco()
    left_out = rows.drop(columns="Contract_One year")
    model = RandomForestClassifier(30, max_features=1.0, random_state=0)
    found = mine(model.fit(left_out.assign(**{"Contract_One year": 0}), labels))
    assert found is not None
    fields = {field.name: field for field in found.schema.features}
    assert fields["Contract_One year"].origin == "name" and fields["Contract_One year"].group == "Contract"
    assert fields["Contract_One year"].mean == pytest.approx(0.21, abs=0.05)
    assert fields["Contract_Two year"].origin == "model"
