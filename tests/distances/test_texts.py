"""Distances between columns of texts: of words, of lengths, of what is new."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp

from distances.domain import Effort, domain_drift
from distances.texts import Texts, compare_texts
from drift import Reference, compare
from records.drift import ColumnDrift
from tests.support.text_models import reviews

TEXTS, _ = reviews(400, seed=3)
OTHERS, _ = reviews(400, seed=4)


def compared(reference: "pd.Series[str]", current: "pd.Series[str]") -> ColumnDrift:
    table = Reference(pd.DataFrame({"t": reference}), texts=("t",))
    return compare(table, pd.DataFrame({"t": current})).columns[0]


def test_lengths_are_compared_as_scipy_does() -> None:
    longer = TEXTS + " and more of it"
    found = compare(Reference(pd.DataFrame({"t": TEXTS}), texts=("t",)), pd.DataFrame({"t": longer})).columns[
        0
    ]
    lengths = [side.str.findall(r"\w+").map(len) for side in (TEXTS, longer)]
    assert found.kind == "text"
    assert found.ks == pytest.approx(ks_2samp(*lengths).statistic)
    assert found.wasserstein == pytest.approx(4.0)


def test_words_are_compared_by_their_shares() -> None:
    reference, current = pd.Series(["a b", "a c a"] * 30), pd.Series(["a d", "B c a"] * 30)
    found = compare_texts(Texts(reference), Texts(current))
    shares = np.array([3, 1, 1, 0, 0]) / 5, np.array([2, 1, 1, 1, 0]) / 5  # a, b, c, others, missing
    assert found.js == pytest.approx(jensenshannon(*shares, base=2))
    assert found.unknown == 0.2


def test_independent_words_get_pearsons_test() -> None:
    rng = np.random.default_rng(0)
    sides = [pd.Series(rng.choice(["a", "b", "c"], 3_000, p=p)) for p in ([0.5, 0.3, 0.2], [0.45, 0.35, 0.2])]
    found = compare_texts(Texts(sides[0]), Texts(sides[1])).chi2
    counts = [side.value_counts().sort_index() for side in sides]
    assert found is not None
    assert found[0] == pytest.approx(chi2_contingency(counts, correction=False).statistic, rel=0.03)


def test_texts_of_one_source_seldom_drift_though_their_words_go_together() -> None:
    rng = np.random.default_rng(1)

    def sample() -> "pd.Series[str]":
        return pd.Series([" ".join([word] * 20) for word in rng.choice(list("abcde"), 80)])

    drifted = [compared(sample(), sample()).drifted for _ in range(100)]
    assert sum(bool(found) for found in drifted) <= 12  # of 5 expected


def test_other_texts_of_the_same_kind_do_not_drift_and_new_words_do() -> None:
    same = compare(Reference(pd.DataFrame({"t": TEXTS}), texts=("t",)), pd.DataFrame({"t": OTHERS})).columns[
        0
    ]
    new = OTHERS.str.replace("excellent|awful", "zebra", regex=True)
    other = compare(Reference(pd.DataFrame({"t": TEXTS}), texts=("t",)), pd.DataFrame({"t": new})).columns[0]
    assert (same.drifted, other.drifted) == (False, True)
    assert same.unknown_words == 0 and (other.unknown_words or 0) > 0.01
    assert (same.psi or 0) < (other.psi or 0)


def test_missing_texts_count_as_words_that_nobody_knows() -> None:
    gone = OTHERS.mask(np.arange(400) % 4 == 0)
    found = compared(TEXTS, gone)
    assert found.missing_current == 0.25 and (found.psi or 0) > 0.2 and found.drifted


def test_columns_without_any_word_are_compared_all_the_same() -> None:
    nothing = pd.Series([None, None, "..."], dtype=object)
    for sides in ((TEXTS, nothing), (nothing, TEXTS), (nothing, nothing)):
        found = compared(*sides)
        assert found.psi is not None and np.isfinite(found.psi)


def test_without_being_named_a_column_of_texts_is_one_of_categories() -> None:
    found = compare(pd.DataFrame({"t": TEXTS}), pd.DataFrame({"t": OTHERS})).columns[0]
    assert found.kind == "categorical" and found.unknown_words is None


def test_a_classifier_tells_texts_by_their_words_capitals_and_lengths() -> None:
    effort = Effort(rows=400, folds=2, trees=20, leaves=8, bins=63, columns=5)
    reference = pd.DataFrame({"t": TEXTS, "n": np.arange(400.0)})

    def auc(current: "pd.Series[str]") -> float:
        table = pd.DataFrame({"t": current, "n": np.arange(400.0)})
        found = domain_drift(reference, table, effort, texts=("t",))
        assert {column.column for column in found.columns} == {"t", "n"}
        return found.auc

    assert abs(auc(OTHERS) - 0.5) < 0.12
    assert auc(OTHERS.str.upper()) > 0.95
    assert auc(OTHERS.str.split().str[:4].str.join(" ")) > 0.9
    assert auc(OTHERS.str.replace("excellent|perfect|awful|broken", "zebra", regex=True)) > 0.6
