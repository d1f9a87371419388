"""Simulated shifts, what they do to a model's answers, and breaking points known in closed form."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

import breaking_points
from drift import DriftPlan, ScenarioKind, ScenarioPlan, compare
from drift_simulation import analyse, simulate
from errors import Cancelled, ChildDied, ChildTimeout, DashboardError, InvalidPlan, PredictFailed
from model_utils import Predictions
from schema_utils import FieldSpec, Schema

N = 200
SCHEMA = Schema(
    features=(
        FieldSpec(name="x", type="number"),
        FieldSpec(name="n", type="integer"),
        FieldSpec(name="colour", type="category", categories=("red", "green", "blue")),
        FieldSpec(name="code", type="category", categories=(1, 2, 7)),
        FieldSpec(name="flag", type="boolean"),
        FieldSpec(name="when", type="datetime"),
    )
)


def frame_of(rows: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "x": rng.normal(10, 2, rows),
            "n": rng.integers(0, 50, rows),
            "colour": rng.choice(["red", "green", "blue"], rows, p=[0.6, 0.3, 0.1]),
            "code": rng.choice([1, 2, 7], rows, p=[0.5, 0.4, 0.1]),
            "flag": rng.random(rows) < 0.8,
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
        }
    )


def shifted(
    kind: ScenarioKind, magnitude: float, *features: str, frame: pd.DataFrame | None = None
) -> pd.DataFrame:
    scenario = ScenarioPlan(kind=kind, magnitude=magnitude, features=features)
    return simulate(frame_of() if frame is None else frame, SCHEMA, scenario, np.random.default_rng(0))


def numbers(function: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], Predictions]:
    def predict(frame: pd.DataFrame) -> Predictions:
        values = np.asarray(function(frame), dtype=np.float64)
        return Predictions(values, None, None, ~np.isfinite(values))

    return predict


def classes(function: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], Predictions]:
    """Two classes from the probability of the second; a NaN probability is a failed row."""

    def predict(frame: pd.DataFrame) -> Predictions:
        p = np.asarray(function(frame), dtype=np.float64)
        failed = np.isnan(p)
        return Predictions(
            np.where(failed, np.nan, p > 0.5), np.column_stack((1 - p, p)), ("no", "yes"), failed
        )

    return predict


def plan(*scenarios: ScenarioPlan, breaking: bool = False, budget_s: float = 60.0) -> DriftPlan:
    return DriftPlan(scenarios=scenarios, breaking_points=breaking, budget_s=budget_s)


class TestShifts:
    def test_a_mean_shift_adds_standard_deviations_and_keeps_whole_numbers_whole(self) -> None:
        before, after = frame_of(), shifted("mean_shift", 0.5)
        np.testing.assert_allclose(after["x"], before["x"] + 0.5 * before["x"].std(ddof=0))
        np.testing.assert_array_equal(after["n"], np.rint(before["n"] + 0.5 * before["n"].std(ddof=0)))
        assert list(after.dtypes) == list(before.dtypes)
        pd.testing.assert_frame_equal(after.drop(columns=["x", "n"]), before.drop(columns=["x", "n"]))

    def test_a_variance_scale_keeps_the_mean_and_multiplies_the_spread(self) -> None:
        before, after = frame_of(), shifted("variance_scale", 3.0, "x")
        assert after["x"].mean() == pytest.approx(before["x"].mean())
        assert after["x"].std() == pytest.approx(3 * before["x"].std())

    @pytest.mark.parametrize("dtype", ["int8", "uint8", "Int16"])
    def test_a_small_integer_type_is_widened_only_when_it_would_overflow(self, dtype: str) -> None:
        frame = frame_of().astype({"n": dtype})
        assert shifted("mean_shift", 0.5, "n", frame=frame)["n"].dtype == dtype
        far = shifted("mean_shift", 999, "n", frame=frame)["n"]
        np.testing.assert_array_equal(
            far.to_numpy(dtype=float), np.rint(frame_of()["n"] + 999 * frame_of()["n"].std(ddof=0))
        )

    def test_missing_values_take_exactly_their_share_of_each_features_cells(self) -> None:
        after = shifted("missing_values", 0.1)
        assert (after.isna().sum() == 20).all()
        assert after["when"].dtype == frame_of()["when"].dtype
        assert set(after["flag"].dropna()) == {True, False}

    def test_a_larger_share_contains_the_rows_of_a_smaller_one(self) -> None:
        small, large = (shifted("missing_values", s, "x")["x"].isna() for s in (0.1, 0.4))
        assert (large | ~small).all()

    def test_an_unseen_category_is_in_neither_schema_nor_column_and_fits_the_type(self) -> None:
        after = shifted("unseen_category", 0.25)
        assert (after["colour"] == "unseen_category").sum() == 50
        assert (after["code"] == 8).sum() == 50
        assert after["code"].dtype == np.int64
        as_category = frame_of().astype({"colour": "category"})
        assert (
            shifted("unseen_category", 0.25, frame=as_category)["colour"] == "unseen_category"
        ).sum() == 50

    def test_a_category_mix_moves_the_shares_towards_the_rarest(self) -> None:
        before, after = frame_of(), shifted("category_mix", 0.5)
        for column, rarest in (("colour", "blue"), ("code", 7), ("flag", False)):
            old, new = (before[column] == rarest).mean(), (after[column] == rarest).mean()
            assert new == pytest.approx(0.5 * old + 0.5, abs=0.06)  # 100 rows drawn without replacement
        assert after["flag"].dtype == bool

    def test_the_same_seed_gives_the_same_shift(self) -> None:
        pd.testing.assert_frame_equal(shifted("missing_values", 0.3), shifted("missing_values", 0.3))

    def test_a_scenario_that_cannot_be_meant_is_refused(self) -> None:
        with pytest.raises(InvalidPlan, match="nonsense") as caught:
            shifted("mean_shift", 1, "x", "nonsense")
        assert caught.value.field == "drift.scenarios"
        with pytest.raises(InvalidPlan, match="cannot exceed 1"):
            shifted("missing_values", 1.5)


class TestAnalysis:
    def test_the_changed_share_is_the_share_of_other_classes(self) -> None:
        frame, predict = frame_of(), classes(lambda f: 1 / (1 + np.exp(10 - f["x"])))
        result = analyse(
            frame, SCHEMA, predict, predict(frame), plan(ScenarioPlan(kind="mean_shift", magnitude=1)), 0
        )
        (scenario,) = result.scenarios
        x, moved = frame["x"].to_numpy(), shifted("mean_shift", 1)["x"].to_numpy()
        assert scenario.changed_share == pytest.approx(np.mean((x > 10) != (moved > 10)))
        assert scenario.failed_share == 0
        assert result.changed_tolerance is None
        p, q = (1 / (1 + np.exp(10 - v)) for v in (x, moved))
        assert scenario.prediction.ks == pytest.approx(ks_2samp(p, q).statistic)
        assert scenario.prediction.wasserstein == pytest.approx(wasserstein_distance(p, q) / p.std())
        assert scenario.input.ks == pytest.approx(ks_2samp(x, moved).statistic, abs=0.1)
        # A shift by one standard deviation is one standard deviation of Wasserstein distance.
        assert scenario.input.wasserstein == pytest.approx(1.0, abs=0.03)

    def test_a_number_has_changed_once_it_moved_by_a_tenth_of_the_answers_spread(self) -> None:
        frame, predict = frame_of(), numbers(lambda f: 3 * f["x"])
        scenarios = [ScenarioPlan(kind="mean_shift", magnitude=m, features=("x",)) for m in (0.099, 0.101)]
        result = analyse(frame, SCHEMA, predict, predict(frame), plan(*scenarios), 0)
        assert result.changed_tolerance == pytest.approx(0.1 * 3 * frame["x"].std(ddof=0))
        assert [s.changed_share for s in result.scenarios] == [0.0, 1.0]
        assert result.scenarios[1].prediction.wasserstein == pytest.approx(0.101)

    def test_rows_that_fail_are_counted_as_failed_and_not_as_changed(self) -> None:
        frame, predict = frame_of(), numbers(lambda f: f["x"])
        scenario = ScenarioPlan(kind="missing_values", magnitude=0.25, features=("x",))
        (played,) = analyse(frame, SCHEMA, predict, predict(frame), plan(scenario), 0).scenarios
        assert (played.changed_share, played.failed_share) == (0.0, 0.25)
        assert played.reason is None

    def test_a_scenario_that_applies_to_no_feature_is_listed_with_its_reason(self) -> None:
        frame, schema = frame_of()[["x"]], Schema(features=SCHEMA.features[:1])
        predict = numbers(lambda f: f["x"])
        result = analyse(frame, schema, predict, predict(frame), DriftPlan(breaking_points=False), 0)
        assert [s.kind for s in result.scenarios] == [s.kind for s in DriftPlan().scenarios]
        unseen = result.scenarios[4]
        assert (unseen.changed_share, unseen.reason) == (None, "No feature is a category.")

    def test_a_model_that_raises_in_one_scenario_keeps_the_others(self) -> None:
        def raises_on_missing(frame: pd.DataFrame) -> Predictions:
            if frame["x"].isna().any():
                raise PredictFailed("Input X contains NaN.")
            return numbers(lambda f: f["x"])(frame)

        frame = frame_of()
        scenarios = [
            ScenarioPlan(kind="missing_values", magnitude=0.1, features=("x",)),
            ScenarioPlan(kind="mean_shift", magnitude=1, features=("x",)),
        ]
        failed, kept = analyse(
            frame, SCHEMA, raises_on_missing, raises_on_missing(frame), plan(*scenarios), 0
        ).scenarios
        assert (failed.failed_share, failed.changed_share) == (1.0, None)
        assert failed.reason == "Input X contains NaN."
        assert failed.input.psi is not None and failed.input.psi > 0
        assert kept.changed_share == 1.0

    @pytest.mark.parametrize("error", [Cancelled, ChildDied, ChildTimeout])
    @pytest.mark.parametrize("breaking", [True, False])
    def test_what_ends_the_run_passes_through(self, error: type[DashboardError], breaking: bool) -> None:
        def predict(frame: pd.DataFrame) -> Predictions:
            raise error("over")

        frame = frame_of()
        scenarios = () if breaking else (ScenarioPlan(kind="mean_shift", magnitude=1),)
        reference = numbers(lambda f: f["x"])(frame)
        with pytest.raises(error):
            analyse(frame, SCHEMA, predict, reference, plan(*scenarios, breaking=breaking), 0)

    def test_columns_show_every_column_under_the_strongest_scenario(self) -> None:
        frame, predict = frame_of(), numbers(lambda f: f["x"])
        scenarios = [ScenarioPlan(kind="mean_shift", magnitude=m, features=("x",)) for m in (0.1, 2, 0.5)]
        result = analyse(frame, SCHEMA, predict, predict(frame), plan(*scenarios), 0)
        assert result.columns_scenario == "mean_shift 2"
        assert result.columns == compare(frame, shifted("mean_shift", 2, "x")).columns

    def test_labels_that_differ_between_calls_are_matched_by_their_text(self) -> None:
        def predict(frame: pd.DataFrame) -> Predictions:
            labels = ("yes", "no") if frame["x"].mean() > 11 else ("no", "yes")
            values = np.full(len(frame), float(labels.index("yes")))
            return Predictions(values, None, labels, np.zeros(len(frame), dtype=bool))

        frame, scenario = frame_of(), ScenarioPlan(kind="mean_shift", magnitude=3)
        (played,) = analyse(frame, SCHEMA, predict, predict(frame), plan(scenario), 0).scenarios
        assert (played.changed_share, played.prediction.psi) == (0.0, 0.0)


def threshold_crossing(x: np.ndarray, threshold: float, limit: float) -> float:
    """The smallest shift, in standard deviations, that carries more than `limit` of x over the threshold."""
    needed = math.floor(limit * len(x))
    up, down = np.sort(threshold - x[x <= threshold]), np.sort(x[x > threshold] - threshold)
    found = [(gaps[needed], sign) for gaps, sign in ((up, 1), (down, -1)) if len(gaps) > needed]
    distance, sign = min(found)
    return float(sign * distance / x.std())


class TestBreakingPoints:
    schema = Schema(features=tuple(FieldSpec(name=n) for n in ("a", "b", "c")))

    def table(self) -> pd.DataFrame:
        rng = np.random.default_rng(3)
        return pd.DataFrame(rng.normal(size=(256, 3)) * [1, 5, 2] + [0, 3, -1], columns=["a", "b", "c"])

    @pytest.mark.parametrize("threshold", [-0.4, 0.0, 0.3])
    def test_the_crossing_of_a_threshold_model_lies_in_the_interval(self, threshold: float) -> None:
        frame, predict = self.table(), classes(lambda f: (f["a"] > threshold) * 1.0)
        result = analyse(frame, self.schema, predict, predict(frame), plan(breaking=True, budget_s=60), 0)
        first, *rest = result.breaking_points
        truth = threshold_crossing(frame["a"].to_numpy(), threshold, 0.1)
        assert first.feature == "a" and first.interval is not None and first.magnitude is not None
        assert first.interval[0] <= truth <= first.interval[1]
        assert first.interval[1] - first.interval[0] <= breaking_points.WIDTH
        assert first.magnitude == pytest.approx(sum(first.interval) / 2)
        moved = frame[["a"]] + first.magnitude * frame["a"].std(ddof=0)
        assert first.psi == pytest.approx(compare(frame[["a"]], moved).columns[0].psi)
        assert {(p.feature, p.magnitude, p.searched_to) for p in rest} == {("b", None, 4.0), ("c", None, 4.0)}
        assert result.notes == ()

    def test_a_linear_model_breaks_where_its_answer_moves_by_the_tolerance(self) -> None:
        frame = self.table()
        predict = numbers(lambda f: f["a"] + 0.1 * f["b"])
        points = analyse(
            frame, self.schema, predict, predict(frame), plan(breaking=True, budget_s=60), 0
        ).breaking_points
        spread = (frame["a"] + 0.1 * frame["b"]).std(ddof=0)
        for point, slope in zip(
            points[:2], (frame["a"].std(ddof=0), 0.1 * frame["b"].std(ddof=0)), strict=True
        ):
            assert point.magnitude is not None
            assert abs(point.magnitude) == pytest.approx(0.1 * spread / slope, abs=breaking_points.WIDTH)
        assert [p.feature for p in points] == ["a", "b", "c"]

    def test_all_features_share_each_call_and_no_call_is_larger_than_its_bound(self) -> None:
        names = [f"f{i}" for i in range(120)]
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(rng.normal(size=(500, 120)), columns=names)
        predict, calls = numbers(lambda f: f["f3"]), []

        def counted(table: pd.DataFrame) -> Predictions:
            calls.append(len(table))
            return predict(table)

        schema = Schema(features=tuple(FieldSpec(name=n) for n in names))
        result = analyse(frame, schema, counted, predict(frame), plan(breaking=True, budget_s=60), 0)
        assert max(calls) <= breaking_points.MAX_CALL_ROWS
        assert len(calls) <= 1 + breaking_points.EXPECTED_CALLS
        assert result.breaking_points[0].feature == "f3"
        assert "rest on 83 rows" in result.notes[0]

    def test_a_slow_model_still_gets_the_features_that_matter_most(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [0.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        names = [f"f{i}" for i in range(30)]
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(256, 30)), columns=names)
        predict = numbers(lambda f: f["f29"] + 0.001 * f["f0"])

        def slow(table: pd.DataFrame) -> Predictions:
            now[0] += len(table) / 3_000
            return predict(table)

        schema = Schema(features=tuple(FieldSpec(name=n) for n in names))
        result = analyse(frame, schema, slow, predict(frame), plan(breaking=True, budget_s=2), 0)
        first = result.breaking_points[0]
        assert first.feature == "f29" and first.interval is not None
        assert first.interval[1] - first.interval[0] <= breaking_points.WIDTH
        assert now[0] <= 2
        assert "time budget ended" in result.notes[0]

    def test_what_the_budget_cut_is_stated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter(range(10_000))
        monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
        frame, predict = self.table(), numbers(lambda f: f["a"] * 0)
        result = analyse(frame, self.schema, predict, predict(frame), plan(breaking=True, budget_s=8), 0)
        assert "time budget ended" in result.notes[0]
        assert "3 of 3 features were not searched to 4" in result.notes[0]
        assert all(p.magnitude is None and p.searched_to < 4 for p in result.breaking_points)

    def test_a_model_that_raises_ends_the_search_with_a_note(self) -> None:
        def predict(frame: pd.DataFrame) -> Predictions:
            raise PredictFailed("no")

        frame = self.table()
        reference = numbers(lambda f: f["a"])(frame)
        result = analyse(frame, self.schema, predict, reference, plan(breaking=True), 0)
        assert result.notes[0].startswith("The search for breaking points stopped early (no)")

    def test_a_constant_feature_is_named_and_not_searched(self) -> None:
        frame, predict = self.table().assign(b=0.1), numbers(lambda f: f["a"])
        result = analyse(frame, self.schema, predict, predict(frame), plan(breaking=True, budget_s=60), 0)
        assert {p.feature for p in result.breaking_points} == {"a", "c"}
        assert result.notes == ("No breaking point was searched for b: constant or without numbers.",)
