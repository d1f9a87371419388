"""The domain classifier: AUC and interval against oracles, and whether it finds what columns hide."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from distances.domain import Effort, auc_with_variance, domain_drift
from drift import compare
from errors import InvalidInput


def brute_delong(zeros: list[int], ones: list[int]) -> tuple[float, float]:
    """Pair by pair, as the paper defines it."""
    wins = np.array([[1.0 if b > a else 0.5 if a == b else 0.0 for a in zeros] for b in ones])
    of_ones, of_zeros = wins.mean(axis=1), wins.mean(axis=0)
    return wins.mean(), of_ones.var(ddof=1) / len(ones) + of_zeros.var(ddof=1) / len(zeros)


scores = st.lists(st.integers(0, 6), min_size=2, max_size=25)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(zeros=scores, ones=scores)
def test_the_auc_is_scikit_learns_and_its_variance_delongs(zeros: list[int], ones: list[int]) -> None:
    labels = np.repeat([0, 1], [len(zeros), len(ones)])
    both = np.array([*zeros, *ones], dtype=float)
    found = auc_with_variance(labels, both)
    assert found == pytest.approx(brute_delong(zeros, ones), abs=1e-12)
    assert found[0] == pytest.approx(roc_auc_score(labels, both), abs=1e-12)


def table(rows: int, seed: int, correlation: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=rows), rng.normal(size=rows)
    return pd.DataFrame({
        "a": a,
        "b": correlation * a + np.sqrt(1 - correlation**2) * b,
        "noise": rng.normal(size=rows),
        "text": rng.choice(["x", "y", "z"], rows),
    })  # fmt: skip


def test_tables_from_one_source_cannot_be_told_apart() -> None:
    found = domain_drift(table(500, 0), table(500, 1))
    assert found.interval[0] <= 0.5 <= found.interval[1]
    assert not found.drifted
    assert (found.rows_reference, found.rows_current, found.folds) == (500, 500, 5)


def test_a_change_that_no_column_shows_alone_is_found_with_the_columns_that_carry_it() -> None:
    reference, current = table(700, 0), table(700, 1, correlation=0.95)
    assert not any(c.drifted for c in compare(reference, current).columns)
    found = domain_drift(reference, current, Effort(folds=3))
    assert found.drifted and found.auc > 0.7
    assert {c.column for c in found.columns[:2]} == {"a", "b"}
    assert found.columns[1].auc_loss > 0.1 > found.columns[2].auc_loss


@pytest.mark.parametrize("change", ["category", "missing", "infinite"])
def test_categories_missing_values_and_infinities_give_themselves_away(change: str) -> None:
    reference, current = table(300, 0), table(300, 1)
    if change == "category":
        current["text"] = np.where(current["text"] == "x", "new", current["text"])
    elif change == "missing":
        current.loc[:150, "a"] = np.nan
    else:
        current.loc[:150, "a"] = np.inf
    found = domain_drift(reference, current, Effort(folds=3))
    assert found.drifted
    assert found.columns[0].column == ("text" if change == "category" else "a")


def test_rows_that_all_give_themselves_away_leave_room_for_three_in_all() -> None:
    reference, current = table(100, 0), table(100, 1)
    current["a"] += 100
    found = domain_drift(reference, current, Effort(folds=2))
    assert (found.auc, found.interval) == (1.0, (0.97, 1.0))


def test_at_most_so_many_rows_are_drawn_and_the_seed_decides_which() -> None:
    effort = Effort(rows=100, folds=2, columns=1)
    current = table(400, 1)
    current["noise"] += 2
    found = domain_drift(table(400, 0), current, effort)
    assert (found.rows_reference, found.rows_current) == (100, 100)
    assert found == domain_drift(table(400, 0), current, effort)
    assert found.columns[0].column == "noise"  # the one column that is tried is the likeliest
    assert [c.auc_loss for c in found.columns[1:]] == [0.0, 0.0, 0.0]


def test_many_categories_and_times_are_taken() -> None:
    rows = 400
    reference = pd.DataFrame({
        "id": [f"u{i}" for i in range(rows)],
        "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
    })  # fmt: skip
    later = reference.assign(when=reference["when"] + pd.Timedelta(days=30))
    found = domain_drift(reference, later, Effort(folds=2))
    assert found.auc > 0.98 and found.columns[0].column == "when"


def test_too_few_rows_and_other_columns_are_refused() -> None:
    with pytest.raises(InvalidInput, match="19 rows"):
        domain_drift(table(100, 0), table(19, 1))
    with pytest.raises(InvalidInput, match="same columns"):
        domain_drift(table(100, 0), table(100, 1).drop(columns="a"))
