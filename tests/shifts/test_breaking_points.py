"""Breaking points of models whose answer to a shift is known in closed form."""

import math
import re
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from distances.changes import call_rows
from distances.subject import Subject
from drift import compare
from errors import PredictFailed
from estimators.answers import Predictions
from records.drift import BreakingPoint, DriftPlan, ScenarioPlan
from records.schema import FieldSpec, Schema
from shifts import search
from shifts.analysis import analyse
from shifts.breaking_points import find_breaking_points
from shifts.criteria import ChangedAnswers, Labelled, ScoreDrop, Tails, binomial_at_most
from tests.support.predictors import classes, numbers

TAILS = Tails(lower=0.015, upper=0.0125, screen=0.01)
SCHEMA = Schema(features=tuple(FieldSpec(name=n) for n in ("a", "b", "c")))


def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(rng.normal(size=(256, 3)) * [1, 5, 2] + [0, 3, -1], columns=["a", "b", "c"])


def plan(*, budget_s: float = 60.0, **changes: float) -> DriftPlan:
    return DriftPlan(scenarios=(), decomposition=False, budget_s=budget_s, **changes)


def threshold_crossing(x: np.ndarray, threshold: float, limit: float) -> float:
    """The smallest shift, in standard deviations, that carries more than `limit` of x over the threshold."""
    needed = math.floor(limit * len(x))
    up, down = np.sort(threshold - x[x <= threshold]), np.sort(x[x > threshold] - threshold)
    found = [(gaps[needed], sign) for gaps, sign in ((up, 1), (down, -1)) if len(gaps) > needed]
    distance, sign = min(found)
    return float(sign * distance / x.std())


def resolution(shift: float) -> float:
    return max(search.WIDTH, abs(shift) * search.RELATIVE_WIDTH)


def ends(point: BreakingPoint) -> tuple[float, float]:
    """Distances, the nearer first."""
    assert point.interval is not None
    low, high = point.interval
    assert low is not None and high is not None
    return min(abs(low), abs(high)), max(abs(low), abs(high))


class TestThreshold:
    @pytest.mark.parametrize("threshold", [-0.4, 0.0, 0.3])
    def test_the_crossing_of_a_threshold_model_is_found_on_the_rows_asked(self, threshold: float) -> None:
        frame, predict = table(), classes(lambda f: (f["a"] > threshold) * 1.0)
        result = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan())
        first, *rest = result.breaking_points
        truth = threshold_crossing(frame["a"].to_numpy(), threshold, 0.1)
        assert first.feature == "a" and first.magnitude is not None and first.shift is not None
        assert abs(first.magnitude - truth) <= resolution(truth)
        low, high = ends(first)
        assert low < abs(first.magnitude) < high
        assert first.direction == ("up" if truth > 0 else "down")
        assert (first.by, first.limit, first.rows, first.monotone) == ("changed_answers", 0.1, 256, True)
        assert first.shift == pytest.approx(first.magnitude * frame["a"].std(ddof=0))
        answers = frame["a"] > threshold, frame["a"] + first.shift > threshold
        assert first.value == (answers[0] != answers[1]).mean()
        assert first.psi == pytest.approx(compare(frame[["a"]], frame[["a"]] + first.shift).columns[0].psi)
        assert first.psi_interval is not None
        sign = math.copysign(1, first.magnitude) * frame["a"].std(ddof=0)
        for psi, end in zip(first.psi_interval, (low, high), strict=True):
            moved = frame[["a"]] + sign * end
            assert psi == pytest.approx(compare(frame[["a"]], moved).columns[0].psi)
        assert {(p.feature, p.magnitude, p.searched_to) for p in rest} == {("b", None, 4.0), ("c", None, 4.0)}
        assert result.notes == ()

    def test_the_interval_is_where_scipys_exact_band_holds_the_limit(self) -> None:
        frame, predict = table(), classes(lambda f: (f["a"] > 1.0) * 1.0)
        (point, *_), _ = find_breaking_points(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan())
        low, high = ends(point)
        a, std = frame["a"].to_numpy(), frame["a"].std(ddof=0)

        def bounds(shift: float, level: float) -> tuple[float, float]:
            changed = max(np.sum((a > 1) != (a + sign * shift * std > 1)) for sign in (1, -1))
            band = binomtest(int(changed), len(a)).proportion_ci(level, "exact")
            return band.low, band.high

        tails = {"lower": 1 - 2 * 0.015, "upper": 1 - 2 * 0.0125}
        assert bounds(low, tails["lower"])[1] <= 0.1
        assert bounds(low + resolution(low), tails["lower"])[1] >= 0.1
        assert bounds(high, tails["upper"])[0] >= 0.1
        assert bounds(high - resolution(high), tails["upper"])[0] <= 0.1

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("threshold", "limit", "rows"),
        [(0.0, 0.1, 1000), (0.8, 0.1, 256), (-1.2, 0.1, 1000), (0.3, 0.3, 1000)],
    )
    def test_the_true_breaking_point_lies_in_the_interval_in_95_of_100_seeds(
        self, threshold: float, limit: float, rows: int
    ) -> None:
        """On a standard normal feature a shift d changes P(t - d < X <= t) up, P(t < X <= t + d) down."""
        at = norm.cdf(threshold)
        distances = [threshold - norm.ppf(at - limit) if at > limit else math.inf]
        distances += [norm.ppf(at + limit) - threshold if at + limit < 1 else math.inf]
        truth = min(distances)
        density = norm.pdf(threshold + truth * (-1 if distances[0] < distances[1] else 1))
        predict = classes(lambda f: (f["a"] > threshold) * 1.0)
        schema = Schema(features=(FieldSpec(name="a"), FieldSpec(name="b")))
        held, widths, found = 0, [], []
        for seed in range(200):
            frame = pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, 2)), columns=["a", "b"])
            points, _ = find_breaking_points(
                Subject.of(frame, schema, predict, predict(frame), seed), plan(changed_limit=limit)
            )
            assert points[0].feature == "a" and points[0].magnitude is not None
            low, high = ends(points[0])
            held += low <= truth <= high
            widths.append(high - low)
            found.append(abs(points[0].magnitude))
        assert held >= 190
        # Of the share on 256 rows, through the density at the point where the band crosses the limit.
        tails = norm.isf(TAILS.lower) + norm.isf(TAILS.upper)
        theory = tails * math.sqrt(limit * (1 - limit) / 256) / density
        assert 0.8 * theory < np.median(widths) < 1.3 * theory
        assert np.median(found) == pytest.approx(truth, abs=0.2 * theory)


class TestOtherModels:
    def test_a_linear_model_breaks_where_its_answer_moves_by_the_tolerance(self) -> None:
        frame = table()
        predict = numbers(lambda f: f["a"] + 0.1 * f["b"])
        points = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan()).breaking_points
        spread = (frame["a"] + 0.1 * frame["b"]).std(ddof=0)
        for point, slope in zip(
            points[:2], (frame["a"].std(ddof=0), 0.1 * frame["b"].std(ddof=0)), strict=True
        ):
            assert point.magnitude is not None
            truth = 0.1 * spread / slope
            # Every row changes at once, so that no row is left to be unsure of.
            assert abs(point.magnitude) == pytest.approx(truth, abs=resolution(truth))
            low, high = ends(point)
            assert low < truth <= high <= low + resolution(truth)
        assert [p.feature for p in points] == ["a", "b", "c"]

    def test_whole_numbers_break_at_the_step_that_rounding_makes(self) -> None:
        frame = pd.DataFrame({"n": np.arange(200) % 10})
        predict = numbers(lambda f: f["n"])
        schema = Schema(features=(FieldSpec(name="n", type="integer"),))
        (point,), _ = find_breaking_points(Subject.of(frame, schema, predict, predict(frame), 0), plan())
        std = frame["n"].std(ddof=0)
        assert point.shift is not None
        assert abs(point.shift) == pytest.approx(0.5, abs=search.WIDTH * std)

    def test_a_row_that_is_no_longer_answered_has_changed(self) -> None:
        frame = table()
        predict = numbers(lambda f: f["a"].where(f["a"] < 2.0) * 0)
        (point, *_), _ = find_breaking_points(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan())
        answered = frame["a"][frame["a"] < 2.0].to_numpy()
        needed = math.floor(0.1 * len(answered))
        truth = np.sort(2.0 - answered)[needed] / frame["a"].std(ddof=0)
        assert point.direction == "up" and point.magnitude == pytest.approx(truth, abs=resolution(truth))

    def test_a_model_that_forgives_a_far_shift_gets_its_first_crossing_and_a_note(self) -> None:
        """Answers change between 0.8 and 1.6 only: a step of 1 breaks, 2 and 4 do not."""
        frame = table()
        frame["a"] = np.where(np.arange(256) % 2 == 0, -1.0, 1.0) + 1e-3 * frame["a"]
        std = frame["a"].std(ddof=0)
        predict = classes(lambda f: (f["a"].between(1.8 * std, 2.6 * std)) * 1.0)
        points, notes = find_breaking_points(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan())
        assert points[0].monotone is False
        assert points[0].direction == "up"
        assert points[0].magnitude == pytest.approx(1.8 - 1 / std, abs=0.03)
        assert notes == (
            "For a a farther shift was within the limit again: the first crossing found on the ladder of "
            "0.25, 0.5, 1, 2, 4 standard deviations is given.",
        )

    def test_a_feature_that_all_rows_rule_out_counts_as_searched_to_the_end(self) -> None:
        """One answer in twenty changes: too many for 64 rows to rule a tenth out, not for 256."""
        low = np.arange(256) % 20 == 0
        frame = pd.DataFrame({"a": np.where(low, 0.0, 10.0)})
        predict, asked = classes(lambda f: (f["a"] > 1) * 1.0), []

        def counted(rows: pd.DataFrame) -> Predictions:
            asked.append(len(rows))
            return predict(rows)

        schema = Schema(features=SCHEMA.features[:1])
        (point,), notes = find_breaking_points(Subject.of(frame, schema, counted, predict(frame), 0), plan())
        assert sum(asked) > 64 + 2 * 5 * 64
        assert (point.magnitude, point.interval, point.searched_to, notes) == (None, None, 4.0, ())

    def test_an_effect_near_the_limit_has_an_open_end(self) -> None:
        """A tenth of the rows can change at most: whether more than a tenth do is not for 256 rows to say."""
        frame = table()
        frame["b"] = np.arange(256) / 256
        predict = classes(lambda f: ((f["a"] > 0) & (f["b"] < 0.21)) * 1.0)
        points, _ = find_breaking_points(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan())
        point = next(p for p in points if p.feature == "a")
        possible = point.direction == "up", point.interval
        assert possible[1] is not None
        near, far = possible[1] if possible[0] else possible[1][::-1]
        assert near is not None and 0 < abs(near) < 4 and far is None


class TestSearch:
    def test_all_features_share_each_call_and_no_call_is_larger_than_its_bound(self) -> None:
        names = [f"f{i}" for i in range(120)]
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(500, 120)), columns=names)
        predict, calls = numbers(lambda f: f["f3"]), []

        def counted(rows: pd.DataFrame) -> Predictions:
            calls.append(len(rows))
            return predict(rows)

        schema = Schema(features=tuple(FieldSpec(name=n) for n in names))
        points, notes = find_breaking_points(Subject.of(frame, schema, counted, predict(frame), 0), plan())
        assert max(calls) <= call_rows(3)
        # The ladder for every feature on a few rows, and little more for the one that matters.
        assert sum(calls) <= 64 + 120 * 2 * 5 * 64 + 20 * 256
        assert len(calls) < 25
        assert (points[0].feature, notes) == ("f3", ())
        assert {p.searched_to for p in points} == {4.0}

    def test_a_slow_model_still_gets_the_features_that_matter_most(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [0.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        names = [f"f{i}" for i in range(30)]
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(256, 30)), columns=names)
        predict = numbers(lambda f: f["f29"] + 0.001 * f["f0"])

        def slow(rows: pd.DataFrame) -> Predictions:
            now[0] += len(rows) / 3_000
            return predict(rows)

        schema = Schema(features=tuple(FieldSpec(name=n) for n in names))
        points, notes = find_breaking_points(
            Subject.of(frame, schema, slow, predict(frame), 0), plan(budget_s=2)
        )
        assert points[0].feature == "f29" and points[0].magnitude is not None
        assert abs(points[0].magnitude) == pytest.approx(0.1, abs=search.WIDTH)
        assert now[0] <= 2
        assert "time budget ended" in notes[0]
        assert "rest on 64 rows" in notes[1]

    def test_of_a_table_too_wide_for_the_budget_the_seed_draws_what_is_searched_and_the_rest_is_told(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [0.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        names = [f"f{i}" for i in range(400)]
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(256, 400)), columns=names)
        predict = numbers(lambda f: f.sum(axis=1))

        def slow(rows: pd.DataFrame) -> Predictions:
            now[0] += len(rows) / 4_000
            return predict(rows)

        schema = Schema(features=tuple(FieldSpec(name=n) for n in names))

        def looked_at(seed: int) -> tuple[list[str], int, str]:
            now[0] = 0.0
            subject = Subject.of(frame, schema, slow, predict(frame), seed)
            points, notes = find_breaking_points(subject, plan(budget_s=4))
            searched = [p.feature for p in points if not p.not_searched]
            assert [p.feature for p in points][: len(searched)] == searched  # the others come last
            assert now[0] <= 4 and len(points) == 400
            return searched, sum(p.magnitude is not None for p in points), notes[0]

        searched, found, note = looked_at(0)
        assert found > 0 and 0 < len(searched) < 200
        said = re.search(r"look at (\d+) of 400 features, drawn .* the other (\d+) were not searched", note)
        assert said is not None and int(said[1]) + int(said[2]) == 400 and int(said[1]) >= len(searched)
        assert looked_at(0) == (searched, found, note)
        assert set(looked_at(1)[0]) != set(searched)

    def test_what_the_budget_cut_is_stated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter(range(10_000))
        monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
        frame, predict = table(), numbers(lambda f: f["a"] * 0)
        points, notes = find_breaking_points(
            Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(budget_s=8)
        )
        assert "time budget ended" in notes[0]
        assert "none of 3 features was searched" in notes[0]
        assert all(p.magnitude is None and p.searched_to < 4 for p in points)

    def test_a_model_that_raises_ends_the_search_with_a_note(self) -> None:
        def predict(frame: pd.DataFrame) -> Predictions:
            raise PredictFailed("no")

        frame = table()
        _, notes = find_breaking_points(
            Subject.of(frame, SCHEMA, predict, numbers(lambda f: f["a"])(frame), 0), plan()
        )
        assert notes[0].startswith("The search for breaking points stopped early (no)")

    def test_a_constant_feature_is_named_and_not_searched(self) -> None:
        frame, predict = table().assign(b=0.1), numbers(lambda f: f["a"])
        points, notes = find_breaking_points(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan())
        assert {p.feature for p in points} == {"a", "c"}
        assert notes == ("No breaking point was searched for b: constant or without numbers.",)

    def test_the_same_seed_finds_the_same_points(self) -> None:
        frame, predict = table(), classes(lambda f: norm.cdf(f["a"] + f["b"] - 3))
        first, again = (
            find_breaking_points(Subject.of(frame, SCHEMA, predict, predict(frame), 7), plan())
            for _ in range(2)
        )
        assert first == again


class TestScore:
    def test_a_right_threshold_model_loses_as_much_accuracy_as_answers_change(self) -> None:
        frame, predict = table(), classes(lambda f: (f["a"] > 0.3) * 1.0)
        labelled = Labelled(frame, pd.Series(np.where(frame["a"] > 0.3, "yes", "no")))
        limits = plan(changed_limit=1.0, score_limit=0.1)
        points, notes = find_breaking_points(
            Subject.of(frame, SCHEMA, predict, predict(frame), 0), limits, labelled
        )
        truth = threshold_crossing(frame["a"].to_numpy(), 0.3, 0.1)
        point = points[0]
        assert (point.feature, point.by, point.limit, notes) == ("a", "score", 0.1, ())
        assert point.magnitude == pytest.approx(truth, abs=resolution(truth))
        assert point.value == pytest.approx(0.1, abs=0.02)

    def test_the_r2_of_a_right_regression_falls_by_the_squared_shift(self) -> None:
        """Residuals of y - x move by d: their mean square grows by d squared, R2 falls by that / var(y)."""
        rng = np.random.default_rng(2)
        frame = pd.DataFrame(rng.normal(size=(256, 3)), columns=["a", "b", "c"])
        noise = rng.normal(size=256) * 0.3
        noise -= noise.mean()
        labels = pd.Series(frame["a"] + noise)
        predict = numbers(lambda f: f["a"])
        limits = plan(changed_limit=1.0, score_limit=0.2)
        (point, *_), _ = find_breaking_points(
            Subject.of(frame, SCHEMA, predict, predict(frame), 0), limits, Labelled(frame, labels)
        )
        truth = math.sqrt(0.2 * labels.var(ddof=0)) / frame["a"].std(ddof=0)
        assert (point.feature, point.by) == ("a", "score")
        assert abs(point.magnitude or 0) == pytest.approx(truth, abs=resolution(truth))
        low, high = ends(point)
        assert low <= truth <= high

    def test_the_nearer_of_answers_and_score_counts(self) -> None:
        frame, predict = table(), classes(lambda f: (f["a"] > 0.3) * 1.0)
        labelled = Labelled(frame, pd.Series(np.where(frame["a"] > 0.3, "yes", "no")))
        for changed, score, by in ((0.05, 0.2, "changed_answers"), (0.2, 0.05, "score")):
            limits = plan(changed_limit=changed, score_limit=score)
            (point, *_), _ = find_breaking_points(
                Subject.of(frame, SCHEMA, predict, predict(frame), 0), limits, labelled
            )
            assert point.by == by
            truth = threshold_crossing(frame["a"].to_numpy(), 0.3, 0.05)
            assert point.magnitude == pytest.approx(truth, abs=resolution(truth))

    def test_a_score_limit_without_labels_is_noted(self) -> None:
        frame, predict = table(), numbers(lambda f: f["a"])
        _, notes = find_breaking_points(
            Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(score_limit=0.1)
        )
        assert "no labelled sample" in notes[0]

    def test_a_model_that_is_never_right_has_no_score_to_lose(self) -> None:
        frame, predict = table(), classes(lambda f: f["a"] * 0)
        labelled = Labelled(frame, pd.Series(["yes"] * 256))
        _, notes = find_breaking_points(
            Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan(score_limit=0.1), labelled
        )
        assert "there is no score to lose" in notes[0]

    def test_numbers_that_are_all_the_same_have_no_score_to_lose(self) -> None:
        frame, predict, same = table().head(100), numbers(lambda f: f["a"]), pd.Series([0.1] * 100)
        assert same.mean() != 0.1
        reference = predict(frame)
        assert ScoreDrop.of(Labelled(frame, same), reference, 0.1, TAILS) is None

    def test_whole_numbers_of_a_sample_move_by_less_than_one(self) -> None:
        frame = pd.DataFrame({"a": np.arange(256) % 4})
        labels = pd.Series(np.where(frame["a"] > 1.4, "yes", "no"))
        predict = classes(lambda f: (f["a"] > 1.4) * 1.0)
        generated = frame.astype(float) + np.random.default_rng(0).normal(size=(256, 1)) * 0.01
        schema = Schema(features=(FieldSpec(name="a"),))
        subject = Subject.of(generated, schema, predict, predict(generated), 0)
        limits = plan(changed_limit=1.0, score_limit=0.1)
        (point,), _ = find_breaking_points(subject, limits, Labelled(frame, labels))
        # Ones are read as "yes" once they are moved by more than 0.4.
        assert point.shift == pytest.approx(0.4, abs=0.04)

    def test_the_paired_band_holds_the_true_drop_in_95_of_100_draws(self) -> None:
        rng = np.random.default_rng(0)
        n, lost, gained = 256, 0.12, 0.05
        frame = pd.DataFrame({"a": np.zeros(n)})
        held = 0
        for _ in range(400):
            draw = rng.choice([1, -1, 0], n, p=[lost, gained, 1 - lost - gained])
            before = np.where(draw == 1, 1.0, np.where(draw == -1, 0.0, 1.0))
            reference = Predictions(before, None, ("no", "yes"), np.zeros(n, dtype=bool))
            after = Predictions(before - draw, None, ("no", "yes"), np.zeros(n, dtype=bool))
            drop = ScoreDrop(frame, reference, np.ones(n), lost - gained, Tails(0.025, 0.025, 0.01))
            values = drop.values(after, np.arange(n))
            assert drop.figure(values) == draw.mean()
            held += drop.grade(values) in (1, 2)
        assert 0.93 * 400 <= held <= 0.98 * 400


class TestCriteria:
    @given(n=st.integers(1, 300), p=st.floats(0.001, 0.999), share=st.floats(0, 1))
    @settings(max_examples=200, deadline=None)
    def test_binomial_tails_equal_scipys(self, n: int, p: float, share: float) -> None:
        k = int(share * n)
        assert binomial_at_most(k, n, p) == pytest.approx(binom.cdf(k, n, p), rel=1e-9, abs=1e-12)

    @given(changed=st.integers(0, 256), limit=st.floats(0.01, 1.0))
    @settings(max_examples=200, deadline=None)
    def test_grades_are_clopper_and_pearsons(self, changed: int, limit: float) -> None:
        values = np.arange(256) < changed
        reference = numbers(lambda f: f["a"])(pd.DataFrame({"a": np.zeros(256)}))
        criterion = ChangedAnswers(pd.DataFrame({"a": np.zeros(256)}), reference, 0.1, limit, TAILS)
        possible = binomtest(changed, 256).proportion_ci(1 - 2 * TAILS.lower, "exact").high
        sure = binomtest(changed, 256).proportion_ci(1 - 2 * TAILS.upper, "exact").low
        if min(abs(possible - limit), abs(sure - limit)) < 1e-9:
            return
        broken = changed > limit * 256
        expected = (3 if sure > limit else 2) if broken else int(possible > limit)
        assert criterion.grade(values.astype(np.float64)) == expected


def test_the_default_plan_searches_and_takes_apart() -> None:
    frame, predict = table(), numbers(lambda f: f["a"] + f["b"])
    patient = DriftPlan(budget_s=60)  # whose default a busy machine may use up
    result = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), patient)
    assert {p.feature for p in result.breaking_points if p.magnitude is not None} == {"a", "b"}
    assert result.decomposition is not None
    assert result.decomposition.kind == "mean_shift"
    assert ScenarioPlan(kind="mean_shift", magnitude=result.decomposition.magnitude) in DriftPlan().scenarios


class TestManyFeatures:
    def test_the_table_is_cut_once_and_no_call_holds_more_cells_than_allowed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cut for each feature's search, and 20,000 rows a call, cost the square of the features."""
        names = [f"f{i}" for i in range(40)]
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(256, 40)), columns=names)
        schema = Schema(features=tuple(FieldSpec(name=name) for name in names))
        cells: list[int] = []
        made: list[ChangedAnswers] = []

        def function(rows: pd.DataFrame) -> np.ndarray:
            cells.append(rows.size)
            return (rows["f0"].to_numpy() > 0).astype(float)

        make = ChangedAnswers.__init__

        def noted(criterion: ChangedAnswers, *values: Any, **named: Any) -> None:
            made.append(criterion)
            make(criterion, *values, **named)

        predict = classes(function)
        subject = Subject.of(frame, schema, predict, predict(frame), 0)
        monkeypatch.setattr(ChangedAnswers, "__init__", noted)
        whole, _ = find_breaking_points(subject, plan())
        assert len(made) <= 4  # of all rows, the first 64, and as many as the budget allows
        cells.clear()
        monkeypatch.setattr("distances.changes.MAX_CALL_CELLS", 40 * 300)
        assert find_breaking_points(subject, plan())[0] == whole
        assert max(cells) <= 40 * 300


def test_a_column_of_few_values_saturates_the_bins_and_a_normal_one_does_not() -> None:
    """Any shift carries all rows of whole numbers into other bins: the PSI does not tell how far."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"fine": rng.normal(size=400), "coarse": rng.integers(0, 5, 400).astype(float)})
    schema = Schema(features=(FieldSpec(name="fine"), FieldSpec(name="coarse")))
    predict = numbers(lambda f: f["fine"] + f["coarse"])
    found = analyse(Subject.of(frame, schema, predict, predict(frame), 0), plan())
    by_name = {p.feature: p for p in found.breaking_points}
    for name in ("fine", "coarse"):
        point = by_name[name]
        assert point.psi_early is not None and point.psi_interval is not None and point.psi_interval[0]
        shift = 0.1 * (point.distances or (0.0,))[0] * frame[name].std(ddof=0)  # type: ignore[operator]
        moved = frame[[name]] + shift * (1 if point.direction == "up" else -1)
        (alone,) = compare(frame[[name]], moved).columns
        assert point.psi_early == pytest.approx(alone.psi, rel=1e-6)
        assert (point.psi_early > 0.5 * point.psi_interval[0]) is (name == "coarse")
