"""Latency is counted and timed as planned; scores equal scikit-learn's."""

# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type"

import gc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn import metrics as oracle

import metrics
from errors import InvalidSample
from metrics import LatencyPlan, headline, measure, score
from model_utils import Predictions

FRAME = pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0) * 2})


def predictions(values, labels=None, scores=None, failed=None):
    values = np.asarray(values, dtype=float)
    return Predictions(
        values=values,
        scores=None if scores is None else np.asarray(scores, dtype=float),
        labels=labels,
        failed=np.zeros(len(values), dtype=bool) if failed is None else np.asarray(failed),
    )


class Recorder:
    """Stands for a model: keeps what it was asked and whether the collector was off meanwhile."""

    def __init__(self):
        self.asked = []
        self.prepared = 0
        self.collecting = []

    def prepare(self, frame):
        self.prepared += 1
        return frame.to_numpy()

    def predict(self, x):
        self.asked.append(x)
        self.collecting.append(gc.isenabled())
        return x[:, 0]


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the model moves: each call takes `clock.call_s`."""
    state = SimpleNamespace(now=100.0, call_s=0.01)
    monkeypatch.setattr(
        metrics,
        "time",
        SimpleNamespace(perf_counter=lambda: state.now, perf_counter_ns=lambda: round(state.now * 1e9)),
    )
    return state


def test_every_batch_size_gets_its_planned_calls_and_rows():
    model = Recorder()
    plan = LatencyPlan(batch_sizes=(1, 7, 100), calls=5, warmup=2, budget_s=60)
    timings = measure(model.prepare, model.predict, FRAME, plan)
    assert [(r.batch_size, r.n, r.warmup) for r in timings.rows] == [(1, 5, 2), (7, 5, 2), (100, 5, 2)]
    assert [len(x) for x in model.asked] == [1] * 8 + [7] * 7 + [100] * 7
    assert not timings.cut_short


def test_a_batch_above_the_rows_repeats_them():
    model = Recorder()
    measure(model.prepare, model.predict, FRAME, LatencyPlan(batch_sizes=(75,), calls=3, warmup=0))
    assert sorted(model.asked[0][:60, 0]) == sorted([*range(30), *range(30)])


def test_single_row_calls_rotate_over_distinct_rows():
    model = Recorder()
    measure(model.prepare, model.predict, FRAME, LatencyPlan(batch_sizes=(1,), calls=16, warmup=0))
    assert len({float(x[0, 0]) for x in model.asked}) == 16


def test_the_collector_is_off_while_timing_and_back_on_even_after_an_error():
    model = Recorder()
    measure(model.prepare, model.predict, FRAME, LatencyPlan(batch_sizes=(1,), calls=3))
    assert not any(model.collecting)
    assert gc.isenabled()

    def broken(x):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        measure(model.prepare, broken, FRAME, LatencyPlan())
    assert gc.isenabled()


def test_a_slow_model_is_cut_to_three_calls_a_batch_size(clock):
    def predict(x):
        clock.now += 5.0

    timings = measure(lambda f: f, predict, FRAME, LatencyPlan(batch_sizes=(1, 10), calls=50, budget_s=2))
    assert [(r.n, r.warmup) for r in timings.rows] == [(3, 1), (3, 1)]
    assert timings.cut_short
    assert timings.first_call_ms == pytest.approx(5000)


def test_a_budget_left_over_by_one_batch_size_is_shared_by_the_rest(clock):
    """10 ms a row in batches: 1 needs 0.05 s of its 1 s, so that 10 may use almost 2 s."""

    def predict(x):
        clock.now += 0.01 * len(x)

    plan = LatencyPlan(batch_sizes=(1, 10), calls=20, warmup=0, budget_s=2.0)
    timings = measure(lambda f: f, predict, FRAME, plan)
    assert [r.n for r in timings.rows] == [20, 18]


def test_figures_are_numpys_percentiles_of_the_calls(clock):
    durations = iter([0.5, *(0.001 * i for i in range(1, 21))])

    def predict(x):
        clock.now += next(durations)

    plan = LatencyPlan(batch_sizes=(10,), calls=20, warmup=0, budget_s=60)
    (row,) = measure(lambda f: f, predict, FRAME, plan).rows
    expected = np.percentile(np.arange(1, 21), [50, 90, 95, 99])
    assert [row.p50_ms, row.p90_ms, row.p95_ms, row.p99_ms] == pytest.approx(expected.tolist())
    assert row.mean_ms == pytest.approx(10.5)
    assert row.rows_per_s == pytest.approx(10 / 0.0105)


def test_throughput_is_the_best_batch_size(clock):
    def predict(x):
        clock.now += 0.01

    timings = measure(lambda f: f, predict, FRAME, LatencyPlan(batch_sizes=(1, 20), calls=3, budget_s=60))
    assert timings.throughput_rows_s == pytest.approx(2000)


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValidationError):
        LatencyPlan(batch_sizes=(0,))


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


def test_a_constant_target_has_no_r2():
    assert score(pd.Series([2.0, 2.0]), predictions([1.0, 3.0]), "regression", "t").r2 is None


def test_the_headline_is_accuracy_for_classes_and_r2_for_numbers():
    assert headline(score(pd.Series(["a", "b"]), predictions([0, 0], ("a", "b")), "classification", "t")) == (
        "accuracy",
        0.5,
    )
    assert headline(score(pd.Series([1.0, 2.0]), predictions([1.0, 2.0]), "regression", "t")) == ("r2", 1.0)
