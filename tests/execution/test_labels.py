"""Which label is which class, by the model's answers: only a LabelEncoder's order is believed."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from estimators.answers import Predictions
from execution.labels import settled, translated

RNG = np.random.default_rng(0)


def answers(codes: "np.ndarray", classes: tuple[str, ...], failed: int = 0) -> Predictions:
    values = codes.astype(np.float64)
    lost = np.arange(len(values)) < failed
    values[lost] = np.nan
    return Predictions(values, None, classes, lost, ())


def answered(truth: "np.ndarray", right: float, classes: int) -> "np.ndarray":
    return np.where(RNG.random(len(truth)) < right, truth, RNG.integers(0, classes, len(truth)))


@pytest.mark.parametrize("rows", [60, 1_000])
def test_the_order_of_a_label_encoder_is_taken_where_the_answers_bear_it_out(rows: int) -> None:
    truth = RNG.integers(0, 3, rows)
    labels = pd.Series(np.array(["setosa", "versicolor", "virginica"])[truth])
    found = settled(labels, answers(answered(truth, 0.9, 3), ("0", "1", "2"), failed=5))
    assert found.how == "order"
    assert dict(found.pairs) == {"setosa": "0", "versicolor": "1", "virginica": "2"}
    assert translated(labels, found.pairs).tolist() == [str(code) for code in truth]


def test_another_order_is_put_forward_and_never_taken() -> None:
    truth = RNG.integers(0, 3, 500)
    labels = pd.Series(np.array(["c", "a", "b"])[truth])
    found = settled(labels, answers(answered(truth, 0.95, 3), ("0", "1", "2")))
    assert found.how == "undecided" and found.pairs == ()
    best, other = found.candidates
    assert dict(best.pairs) == {"c": "0", "a": "1", "b": "2"} and (best.score or 0) > 0.9
    assert dict(other.pairs) == {"a": "0", "b": "1", "c": "2"} and (other.score or 1) < 0.1


def test_a_model_that_guesses_decides_nothing() -> None:
    settled_often = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels = pd.Series(rng.choice(["B", "M"], 300))
        settled_often += settled(labels, answers(rng.integers(0, 2, 300), ("0", "1"))).how == "order"
    assert settled_often <= 2  # three standard errors: 0.13 % on this side


def test_the_candidates_scores_are_those_of_all_readings() -> None:
    truth = RNG.integers(0, 4, 300)
    given = answered(truth, 0.7, 4)
    labels = pd.Series(np.array(list("abcd"))[truth])
    found = settled(labels, answers(given, tuple("0123")))
    scores = sorted(
        (float(np.mean([order[t] == g for t, g in zip(truth, given, strict=True)])), order)
        for order in permutations(range(4))
    )
    assert [c.score for c in found.candidates] == pytest.approx([scores[-1][0], scores[-2][0]])


def test_labels_that_count_from_one_meet_classes_from_nought() -> None:
    truth = RNG.integers(0, 2, 200)
    found = settled(pd.Series(truth + 1), answers(answered(truth, 0.9, 2), ("0", "1")))
    assert found.how == "order" and dict(found.pairs) == {"1": "0", "2": "1"}
