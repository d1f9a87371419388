"""Behaviour checks against models whose misbehaviour is known beforehand."""

import itertools
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from distances.subject import Subject
from errors import Cancelled, ChildDied, ChildTimeout, DashboardError, PredictFailed, Unavailable
from estimators.answers import Predict, Predictions
from records.robustness import BehaviourName, RobustnessPlan
from records.schema import FieldSpec, Schema
from robustness.examination import examine
from settings import PROJECT_ROOT
from tests.support.examined import NUMBERS, SCHEMA, N, behaviour, frame_of
from tests.support.predictors import answers, classes


def sound(frame: pd.DataFrame) -> Predictions:
    """By name, row by row, whatever the number; another table it refuses."""
    lacking = {"x", "n", "colour"} - set(frame.columns)
    if lacking or object in (frame["x"].dtype, frame["n"].dtype):
        raise PredictFailed("not the table that the model was fitted on")
    with np.errstate(over="ignore"):
        tamed = np.tanh(frame["x"].fillna(0.0)) + 0.01 * np.tanh(frame["n"].fillna(0.0))
    return answers(tamed + (frame["colour"] == "red"))


def test_a_sound_model_passes_every_behaviour() -> None:
    frame = frame_of()
    plan = RobustnessPlan(monotonic={"x": "increasing"})
    found = examine(Subject.of(frame, SCHEMA, sound, sound(frame), 0), plan, together=sound).behaviours
    assert {b.name: (b.status, b.failing_share) for b in found} == {"probabilities": NONE} | {
        name: ("ok", 0.0)
        for name in (
            "determinism",
            "row_order",
            "batch_vs_single",
            "column_order",
            "duplicate_rows",
            "single_row",
            "empty_batch",
            "tiny_noise",
            "missing_values",
            "unseen_category",
            "extremes",
            "dtype",
            "thread_safety",
            "missing_column",
            "extra_column",
            "wrong_type",
            "infinities",
            "long_text",
            "outside_bounds",
            "monotonic",
        )
    }


NONE = ("not_applicable", None)  # a regression offers no probabilities


def sound_classifier(frame: pd.DataFrame) -> Predictions:
    return classes(lambda f: 1 / (1 + np.exp(0.25 - sound(f).values)))(frame)


def sound_but_constant(frame: pd.DataFrame) -> Predictions:
    return answers(1e6 + 0.1 + 0 * sound(frame).values)


def jittering(predict: Predict, precision: type[np.floating]) -> Predict:
    """The same model where sums round up or down from call to call, as where BLAS cuts work by the load."""
    rng = np.random.default_rng(0)

    def rounded(exact: np.ndarray) -> np.ndarray:
        way = rng.choice((-np.inf, np.inf), exact.shape).astype(precision)
        return np.nextafter(exact.astype(precision), way).astype(np.float64)

    def jitters(frame: pd.DataFrame) -> Predictions:
        exact = predict(frame)
        if (scores := exact.scores) is not None:
            return classes(lambda _: rounded(scores[:, 1]))(frame)
        return replace(exact, values=rounded(exact.values))

    return jitters


OF_TEXTS: set[BehaviourName] = {"empty_text", "unusual_text", "very_long_text", "missing_text"}


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("model", [sound, sound_classifier, sound_but_constant])
def test_a_sound_model_is_not_caught_for_rounding(model: Predict, precision: type[np.floating]) -> None:
    frame, jitters = frame_of(), jittering(model, precision)
    plan = RobustnessPlan(monotonic={"x": "increasing", "n": "increasing"})
    first, again = jitters(frame), jitters(frame)
    assert not np.array_equal(
        first.values if first.scores is None else first.scores,
        again.values if again.scores is None else again.scores,
    )
    found = examine(Subject.of(frame, SCHEMA, jitters, first, 0), plan, together=jitters).behaviours
    offered = {} if first.scores is not None else {"probabilities": NONE}
    assert {b.name: (b.status, b.failing_share) for b in found} == {
        name: ("ok", 0.0) for name in get_args(BehaviourName) if name not in OF_TEXTS
    } | offered


@pytest.mark.parametrize(
    ("scores", "share", "example"),
    [
        ([[0.25, 0.75], [1.0, 0.0]], 0.0, None),
        ([[0.25, 0.75], [1.64, -0.64]], 0.5, "row 1: probabilities from -0.64 to 1.64, summing to 1"),
        ([[0.25, 0.75], [20.0, 6.28]], 0.5, "row 1: probabilities from 6.28 to 20, summing to 26.28"),
        ([[0.2, 0.2], [0.3, 0.3]], 1.0, "row 0: probabilities from 0.2 to 0.2, summing to 0.4"),
        ([[0.2, 0.8 + 5e-5], [0.3, 0.7]], 0.0, None),
    ],
)
def test_probabilities_that_are_none_are_a_defect(
    scores: list[list[float]], share: float, example: str | None
) -> None:
    def predict(frame: pd.DataFrame) -> Predictions:
        found = np.array(scores)[np.arange(len(frame)) % 2]
        return Predictions(
            found.argmax(axis=1).astype(float), found, ("no", "yes"), np.zeros(len(frame), bool)
        )

    found = behaviour("probabilities", predict)
    assert (found.status, found.failing_share, found.example) == ("ok", share, example)
    assert found.serious and ("version" in found.advice) == (share > 0)


def test_scores_that_could_not_be_used_fail_every_row_and_say_why() -> None:
    def predict(frame: pd.DataFrame) -> Predictions:
        n = len(frame)
        return Predictions(np.zeros(n), None, ("no", "yes"), np.zeros(n, bool), (), "a probability is NaN")

    found = behaviour("probabilities", predict)
    assert (found.failing_share, found.example) == (1.0, "a probability is NaN")


@pytest.mark.parametrize(
    "name", ["determinism", "row_order", "batch_vs_single", "duplicate_rows", "dtype", "thread_safety"]
)
def test_a_difference_of_a_ten_thousandth_is_found_beside_rounding(name: BehaviourName) -> None:
    calls = itertools.count()

    def alternates(frame: pd.DataFrame) -> Predictions:
        return answers(sound(frame).values * (1 + 1e-4 * (next(calls) % 2)) + 1)

    found = behaviour(name, jittering(alternates, np.float32), together=jittering(alternates, np.float32))
    assert found.failing_share is not None and found.failing_share >= 0.5


def test_every_behaviour_has_a_check_and_is_in_the_docs() -> None:
    names = set(get_args(BehaviourName))
    frame = frame_of()
    found = examine(Subject.of(frame, SCHEMA, sound, sound(frame), 0), RobustnessPlan()).behaviours
    assert {b.name for b in found} == names - OF_TEXTS
    every = examine(Subject.of(frame, SCHEMA, sound, sound(frame), 0), RobustnessPlan(checks=tuple(OF_TEXTS)))
    assert {(b.name, b.status) for b in every.behaviours} == {(name, "not_applicable") for name in OF_TEXTS}
    page = (PROJECT_ROOT / "docs" / "api.md").read_text("utf-8")
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_few_calls_of_few_rows_are_made() -> None:
    sizes: list[int] = []

    def counted(frame: pd.DataFrame) -> Predictions:
        sizes.append(len(frame))
        return sound(frame)

    frame = frame_of(5000)
    examine(Subject.of(frame, SCHEMA, counted, sound(frame), 0), RobustnessPlan())
    assert max(sizes) <= 200
    assert sum(size > 1 for size in sizes) <= 27
    assert len(sizes) <= 49


def test_a_model_that_draws_its_answers_is_not_deterministic() -> None:
    rng = np.random.default_rng(0)
    found = behaviour("determinism", lambda f: answers(rng.normal(size=len(f))))
    assert (found.failing_share, found.serious) == (1.0, True)
    assert found.example is not None and found.example.startswith("row 0: ")
    assert "random state" in found.advice


def test_a_model_that_uses_a_rows_position_depends_on_the_order() -> None:
    found = behaviour("row_order", lambda f: answers(np.arange(len(f))))
    order = np.random.default_rng(0).permutation(N)
    assert found.failing_share == pytest.approx(np.mean(order != np.arange(N)))


def test_a_model_that_normalises_by_its_batch_answers_differently_alone() -> None:
    def by_batch(frame: pd.DataFrame) -> Predictions:
        return answers(frame["x"] - frame["x"].mean())

    found = behaviour("batch_vs_single", by_batch)
    assert (found.failing_share, found.rows, found.serious) == (1.0, 20, True)
    assert found.example is not None and "0 alone" in found.example
    assert behaviour("row_order", by_batch).failing_share == 0.0


def test_a_model_that_cannot_answer_one_row_fails_single_row_and_batch_vs_single() -> None:
    def squeezes(frame: pd.DataFrame) -> Predictions:
        if len(frame) == 1:
            raise PredictFailed("expected a 2-dimensional array")
        return sound(frame)

    for name in ("single_row", "batch_vs_single"):
        found = behaviour(name, squeezes)
        assert (found.status, found.failing_share, found.serious) == ("ok", 1.0, True)
        assert found.example is not None and "2-dimensional" in found.example


def test_a_model_that_counts_duplicates_is_found() -> None:
    found = behaviour("duplicate_rows", lambda f: answers(f.groupby("x")["x"].transform("size")))
    assert (found.failing_share, found.rows) == (1.0, 100)
    assert found.example == "row 0: 1 once, 2 among duplicates"


class TestColumnOrder:
    def test_a_refusal_is_the_clearest_answer(self) -> None:
        def refuses(frame: pd.DataFrame) -> Predictions:
            if list(frame.columns) != ["x", "n"]:
                raise PredictFailed("The feature names should match those that were passed during fit.")
            return answers(frame["x"])

        assert behaviour("column_order", refuses, NUMBERS).failing_share == 0.0

    def test_picking_columns_by_name_is_as_good(self) -> None:
        assert behaviour("column_order", lambda f: answers(f["x"]), NUMBERS).failing_share == 0.0

    def test_a_model_without_names_cannot_tell_and_that_is_not_serious(self) -> None:
        found = behaviour("column_order", lambda f: answers(f.to_numpy()[:, 0]), NUMBERS)
        assert found.failing_share is not None and found.failing_share > 0.9
        assert not found.serious
        assert found.trait.startswith("Takes columns by their position")

    def test_a_model_that_looks_at_names_and_still_answers_otherwise_is_serious(self) -> None:
        def careless(frame: pd.DataFrame) -> Predictions:
            if set(frame.columns) != {"x", "n"}:
                raise PredictFailed("unknown columns")
            return answers(frame.to_numpy()[:, 0])

        found = behaviour("column_order", careless, NUMBERS)
        assert found.failing_share is not None and found.failing_share > 0.9
        assert found.serious

    def test_one_column_has_no_order(self) -> None:
        found = behaviour("column_order", lambda f: answers(f["x"]), Schema(features=NUMBERS.features[:1]))
        assert (found.status, found.failing_share, found.reason) == (
            "not_applicable",
            None,
            "One column has no order.",
        )


def test_an_empty_table_may_be_refused() -> None:
    def refuses(frame: pd.DataFrame) -> Predictions:
        if len(frame) == 0:
            raise PredictFailed("Found array with 0 sample(s)")
        return sound(frame)

    found = behaviour("empty_batch", refuses)
    assert (found.failing_share, found.serious, found.example) == (1.0, False, "Found array with 0 sample(s)")


def test_noise_that_flips_a_class_is_shown_and_not_serious() -> None:
    def on_edge(frame: pd.DataFrame) -> Predictions:
        values = (frame["x"].to_numpy() > frame_of()["x"].to_numpy()).astype(float)
        return Predictions(values, None, ("no", "yes"), np.zeros(len(frame), dtype=bool))

    found = behaviour("tiny_noise", on_edge)
    assert found.failing_share == pytest.approx(0.5, abs=0.2)
    assert not found.serious
    assert found.example is not None and found.example.endswith("no exact, yes with noise")


def test_missing_values_are_a_defect_only_where_the_schema_announces_them() -> None:
    def needs_x(frame: pd.DataFrame) -> Predictions:
        return answers(frame["x"])

    fair = behaviour("missing_values", needs_x)
    assert fair.failing_share == pytest.approx(0.1)
    assert not fair.serious
    assert fair.trait.startswith("Needs complete rows")
    assert fair.example is not None and "not finite" in fair.example
    nullable = Schema(
        features=(FieldSpec(name="x", nullable=True), *SCHEMA.features[1:]),
    )
    defect = behaviour("missing_values", needs_x, nullable)
    assert defect.failing_share == pytest.approx(0.1)
    assert (defect.serious, defect.trait) == (True, "")


def test_a_model_that_refuses_the_whole_table_fails_for_every_row() -> None:
    def refuses_nan(frame: pd.DataFrame) -> Predictions:
        if frame.isna().any(axis=None):
            raise PredictFailed("Input X contains NaN.")
        return answers(frame["x"])

    found = behaviour("missing_values", refuses_nan)
    assert (found.status, found.failing_share, found.rows) == ("ok", 1.0, N)
    assert found.example == "Input X contains NaN."
    assert found.trait == "Needs complete rows: a missing value is refused."
    assert "imputer" in found.advice


def test_a_category_never_seen_fails_where_the_encoder_refuses_it() -> None:
    def encodes(frame: pd.DataFrame) -> Predictions:
        return answers(frame["colour"].map({"red": 0.0, "blue": 1.0}).astype(float))

    found = behaviour("unseen_category", encodes)
    assert (found.failing_share, found.serious) == (1.0, False)
    assert found.trait.startswith("Knows its own categories only")
    only_number = Schema(features=SCHEMA.features[:1])
    assert behaviour("unseen_category", lambda f: answers(f["x"]), only_number).status == "not_applicable"


class TestExtremes:
    schema = Schema(features=(FieldSpec(name="x"), FieldSpec(name="n", type="integer")))

    def test_an_overflow_is_shown_with_the_value_that_caused_it(self) -> None:
        def squares(frame: pd.DataFrame) -> Predictions:
            with np.errstate(over="ignore"):
                return answers(frame["x"] ** 2)

        found = behaviour("extremes", squares, self.schema)
        # Nine values of x, of which two overflow, and seven of n.
        assert (found.rows, found.failing_share, found.serious) == (16, 2 / 16, False)
        assert found.example == "x = 1e+300 (huge): no usable answer"
        assert found.trait == "Numbers as large as 1e+300 get no usable answer."

    def test_one_value_that_spoils_the_table_does_not_fail_the_others(self) -> None:
        def single_precision(frame: pd.DataFrame) -> Predictions:
            if (np.abs(frame.to_numpy(dtype=float)) > 3e38).any():
                raise PredictFailed("value too large for dtype('float32')")
            return answers(frame["x"])

        assert behaviour("extremes", single_precision, self.schema).failing_share == 2 / 16

    def test_an_end_that_the_schema_declares_is_tried_where_no_row_stands_on_it(self) -> None:
        declared = Schema(features=(FieldSpec(name="x", min=-40, max=40), self.schema.features[1]))

        def at_the_end(frame: pd.DataFrame) -> Predictions:
            return answers(np.where(np.abs(frame["x"]) == 40, np.nan, 1.0))

        assert frame_of()["x"].abs().max() < 40
        found = behaviour("extremes", at_the_end, declared)
        assert (found.rows, found.failing_share) == (16, 2 / 16)
        assert found.example == "x = -40 (its smallest): no usable answer"
        assert found.trait == ""  # within what the schema promises: a finding
        assert behaviour("extremes", at_the_end, self.schema).failing_share == 0.0

    def test_values_arrive_in_the_columns_type_and_reach_what_they_say(self) -> None:
        seen: list[pd.DataFrame] = []

        def keeps(frame: pd.DataFrame) -> Predictions:
            seen.append(frame)
            return answers(np.tanh(frame["x"]))

        behaviour("extremes", keeps, self.schema)
        frame, (_, table, huge) = frame_of(), seen  # the rows themselves first
        assert list(table.dtypes) == list(huge.dtypes) == [np.float64, np.int64]
        assert {0.0, frame["x"].min(), frame["x"].max()} <= set(table["x"])
        assert {frame["n"].min() - 1, 0, frame["n"].max() + 1} <= set(table["n"])
        assert set(huge["x"]) == {1e300, -1e300}  # what may spoil the others is asked by itself


@pytest.mark.parametrize("error", [Cancelled, ChildDied, ChildTimeout])
@pytest.mark.parametrize("name", ["determinism", "batch_vs_single", "column_order", "extremes"])
def test_what_ends_the_run_passes_through(name: BehaviourName, error: type[DashboardError]) -> None:
    def predict(frame: pd.DataFrame) -> Predictions:
        raise error("over")

    with pytest.raises(error):
        behaviour(name, predict)


def test_a_check_that_could_not_be_put_reads_as_failed_and_never_as_a_pass() -> None:
    def unavailable(frame: pd.DataFrame) -> Predictions:
        raise Unavailable("no process")

    found = behaviour("determinism", unavailable)
    assert (found.status, found.failing_share, found.reason) == ("failed", None, "no process")


def test_an_answer_of_the_wrong_length_counts_as_failing() -> None:
    found = behaviour("duplicate_rows", lambda f: sound(f.drop_duplicates()))
    assert (found.failing_share, found.serious) == (1.0, True)
    assert found.example == "The model gave 100 answers for 200 rows."


def test_probabilities_that_move_count_even_where_the_class_stays() -> None:
    def by_batch(frame: pd.DataFrame) -> Predictions:
        p = np.full(len(frame), 0.9 - 0.001 * len(frame) / N)
        zeros = np.zeros(len(frame))
        return Predictions(zeros, np.column_stack((p, 1 - p)), ("a", "b"), zeros.astype(bool))

    assert behaviour("batch_vs_single", by_batch).failing_share == 1.0
