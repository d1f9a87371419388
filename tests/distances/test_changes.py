"""What counts as another answer, and what only rounds differently: sums as real machines return them."""

import numpy as np
import numpy.typing as npt
import pytest

from distances.changes import change_tolerance, changed_answers, rounding
from estimators.answers import Predictions
from robustness.behaviours import differ
from tests.support.predictors import answers


def scored(p: npt.NDArray[np.float64]) -> Predictions:
    return Predictions((p > 0.5) * 1.0, np.column_stack((1 - p, p)), ("no", "yes"), np.zeros(len(p), bool))


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_sum_in_another_order_is_the_same_answer(precision: npt.DTypeLike, offset: float) -> None:
    """As BLAS sums a row's terms: one after the other or in parts, by alignment and by how rows are cut."""
    rng = np.random.default_rng(0)
    terms = rng.normal(size=(500, 200)).astype(precision)
    terms[:, 0] += offset
    before, after = (
        np.cumsum(t, axis=1)[:, -1].astype(np.float64) for t in (terms, terms[:, rng.permutation(200)])
    )
    assert (before != after).any()
    assert not differ(answers(before), answers(after)).any()
    # A drift's unit is far coarser: no answer changes in it either.
    assert not changed_answers(answers(before), answers(after), change_tolerance(answers(before))).any()


def test_answers_that_are_constant_but_for_rounding_do_not_change_under_drift() -> None:
    """Their standard deviation is rounding too: a tenth of it is less than one unit in the last place."""
    before = np.full(100, 1e6 + 0.1)
    before[::2] = np.nextafter(before[::2], np.inf)
    after = np.nextafter(before, -np.inf)
    assert 0.1 * before.std() < np.spacing(before[0])
    tolerance = change_tolerance(answers(before))
    assert not changed_answers(answers(before), answers(after), tolerance).any()
    assert changed_answers(answers(before), answers(before * 1.001), tolerance).all()


def test_terms_that_cancel_to_nought_are_nought() -> None:
    residue = np.full(10, 0.1 + 0.2 - 0.3)
    assert residue[0] != 0
    assert not differ(answers(np.zeros(10)), answers(residue)).any()


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e12])
def test_a_ten_thousandth_is_a_difference_whatever_the_unit(size: float) -> None:
    before = np.random.default_rng(0).uniform(0.5, 1.5, 100) * size
    moved = np.where(np.arange(100) < 7, before * 1.0001, before)
    np.testing.assert_array_equal(differ(answers(before), answers(moved)), np.arange(100) < 7)


def test_probabilities_differ_by_the_same_measure_as_numbers() -> None:
    p = np.random.default_rng(0).uniform(0.6, 0.9, 50)
    assert not differ(scored(p), scored(np.nextafter(p, 1))).any()
    assert not differ(scored(p), scored(p.astype(np.float32).astype(np.float64))).any()
    assert differ(scored(p), scored(p + 1e-4)).all()


def test_a_class_that_rounding_decides_is_another_class() -> None:
    """Its caller gets another answer for the same row, which is worth knowing, whatever the cause."""
    tied = np.full(3, 0.5)
    assert differ(scored(tied), scored(np.nextafter(tied, 1))).all()


def test_answers_near_the_end_of_what_numbers_hold_still_differ() -> None:
    assert rounding(np.array([1e308, -1e308]))[0] < 1e305
    assert differ(answers([1e308, -1e308]), answers([-1e308, 1e308])).all()
