"""Simulated shifts, and what they do to a model's answers."""

import math
import time
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstest, norm, rankdata, wasserstein_distance
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from distances.subject import Subject
from drift import compare
from errors import Cancelled, ChildDied, ChildTimeout, DashboardError, InvalidPlan, PredictFailed
from estimators.answers import Predictions
from records.drift import DriftPlan, ScenarioKind, ScenarioPlan
from records.schema import FieldSpec, Schema
from shifts import scenarios
from shifts.analysis import analyse
from shifts.scenarios import applicable_features, simulate
from tests.support.predictors import classes, numbers

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


def plan(*scenarios: ScenarioPlan, breaking: bool = False, budget_s: float = 60.0) -> DriftPlan:
    return DriftPlan(scenarios=scenarios, breaking_points=breaking, budget_s=budget_s, decomposition=False)


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

    def test_noise_adds_to_the_spread_and_is_another_for_each_row_and_feature(self) -> None:
        before, after = frame_of(20_000), shifted("noise", 0.5, frame=frame_of(20_000))
        std = before["x"].std(ddof=0)
        added = (after["x"] - before["x"]).to_numpy()
        assert kstest(added, norm(0, 0.5 * std).cdf).pvalue > 1e-3
        assert abs(np.corrcoef(added, before["x"])[0, 1]) < 0.03
        assert after["x"].std() == pytest.approx(std * math.sqrt(1.25), rel=0.02)
        assert abs(np.corrcoef(added, after["n"] - before["n"])[0, 1]) < 0.03
        assert list(after.dtypes) == list(before.dtypes)

    def test_more_noise_is_the_same_noise_larger(self) -> None:
        weak, strong = (shifted("noise", m, "x")["x"] - frame_of()["x"] for m in (0.5, 1.5))
        np.testing.assert_allclose(strong, 3 * weak, atol=1e-9)

    def test_a_quantile_shift_moves_a_value_by_its_rank_and_by_its_magnitude_on_average(self) -> None:
        before = frame_of()
        before.loc[3, "x"] = np.nan
        after = shifted("quantile_shift", 0.5, "x", frame=before)
        finite = before["x"].notna()
        shares = (rankdata(before["x"][finite]) - 0.5) / finite.sum()
        moved = (after["x"] - before["x"])[finite]
        np.testing.assert_allclose(moved, 2 * 0.5 * before["x"].std(ddof=0) * shares)
        assert moved.mean() == pytest.approx(0.5 * before["x"].std(ddof=0))
        assert after["x"].isna().tolist() == before["x"].isna().tolist()

    def test_equal_values_stay_equal_under_a_quantile_shift(self) -> None:
        frame = frame_of().assign(x=np.repeat([1.0, 2.0], N // 2))
        after = shifted("quantile_shift", 1.0, "x", frame=frame)["x"]
        assert after.nunique() == 2
        # The lower half has the mean rank 1/4, the upper 3/4.
        np.testing.assert_allclose(sorted(after.unique()), [1 + 0.5 * 0.5, 2 + 1.5 * 0.5])

    def test_a_correlated_shift_moves_every_row_by_its_own_deviation_along_the_main_axis(self) -> None:
        rng = np.random.default_rng(5)
        hidden = rng.normal(size=400)
        table = np.column_stack([3 * hidden, -hidden, 0.2 * hidden]) + 0.5 * rng.normal(size=(400, 3))
        frame = pd.DataFrame(table * [1, 20, 0.1], columns=["a", "b", "c"])
        schema = Schema(features=tuple(FieldSpec(name=name) for name in frame.columns))
        scenario = ScenarioPlan(kind="correlated_shift", magnitude=2.0)
        after = simulate(frame, schema, scenario, np.random.default_rng(0))
        pca = PCA().fit(StandardScaler().fit_transform(frame))
        scaler = StandardScaler().fit(frame)
        before_at, after_at = (pca.transform(scaler.transform(f)) for f in (frame, after))
        moved = after_at - before_at
        assert np.abs(moved[:, 0]) == pytest.approx(2 * before_at[:, 0].std())
        np.testing.assert_allclose(moved[:, 1:], 0, atol=1e-9)
        correlation = [np.corrcoef(frame[name], before_at[:, 0])[0, 1] for name in frame.columns]
        np.testing.assert_allclose(
            np.abs((after - frame).iloc[0] / frame.std(ddof=0)), 2 * np.abs(correlation), rtol=1e-9
        )

    @pytest.mark.parametrize(("rows", "columns"), [(400, 12), (12, 400), (60, 90)])
    @pytest.mark.parametrize("dense_side", [1_500, 8])
    def test_the_main_axis_is_that_of_the_columns_correlations_and_never_costs_the_longer_sides_cube(
        self, rows: int, columns: int, dense_side: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = np.random.default_rng(0).normal(size=(rows, columns))
        table += np.outer(table[:, 0], np.linspace(0, 1, columns))
        table = StandardScaler().fit_transform(table)
        values, vectors = np.linalg.eigh(table.T @ table / rows)
        sides: list[int] = []
        eigh = np.linalg.eigh

        def counted(matrix: np.ndarray) -> object:
            sides.append(len(matrix))
            return eigh(matrix)

        monkeypatch.setattr(np.linalg, "eigh", counted)
        monkeypatch.setattr(scenarios, "DENSE_SIDE", dense_side)
        axis, eigenvalue = scenarios._main_axis(table)
        assert eigenvalue == pytest.approx(values[-1], rel=1e-9)
        np.testing.assert_allclose(axis, vectors[:, -1] * np.sign(vectors[0, -1] * axis[0]), atol=1e-9)
        assert axis[np.abs(axis).argmax()] > 0
        assert sides == ([min(rows, columns)] if min(rows, columns) <= dense_side else [])

    def test_a_correlated_shift_needs_two_numbers_and_a_swap_two_segments(self) -> None:
        alone = Schema(features=SCHEMA.features[:1])
        for kind in ("correlated_shift", "segment_swap"):
            frame = frame_of()[["x"]] if kind == "correlated_shift" else frame_of()[["x"]].assign(x=1.0)
            scenario = ScenarioPlan(kind=kind, magnitude=1)
            assert applicable_features(frame, alone, scenario) == ()
            pd.testing.assert_frame_equal(simulate(frame, alone, scenario, np.random.default_rng(0)), frame)

    def test_a_segment_swap_takes_whole_rows_from_the_other_side_of_the_median(self) -> None:
        frame = frame_of()[["x", "colour", "flag"]].assign(row=np.arange(N) % 2 == 0)
        schema = Schema(features=SCHEMA.features[:1] + SCHEMA.features[2:3] + SCHEMA.features[4:5])
        scenario = ScenarioPlan(kind="segment_swap", magnitude=0.3)
        after = simulate(frame, schema, scenario, np.random.default_rng(0))
        other = after["x"] != frame["x"]
        assert other.sum() == 60  # no two numbers are equal
        middle = frame["x"].median()
        assert ((after["x"] > middle) != (frame["x"] > middle)).equals(other)
        rows = {tuple(row) for row in frame[["x", "colour", "flag"]].to_numpy()}
        assert all(tuple(row) in rows for row in after[["x", "colour", "flag"]].to_numpy())
        assert after["row"].equals(frame["row"])
        assert list(after.dtypes) == list(frame.dtypes)

    def test_swapping_all_rows_keeps_each_columns_values(self) -> None:
        after = shifted("segment_swap", 1.0)
        for name in ("x", "n", "colour", "when"):
            assert sorted(after[name]) == sorted(frame_of()[name])

    def test_without_numbers_the_segments_are_the_commonest_category_and_the_rest(self) -> None:
        frame = frame_of()[["colour", "flag"]]
        schema = Schema(features=(SCHEMA.features[2], SCHEMA.features[4]))
        scenario = ScenarioPlan(kind="segment_swap", magnitude=1.0, features=("colour",))
        after = simulate(frame, schema, scenario, np.random.default_rng(0))
        assert ((after["colour"] == "red") != (frame["colour"] == "red")).all()
        assert after["flag"].equals(frame["flag"])

    @pytest.mark.parametrize("kind", get_args(ScenarioKind))
    def test_the_same_seed_gives_the_same_shift_and_leaves_the_table_alone(self, kind: ScenarioKind) -> None:
        frame = frame_of()
        pd.testing.assert_frame_equal(shifted(kind, 0.3, frame=frame), shifted(kind, 0.3))
        pd.testing.assert_frame_equal(frame, frame_of())

    @pytest.mark.parametrize("kind", get_args(ScenarioKind))
    @pytest.mark.parametrize("types", ["float32", "nullable", "reindexed"])
    def test_every_kind_keeps_types_order_and_index(self, kind: ScenarioKind, types: str) -> None:
        frame = {
            "float32": frame_of().astype({"x": "float32", "n": "int16"}),
            "nullable": frame_of().astype({"x": "Float64", "n": "Int64", "flag": "boolean"}),
            "reindexed": frame_of().set_index(np.arange(N)[::-1] * 3),
        }[types]
        after = shifted(kind, 0.3, frame=frame)
        assert list(after.columns) == list(frame.columns)
        assert after.index.equals(frame.index)
        # A missing whole number or boolean has no place in NumPy's own types.
        widened = {"code"} if types == "nullable" else {"code", "n", "flag"}
        for name in set(frame.columns) - (widened if kind == "missing_values" else set()):
            assert after[name].dtype == frame[name].dtype

    @given(
        shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
        kind=st.sampled_from(["missing_values", "unseen_category", "category_mix", "segment_swap"]),
        seed=st.integers(0, 5),
    )
    @settings(max_examples=40, deadline=None)
    def test_a_larger_share_changes_the_rows_of_a_smaller_one_in_the_same_way(
        self, shares: tuple[float, float], kind: ScenarioKind, seed: int
    ) -> None:
        frame = frame_of()[["colour"]].assign(x=np.arange(N) * 1.0)
        schema = Schema(features=(SCHEMA.features[2], SCHEMA.features[0]))
        few, many = (
            simulate(frame, schema, ScenarioPlan(kind=kind, magnitude=m), np.random.default_rng(seed))
            for m in sorted(shares)
        )
        for name in frame.columns:
            changed = (few[name] != frame[name]) | (few[name].isna())
            assert (few[name].isna() == many[name].isna())[changed].all()
            kept = changed & few[name].notna()
            assert (few[name][kept] == many[name][kept]).all()

    def test_a_scenario_that_cannot_be_meant_is_refused(self) -> None:
        with pytest.raises(InvalidPlan, match="nonsense") as caught:
            shifted("mean_shift", 1, "x", "nonsense")
        assert caught.value.field == "config.drift.scenarios"
        with pytest.raises(InvalidPlan, match="cannot exceed 1"):
            shifted("missing_values", 1.5)


class TestAnalysis:
    def test_the_changed_share_is_the_share_of_other_classes(self) -> None:
        frame, predict = frame_of(), classes(lambda f: 1 / (1 + np.exp(10 - f["x"])))
        result = analyse(
            Subject.of(frame, SCHEMA, predict, predict(frame), 0),
            plan(ScenarioPlan(kind="mean_shift", magnitude=1)),
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
        result = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(*scenarios))
        assert result.changed_tolerance == pytest.approx(0.1 * 3 * frame["x"].std(ddof=0))
        assert [s.changed_share for s in result.scenarios] == [0.0, 1.0]
        assert result.scenarios[1].prediction.wasserstein == pytest.approx(0.101)

    def test_rows_that_fail_are_counted_as_failed_and_not_as_changed(self) -> None:
        frame, predict = frame_of(), numbers(lambda f: f["x"])
        scenario = ScenarioPlan(kind="missing_values", magnitude=0.25, features=("x",))
        (played,) = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(scenario)).scenarios
        assert (played.changed_share, played.failed_share) == (0.0, 0.25)
        assert played.reason is None

    @pytest.mark.parametrize("kind", [numbers, classes])
    def test_rows_that_fail_are_in_no_distance_of_the_answers(self, kind: Any) -> None:
        """A bin of a quarter of missing answers made a PSI of 2, where no answer had moved."""
        frame, predict = frame_of(), kind(lambda f: 1 / (1 + np.exp(10 - f["x"])))
        scenario = ScenarioPlan(kind="missing_values", magnitude=0.25, features=("x",))
        (played,) = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(scenario)).scenarios
        assert played.failed_share == 0.25 and played.input.psi is not None and played.input.psi > 1
        assert (played.prediction.psi, played.prediction.js, played.prediction.ks) == (0.0, 0.0, 0.0)

    def test_too_few_answers_make_no_distance(self) -> None:
        frame, predict = frame_of(), numbers(lambda f: f["x"])
        scenario = ScenarioPlan(kind="missing_values", magnitude=0.9, features=("x",))
        (played,) = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(scenario)).scenarios
        assert played.failed_share == 0.9 and played.prediction.psi is None

    def test_how_far_numbers_move_is_told_in_standard_deviations_of_the_answers(self) -> None:
        """The share of changed answers is 100 % from a tenth of that on, and says no more."""
        frame, predict = frame_of(), numbers(lambda f: 3 * f["x"])
        scenarios = [ScenarioPlan(kind="mean_shift", magnitude=m, features=("x",)) for m in (0.2, 0.5, 2.0)]
        played = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(*scenarios)).scenarios
        assert [s.changed_share for s in played] == [1.0, 1.0, 1.0]
        assert [s.mean_move for s in played] == pytest.approx([0.2, 0.5, 2.0])
        two = classes(lambda f: 1 / (1 + np.exp(10 - f["x"])))
        (played_two,) = analyse(Subject.of(frame, SCHEMA, two, two(frame), 0), plan(scenarios[0])).scenarios
        assert played_two.mean_move is None

    def test_a_scenario_that_applies_to_no_feature_is_listed_with_its_reason(self) -> None:
        frame, schema = frame_of()[["x"]], Schema(features=SCHEMA.features[:1])
        predict = numbers(lambda f: f["x"])
        result = analyse(
            Subject.of(frame, schema, predict, predict(frame), 0), DriftPlan(breaking_points=False)
        )
        assert result.decomposition is None
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
            Subject.of(frame, SCHEMA, raises_on_missing, raises_on_missing(frame), 0), plan(*scenarios)
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
            analyse(Subject.of(frame, SCHEMA, predict, reference, 0), plan(*scenarios, breaking=breaking))

    def test_columns_show_every_column_under_the_strongest_scenario(self) -> None:
        frame, predict = frame_of(), numbers(lambda f: f["x"])
        scenarios = [ScenarioPlan(kind="mean_shift", magnitude=m, features=("x",)) for m in (0.1, 2, 0.5)]
        result = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(*scenarios))
        assert result.columns_scenario == "mean_shift 2"
        assert result.columns == compare(frame, shifted("mean_shift", 2, "x")).columns

    def test_labels_that_differ_between_calls_are_matched_by_their_text(self) -> None:
        def predict(frame: pd.DataFrame) -> Predictions:
            labels = ("yes", "no") if frame["x"].mean() > 11 else ("no", "yes")
            values = np.full(len(frame), float(labels.index("yes")))
            return Predictions(values, None, labels, np.zeros(len(frame), dtype=bool))

        frame, scenario = frame_of(), ScenarioPlan(kind="mean_shift", magnitude=3)
        (played,) = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(scenario)).scenarios
        assert (played.changed_share, played.prediction.psi) == (0.0, 0.0)

    def test_each_feature_plays_a_joint_scenario_on_every_feature_alone(self) -> None:
        frame, predict = frame_of(), numbers(lambda f: f["x"] + 0 * f["n"])
        both = DriftPlan(
            scenarios=(ScenarioPlan(kind="mean_shift", magnitude=1),
                       ScenarioPlan(kind="correlated_shift", magnitude=1)),
            breaking_points=False, each_feature=True,
        )  # fmt: skip
        played = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), both).scenarios
        assert [(s.kind, s.features) for s in played] == [
            ("mean_shift", ("x", "n")),
            ("correlated_shift", ("x", "n")),
            ("mean_shift", ("x",)),
            ("mean_shift", ("n",)),
        ]
        assert [s.changed_share for s in played[2:]] == [1.0, 0.0]

    def test_single_scenarios_that_the_budget_cut_are_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter(range(10_000))
        monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
        frame, predict = frame_of(), numbers(lambda f: f["x"])
        cut = plan(ScenarioPlan(kind="mean_shift", magnitude=1), budget_s=1.5).model_copy(
            update={"each_feature": True}
        )
        result = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), cut)
        assert [s.features for s in result.scenarios] == [("x", "n"), ("x",)]
        assert result.notes == ("1 single-feature scenarios were not played: the budget ended.",)
