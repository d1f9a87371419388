"""Calls are counted and timed as planned, and every figure has an interval that an oracle confirms."""

# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type"

import gc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from metrics import concurrency_row, paired_timing, quantile_interval, summarise
from model_process import clock as clock_module
from model_process.clock import measure, warm_up
from records.metrics import LatencyPlan, LatencyRow

FRAME = pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0) * 2})


class Recorder:
    """Stands for a model: keeps what it was asked and whether the collector was off meanwhile."""

    def __init__(self):
        self.asked = []
        self.collecting = []

    def prepare(self, frame):
        return frame.to_numpy()

    def predict(self, x):
        self.asked.append(x)
        self.collecting.append(gc.isenabled())
        return x[:, 0]


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the model moves."""
    state = SimpleNamespace(now=100.0)
    monkeypatch.setattr(
        clock_module,
        "time",
        SimpleNamespace(perf_counter=lambda: state.now, perf_counter_ns=lambda: round(state.now * 1e9)),
    )
    return state


def ticking(clock, durations):
    """A predict that takes the next of some durations (seconds)."""
    steps = iter(durations)

    def predict(x):
        clock.now += next(steps)

    return predict


def test_every_batch_size_gets_its_planned_calls_and_rows(clock):
    model = Recorder()
    plan = LatencyPlan(batch_sizes=(1, 7, 100), calls=5, warmup=2, budget_s=60)
    found = summarise(measure(model.prepare, model.predict, FRAME, plan))
    # Calls that take the same time are steady as soon as there are two windows of three.
    assert [(r.batch_size, r.n, r.warmup, r.stable) for r in found.rows] == [
        (1, 5, 6, True),
        (7, 5, 6, True),
        (100, 5, 6, True),
    ]
    assert [len(x) for x in model.asked] == [1] * 12 + [7] * 11 + [100] * 11
    assert not found.cut_short


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


def test_warming_up_goes_on_until_the_calls_are_steady(clock):
    """Twelve calls that get faster by a fifth each, then steady ones: the first two equal windows end it."""
    falling = [0.01 * 0.8**i for i in range(12)]
    steady = [falling[-1]] * 100
    made, stable = warm_up(ticking(clock, falling + steady), [0], fewest=3, deadline=clock.now + 60)
    windows = np.array(falling + steady)
    settled = [
        n
        for n in range(6, 100)
        if abs(np.median(windows[n - 3 : n]) / np.median(windows[n - 6 : n - 3]) - 1) <= 0.1
    ]
    assert (made, stable) == (settled[0], True)
    assert made > 12


def test_a_model_that_never_settles_is_timed_all_the_same_and_it_is_said(clock):
    growing = [0.001 * 1.2**i for i in range(40)]
    made, stable = warm_up(ticking(clock, growing), [0], fewest=3, deadline=clock.now + 1.0)
    assert stable is False
    # It waits for a quarter of the time at most, and notices after the call that passed it.
    assert sum(growing[: made - 1]) < 0.25 <= sum(growing[:made])


def test_no_warm_up_is_none_at_all():
    model = Recorder()
    assert warm_up(model.predict, [np.zeros((1, 1))], fewest=0, deadline=1e9) == (0, None)
    assert model.asked == []


def test_a_slow_model_is_cut_to_three_calls_a_batch_size(clock):
    def predict(x):
        clock.now += 5.0

    plan = LatencyPlan(batch_sizes=(1, 10), calls=50, budget_s=2)
    found = summarise(measure(lambda f: f, predict, FRAME, plan))
    assert [(r.n, r.warmup, r.stable) for r in found.rows] == [(3, 1, None), (3, 1, None)]
    assert found.cut_short
    assert found.first_call_ms == pytest.approx(5000)


def test_a_budget_left_over_by_one_batch_size_is_shared_by_the_rest(clock):
    """10 ms a row in batches: 1 needs 0.2 s of its 1 s, so that 10 may use almost 2 s."""

    def predict(x):
        clock.now += 0.01 * len(x)

    plan = LatencyPlan(batch_sizes=(1, 10), calls=20, warmup=0, budget_s=2.0)
    timed = measure(lambda f: f, predict, FRAME, plan)
    assert [len(size.calls_ms) for size in timed.sizes] == [20, 18]


def test_preparing_and_checking_are_timed_apart_from_the_call(clock):
    def takes(seconds):
        def step(x):
            clock.now += seconds
            return x

        return step

    plan = LatencyPlan(batch_sizes=(1,), calls=5, budget_s=60)
    (row,) = summarise(measure(takes(0.003), takes(0.02), FRAME, plan, takes(0.0005))).rows
    assert (row.p50_ms, row.prepare_ms, row.validation_ms) == pytest.approx((20, 3, 0.5))


def test_a_check_that_refuses_the_input_is_left_out(clock):
    def refuses(x):
        raise TypeError("text")

    (row,) = summarise(measure(lambda f: f, lambda x: x, FRAME, LatencyPlan(batch_sizes=(1,)), refuses)).rows
    assert row.validation_ms is None


def test_figures_are_numpys_percentiles_of_the_calls(clock):
    predict = ticking(clock, [0.5, *(0.001 * i for i in range(1, 21))])
    plan = LatencyPlan(batch_sizes=(10,), calls=20, warmup=0, budget_s=60)
    (row,) = summarise(measure(lambda f: f, predict, FRAME, plan)).rows
    expected = np.percentile(np.arange(1, 21), [50, 90, 95, 99])
    assert [row.p50_ms, row.p90_ms, row.p95_ms, row.p99_ms] == pytest.approx(expected.tolist())
    assert row.mean_ms == pytest.approx(10.5)
    assert row.rows_per_s == pytest.approx(10 / 0.0105)
    assert row.p50_interval == pytest.approx(quantile_interval(np.arange(1.0, 21.0), 0.5))


def test_throughput_is_the_best_batch_size(clock):
    def predict(x):
        clock.now += 0.01

    plan = LatencyPlan(batch_sizes=(1, 20), calls=3, budget_s=60)
    assert summarise(measure(lambda f: f, predict, FRAME, plan)).throughput_rows_s == pytest.approx(2000)


@pytest.mark.parametrize("wrong", [{"batch_sizes": (0,)}, {"concurrency": (0,)}, {"threads": 0}])
def test_a_plan_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        LatencyPlan(**wrong)


@pytest.mark.parametrize("n", [3, 10, 50, 72, 73, 367, 368])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
def test_a_percentiles_interval_is_scipys(n, share):
    values = np.sort(np.random.default_rng(n).lognormal(size=n))
    expected = stats.quantile_test(values, p=share).confidence_interval(0.95)
    found = [np.nan if end is None else end for end in quantile_interval(values, share)]
    np.testing.assert_array_equal(found, [expected.low, expected.high])


def test_a_percentiles_interval_holds_it_as_often_as_it_says():
    """2,000 draws of 50 skewed values: 95 % at least, for the interval is never too narrow."""
    drawn = np.sort(np.random.default_rng(1).lognormal(size=(2000, 50)), axis=1)
    truth = stats.lognorm(s=1).ppf(0.9)
    held = [low <= truth <= high for low, high in (quantile_interval(row, 0.9) for row in drawn)]
    assert np.mean(held) > 0.94


def test_callers_figures_are_those_of_all_their_calls_and_their_throughput_adds_up():
    one, other = np.full(100, 2.0), np.full(50, 4.0)
    row = concurrency_row(10, [one, other])
    assert (row.callers, row.n) == (2, 150)
    assert (row.p50_ms, row.p95_ms) == (2.0, 4.0)
    assert row.rows_per_s == pytest.approx(10 / 0.002 + 10 / 0.004)


def blocks(rng, factor, pairs=24, calls=20, noise=0.1):
    """Timings on a noisy machine: skewed calls, now and then a stall, and a speed that wanders."""
    speed = np.exp(np.cumsum(rng.normal(0, 0.05, pairs)))
    stalls = rng.random((pairs, 2, calls)) < 0.05
    made = speed[:, None, None] * rng.lognormal(0, noise, (pairs, 2, calls)) * (1 + 5 * stalls)
    return [(pair[0] * factor, pair[1]) for pair in made]


def test_a_model_against_itself_is_hardly_ever_told_apart():
    """500 noisy trials: an interval wholly above 1 in no more than 5 %, and above 1.05 never."""
    rng = np.random.default_rng(7)
    lows = np.array([paired_timing("r", 1, blocks(rng, 1.0), seed=i).interval[0] for i in range(500)])
    assert (lows > 1).mean() < 0.05
    assert (lows > 1.05).sum() == 0


def test_a_model_twice_as_slow_is_always_found():
    rng = np.random.default_rng(8)
    found = [paired_timing("r", 1, blocks(rng, 2.0), seed=i) for i in range(100)]
    assert min(pair.interval[0] for pair in found) > 1.8
    assert np.median([pair.ratio for pair in found]) == pytest.approx(2, rel=0.02)


def test_a_stretch_in_which_the_machine_is_slow_for_both_changes_nothing():
    rng = np.random.default_rng(9)
    calm = blocks(rng, 1.3)
    slow = [
        (ours * 4, theirs * 4) if 5 <= i < 15 else (ours, theirs) for i, (ours, theirs) in enumerate(calm)
    ]
    assert paired_timing("r", 1, slow).ratio == pytest.approx(paired_timing("r", 1, calm).ratio)


def test_the_interval_of_the_ratio_is_scipys_percentile_bootstrap():
    found = paired_timing("r", 1, blocks(np.random.default_rng(3), 1.4, pairs=40))
    ratios = np.array(
        [np.median(a) / np.median(b) for a, b in blocks(np.random.default_rng(3), 1.4, pairs=40)]
    )
    expected = stats.bootstrap(
        (ratios,), np.median, n_resamples=5000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert found.ratio == pytest.approx(np.median(ratios))
    assert found.interval == pytest.approx((expected.low, expected.high), rel=0.01)


def test_a_row_stored_before_there_were_intervals_is_still_read():
    old = {"batch_size": 1, "n": 50, "warmup": 3, "mean_ms": 1.0, "p50_ms": 1.0, "p90_ms": 1.0,
           "p95_ms": 1.0, "p99_ms": 1.0, "rows_per_s": 1000.0}  # fmt: skip
    row = LatencyRow.model_validate(old)
    assert (row.p50_interval, row.stable, row.prepare_ms) == (None, None, None)
