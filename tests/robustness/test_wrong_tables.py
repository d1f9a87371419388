"""Tables that a caller got wrong, trends, types and threads, on models whose answers are known beforehand."""

import threading
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from distances.subject import Subject
from errors import PredictFailed
from estimators.answers import Predictions
from estimators.batches import answer_singly, answer_together
from model_utils import Adapter, adapt
from records.robustness import BehaviourName, RobustnessPlan
from records.schema import FieldSpec, Schema
from robustness.behaviours import differ
from robustness.examination import examine
from tests.support import models_for_tests as models
from tests.support.examined import NUMBERS, SCHEMA, N, behaviour, frame_of
from tests.support.predictors import answers
from tests.support.waiting import WAIT_S


def lenient(frame: pd.DataFrame) -> Predictions:
    """Takes any table: what is not there or no number counts as nought."""
    x = pd.to_numeric(frame.get("x", pd.Series(np.zeros(len(frame)))), errors="coerce")
    return answers(x.fillna(0).clip(-1e6, 1e6))


def strict(frame: pd.DataFrame) -> Predictions:
    if list(frame.columns) != ["x", "n", "colour"] or not all(
        pd.api.types.is_numeric_dtype(frame[c].dtype) for c in ("x", "n")
    ):
        raise PredictFailed("not the table I know")
    if not np.isfinite(frame["x"]).all():
        raise PredictFailed("Input X contains infinity.")
    return answers(frame["x"])


@pytest.mark.parametrize("name", ["missing_column", "wrong_type", "extra_column", "infinities"])
def test_a_refusal_is_the_right_answer(name: BehaviourName) -> None:
    found = behaviour(name, strict)
    assert (found.status, found.failing_share, found.example) == ("ok", 0.0, None)


@pytest.mark.parametrize(
    ("name", "tables", "example"),
    [
        ("missing_column", 3, "without 'x': 20 of 20 rows were answered"),
        ("wrong_type", 2, "'no number' in 'x': 20 of 20 rows were answered"),
    ],
)
def test_answering_a_wrong_table_silently_is_a_warning_with_an_example(
    name: BehaviourName, tables: int, example: str
) -> None:
    found = behaviour(name, lenient)
    assert (found.failing_share, found.rows, found.serious) == (1.0, tables, False)
    assert found.example == example
    assert found.advice


def test_one_column_that_is_not_missed_is_one_of_three() -> None:
    def needs_x(frame: pd.DataFrame) -> Predictions:
        if "x" not in frame:
            raise PredictFailed("no x")
        return answers(frame["x"])

    assert behaviour("missing_column", needs_x).failing_share == pytest.approx(2 / 3)


def test_a_model_that_goes_by_position_is_moved_by_a_column_too_many() -> None:
    found = behaviour("extra_column", lambda f: answers(f.iloc[:, 0]))
    assert found.failing_share == 1.0
    assert found.example is not None and found.example.endswith("0 with it")


def test_infinity_that_is_answered_with_something_else_is_found() -> None:
    def forgets(frame: pd.DataFrame) -> Predictions:
        x = frame["x"].to_numpy()
        return answers(np.where(np.isinf(x), 0.0, np.clip(x, -100, 100)))

    found = behaviour("infinities", forgets)
    assert (found.failing_share, found.rows) == (1.0, 2)
    assert found.example == "x = inf: 0, for 1e+37: 100"
    assert found.trait == ""  # nobody can see that it was not understood
    clipped = behaviour("infinities", lambda f: answers(np.clip(f["x"], -100, 100)))
    assert clipped.failing_share == 0.0


def test_infinity_answered_with_nan_is_found_and_raised_is_not(tmp_path: Any) -> None:
    """The real adapter over a linear model without a check of its own, and scikit-learn's with one."""
    frame = frame_of()[["x"]]
    schema = Schema(features=SCHEMA.features[:1])

    class Unchecked:
        def predict(self, x: Any) -> Any:
            return (np.asarray(x) * 0.5).sum(axis=1) - (np.asarray(x) * 0.25).sum(axis=1)

    def share(model: Any) -> float | None:
        adapter = adapt(model)
        plan = RobustnessPlan(checks=("infinities",))
        reference = adapter.answer(frame)
        return (
            examine(Subject.of(frame, schema, adapter.answer, reference, 0), plan).behaviours[0].failing_share
        )

    with np.errstate(invalid="ignore"):
        assert share(Unchecked()) == 1.0
    assert share(LinearRegression().fit(frame, frame["x"])) == 0.0


def test_a_long_text_that_only_its_length_breaks_is_found() -> None:
    def limited(frame: pd.DataFrame) -> Predictions:
        if frame["colour"].str.len().max() > 1000:
            raise PredictFailed("too long")
        return answers(frame["x"])

    found = behaviour("long_text", limited)
    assert (found.failing_share, found.rows) == (1.0, 20)
    assert found.example == "colour of 100,000 characters: no usable answer"

    def refuses_both(frame: pd.DataFrame) -> Predictions:
        if not frame["colour"].isin(["red", "blue"]).all():
            raise PredictFailed("unknown category")
        return answers(frame["x"])

    assert behaviour("long_text", refuses_both).failing_share == 0.0


def test_an_answer_that_jumps_at_a_declared_bound_is_found() -> None:
    found = behaviour("outside_bounds", lambda f: answers(np.where(f["x"] > 10, 100.0, f["x"])))
    # Two ends of a number; a step of n, 1, is more than a tenth of its standard deviation.
    assert (found.failing_share, found.rows) == (1 / 2, 2)
    assert found.example is not None and found.example.startswith("x: 10 at 10, 100 at 10.")


@pytest.mark.parametrize("steep", [1.0, 40.0])
def test_a_slope_is_no_jump_at_a_bound(steep: float) -> None:
    """Every linear model on a column of 0 and 1 was warned of: a step out is as far as the whole column."""
    wide = Schema(features=(FieldSpec(name="x", min=0, max=10), FieldSpec(name="n", type="integer")))
    found = behaviour("outside_bounds", lambda f: answers(steep * f["x"] + 50.0 * f["n"]), wide)
    assert (found.status, found.failing_share) == ("ok", 0.0)
    labels = ("no", "yes")

    def logistic(frame: pd.DataFrame) -> Predictions:
        yes = 1 / (1 + np.exp(-steep * (frame["x"].to_numpy() - 10.001)))
        scores = np.column_stack([1 - yes, yes])
        return Predictions((yes > 0.5).astype(float), scores, labels, np.zeros(len(frame), dtype=bool))

    assert behaviour("outside_bounds", logistic, wide).failing_share == 0.0  # a class flips there by chance


def test_refusing_another_type_is_a_property_and_answering_otherwise_is_not() -> None:
    def doubles_only(frame: pd.DataFrame) -> Predictions:
        if frame["x"].dtype != np.float64:
            raise PredictFailed("Buffer dtype mismatch, expected 'double' but got 'float'")
        return answers(frame["x"])

    only = Schema(features=SCHEMA.features[:1])
    found = behaviour("dtype", lambda f: Predictions(
        np.zeros(len(f)), None, None, np.full(len(f), f["x"].dtype != np.float64)), only)  # fmt: skip
    assert (found.failing_share, found.trait) == (
        1.0,
        "Refuses numbers of another type than it was fitted on.",
    )
    assert behaviour("dtype", doubles_only, only).trait == found.trait


def test_a_type_that_changes_answers_is_found() -> None:
    def by_type(frame: pd.DataFrame) -> Predictions:
        return answers(frame["x"] + (1.0 if frame["n"].dtype.kind == "f" else 0.0))

    found = behaviour("dtype", by_type)
    assert (found.failing_share, found.serious) == (1.0, False)
    assert found.example is not None and found.example.endswith("(float64 as float32)")
    assert behaviour("dtype", lambda f: answers(f["x"] * 3.0)).failing_share == 0.0


class TestMonotonic:
    def test_a_trend_that_holds_passes_and_its_opposite_fails(self) -> None:
        def rising(frame: pd.DataFrame) -> Predictions:
            return answers(frame["x"] ** 2 + frame["n"])

        assert behaviour("monotonic", rising, monotonic={"x": "increasing"}).failing_share == 0.0
        found = behaviour("monotonic", rising, monotonic={"x": "decreasing"})
        assert (found.failing_share, found.rows, found.serious) == (1.0, 20, True)
        assert found.example is not None and "declared decreasing" in found.example

    def test_only_rows_that_break_it_count(self) -> None:
        """It falls in x where the row is blue: the share is that of blue rows among those looked at."""

        def mixed(frame: pd.DataFrame) -> Predictions:
            return answers(np.where(frame["colour"] == "red", frame["x"], -frame["x"]))

        looked_at = np.unique(np.linspace(0, N - 1, 20).astype(int))
        blue = (frame_of()["colour"].iloc[looked_at] == "blue").mean()
        found = behaviour("monotonic", mixed, monotonic={"x": "increasing"})
        assert found.failing_share == pytest.approx(blue)

    def test_the_probability_of_the_second_class_is_what_rises(self) -> None:
        def scored(frame: pd.DataFrame) -> Predictions:
            p = 1 / (1 + np.exp(-frame["x"].to_numpy()))
            scores = np.column_stack([1 - p, p])
            return Predictions((p > 0.5) * 1.0, scores, ("no", "yes"), np.zeros(len(p), dtype=bool))

        assert behaviour("monotonic", scored, monotonic={"x": "increasing"}).failing_share == 0.0
        assert behaviour("monotonic", scored, monotonic={"x": "decreasing"}).failing_share == 1.0

    def test_what_is_not_declared_does_not_apply_and_what_is_no_number_could_not_be_judged(self) -> None:
        assert behaviour("monotonic", strict).status == "not_applicable"
        found = behaviour("monotonic", strict, monotonic={"colour": "increasing"})
        assert found.status == "failed" and "'colour'" in (found.reason or "")


class Shared:
    """Keeps its rows in the model while it works: another thread may put its own there meanwhile."""

    def __init__(self) -> None:
        self.inside = threading.Barrier(2)
        self.rows: Any = None

    def predict(self, x: Any) -> Any:
        self.rows = np.asarray(x)
        if threading.current_thread() is not threading.main_thread():
            with suppress(threading.BrokenBarrierError):
                self.inside.wait(WAIT_S)  # another thread is inside too: one has overwritten the other's rows
        return self.rows[:, 0]


class TestThreads:
    def test_a_model_that_keeps_rows_in_itself_is_found(self) -> None:
        model = adapt(Shared())
        frame, schema = frame_of()[["x", "n"]], NUMBERS
        plan = RobustnessPlan(checks=("thread_safety",))
        reference = model.answer(frame)
        (found,) = examine(
            Subject.of(frame, schema, model.answer, reference, 0),
            plan,
            together=partial(answer_together, model.answer),
        ).behaviours
        assert found.failing_share is not None and found.failing_share > 0
        assert found.serious and found.example is not None and "among other threads" in found.example

    @pytest.mark.parametrize("build", [models.logistic, models.ridge, models.xgboost_classifier])
    def test_sound_models_answer_threads_as_they_answer_one(self, build: Any) -> None:
        model: Adapter = adapt(build())
        rows = models.numbers(101, 3)
        alone, found = model.answer(rows), answer_together(model.answer, rows)
        assert not differ(alone, found).any()
        assert (found.scores is None) == (alone.scores is None)
        assert found.labels == alone.labels and not found.failed.any()

    def test_labels_that_answers_reveal_keep_their_meaning(self) -> None:
        class Says:
            def predict(self, x: Any) -> Any:
                return np.array(["z" if v > 0 else "a" for v in np.asarray(x)[:, 0]], dtype=object)

        rows = models.numbers(40, 3).sort_values("height").reset_index(drop=True)
        found = answer_together(adapt(Says()).answer, rows)
        assert found.labels == ("a", "z")
        said = [found.labels[int(code)] for code in found.values]
        assert said == ["z" if v > 0 else "a" for v in rows["height"]]

    def test_rows_asked_singly_are_answered_and_fail_each_by_itself(self) -> None:
        class Says:
            def predict(self, x: Any) -> Any:
                assert len(x) == 1
                if np.asarray(x)[0, 0] == 3:
                    raise ValueError("not a three")
                return np.array(["big" if np.asarray(x)[0, 0] > 1 else "small"], dtype=object)

        found = answer_singly(adapt(Says()).answer, pd.DataFrame({"a": [0.0, 2.0, 3.0, 1.0]}))
        assert found.failed.tolist() == [False, False, True, False]
        assert found.labels == ("big", "small")
        assert found.values[~found.failed].tolist() == [1.0, 0.0, 1.0]
        (error,) = found.errors
        assert (error.rows, error.first_row) == (1, 2) and "not a three" in error.message

    def test_without_threads_it_does_not_apply(self) -> None:
        assert behaviour("thread_safety", strict).status == "not_applicable"

    def test_a_model_that_draws_its_answers_is_not_blamed_on_threads(self) -> None:
        rng = np.random.default_rng(0)

        def draws(frame: pd.DataFrame) -> Predictions:
            return answers(rng.normal(size=len(frame)))

        assert behaviour("thread_safety", draws, together=draws).status == "not_applicable"


def test_a_tree_passes_with_its_real_adapter() -> None:
    """Every behaviour of this page on a real model; none of them is a defect of a decision tree."""
    frame = frame_of()[["x", "n"]]
    schema = NUMBERS
    model = adapt(DecisionTreeClassifier(random_state=0).fit(frame, frame["x"] > 5))
    plan = RobustnessPlan(monotonic={"x": "increasing"})
    found = examine(
        Subject.of(frame, schema, model.answer, model.answer(frame), 0),
        plan,
        together=partial(answer_together, model.answer),
    ).behaviours
    shares = {b.name: b.failing_share for b in found if b.status == "ok"}
    looked_at: set[BehaviourName] = {
        "dtype", "monotonic", "thread_safety", "missing_column", "extra_column", "wrong_type", "infinities",
        "outside_bounds",
    }  # fmt: skip
    assert {name: shares[name] for name in looked_at} == dict.fromkeys(looked_at, 0.0)
