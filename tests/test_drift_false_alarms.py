"""The expected rate of false alarms, against what the tests promise and against drift by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from drift import DriftRules
from drift_false_alarms import expected_false_alarms, wilson_interval
from errors import InvalidInput


def normal(rows: int, columns: int) -> pd.DataFrame:
    values = np.random.default_rng(5).normal(size=(rows, columns))
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(columns)])


@pytest.mark.parametrize(("hits", "rounds"), [(0, 20), (3, 20), (20, 20), (50, 1000)])
def test_the_interval_is_wilsons(hits: int, rounds: int) -> None:
    oracle = binomtest(hits, rounds).proportion_ci(method="wilson")
    assert wilson_interval(hits, rounds) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_p_values_raise_false_alarms_as_often_as_their_limit_says() -> None:
    found = expected_false_alarms(normal(600, 1), DriftRules(p_limit=0.2), rounds=200)
    low, high = binomtest(round(found.any_column * 200), 200).proportion_ci(0.999)
    assert low <= 0.2 <= high + 0.05  # the asymptotic KS test is slightly cautious
    assert (found.rows_reference, found.rows_current, found.note) == (300, 300, None)
    assert found.columns[0].rate == found.any_column == found.mean_share


def test_many_columns_raise_no_more_alarms_than_one_because_p_is_adjusted() -> None:
    found = expected_false_alarms(normal(200, 20), DriftRules(p_limit=0.1), rounds=60)
    assert found.interval[0] <= 0.1
    assert found.mean_share <= found.any_column / 2


def test_distances_judge_the_halves_where_they_would_judge_the_tables() -> None:
    rules = DriftRules(rows_limit=1000)
    strict = expected_false_alarms(normal(1200, 3), rules, current_rows=1100, rounds=5)
    assert (strict.rows_reference, strict.rows_current) == (600, 600)
    assert strict.note is not None and "600" in strict.note
    # A normed distance of 0.01 by chance is certain between halves of 600 rows; a p of 0.05 is not.
    certain = rules.model_copy(update={"distance_limit": 0.01})
    assert expected_false_alarms(normal(1200, 3), certain, rounds=5).any_column == 1.0
    few = expected_false_alarms(normal(1200, 3), certain, current_rows=40, rounds=5)
    assert few.rows_current == 40 and few.note is None and few.any_column < 1.0


def test_the_same_seed_finds_the_same_and_too_few_rows_are_refused() -> None:
    table = normal(100, 2)
    assert expected_false_alarms(table, rounds=5, seed=1) == expected_false_alarms(table, rounds=5, seed=1)
    with pytest.raises(InvalidInput, match="3 rows"):
        expected_false_alarms(table.head(3))
