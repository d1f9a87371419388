"""A joint shift taken apart, against effects known in closed form."""

import numpy as np
import pandas as pd
import pytest

from distances.subject import Subject
from errors import Cancelled, PredictFailed
from estimators.answers import Predict, Predictions
from records.drift import Decomposition, DriftPlan, ScenarioPlan
from records.schema import FieldSpec, Schema
from shifts.decomposition import decompose, joint_scenario
from shifts.scenarios import simulate
from tests.support.predictors import classes, numbers

SCHEMA = Schema(features=tuple(FieldSpec(name=n) for n in ("a", "b", "c")))
SHIFT = ScenarioPlan(kind="mean_shift", magnitude=1.0)


def table(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(rng.normal(size=(rows, 3)) * [1, 2, 3] + [0, 1, 2], columns=["a", "b", "c"])


def taken_apart(frame: pd.DataFrame, predict: Predict, scenario: ScenarioPlan = SHIFT) -> Decomposition:
    reference = predict(frame)
    found, notes = decompose(Subject(frame, SCHEMA, predict, reference, 0.1, 0), scenario, 60)
    assert found is not None and notes == ()
    return found


def test_the_parts_of_a_linear_model_add_up_and_are_slope_times_shift() -> None:
    frame = table()
    found = taken_apart(frame, numbers(lambda f: 2 * f["a"] - 3 * f["b"]))
    stds = frame.std(ddof=0)
    single = {s.feature: s.output_change for s in found.singles}
    assert single == pytest.approx({"a": 2 * stds["a"], "b": -3 * stds["b"], "c": 0.0})
    assert found.joint_output_change == pytest.approx(2 * stds["a"] - 3 * stds["b"])
    assert found.output_remainder == pytest.approx(0, abs=1e-9)
    assert (found.output, found.rows, found.kind, found.magnitude) == ("answer", 200, "mean_shift", 1.0)


def test_the_remainder_of_a_product_is_the_product_of_the_shifts() -> None:
    frame = table()
    found = taken_apart(frame, numbers(lambda f: f["a"] * f["b"]))
    stds = frame.std(ddof=0)
    assert found.output_remainder == pytest.approx(stds["a"] * stds["b"])
    single = {s.feature: s.output_change for s in found.singles}
    assert single["a"] == pytest.approx(stds["a"] * frame["b"].mean())


def test_parts_that_change_answers_only_together_are_all_remainder() -> None:
    """An answer changes only where both features passed a threshold that one row in none passes unshifted."""
    frame = table().assign(a=np.linspace(-1, 0, 200), b=np.linspace(-1, 0, 200))
    found = taken_apart(frame, classes(lambda f: ((f["a"] > 0) & (f["b"] > 0)) * 1.0))
    stds = frame.std(ddof=0)
    expected = np.mean((frame["a"] + stds["a"] > 0) & (frame["b"] + stds["b"] > 0))
    assert [s.changed_share for s in found.singles] == [0, 0, 0]
    assert found.changed_remainder == found.joint_changed_share == expected > 0


def test_parts_that_overlap_leave_a_negative_remainder() -> None:
    frame = table()
    found = taken_apart(frame, numbers(lambda f: f["a"] + f["b"] / 2))
    # Every part alone changes every answer, and so do both.
    assert [s.changed_share for s in found.singles] == [1, 1, 0]
    assert (found.joint_changed_share, found.single_changed_sum, found.changed_remainder) == (1, 2, -1)


def test_probabilities_are_followed_of_the_second_class_or_the_commonest() -> None:
    frame = table()
    found = taken_apart(frame, classes(lambda f: 1 / (1 + np.exp(-f["a"]))))
    shifted = simulate(frame, SCHEMA, SHIFT, np.random.default_rng(0))
    expected = np.mean(1 / (1 + np.exp(-shifted["a"])) - 1 / (1 + np.exp(-frame["a"])))
    assert found.output == "yes"
    assert found.joint_output_change == pytest.approx(expected)

    def three(rows: pd.DataFrame) -> Predictions:
        scores = np.column_stack([np.full(len(rows), 0.1), 0.6 + 0.01 * rows["b"], 0.3 - 0.01 * rows["b"]])
        return Predictions(scores.argmax(1) * 1.0, scores, ("x", "y", "z"), np.zeros(len(rows), dtype=bool))

    found = taken_apart(frame, three)
    assert found.output == "y"
    assert found.joint_output_change == pytest.approx(0.01 * frame["b"].std(ddof=0))


def test_rows_that_fail_count_as_changed_and_not_in_the_mean() -> None:
    frame = table()
    limit = frame["a"].quantile(0.75) + frame["a"].std(ddof=0)
    found = taken_apart(frame, numbers(lambda f: f["a"].where(f["a"] < limit) * 0 + f["b"]))
    single = {s.feature: s for s in found.singles}
    answered = frame["a"][frame["a"] < limit]
    assert found.rows == len(answered)
    assert single["a"].changed_share == (answered + frame["a"].std(ddof=0) >= limit).mean() > 0.1
    assert single["b"].output_change == pytest.approx(frame["b"].std(ddof=0))
    assert single["a"].output_change == pytest.approx(0, abs=1e-12)


def test_the_single_columns_are_the_joint_tables_own() -> None:
    """Random shifts too: what a feature's part does alone is what it does in the joint table."""
    frame = table()
    scenario = ScenarioPlan(kind="noise", magnitude=1.0)
    found = taken_apart(frame, numbers(lambda f: f["a"] + f["b"] + f["c"]), scenario)
    assert found.output_remainder == pytest.approx(0, abs=1e-9)
    shifted = simulate(frame, SCHEMA, scenario, np.random.default_rng(0))
    single = {s.feature: s.output_change for s in found.singles}
    assert single == pytest.approx(dict((shifted - frame).mean()))


def test_many_rows_are_cut_to_those_that_breaking_points_use_and_calls_are_bounded() -> None:
    names = [f"f{i}" for i in range(100)]
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(600, 100)), columns=names)
    calls, predict = [], numbers(lambda f: f["f7"])

    def counted(rows: pd.DataFrame) -> Predictions:
        calls.append(len(rows))
        return predict(rows)

    schema = Schema(features=tuple(FieldSpec(name=n) for n in names))
    found, _ = decompose(Subject(frame, schema, counted, predict(frame), 0.1, 0), SHIFT, 60)
    assert found is not None and found.rows == 256
    assert max(calls) <= 20_000 and sum(calls) == 256 * 101
    assert found.singles[0].feature == "f7"


def test_a_model_that_raises_or_a_budget_that_ends_leaves_a_note() -> None:
    def raises(rows: pd.DataFrame) -> Predictions:
        raise PredictFailed("Not these.")

    frame = table()
    reference = numbers(lambda f: f["a"])(frame)
    assert decompose(Subject(frame, SCHEMA, raises, reference, 0.1, 0), SHIFT, 60) == (
        None,
        ("mean_shift 1 was not taken apart: Not these.",),
    )
    found, notes = decompose(
        Subject(frame, SCHEMA, numbers(lambda f: f["a"]), reference, 0.1, 0), SHIFT, 1e-9
    )
    assert found is None and "take more than the budget" in notes[0]


def test_what_ends_the_run_passes_through() -> None:
    def cancelled(rows: pd.DataFrame) -> Predictions:
        raise Cancelled("over")

    frame = table()
    with pytest.raises(Cancelled):
        decompose(Subject(frame, SCHEMA, cancelled, numbers(lambda f: f["a"])(frame), 0.1, 0), SHIFT, 60)


def test_the_largest_joint_mean_shift_is_taken_apart_else_what_moves_two_features() -> None:
    frame = table().assign(word="x")
    schema = Schema(features=(*SCHEMA.features, FieldSpec(name="word", type="category", categories=("x",))))
    plans = DriftPlan().scenarios
    assert joint_scenario(frame, schema, plans) == SHIFT
    alone = ScenarioPlan(kind="mean_shift", magnitude=9, features=("a",))
    noise = ScenarioPlan(kind="noise", magnitude=1)
    assert joint_scenario(frame, schema, (alone, noise)) == noise
    assert joint_scenario(frame, schema, (alone, plans[4])) is None
