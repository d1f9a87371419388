"""Exact distances against SciPy's, by sorting and by refining, on columns of every awkward kind."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import (
    chi2_contingency,
    distributions,
    false_discovery_control,
    ks_2samp,
    wasserstein_distance,
)

from distances import columns, refining, sorting
from distances.columns import ColumnFigures, ReferenceColumn, measure
from distances.formulas import (
    Numbers,
    benjamini_hochberg,
    chi_squared,
    kolmogorov_p,
    population_stability_index,
    two_proportions,
)
from distances.refining import by_refining
from distances.sorting import Ordered, by_sorting, side_of


def close(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


Draw = Callable[[np.random.Generator, int], Numbers]
SHAPES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "far from zero": lambda rng, n: 1e9 + rng.normal(size=n),
    "tiny numbers": lambda rng, n: rng.normal(size=n) * 1e-150,
    "huge numbers": lambda rng, n: rng.normal(size=n) * 1e150,
    "skewed": lambda rng, n: rng.lognormal(0, 1, n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "one far value": lambda rng, n: np.append(rng.normal(size=n - 1), 1e12),
    "tied": lambda rng, n: rng.integers(0, 40, n).astype(float),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.7, 0.0, rng.normal(size=n)),
    "two clusters": lambda rng, n: rng.normal(size=n) * 0.01 + np.where(rng.random(n) < 0.5, -5, 5),
    "rounded": lambda rng, n: rng.normal(size=n).round(2),
    "already sorted": lambda rng, n: np.sort(rng.normal(size=n)),
}


def textbook_bins(reference: Numbers, current: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Rows by quantile bin, counted value by value; a value at two quantiles or more is its own bin."""
    finite = np.sort(reference[np.isfinite(reference)])
    quantiles = np.quantile(finite, np.linspace(0, 1, 11))
    held = {q: int(np.count_nonzero(quantiles == q)) for q in quantiles.tolist()}
    inner = [q for q in held if held[q] > 1 or quantiles[0] < q < quantiles[-1]]
    # A bin begins at an edge and, for a value that is its own bin, just after it.
    begins = sorted([(q, 0) for q in inner] + [(q, 1) for q in held if held[q] > 1])
    counted = []
    for side in (reference, current):
        counts = np.zeros(len(begins) + 2, dtype=np.int64)
        for value in side.tolist():
            if math.isnan(value):
                counts[-1] += 1
            else:
                counts[sum(value > q or (value == q and not after) for q, after in begins)] += 1
        counted.append(counts)
    return counted[0], counted[1]


def textbook_psi(r_counts: np.ndarray, c_counts: np.ndarray) -> float:
    r = [max(n / r_counts.sum(), 1e-4) for n in r_counts]
    c = [max(n / c_counts.sum(), 1e-4) for n in c_counts]
    return float(sum((b - a) * math.log(b / a) for a, b in zip(r, c, strict=True)))


Bins = tuple[np.ndarray, np.ndarray]


def assert_equals_scipy(found: ColumnFigures, reference: Numbers, current: Numbers, bins: Bins) -> None:
    r, c = reference[~np.isnan(reference)], current[~np.isnan(current)]
    assert found.ks == close(ks_2samp(r, c, method="asymp").statistic)
    if np.isfinite(r).all() and np.isfinite(c).all():
        area = wasserstein_distance(r, c)
        unit = max(float(np.abs(r).max()), 1e-300)  # distances of 1e-150 or 1e150 are compared as such
        assert found.wasserstein is not None
        assert found.wasserstein / unit == close(area / unit)
        assert found.wasserstein_normed == close(area / unit / np.std(r / unit))
    else:
        assert found.wasserstein is None and found.wasserstein_normed is None
    r_bins, c_bins = bins
    assert found.psi == close(textbook_psi(r_bins, c_bins))
    assert found.js == pytest.approx(jensenshannon(r_bins, c_bins, base=2), rel=1e-9, abs=1e-7)
    seen = r_bins + c_bins > 0
    if found.distinct is None:
        oracle = chi2_contingency([r_bins[seen], c_bins[seen]], correction=False)
        assert found.chi2 == (close(oracle.statistic), close(oracle.pvalue))


@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_column_of_any_shape_equals_scipy_by_both_ways(
    shape: str, shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    reference, current = SHAPES[shape](rng, 900), SHAPES[shape](rng, 600)
    current = current + shift * np.std(reference)
    reference[rng.random(900) < 0.05] = np.nan
    bins, known = textbook_bins(reference, current), ReferenceColumn(pd.Series(reference))
    monkeypatch.setattr(columns, "REFINE_ROWS", 1 << 62)
    assert_equals_scipy(measure(known, pd.Series(current)), reference, current, bins)
    monkeypatch.setattr(columns, "REFINE_ROWS", 0)
    monkeypatch.setattr(refining, "REFINED_SHARE", 1.0)
    assert_equals_scipy(measure(known, pd.Series(current)), reference, current, bins)


values = st.one_of(
    st.floats(-100, 100, allow_nan=False),
    st.integers(-6, 6).map(float),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 50.0]),
)
sides = st.lists(values, min_size=1, max_size=80).map(np.array)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    reference=sides,
    current=sides,
    bins=st.sampled_from([2, 8, 64, 1024]),
    chunk=st.sampled_from([1, 3, 1000]),
    block=st.sampled_from([1, 4, 1000]),
)
def test_refining_finds_what_sorting_finds_which_is_what_scipy_finds(
    reference: Numbers, current: Numbers, bins: int, chunk: int, block: int
) -> None:
    r, c = side_of(reference), side_of(current)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refining, "CHUNK", chunk)
        patch.setattr(refining, "REFINED_SHARE", 1.0)
        patch.setattr(sorting, "BLOCK", block)
        exact, refined = by_sorting(Ordered(r), Ordered(c)), by_refining(r, c, bins)
    if r.present and c.present:
        present = [side[~np.isnan(side)] for side in (reference, current)]
        if len(present[0]) + len(present[1]) > 2:  # else SciPy divides by no rows
            assert exact.ks == close(ks_2samp(*present, method="asymp").statistic)
        if all(np.isfinite(side).all() for side in present):
            assert exact.wasserstein == close(wasserstein_distance(*present))
    if len(r.values):
        expected = textbook_bins(reference, current)
        assert [b.tolist() for b in exact.bins] == [b.tolist() for b in expected]
    if refined is not None:
        assert refined.ks == close(exact.ks or 0.0)
        assert refined.wasserstein == (None if exact.wasserstein is None else close(exact.wasserstein))
        assert [b.tolist() for b in refined.bins] == [b.tolist() for b in exact.bins]
        assert refined.spread == close(exact.spread)


def test_the_histogram_is_what_large_columns_are_compared_by() -> None:
    rng = np.random.default_rng(0)
    r, c = side_of(rng.normal(size=60_000)), side_of(rng.normal(size=60_000) + 0.1)
    refined, exact = by_refining(r, c), by_sorting(Ordered(r), Ordered(c))
    assert refined is not None
    assert refined.ks == exact.ks and refined.wasserstein == close(exact.wasserstein or 0.0)
    assert [b.tolist() for b in refined.bins] == [b.tolist() for b in exact.bins]


def test_a_column_that_does_not_fill_equal_bins_is_sorted() -> None:
    rng = np.random.default_rng(0)
    few = side_of(rng.integers(0, 5, 1000).astype(float))
    assert by_refining(few, few) is None
    constant = side_of(np.full(1000, 2.5))
    assert by_refining(constant, constant) is None
    normal = side_of(rng.normal(size=1000))
    extreme = side_of(np.append(normal.values, [-1.7e308, 1.7e308]))
    assert by_refining(normal, extreme) is None
    assert by_refining(normal, side_of(np.full(3, np.nan))) is None
    assert by_refining(normal, normal) is None  # equal everywhere: every bin would have to be sorted


def test_the_spread_of_a_column_with_one_far_value_is_that_of_numpy() -> None:
    values = np.append(np.random.default_rng(0).normal(size=5000), 1e9)
    other = side_of(np.random.default_rng(1).normal(size=5000) + 0.5)
    refined = by_refining(side_of(values), other)
    assert refined is not None
    assert refined.spread == pytest.approx(np.std(values), rel=1e-9)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(counts=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=8))
def test_chi_squared_equals_scipys_contingency_test(counts: list[tuple[int, int]]) -> None:
    r, c = (np.array(side) for side in zip(*counts, strict=True))
    if r.sum() == 0 or c.sum() == 0:
        return
    seen = r + c > 0
    found = chi_squared(r, c)
    if np.count_nonzero(seen) < 2:
        assert found is None
        return
    oracle = chi2_contingency([r[seen], c[seen]], correction=False)
    assert found == (close(oracle.statistic), close(oracle.pvalue))
    if len(r) == 2:
        z = two_proportions(r, c)
        assert z is not None
        assert (z[0] ** 2, z[1]) == (close(oracle.statistic), close(oracle.pvalue))
        assert z[0] == 0 or (z[0] > 0) == (c[1] / c.sum() > r[1] / r.sum())


@pytest.mark.parametrize("rows", [3, 140, 5_000, 20_000, 60_000])
def test_the_ks_p_value_of_many_rows_is_scipys(rows: int) -> None:
    squares = np.array([1e-3, 0.1, 1.0, 2.19, 2.21, 3.0, 8.0, 30.0, 200.0, 369.0, 371.0])
    statistics = np.sqrt(squares / rows)
    statistics = statistics[statistics <= 1]
    expected = np.clip(distributions.kstwo.sf(statistics, rows), 0, 1)
    assert kolmogorov_p(statistics, np.full(len(statistics), rows)) == pytest.approx(
        expected, rel=1e-9, abs=1e-300
    )


@settings(derandomize=True, deadline=None, max_examples=100)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_equal_scipys(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p), rel=1e-12)


def test_psi_is_symmetric_and_never_negative() -> None:
    r, c = np.array([5, 0, 95]), np.array([20, 30, 50])
    assert population_stability_index(r, c) == close(population_stability_index(c, r))
    assert population_stability_index(r, c) == close(textbook_psi(r, c))
