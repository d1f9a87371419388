"""Shuffled columns and who carries a drift, on models whose answer is known in closed form."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression

import metrics
from estimators.answers import Attributions, Predictions
from execution import explanation
from execution.explanation import Explained
from explainability import explain, summarise
from explainers.effects import explain_shift, with_shuffled_columns
from explainers.integrated_gradients import integrated_gradients
from explainers.local_surrogate import local_surrogate
from model_utils import Adapter, adapt
from records.drift import ScenarioPlan
from records.explanation import ExplainPlan, Explanation
from records.metrics import Accuracy
from schema_utils import infer_from_frame


def table(rows: int = 150) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 3)), columns=["a", "b", "c"])


def explained(adapter: Adapter, rows: pd.DataFrame) -> Explanation:
    return summarise(explain(adapter, rows, rows, ExplainPlan(), 0), rows)


def test_a_column_that_is_not_used_changes_no_answer_and_the_only_one_changes_most() -> None:
    rows = table()
    adapter = adapt(LogisticRegression(C=1e6).fit(rows, rows["a"] > 0))
    found = with_shuffled_columns(explained(adapter, rows), rows, adapter.answer, None, budget_s=60, seed=0)
    told = {item.feature: item for item in found.importance}
    assert told["c"].shuffled_change == pytest.approx(0, abs=0.02)
    # Two independent signs differ in half of the rows.
    assert told["a"].shuffled_change == pytest.approx(0.5, abs=0.1)
    assert all(item.score_drop is None for item in found.importance)


def test_several_features_in_one_call_get_the_figures_that_each_gets_alone() -> None:
    rows = table()
    adapter = adapt(LogisticRegression(C=1e6).fit(rows, rows["a"] - rows["b"] > 0))
    sizes: list[int] = []

    def asked(frame: pd.DataFrame) -> Predictions:
        sizes.append(len(frame))
        return adapter.answer(frame)

    found = with_shuffled_columns(explained(adapter, rows), rows, asked, None, budget_s=60, seed=3)
    assert sizes == [150, 450, 900]  # the rows; the first feature, which tells what a call costs; the others
    rng = np.random.default_rng(3)
    orders = [rng.permutation(150) for _ in range(3)]
    before = adapter.answer(rows).values
    for item in found.importance:
        moved = [
            (
                adapter.answer(rows.assign(**{item.feature: rows[item.feature].to_numpy()[order]})).values
                != before
            )
            for order in orders
        ]
        assert item.shuffled_change == pytest.approx(np.mean(moved))


def test_with_labels_the_score_falls_as_scikit_learn_says() -> None:
    rows = table()
    target = 3 * rows["a"] - rows["b"]
    model = LinearRegression().fit(rows, target)
    adapter = adapt(model)

    def score(answers: Any) -> Accuracy:
        return metrics.score(target, answers, "regression", "y")

    found = with_shuffled_columns(explained(adapter, rows), rows, adapter.answer, score, budget_s=60, seed=0)
    expected = permutation_importance(model, rows, target, n_repeats=200, random_state=0).importances_mean
    for item in found.importance:
        assert item.score_drop == pytest.approx(expected[list(rows).index(item.feature)], abs=0.15)


def test_a_spent_budget_leaves_figures_out() -> None:
    rows = table()
    adapter = adapt(LinearRegression().fit(rows, rows["a"]))
    found = with_shuffled_columns(explained(adapter, rows), rows, adapter.answer, None, budget_s=0, seed=0)
    assert all(item.shuffled_change is None for item in found.importance)


def test_a_drift_is_carried_by_the_features_that_it_moves() -> None:
    rows = table()
    model = LinearRegression().fit(rows, 3 * rows["a"] - rows["b"])
    adapter = adapt(model)

    def ask(frame: pd.DataFrame, background: pd.DataFrame, plan: ExplainPlan, seed: int) -> Attributions:
        return explain(adapter, frame, background, plan, seed)

    schema = infer_from_frame(rows)
    plan = ScenarioPlan(kind="mean_shift", magnitude=1.0)
    found = explain_shift(ask, rows, rows, schema, plan, ExplainPlan(rows=150), 0)
    assert found is not None
    spreads = rows.std(ddof=0)
    expected = {"a": 3 * spreads["a"], "b": -spreads["b"], "c": 0.0}
    assert {share.feature: share.change for share in found.features} == pytest.approx(expected, abs=1e-9)
    assert found.change == pytest.approx(sum(expected.values()))
    assert found.remainder == pytest.approx(0, abs=1e-9)
    calls = 0

    def counted(frame: pd.DataFrame, background: pd.DataFrame, plan: ExplainPlan, seed: int) -> Attributions:
        nonlocal calls
        calls += 1
        return ask(frame, background, plan, seed)

    known = ask(rows, rows, ExplainPlan(rows=150), 0)
    assert explain_shift(counted, rows, rows, schema, plan, ExplainPlan(rows=150), 0, known) == found
    assert calls == 1
    only = ScenarioPlan(kind="unseen_category", magnitude=0.5)
    assert explain_shift(ask, rows, rows, schema, only, ExplainPlan(), 0) is None


def test_integrated_gradients_of_a_quadratic_are_those_of_its_formula() -> None:
    def gradients(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = rows[:, 0], rows[:, 1]
        outputs = np.column_stack([x**2 + x * y, y])
        slopes = np.stack([np.column_stack([2 * x + y, x]), np.column_stack([0 * x, 0 * x + 1])], axis=2)
        return outputs, slopes

    rows = np.random.default_rng(0).normal(size=(20, 2))
    values, base, outputs = integrated_gradients(gradients, rows, np.zeros(2), 10.0)
    x, y = rows[:, 0], rows[:, 1]
    np.testing.assert_allclose(values[:, :, 0], np.column_stack([x**2 + x * y / 2, x * y / 2]), atol=1e-9)
    np.testing.assert_allclose(values[:, :, 1], np.column_stack([0 * x, y]), atol=1e-9)
    np.testing.assert_allclose(values.sum(axis=1) + base, outputs, atol=1e-9)


def test_lime_finds_the_line_that_a_linear_model_is() -> None:
    rows = table(40)
    background = table(400)

    def function(frame: pd.DataFrame) -> np.ndarray:
        return (2 * frame["a"] - frame["b"]).to_numpy()[:, None]

    found = local_surrogate(function, rows, background, budget_s=60, seed=0)
    assert found.values.shape == (40, 3, 1) and 0 < found.fit <= 1
    # A kept cell against a cell of the background: the line's slope times how far it is from the mean.
    expected = np.column_stack([2 * rows["a"], -rows["b"], 0 * rows["c"]])
    assert np.corrcoef(found.values[:, :, 0].ravel(), expected.ravel())[0, 1] > 0.9
    again = local_surrogate(function, rows, background, budget_s=60, seed=0)
    np.testing.assert_array_equal(found.values, again.values)


def test_lime_is_told_in_the_report_without_a_sum() -> None:
    rows = table(60)
    adapter = adapt(LogisticRegression().fit(rows, rows["a"] > 0))
    found = summarise(explain(adapter, rows, rows, ExplainPlan(method="lime", rows=10), 0), rows)
    assert found.method == "lime" and found.additivity_error is None
    assert found.importance[0].feature == "a" and "neighbours" in found.notes[0]


def test_all_parts_of_an_explanation_share_its_seconds() -> None:
    rows = table()
    adapter = adapt(LinearRegression().fit(rows, 3 * rows["a"] - rows["b"]))
    plan, given = ExplainPlan(rows=150, budget_s=8.0), list[float]()

    class Handle:
        def explain(self, frame: Any, background: Any, part: ExplainPlan, seed: int) -> Attributions:
            given.append(part.budget_s)
            return explain(adapter, frame, background, part, seed)

    handle: Any = Handle()
    explanation.explain_rows(handle, Explained(rows, rows, None, "", "regression"), plan, 0)
    schema, shift = infer_from_frame(rows), ScenarioPlan(kind="mean_shift", magnitude=1.0)
    explain_shift(handle.explain, rows, rows, schema, shift, plan, 0)  # what was sampled is drawn anew
    of_shuffling = plan.budget_s * explanation.SHUFFLE_BUDGET_SHARE
    assert len(given) == 3 and sum(given) + of_shuffling == pytest.approx(plan.budget_s)
