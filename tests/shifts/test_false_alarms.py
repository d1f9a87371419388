"""The expected rate of false alarms, against what the tests promise and against drift by hand."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.stats import binomtest, chi2

from drift import compare
from errors import InvalidInput
from records.drift import DriftRules
from shifts import false_alarms
from shifts.false_alarms import expected_false_alarms, watched_false_alarms, wilson_interval


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


def awkward(rows: int) -> pd.DataFrame:
    """Ties, atoms, infinities, missing values, categories and a constant."""
    rng = np.random.default_rng(11)
    holes = rng.normal(size=rows)
    holes[rng.random(rows) < 0.15] = np.nan
    ends = rng.normal(size=rows)
    ends[:3], ends[3:5] = np.inf, -np.inf
    return pd.DataFrame({
        "plain": rng.normal(size=rows),
        "ties": rng.integers(0, 6, rows),
        "atom": np.where(rng.random(rows) < 0.4, 0.0, rng.gamma(2, 1, rows)),
        "holes": holes,
        "ends": ends,
        "text": pd.Series(rng.choice(["a", "b", ""], rows, p=[0.7, 0.2, 0.1])).replace("", None),
        "one": 1.0,
    })  # fmt: skip


def psi_by_hand(column: pd.Series, batch: npt.NDArray[np.int64]) -> float:
    """Over ten quantile bins of the whole column; what holds two quantiles or more is a bin of its own."""
    if column.dtype == object or str(column.dtype) == "str":
        bins = column.fillna("missing").to_numpy()
    else:
        finite = column[np.isfinite(column)].to_numpy()
        quantiles = np.quantile(finite, np.linspace(0, 1, 11))
        edges, held = np.unique(quantiles, return_counts=True)
        bins = np.empty(len(column), dtype=object)
        for i, value in enumerate(column.to_numpy()):
            inner = [e for e, k in zip(edges, held, strict=True) if k > 1 or quantiles[0] < e < quantiles[-1]]
            atoms = [e for e, k in zip(edges, held, strict=True) if k > 1]
            below = sum(e <= value for e in inner), sum(e < value for e in atoms)
            bins[i] = "missing" if np.isnan(value) else below
    inside = np.zeros(len(column), dtype=bool)
    inside[batch] = True
    psi = 0.0
    for one in set(bins.tolist()):
        here = np.array([b == one for b in bins])
        c, r = max(here[inside].mean(), 1e-4), max(here[~inside].mean(), 1e-4)
        psi += (c - r) * np.log(c / r)
    return float(psi)


def test_a_watched_psi_is_reached_as_often_as_counting_by_hand_says() -> None:
    table = awkward(120)
    drawn = np.random.default_rng(3).permutation(120)[:40]
    by_hand = {str(name): psi_by_hand(table[name], drawn) for name in table}
    for factor, fires in ((1 - 1e-9, 1.0), (1 + 1e-9, 0.0)):
        watch = {name: psi * factor for name, psi in by_hand.items() if psi > 0}
        (found,) = watched_false_alarms(table, watch, batches=(40,), rounds=1, seed=3)
        assert {c.column: c.rate for c in found.columns} == dict.fromkeys(watch, fires)
        assert (found.rows_current, found.rows_reference, found.any_column) == (40, 80, fires)
    assert set(by_hand) - {"one"} == {name for name, psi in by_hand.items() if psi > 0}


@pytest.mark.parametrize("rows", [100, 200, 500])
def test_the_psi_by_chance_is_distributed_as_its_theory_says(rows: int) -> None:
    """PSI / (1 / m + 1 / (n - m)) is near chi-squared with nine degrees of freedom for ten equal bins."""
    scale = 1 / rows + 1 / (1_000 - rows)
    watch = {f"x{i}": float(chi2.isf(p, 9)) * scale for i, p in enumerate((0.5, 0.2, 0.05))}
    (found,) = watched_false_alarms(normal(1_000, 3), watch, batches=(rows,), rounds=2_000)
    for column, p in zip(found.columns, (0.5, 0.2, 0.05), strict=True):
        # The approximation is from below: the logarithm makes large deviations of small batches larger.
        assert p * 0.75 < column.rate < p * 1.35
    either = 1 - 0.5 * 0.8 * 0.95
    assert found.any_column == pytest.approx(either, abs=0.06)


def test_the_rates_are_those_of_the_comparison_a_monitor_makes() -> None:
    table = normal(1_000, 2)
    watch = {"x0": 0.05, "x1": 0.08}
    (found,) = watched_false_alarms(table, watch, batches=(200,), rounds=600)
    rng = np.random.default_rng(9)
    fired = []
    for _ in range(150):
        rows = rng.permutation(1_000)
        report = compare(table.iloc[rows[200:]], table.iloc[rows[:200]])
        fired.append([(c.psi or 0.0) >= watch[c.column] for c in report.columns])
    for column, hits in zip(found.columns, np.sum(fired, axis=0).tolist(), strict=True):
        low, high = binomtest(int(hits), 150).proportion_ci(0.999)
        assert low - 0.03 <= column.rate <= high + 0.03


def test_larger_batches_raise_fewer_alarms_and_sizes_beyond_half_are_not_tried() -> None:
    watch = {f"x{i}": 0.06 for i in range(4)}
    found = watched_false_alarms(normal(400, 4), watch)
    assert [a.rows_current for a in found] == [50, 100, 200]
    rates = [a.any_column for a in found]
    assert rates == sorted(rates, reverse=True) and rates[0] > 0.9
    for a in found:
        assert max(c.rate for c in a.columns) <= a.any_column <= sum(c.rate for c in a.columns)
        assert a.interval == wilson_interval(round(a.any_column * a.rounds), a.rounds)
    assert found == watched_false_alarms(normal(400, 4), watch)
    assert watched_false_alarms(normal(99, 1), {"x0": 0.1}) == watched_false_alarms(normal(400, 1), {}) == ()


def test_columns_that_say_the_same_raise_their_alarms_together() -> None:
    table = normal(400, 1)
    table["twin"] = table["x0"]
    for found in watched_false_alarms(table, {"x0": 0.1, "twin": 0.1}):
        assert found.any_column == found.mean_share == found.columns[0].rate


def test_much_to_count_gets_fewer_rounds_and_many_rows_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(false_alarms, "MOST_VALUES", 60 * 100)
    monkeypatch.setattr(false_alarms, "MAX_ROWS", 300)
    (few, more) = watched_false_alarms(normal(1_000, 1), {"x0": 0.1})
    assert (few.rounds, few.rows_current, more.rows_current) == (60, 50, 100)
    assert more.rows_reference == 200


def test_who_watches_all_leaves_out_what_chance_reaches_in_batches_of_any_size() -> None:
    table = normal(400, 2)
    alone = watched_false_alarms(table, {"x0": 0.3})
    for found, without in zip(watched_false_alarms(table, {"x0": 0.3, "x1": 0.001}), alone, strict=True):
        rates = {c.column: c.rate for c in found.columns}
        assert rates["x1"] > 0.9 and found.any_column == rates["x0"] == without.any_column


def test_a_threshold_of_nothing_always_fires_and_one_out_of_reach_never() -> None:
    for found in watched_false_alarms(normal(400, 2), {"x0": 0.0, "x1": 50.0}):
        assert [c.rate for c in found.columns] == [1.0, 0.0]
