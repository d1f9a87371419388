"""Histograms that add up, and the bounds of what they tell, against the comparison of the rows themselves."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distances.estimates import Bounded, ColumnEstimate, compare_histograms
from distances.histograms import CategoryHistogram, NumberHistogram, TableHistogram, calibrate
from drift import compare
from errors import InvalidInput
from records.drift import ColumnDrift, DriftRules

RULES = DriftRules(rows_limit=10)


def close(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def estimate_of(reference: Any, current: Any) -> tuple[ColumnEstimate, ColumnDrift]:
    """What the histograms tell, and what the rows do."""
    before, after = pd.DataFrame({"x": reference}), pd.DataFrame({"x": current})
    bins = calibrate(before)
    told = compare_histograms(bins, bins.empty().count(after), RULES).columns[0]
    return told, compare(before, after, RULES).columns[0]


def assert_holds(bound: Bounded | None, exact: float | None, slack: float = 1e-9) -> None:
    if exact is None or bound is None:
        assert bound is None
        return
    slack *= max(1.0, abs(exact))
    assert bound.low is None or bound.low - slack <= exact
    assert bound.high is None or exact <= bound.high + slack
    assert (bound.low is None or bound.low <= bound.value) and (
        bound.high is None or bound.value <= bound.high
    )


values = st.one_of(
    st.floats(-100, 100, allow_nan=False),
    st.integers(-4, 4).map(float),
    st.sampled_from([math.nan, math.nan, 1e6]),
)
infinite = st.one_of(values, st.sampled_from([math.inf, -math.inf]))
sides = st.one_of(st.lists(values, min_size=1, max_size=60), st.lists(infinite, min_size=1, max_size=60))


@settings(derandomize=True, deadline=None, max_examples=200)
@example(reference=[1e-238], current=[1.0])
@example(reference=[0.0, 1e-238], current=[1.0])
@given(reference=sides, current=sides)
def test_every_exact_statistic_of_numbers_lies_within_its_bounds(
    reference: list[float], current: list[float]
) -> None:
    told, exact = estimate_of(reference, current)
    assert told.psi.value == told.psi.low == told.psi.high == close(exact.psi or 0.0)
    assert told.js.value == close(exact.js or 0.0)
    assert_holds(told.ks, exact.ks)
    assert_holds(told.ks_p, exact.ks_p)
    assert_holds(told.wasserstein, exact.wasserstein)
    # A value of 1e-100 beside one of 1 reaches beyond what sums of values are kept for.
    if all(abs(v) > 1e-9 for v in reference + current if v != 0 and math.isfinite(v)):
        assert (told.wasserstein is None) == (exact.wasserstein is None)
    if exact.wasserstein_normed is None or exact.wasserstein_normed < 1e6:  # else the spread is rounding
        assert_holds(told.wasserstein_normed, exact.wasserstein_normed, 1e-6)
    if told.chi2 is not None and told.chi2.high is not None and told.chi2_p is not None:
        assert (told.chi2.value, told.chi2_p.value) == (close(exact.chi2 or 0.0), close(exact.chi2_p or 0.0))
    if told.z is not None:
        assert (told.z, told.z_p) == (close(exact.z or 0.0), close(exact.z_p or 0.0))
    assert (told.missing_reference, told.missing_current) == (exact.missing_reference, exact.missing_current)


words = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g", None]), min_size=1, max_size=60)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(reference=words, current=words, top=st.integers(1, 8))
def test_every_exact_statistic_of_categories_lies_within_its_bounds(
    reference: list[str | None], current: list[str | None], top: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distances.histograms.TOP_CATEGORIES", top)
        told, exact = estimate_of(pd.Series(reference, dtype="str"), pd.Series(current, dtype="str"))
    assert told.kind == exact.kind
    assert_holds(told.psi, exact.psi)
    assert_holds(told.js, exact.js, 1e-7)
    if exact.chi2 is not None and told.chi2 is not None:
        assert_holds(told.chi2, exact.chi2)
        assert_holds(told.chi2_p, exact.chi2_p)
    if told.z is not None:
        assert (told.z, told.z_p) == (close(exact.z or 0.0), close(exact.z_p or 0.0))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(rows=st.lists(infinite, min_size=1, max_size=60), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_counting_in_parts_and_adding_is_counting_at_once(rows: list[float], cuts: list[int]) -> None:
    text = [None if math.isnan(v) else f"{v:.0f}" for v in rows]
    frame = pd.DataFrame({"x": rows, "text": pd.Series(text, dtype="str")})
    bins = calibrate(frame).empty()
    assert bins.rows == 0
    whole = bins.count(frame)
    parts = bins
    for part in np.split(np.arange(len(rows)), sorted(cuts)):
        parts = parts + bins.count(frame.iloc[part])
    stream = bins
    for part in np.split(np.arange(len(rows)), sorted(cuts)):
        stream = stream.count(frame.iloc[part])
    for summed in (parts, stream):
        x, expected = summed.columns[0], whole.columns[0]
        assert isinstance(x, NumberHistogram) and isinstance(expected, NumberHistogram)
        assert summed.columns[1] == whole.columns[1] and summed.rows == whole.rows
        rounded = {"sums": (), "squares": 0.0}
        assert x.model_copy(update=rounded) == expected.model_copy(update=rounded)
        assert x.sums == pytest.approx(expected.sums, rel=1e-9, abs=1e-9)
        assert x.squares == pytest.approx(expected.squares, rel=1e-9)


def test_the_bins_hold_equal_shares_and_the_bounds_are_narrow() -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=20_000), rng.normal(size=10_000) + 0.1
    told, exact = estimate_of(reference, current)
    bins = calibrate(pd.DataFrame({"x": reference})).columns[0]
    assert isinstance(bins, NumberHistogram)
    assert max(bins.counts) <= 20_000 / 64 + 1
    assert told.ks is not None and told.ks.high is not None and told.ks.low is not None
    assert told.ks.high - told.ks.low <= 1.3 / 64  # the largest share of a bin on either side
    assert told.wasserstein is not None and told.wasserstein.high is not None and exact.wasserstein
    assert told.wasserstein.high - (told.wasserstein.low or 0.0) < 0.3 * exact.wasserstein
    assert told.wasserstein.value == pytest.approx(exact.wasserstein, rel=0.002)
    assert (told.test, told.drifted) == (exact.test, exact.drifted) == ("wasserstein_normed", False)
    assert (told.threshold, told.direction) == (exact.threshold, exact.direction)


def test_a_column_of_few_values_is_told_exactly() -> None:
    rng = np.random.default_rng(1)
    reference, current = rng.choice([1.0, 2.0, 5.0], 500, p=[0.98, 0.01, 0.01]), rng.choice([1.0, 2.0], 400)
    told, exact = estimate_of(reference, current)
    for key in ("ks", "ks_p", "wasserstein", "wasserstein_normed", "chi2", "chi2_p", "psi", "js"):
        bound = getattr(told, key)
        assert bound.low == close(bound.high) and bound.value == close(getattr(exact, key)), key
    assert (told.test, told.drifted) == (exact.test, exact.drifted) == ("js", True)


def test_times_are_told_in_days() -> None:
    start = pd.Series(pd.date_range("2024-01-01", periods=200, freq="D"))
    told, exact = estimate_of(start, start + pd.Timedelta(hours=36))
    assert exact.wasserstein == close(1.5)
    assert_holds(told.wasserstein, exact.wasserstein)
    assert told.wasserstein is not None and 1.4 < told.wasserstein.value < 1.8


def test_a_histogram_survives_storage_and_holds_no_row() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": np.append(rng.normal(size=999), np.inf), "t": rng.choice(["u", "v"], 1000)})
    counted = calibrate(frame)
    stored = counted.model_dump_json()
    assert TableHistogram.model_validate_json(stored) == counted
    assert len(stored) < 10_000


def test_categories_beyond_the_commonest_are_counted_together() -> None:
    reference = pd.DataFrame({"t": [f"c{i:03}" for i in range(100)] + ["c000"] * 5})
    counted = calibrate(reference).count(pd.DataFrame({"t": ["new", None, "c001"]})).columns[0]
    assert isinstance(counted, CategoryHistogram)
    assert counted.categories[:2] == ("c000", "c001") and len(counted.categories) == 64
    assert (counted.counts[0], counted.counts[1], counted.other, counted.missing) == (6, 2, 37, 1)


def test_other_bins_lacking_columns_and_other_kinds_are_refused() -> None:
    one, two = pd.DataFrame({"x": [1.0, 2.0, 3.0]}), pd.DataFrame({"x": [1.0, 2.0, 4.0]})
    with pytest.raises(InvalidInput, match="different bins"):
        calibrate(one) + calibrate(two)
    with pytest.raises(InvalidInput, match="different bins"):
        compare_histograms(calibrate(one), calibrate(pd.DataFrame({"x": ["a", "b"]})))
    with pytest.raises(InvalidInput, match="lack x"):
        calibrate(one).count(pd.DataFrame({"y": [1.0]}))
    with pytest.raises(InvalidInput, match="not made of numbers"):
        calibrate(one).count(pd.DataFrame({"x": ["a"]}))
    with pytest.raises(InvalidInput, match="no rows"):
        compare_histograms(calibrate(one), calibrate(one).empty())


def test_a_column_without_any_value_is_told_as_missing() -> None:
    told, exact = estimate_of([1.0, 2.0, 3.0], [math.nan] * 3)
    assert (told.ks, told.wasserstein, told.missing_current) == (None, None, 1.0)
    assert told.psi.value == close(exact.psi or 0.0)
    told, _ = estimate_of([math.nan] * 3, [1.0, 2.0, 3.0])
    assert told.kind == "numeric" and told.js.value == pytest.approx(1.0)
