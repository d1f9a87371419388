"""Scores equal scikit-learn's."""

# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type"

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from errors import InvalidSample
from estimators.answers import Predictions
from metrics import other_scale, score


def predictions(values, labels=None, scores=None, failed=None):
    values = np.asarray(values, dtype=float)
    return Predictions(
        values=values,
        scores=None if scores is None else np.asarray(scores, dtype=float),
        labels=labels,
        failed=np.zeros(len(values), dtype=bool) if failed is None else np.asarray(failed),
    )


LABELS = ("a", "b", "c")


def multiclass(seed=0, n=200):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(3), n)
    y = rng.integers(0, 3, n)
    return np.array(LABELS)[y], scores, scores.argmax(axis=1)


def test_multiclass_scores_equal_scikit_learns():
    y, scores, codes = multiclass()
    found = score(pd.Series(y), predictions(codes, LABELS, scores), "classification", "t")
    answers = np.array(LABELS)[codes]
    assert found.accuracy == pytest.approx(oracle.accuracy_score(y, answers))
    assert found.balanced_accuracy == pytest.approx(oracle.balanced_accuracy_score(y, answers))
    assert found.precision_macro == pytest.approx(oracle.precision_score(y, answers, average="macro"))
    assert found.recall_macro == pytest.approx(oracle.recall_score(y, answers, average="macro"))
    assert found.f1_macro == pytest.approx(oracle.f1_score(y, answers, average="macro"))
    assert found.roc_auc == pytest.approx(oracle.roc_auc_score(y, scores, multi_class="ovr"))
    assert found.log_loss == pytest.approx(oracle.log_loss(y, scores, labels=list(LABELS)))
    assert found.confusion == tuple(map(tuple, oracle.confusion_matrix(y, answers).tolist()))


def test_binary_auc_equals_scikit_learns_with_ties():
    rng = np.random.default_rng(1)
    p = rng.integers(0, 5, 100) / 4
    y = rng.integers(0, 2, 100)
    found = score(
        pd.Series(y),
        predictions(p > 0.5, ("0", "1"), np.column_stack([1 - p, p])),
        "classification",
        "t",
    )
    assert found.roc_auc == pytest.approx(oracle.roc_auc_score(y, p))
    assert found.log_loss == pytest.approx(oracle.log_loss(y, p))


def test_labels_that_never_occur_are_left_out_of_averages_as_in_scikit_learn():
    y = np.array(["a", "a", "b", "b"])
    codes = np.array([0, 1, 1, 1])
    found = score(pd.Series(y), predictions(codes, LABELS), "classification", "t")
    answers = np.array(LABELS)[codes]
    assert found.f1_macro == pytest.approx(oracle.f1_score(y, answers, average="macro"))
    assert found.balanced_accuracy == pytest.approx(oracle.balanced_accuracy_score(y, answers))


def test_auc_is_left_out_when_a_class_does_not_occur():
    found = score(
        pd.Series([1, 1]), predictions([1, 1], ("0", "1"), [[0.2, 0.8], [0.4, 0.6]]), "classification", "t"
    )
    assert found.roc_auc is None
    assert found.log_loss == pytest.approx(-np.log([0.8, 0.6]).mean())


@pytest.mark.parametrize(
    ("sample", "classes"),
    [
        ([0, 1, 1], ("0", "1")),
        ([0.0, 1.0, 1.0], ("0", "1")),
        ([0, 1, 1], ("0.0", "1.0")),
        (["0", "1", " 1"], ("0", "1")),
        ([False, True, True], ("False", "True")),
        (["false", "true", "TRUE"], ("False", "True")),
        ([False, True, True], ("0", "1")),
        ([0, 1, 1], ("False", "True")),
        (["no", "yes", "yes"], ("no", "yes")),
    ],
)
def test_labels_of_equal_value_are_one_label(sample, classes):
    assert score(pd.Series(sample), predictions([0, 1, 1], classes), "classification", "t").accuracy == 1


def test_classes_that_differ_only_in_spelling_stay_apart():
    found = score(pd.Series(["1", "1.0"]), predictions([0, 0], ("1", "1.0")), "classification", "t")
    assert found.accuracy == 0.5


def test_a_label_that_the_model_does_not_know_is_a_wrong_answer():
    y = np.array(["a", "b", "new", "new"])
    codes = np.array([0, 1, 0, 1])
    found = score(pd.Series(y), predictions(codes, ("a", "b")), "classification", "t")
    answers = np.array(["a", "b"])[codes]
    assert found.accuracy == 0.5
    assert found.labels == ("a", "b", "new")
    assert found.recall_macro == pytest.approx(oracle.recall_score(y, answers, average="macro"))


def test_a_sample_with_foreign_labels_only_is_refused_naming_both_sides():
    with pytest.raises(InvalidSample, match=r"'x'.*'a', 'b'"):
        score(pd.Series(["x", "x"]), predictions([0, 1], ("a", "b")), "classification", "t")


def test_failed_rows_are_wrong_answers_in_classification():
    found = score(
        pd.Series(["a", "b", "b"]),
        predictions([0, np.nan, 1], ("a", "b"), failed=[False, True, False]),
        "classification",
        "t",
    )
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.failed_rows == 1
    assert found.confusion == ((1, 0), (0, 1))


def test_regression_scores_equal_scikit_learns_over_rows_that_did_not_fail():
    rng = np.random.default_rng(2)
    y = rng.normal(size=50)
    answers = y + rng.normal(size=50)
    failed = np.arange(50) % 10 == 0
    found = score(
        pd.Series(y), predictions(np.where(failed, np.nan, answers), failed=failed), "regression", "t"
    )
    used = ~failed
    assert found.r2 == pytest.approx(oracle.r2_score(y[used], answers[used]))
    assert found.mae == pytest.approx(oracle.mean_absolute_error(y[used], answers[used]))
    assert found.rmse == pytest.approx(oracle.root_mean_squared_error(y[used], answers[used]))
    assert (found.rows, found.failed_rows) == (45, 5)


def test_rows_without_a_label_are_left_out_and_counted():
    found = score(pd.Series(["a", None, "b"]), predictions([0, 0, 0], ("a", "b")), "classification", "t")
    assert (found.rows, found.unlabelled_rows, found.accuracy) == (2, 1, 0.5)


def test_text_in_a_regression_target_is_refused():
    with pytest.raises(InvalidSample, match="not numbers"):
        score(pd.Series(["a", "b"]), predictions([0.5, 1.5]), "regression", "price")


def test_an_empty_target_is_refused():
    with pytest.raises(InvalidSample, match="no value"):
        score(pd.Series([None, None]), predictions([0.5, 1.5]), "regression", "price")


@pytest.mark.parametrize("constant", [2.0, 0.1])  # three times 0.1 have a mean that is not 0.1
def test_a_constant_target_has_no_r2(constant):
    assert score(pd.Series([constant] * 3), predictions([1.0, 3.0, 2.0]), "regression", "t").r2 is None


def test_the_headline_is_accuracy_for_classes_and_r2_for_numbers():
    classes = score(pd.Series(["a", "b"]), predictions([0, 0], ("a", "b")), "classification", "t")
    assert classes.headline == (
        "accuracy",
        0.5,
    )
    numbers = score(pd.Series([1.0, 2.0]), predictions([1.0, 2.0]), "regression", "t")
    assert numbers.headline == ("r2", 1.0)


@pytest.mark.parametrize(
    ("learnt", "said"),
    [(np.log, "with exp"), (np.log1p, "with exp"), (np.log10, "the power of 10"),
     (lambda y: (y - y.mean()) / y.std(), "a scaled 'price'")],
)  # fmt: skip
def test_answers_on_another_scale_than_the_labels_are_named(learnt, said):
    rng = np.random.default_rng(0)
    y = np.exp(rng.normal(11, 0.5, 200))
    answers = learnt(y) + rng.normal(0, 0.03, 200)
    found = other_scale(pd.Series(y), predictions(answers), "price")
    assert said in found
    assert oracle.r2_score(y, answers) < 0


def test_answers_that_are_only_wrong_or_only_right_are_not_called_scaled():
    rng = np.random.default_rng(1)
    y = pd.Series(rng.normal(50, 10, 200))
    assert other_scale(y, predictions(rng.normal(20, 5, 200)), "t") == ""
    assert other_scale(y, predictions(y + rng.normal(0, 5, 200)), "t") == ""
    assert other_scale(y, predictions(100 - y), "t") == ""  # the wrong way round
    assert other_scale(y[:5], predictions(y[:5] / 100), "t") == ""  # too few rows to tell
    assert other_scale(pd.Series(["a"] * 30), predictions(np.arange(30)), "t") == ""


def test_rows_without_answer_or_label_say_nothing_of_the_scale():
    y = np.exp(np.linspace(8, 12, 100))
    answers = np.log(y)
    answers[:20] = np.nan
    labels = pd.Series(y).where(np.arange(100) < 90)
    failed = np.arange(100) < 20
    assert "with exp" in other_scale(labels, predictions(answers, failed=failed), "price")
