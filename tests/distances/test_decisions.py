"""Which test judges a column, what it is compared with, and the correction for many columns."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, false_discovery_control, ks_2samp

from distances.estimates import compare_histograms
from distances.histograms import calibrate
from drift import compare
from records.drift import ColumnDrift, DriftReport, DriftRules, judgement


def close(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "number": rng.normal(size=rows),
        "few": rng.integers(0, 4, rows).astype(float),
        "binary": rng.integers(0, 2, rows),
        "flag": rng.random(rows) < 0.3,
        "text": rng.choice(["a", "b", "c"], rows),
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, rows), unit="s"),
    })  # fmt: skip


def by_name(report: DriftReport) -> dict[str, ColumnDrift]:
    return {c.column: c for c in report.columns}


def test_up_to_a_thousand_rows_the_p_value_of_the_fitting_test_decides() -> None:
    reference, current = table(1000), table(5000, 1)
    report = compare(reference, current)
    columns = by_name(report)
    assert {name: c.test for name, c in columns.items()} == {
        "number": "ks", "few": "chi2", "binary": "z", "flag": "z", "text": "chi2", "when": "ks",
    }  # fmt: skip
    counts = [frame["few"].value_counts().sort_index().to_numpy() for frame in (reference, current)]
    oracle = chi2_contingency(counts, correction=False)
    assert (columns["few"].chi2, columns["few"].chi2_p) == (close(oracle.statistic), close(oracle.pvalue))
    assert columns["few"].statistic == columns["few"].chi2
    counts = [frame["flag"].value_counts().sort_index().to_numpy() for frame in (reference, current)]
    oracle = chi2_contingency(counts, correction=False)
    z = columns["flag"].z
    assert z is not None and z**2 == close(oracle.statistic)
    assert columns["flag"].z_p == close(oracle.pvalue)
    assert (z > 0) == (current["flag"].mean() > reference["flag"].mean())
    assert {(c.threshold, c.direction) for c in report.columns} == {(0.05, "at_most")}


def test_above_a_thousand_rows_a_distance_decides() -> None:
    reference, current = table(1001), table(1001, 1)
    current["number"] += 0.5
    columns = by_name(compare(reference, current))
    assert {name: c.test for name, c in columns.items()} == {
        "number": "wasserstein_normed", "few": "js", "binary": "js", "flag": "js", "text": "js",
        "when": "wasserstein_normed",
    }  # fmt: skip
    number = columns["number"]
    assert number.statistic == number.wasserstein_normed
    assert number.wasserstein is not None
    assert number.wasserstein_normed == close(number.wasserstein / reference["number"].std(ddof=0))
    assert (number.threshold, number.direction, number.drifted) == (0.1, "at_least", True)
    assert columns["text"].statistic == columns["text"].js
    assert [c.p_adjusted for c in columns.values()] == [None] * 6


def test_p_values_that_decide_are_adjusted_for_their_number_and_the_report_says_so() -> None:
    rng = np.random.default_rng(2)
    reference = pd.DataFrame(rng.normal(size=(400, 12)), columns=[f"x{i}" for i in range(12)])
    current = pd.DataFrame(rng.normal(size=(300, 12)), columns=reference.columns)
    current["x3"] += 0.6
    current["x4"] += 0.14
    report = compare(reference, current)
    plain = [ks_2samp(reference[c], current[c], method="asymp").pvalue for c in reference]
    adjusted = false_discovery_control(plain)
    assert [c.p_adjusted for c in report.columns] == [close(p) for p in adjusted]
    assert [c.drifted for c in report.columns] == (adjusted <= 0.05).tolist()
    assert report.correction == "benjamini_hochberg"
    assert report.drifted_columns == int((adjusted <= 0.05).sum()) >= 1
    assert report.drifted_share == close(float((adjusted <= 0.05).mean()))
    assert (np.array(plain) <= 0.05).sum() > report.drifted_columns  # the correction mattered
    many = compare(pd.concat([reference] * 4), pd.concat([current] * 4))
    assert many.correction is None


def test_the_smaller_table_says_how_many_rows_there_are() -> None:
    assert compare(table(100), table(3000, 1)).columns[0].test == "ks"
    assert compare(table(3000), table(100, 1)).columns[0].test == "ks"
    rules = DriftRules(rows_limit=50, distance_limit=0.3)
    found = compare(table(100), table(3000, 1), rules).columns[0]
    assert (found.test, found.threshold) == ("wasserstein_normed", 0.3)


def test_two_values_with_missing_ones_are_three_categories() -> None:
    reference = pd.DataFrame({"x": [0.0, 1.0] * 50})
    current = pd.DataFrame({"x": [0.0, 1.0] * 25 + [np.nan] * 50})
    found = compare(reference, current).columns[0]
    oracle = chi2_contingency([[50, 50, 0], [25, 25, 50]], correction=False)
    assert (found.test, found.statistic, found.drifted) == ("chi2", close(oracle.statistic), True)
    assert found.z == 0.0  # the shares of the present values are the same


def test_where_no_normed_distance_exists_the_bins_decide() -> None:
    rows = 1500
    values = np.random.default_rng(0).normal(size=rows)
    constant = pd.DataFrame({"x": np.full(rows, 3.0)})
    infinite = pd.DataFrame({"x": np.append(values[1:], np.inf)})
    for reference, current in (
        (constant, pd.DataFrame({"x": values})),
        (pd.DataFrame({"x": values}), infinite),
    ):
        found = compare(reference, current).columns[0]
        assert found.wasserstein_normed is None
        assert (found.test, found.statistic) == ("js", found.js)


def test_a_column_that_no_test_fits_is_not_judged() -> None:
    nothing = pd.DataFrame({"x": [np.nan] * 5})
    report = compare(nothing, nothing)
    assert (report.columns[0].test, report.columns[0].drifted) == (None, None)
    assert (report.drifted_columns, report.drifted_share, report.correction) == (0, None, None)
    constant = pd.DataFrame({"x": [1.0] * 5})
    assert compare(constant, constant).columns[0].drifted is None


def test_a_stored_report_without_judgements_is_still_read() -> None:
    stored = {
        "columns": [{"column": "x", "kind": "numeric", "psi": 0.1}],
        "rows_reference": 1,
        "rows_current": 1,
    }
    assert DriftReport.model_validate(stored).columns[0].drifted is None


def test_columns_stored_before_they_shared_their_decision_read_and_write_the_same() -> None:
    figures = {
        "psi": 0.3, "ks": 0.2, "ks_p": 0.01, "wasserstein": 1.5, "js": 0.1, "missing_reference": 0.0,
        "missing_current": 0.25, "wasserstein_normed": 0.4, "chi2": None, "chi2_p": None, "z": None,
        "z_p": None,
    }  # fmt: skip
    decision = {
        "test": "ks", "statistic": 0.2, "p_adjusted": 0.02, "threshold": 0.05, "direction": "at_most",
        "drifted": True,
    }  # fmt: skip
    stored = {"column": "x", "kind": "numeric", **figures, **decision}
    assert ColumnDrift.model_validate(stored).model_dump() == stored | {"unknown_words": None}
    older = {key: value for key, value in stored.items() if key not in decision}
    assert ColumnDrift.model_validate(older).drifted is None


def test_a_table_and_its_histograms_read_their_decisions_in_the_same_words() -> None:
    reference, current = table(900)[["text", "few"]], table(900, 1)[["text", "few"]]
    before = calibrate(reference)
    estimated = compare_histograms(before, before.empty().count(current))
    exact = compare(reference, current)
    assert [judgement(c) for c in estimated.columns] == [judgement(c) for c in exact.columns]
    assert judgement(exact.columns[0]).startswith("chi-squared, adjusted p ")
