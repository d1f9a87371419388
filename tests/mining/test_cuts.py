"""What cuts say of the values behind them, against boosters that were fitted on known values."""

import json
from typing import Any

import numpy as np
import pytest
from xgboost import XGBClassifier

from mining.cuts import between_steps, beyond_all_values, cuts_are_values, without_zero_bin

RNG = np.random.default_rng(0)
ROWS = 600
TABLE = np.stack(
    [
        RNG.integers(0, 2, ROWS),
        RNG.integers(1, 6, ROWS),
        np.round(RNG.normal(5, 1, ROWS), 1),
        RNG.normal(size=ROWS),
    ],
    axis=1,
).astype(float)
LABELS = (TABLE.sum(axis=1) + RNG.normal(size=ROWS) > 8.5).astype(int)


def cuts_of(model: Any) -> list[Any]:
    trees = json.loads(model.get_booster().save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    found: dict[int, set[float]] = {j: set() for j in range(TABLE.shape[1])}
    for tree in trees:
        splits = zip(tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True)
        for left, feature, cut in splits:
            if left >= 0:
                found[int(feature)].add(float(np.float32(cut)))
    return [np.array(sorted(cuts)) for cuts in found.values()]


@pytest.mark.parametrize("method", ["hist", "exact", "approx"])
def test_cuts_come_to_lie_halfway_between_two_values_of_the_data(method: str) -> None:
    columns = cuts_of(XGBClassifier(n_estimators=40, tree_method=method, n_jobs=1).fit(TABLE, LABELS))
    are_values = cuts_are_values(columns)
    assert are_values == (method != "exact")
    for j, step in enumerate((1.0, 1.0, 0.1)):
        halfway = columns[j] - between_steps(columns[j], are_values)
        offsets = np.abs(halfway / step % 1 - 0.5)
        assert (offsets < 1e-4).mean() > (0.99 if are_values or step == 1.0 else 0.4)
    assert between_steps(columns[3], are_values) == 0  # of no step


@pytest.mark.parametrize("method", ["hist", "exact"])
def test_the_cut_that_only_parts_missing_values_is_known(method: str) -> None:
    table = TABLE.copy()
    table[RNG.random(table.shape) < 0.2] = np.nan
    labels = np.where(np.isnan(table[:, 1]), 1, LABELS)
    columns = cuts_of(XGBClassifier(n_estimators=40, tree_method=method, n_jobs=1).fit(table, labels))
    whole = columns[1]
    assert whole.max() > 6  # the largest value is 5
    assert whole[~beyond_all_values(whole)].max() <= 5
    assert not beyond_all_values(columns[3])[1:-1].any()


def test_lightgbms_cut_beside_zero_is_half_a_step_from_it_for_whole_numbers_only() -> None:
    zero = 1.0000000180025095e-35
    assert without_zero_bin(np.array([zero, 1.5]), 0.0, 8.0).tolist() == [0.5, 1.5]
    assert without_zero_bin(np.array([-zero, zero]), -1.0, 1.0).tolist() == [-0.5, 0.5]
    assert without_zero_bin(np.array([zero, 1.25]), 0.0, 8.0).tolist() == [zero, 1.25]
    assert without_zero_bin(np.array([zero]), 0.0, 6.2).tolist() == [zero]
    assert without_zero_bin(np.array([zero]), None, None).tolist() == [zero]
