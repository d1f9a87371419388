"""Distances of two tables, against SciPy and against values that follow from the definitions."""

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp
from scipy.stats import wasserstein_distance as scipy_wasserstein

from distances.formulas import population_stability_index
from drift import Reference, compare, measured_columns
from errors import InvalidInput
from records.drift import ColumnDrift


def close(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def drift_of(reference: object, current: object) -> ColumnDrift:
    return compare(pd.DataFrame({"x": reference}), pd.DataFrame({"x": current})).columns[0]


def textbook_histograms(
    reference: np.ndarray, current: np.ndarray, missing: tuple[int, int] = (0, 0)
) -> tuple[np.ndarray, np.ndarray]:
    """Ten quantile bins by NumPy alone; right for values without ties at the quantiles."""
    edges = np.quantile(reference, np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf
    return (
        np.append(np.histogram(reference, edges)[0], missing[0]),
        np.append(np.histogram(current, edges)[0], missing[1]),
    )


def textbook_psi(r_counts: np.ndarray, c_counts: np.ndarray) -> float:
    r = [max(n / r_counts.sum(), 1e-4) for n in r_counts]
    c = [max(n / c_counts.sum(), 1e-4) for n in c_counts]
    return float(sum((b - a) * math.log(b / a) for a, b in zip(r, c, strict=True)))


finite = st.floats(-1e6, 1e6, allow_nan=False)
tied = st.integers(-3, 3).map(float)
constant = st.just(7.0)
samples = st.one_of(
    *(st.lists(values, min_size=2, max_size=60) for values in (finite, tied, constant, finite | tied))
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(reference=samples, current=samples, missing=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_ks_p_and_wasserstein_equal_scipy_and_leave_missing_values_out(
    reference: list[float], current: list[float], missing: tuple[int, int]
) -> None:
    drift = drift_of(reference + [math.nan] * missing[0], current + [math.nan] * missing[1])
    oracle = ks_2samp(reference, current, method="asymp")
    assert drift.ks == close(oracle.statistic)
    assert drift.ks_p == close(oracle.pvalue)
    assert drift.wasserstein == close(scipy_wasserstein(reference, current))
    assert drift.missing_reference == missing[0] / (len(reference) + missing[0])


@pytest.mark.parametrize(("n", "m"), [(2000, 2000), (2000, 333), (12, 2000), (3, 2)])
def test_every_statistic_of_a_continuous_column_equals_the_oracles(n: int, m: int) -> None:
    rng = np.random.default_rng(n + m)
    reference, current = rng.normal(size=n), rng.standard_t(3, size=m) + 0.2
    drift = drift_of(reference, current)
    r_counts, c_counts = textbook_histograms(reference, current)
    assert drift.kind == "numeric"
    assert drift.ks == close(ks_2samp(reference, current).statistic)
    assert drift.ks_p == close(ks_2samp(reference, current, method="asymp").pvalue)
    assert drift.wasserstein == close(scipy_wasserstein(reference, current))
    assert drift.psi == close(textbook_psi(r_counts, c_counts))
    assert drift.js == close(jensenshannon(r_counts, c_counts, base=2))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    reference=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=40),
    current=st.lists(st.sampled_from(["b", "c", "d", None]), min_size=1, max_size=40),
    dtype=st.sampled_from(["str", "category", "object"]),
)
def test_categories_are_compared_by_their_shares_with_missing_as_its_own(
    reference: list[str | None], current: list[str | None], dtype: str
) -> None:
    drift = drift_of(pd.Series(reference, dtype=dtype), pd.Series(current, dtype=dtype))
    keys = ["a", "b", "c", "d", None]
    r_counts = np.array([reference.count(k) for k in keys])
    c_counts = np.array([current.count(k) for k in keys])
    seen = (r_counts + c_counts) > 0
    assert drift.kind == "categorical"
    assert (drift.ks, drift.ks_p, drift.wasserstein) == (None, None, None)
    assert drift.js == pytest.approx(jensenshannon(r_counts, c_counts, base=2), rel=1e-9, abs=1e-7)
    assert drift.psi == close(textbook_psi(r_counts[seen], c_counts[seen]))
    assert drift.missing_current == current.count(None) / len(current)


def test_psi_follows_its_definition_and_an_empty_bin_is_floored() -> None:
    assert population_stability_index(np.array([1, 1]), np.array([1, 3])) == close(0.25 * math.log(3))
    floored = population_stability_index(np.array([10, 0]), np.array([0, 10]))
    assert floored == close(2 * (1 - 1e-4) * math.log(1e4))


def test_a_constant_column_is_unchanged_only_while_it_stays_the_same() -> None:
    same = drift_of([0.1] * 50, [0.1] * 30)
    assert (same.psi, same.ks, same.js, same.wasserstein) == (0.0, 0.0, 0.0, 0.0)
    for other in (0.0, 0.2):
        moved = drift_of([0.1] * 50, [other] * 30)
        assert (moved.ks, moved.js) == (1.0, 1.0)
        assert moved.psi == close(2 * (1 - 1e-4) * math.log(1e4))
        assert moved.wasserstein == close(0.1)


def test_a_value_that_holds_several_quantiles_is_a_bin_of_its_own() -> None:
    reference = [0.0] * 60 + [float(i) for i in range(1, 41)]
    current = [0.5] * 60 + [float(i) for i in range(1, 41)]
    drift = drift_of(reference, current)
    assert drift.js is not None and drift.js > 0.5  # zeros are not lumped together with 0.5
    assert drift.psi is not None and drift.psi > 1


def test_quantile_bins_begin_at_their_edge() -> None:
    reference = np.arange(5.0)  # the quantiles 0.5 and 1.5 lie between values, 0, 1, 2, 3, 4 on them
    for at in (1.0, 1.4, 2.0, 3.7):
        r_counts, c_counts = textbook_histograms(reference, np.full(4, at))
        assert drift_of(reference, np.full(4, at)).psi == close(textbook_psi(r_counts, c_counts))


def test_missing_values_have_their_own_bin() -> None:
    reference = np.random.default_rng(1).normal(size=100)
    current = np.append(reference[:50], np.full(50, np.nan))
    r_counts, c_counts = textbook_histograms(reference, reference[:50], (0, 50))
    drift = drift_of(reference, current)
    assert drift.psi == close(textbook_psi(r_counts, c_counts))
    assert drift.js == close(jensenshannon(r_counts, c_counts, base=2))


@pytest.mark.parametrize("missing", [[math.nan] * 3, [None] * 3, pd.Series([None] * 3, dtype="str")])
def test_a_side_without_any_value_has_no_distance_but_a_psi(missing: object) -> None:
    for drift in (drift_of([1.0, 2.0, 3.0], missing), drift_of(missing, [1.0, 2.0, 3.0])):
        assert drift.kind == "numeric"
        assert (drift.ks, drift.ks_p, drift.wasserstein) == (None, None, None)
        assert drift.js == pytest.approx(1.0)
    assert drift_of(missing, missing).psi == 0.0


def test_one_row_a_side_is_compared_without_a_p_value() -> None:
    drift = drift_of([1.0], [3.0])
    assert (drift.ks, drift.wasserstein, drift.js) == (1.0, 2.0, 1.0)
    assert drift.ks_p is None  # SciPy answers NaN


def test_infinities_count_in_the_end_bins_and_make_wasserstein_null() -> None:
    reference = np.append(np.arange(100.0), [np.inf, -np.inf])
    current = np.append(np.arange(100.0), [np.inf, np.inf])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drift = drift_of(reference, current)
        unbounded = drift_of([np.inf] * 4, [-np.inf] * 3)
        longer = drift_of(reference, current[1:])
    assert drift.ks == close(1 / 102)
    assert (drift.wasserstein, longer.wasserstein) == (None, None)
    assert drift.psi == close(textbook_psi(np.array([11, *[10] * 8, 11]), np.array([10, *[10] * 8, 12])))
    assert (unbounded.ks, unbounded.wasserstein) == (1.0, None)


def test_the_largest_floats_raise_no_warning() -> None:
    drift = drift_of([-1.7e308, 1.7e308, 0.0], [1.7e308, -1.7e308])
    assert drift.ks == close(ks_2samp([-1.7, 1.7, 0.0], [1.7, -1.7]).statistic)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_datetimes_are_compared_as_numbers_and_their_distance_is_in_days(unit: str, zone: str | None) -> None:
    dates: Any = pd.date_range("2024-01-01", periods=50, freq="D", tz=zone)
    start: Any = pd.Series(dates.as_unit(unit))
    later = start + pd.Timedelta(hours=36)
    later.iloc[0] = pd.NaT
    drift = drift_of(start, later)
    days = np.arange(50.0)
    assert drift.kind == "numeric"
    assert drift.wasserstein == close(scipy_wasserstein(days, days[1:] + 1.5))
    assert drift.ks == close(ks_2samp(days, days[1:] + 1.5).statistic)
    assert drift.missing_current == 1 / 50


def test_whole_numbers_nullable_numbers_and_floats_compare_as_the_same_values() -> None:
    values = [1, 2, 3, 4]
    for dtype in ("int8", "uint64", "Int64", "float32", "Float64"):
        drift = drift_of(pd.Series(values, dtype=dtype), pd.Series(values, dtype="float64"))
        assert (drift.kind, drift.ks, drift.psi) == ("numeric", 0.0, 0.0)


def test_booleans_are_categories_whatever_missing_values_turn_them_into() -> None:
    truth = pd.Series([True, False, True, True])
    for same in (truth.astype("boolean"), truth.astype(object), truth.astype(float)):
        drift = drift_of(truth, same)
        assert (drift.kind, drift.psi, drift.js) == ("categorical", 0.0, 0.0)


def test_a_column_that_is_text_on_one_side_only_is_compared_as_categories() -> None:
    drift = drift_of([1, 2, 2, 1], ["1", "2", "2", "1"])
    assert (drift.kind, drift.psi) == ("categorical", 0.0)
    assert drift_of([[1], [2]], [[1], [3]]).js == pytest.approx(math.sqrt(0.5))


def test_columns_keep_the_references_order_and_are_matched_by_name() -> None:
    reference = pd.DataFrame({"b": [1.0, 2.0], "a": ["x", "y"]})
    report = compare(reference, reference[["a", "b"]].iloc[[0, 1, 1]])
    assert [c.column for c in report.columns] == ["b", "a"]
    assert (report.rows_reference, report.rows_current) == (2, 3)


@pytest.mark.parametrize(
    ("reference", "current", "message"),
    [
        ({"a": [1], "b": [1]}, {"a": [1]}, "current table lacks b"),
        ({"a": [1]}, {"a": [1], "b": [1], "c": [1]}, "reference table lacks b, c"),
        ({"a": []}, {"a": [1]}, "reference table is empty"),
        ({"a": [1]}, {}, "current table is empty"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused_by_name(
    reference: dict[str, list[int]], current: dict[str, list[int]], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        compare(pd.DataFrame(reference), pd.DataFrame(current))


def test_two_columns_of_one_name_are_refused() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(InvalidInput, match="more than one column named a"):
        compare(twice, twice)


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    reference = pd.DataFrame(rng.normal(size=(300, 8))).rename(columns=str)
    current = reference + rng.normal(size=(300, 8))
    alone = compare(reference, current)
    monkeypatch.setattr("drift.PARALLEL_CELLS", 1)
    assert compare(reference, current) == alone


def test_a_reference_that_is_kept_gives_the_figures_that_a_new_one_gives() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "x": rng.normal(size=300),
        "gaps": np.where(rng.random(300) < 0.1, np.nan, rng.normal(size=300)),
        "few": rng.integers(0, 3, 300),
        "text": rng.choice(["a", "b", "c"], 300),
    })  # fmt: skip
    kept = Reference(frame)
    for seed in range(3):
        current = frame.sample(200, random_state=seed).reset_index(drop=True)
        current["x"] += seed
        assert compare(kept, current) == compare(frame, current)
    only = measured_columns(kept, current, ["few"])
    assert list(only) == ["few"] and only["few"].psi == compare(frame, current).columns[2].psi
