"""How fast a model answers: what is timed, and what the timed calls amount to.

Promises: tables are made before the clock runs, the clock is monotonic, the collector is off, and every
percentile comes with an interval. Calls are timed beside the model (`measure`, `time_block`); what they
amount to is worked out by whoever asked (`summarise`, `concurrency_row`, `paired_timing`).
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from records.metrics import ConcurrencyRow, Interval, LatencyPlan, LatencyRow, PairedTiming

__all__ = [
    "CONFIDENCE", "SizeTimings", "TimedCalls", "Timings", "concurrency_row", "inputs_of", "measure",
    "paired_timing", "quantile_interval", "seconds_from_now", "summarise", "time_block", "warm_up",
]  # fmt: skip

FloatArray = npt.NDArray[np.float64]

CONFIDENCE = 0.95
PERCENTILES = (50, 90, 95, 99)
FEWEST_CALLS = 3
SINGLE_ROW_INPUTS = 16  # distinct rows, so that no cache answers for the model
BATCH_INPUTS = 3
MOST_INPUT_CELLS = 5_000_000  # 40 MB; larger batches are measured on one input
WINDOW = 3  # calls; two windows after each other are compared to see whether warming up is over
SETTLED = 0.1  # relative difference of the two windows' medians
MOST_WARM_UP = 100  # calls beyond which waiting for steadiness ends
WARM_UP_SHARE = 0.25  # of a batch size's time, beyond the calls that the plan asks for
VALIDATION_CALLS = 5
RESAMPLES = 2_000


@dataclass(frozen=True)
class SizeTimings:
    """The timed calls of one batch size, in milliseconds and in the order they were made."""

    batch_size: int
    calls_ms: FloatArray
    warmup: int
    stable: bool | None = None
    prepare_ms: float | None = None
    validation_ms: float | None = None


@dataclass(frozen=True)
class TimedCalls:
    """What `measure` found: the calls of each batch size, the very first call, whether time ran out."""

    sizes: tuple[SizeTimings, ...]
    first_call_ms: float
    cut_short: bool


@dataclass(frozen=True)
class Timings:
    """What timed calls amount to: one row a batch size."""

    rows: tuple[LatencyRow, ...]
    first_call_ms: float
    cut_short: bool

    @property
    def throughput_rows_s(self) -> float:
        """The best rows a second over the batch sizes."""
        return max(row.rows_per_s for row in self.rows)


def measure(
    prepare: Callable[[pd.DataFrame], Any],
    predict: Callable[[Any], Any],
    frame: pd.DataFrame,
    plan: LatencyPlan,
    validate: Callable[[Any], Any] | None = None,
) -> TimedCalls:
    """Time `predict` alone, for each batch size, on inputs made beforehand by `prepare` (child side).

    Several distinct inputs take turns; the garbage collector is off while calls are timed. Calls that
    warm up go on until they are steady. Each batch size gets an equal share of what is left of
    `plan.budget_s`, warm-up included, and at least 3 timed calls whatever they cost; a batch size
    above the frame's rows repeats them. `validate` is timed by itself where it is given and does not
    raise. Exceptions of `predict` pass through.
    """
    ends = time.perf_counter() + plan.budget_s
    first_call_ms: float | None = None
    sizes: list[SizeTimings] = []
    cut_short = False
    for i, batch_size in enumerate(plan.batch_sizes):
        inputs, prepare_ms = inputs_of(prepare, frame, batch_size)
        if first_call_ms is None:
            first_call_ms = float(time_block(predict, inputs, calls=1)[0])
        now = time.perf_counter()
        deadline = now + max(0.0, ends - now) / (len(plan.batch_sizes) - i)
        warm, stable = warm_up(predict, inputs, fewest=plan.warmup, deadline=deadline)
        calls_ms = time_block(predict, inputs, calls=plan.calls, fewest=FEWEST_CALLS, deadline=deadline)
        cut_short = cut_short or len(calls_ms) < plan.calls
        checked = None if validate is None else _time_validation(validate, inputs, deadline)
        sizes.append(SizeTimings(batch_size, calls_ms, warm, stable, prepare_ms, checked))
    assert first_call_ms is not None  # a plan has at least one batch size
    return TimedCalls(tuple(sizes), first_call_ms, cut_short)


def summarise(timed: TimedCalls) -> Timings:
    """Percentiles (interpolated linearly, numpy's way), their intervals and throughput of timed calls."""
    return Timings(tuple(_latency_row(size) for size in timed.sizes), timed.first_call_ms, timed.cut_short)


def inputs_of(
    prepare: Callable[[pd.DataFrame], Any], frame: pd.DataFrame, batch_size: int
) -> tuple[list[Any], float]:
    """Distinct inputs of one batch size, and the median milliseconds that `prepare` took for one."""
    wanted = SINGLE_ROW_INPUTS if batch_size == 1 else BATCH_INPUTS
    cells = batch_size * max(1, frame.shape[1])
    count = max(1, min(wanted, len(frame), MOST_INPUT_CELLS // cells))
    starts = np.linspace(0, len(frame), count, endpoint=False).astype(int)
    tables = [frame.iloc[(start + np.arange(batch_size)) % len(frame)] for start in starts]
    inputs: list[Any] = []
    taken_ms = time_block(lambda table: inputs.append(prepare(table)), tables, calls=count)
    return inputs, float(np.median(taken_ms))


def warm_up(
    predict: Callable[[Any], Any], inputs: Sequence[Any], *, fewest: int, deadline: float
) -> tuple[int, bool | None]:
    """Call until two windows of calls after each other take the same time; (calls made, steady or not).

    At least `fewest` calls (none at all for 0) unless the deadline passes, and beyond those for a quarter
    of the time until the deadline at most. None: too few calls to tell.
    """
    now = time.perf_counter()
    patience = now + WARM_UP_SHARE * max(0.0, deadline - now)
    taken: list[float] = []
    while fewest and len(taken) < max(fewest, MOST_WARM_UP):
        made = len(taken)
        if made and time.perf_counter() >= (deadline if made < fewest else patience):
            break
        if made >= fewest and _settled(taken):
            return made, True
        taken.append(float(time_block(predict, inputs[made % len(inputs) :], calls=1)[0]))
    return len(taken), _settled(taken)


def time_block(
    predict: Callable[[Any], Any],
    inputs: Sequence[Any],
    *,
    calls: int,
    fewest: int = 1,
    deadline: float = float("inf"),
) -> FloatArray:
    """Milliseconds of each of up to `calls` calls (n,); after the deadline no more than `fewest`."""
    clock, count = time.perf_counter_ns, len(inputs)
    ends_ns = deadline * 1e9
    taken: list[int] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for i in range(calls):
            x = inputs[i % count]
            started = clock()
            if i >= fewest and started >= ends_ns:
                break
            started = clock()
            predict(x)
            taken.append(clock() - started)
    finally:
        if collecting:
            gc.enable()
    return np.array(taken, dtype=np.float64) / 1e6


def seconds_from_now(seconds: float) -> float:
    """A deadline for `warm_up` and `time_block`, on their clock."""
    return time.perf_counter() + seconds


def quantile_interval(ordered: FloatArray, share: float, confidence: float = CONFIDENCE) -> Interval:
    """Interval of a quantile from n sorted values, by order statistics: exact, whatever the distribution.

    The number of values below the true quantile is binomial (n, share); the ends are the values at its
    (1 - confidence) / 2 quantiles from either side. An end that the n values cannot bound is None: the
    upper one of p95 needs 73 values, that of p99 368. Values are taken as independent. Source: Conover,
    Practical Nonparametric Statistics (1999), section 3.2; the same as scipy.stats.quantile_test.
    """
    from scipy.stats import binom  # not in the web process

    tail = (1 - confidence) / 2
    n = len(ordered)
    low, high = int(binom.ppf(tail, n, share)), int(binom.ppf(1 - tail, n, share)) + 1
    return (
        float(ordered[low - 1]) if low >= 1 else None,
        float(ordered[high - 1]) if high <= n else None,
    )


def concurrency_row(batch_size: int, callers_ms: Sequence[FloatArray]) -> ConcurrencyRow:
    """What the callers' calls amount to, one array of milliseconds for each of them."""
    together = np.sort(np.concatenate(callers_ms))
    p50, p95 = (float(p) for p in np.percentile(together, [50, 95]))
    done = [batch_size * len(calls) / max(float(calls.sum()) / 1000, 1e-9) for calls in callers_ms]
    return ConcurrencyRow(
        callers=len(callers_ms),
        batch_size=batch_size,
        n=len(together),
        p50_ms=p50,
        p95_ms=p95,
        rows_per_s=float(sum(done)),
        p50_interval=quantile_interval(together, 0.5),
        p95_interval=quantile_interval(together, 0.95),
    )


def paired_timing(
    run_id: str, batch_size: int, blocks: Sequence[tuple[FloatArray, FloatArray]], seed: int = 0
) -> PairedTiming:
    """The candidate's time as a multiple of the baseline's, from blocks of calls timed in turn.

    blocks: (candidate's, baseline's) milliseconds of each pair. The figure is the median over pairs of the
    ratio of the two blocks' medians: what slows the machine down for longer than a pair slows both.
    Interval: percentile bootstrap over pairs (Efron and Tibshirani, An Introduction to the Bootstrap
    (1993), ch. 13), 2,000 resamples at a fixed seed; scipy.stats.bootstrap(method="percentile") agrees.
    """
    medians = np.array([(np.median(ours), np.median(theirs)) for ours, theirs in blocks])
    ratios = medians[:, 0] / np.maximum(medians[:, 1], 1e-6)  # the clock ticks in nanoseconds
    drawn = np.random.default_rng(seed).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(ratios[drawn], axis=1), [tail, 1 - tail])
    return PairedTiming(
        run_id=run_id,
        batch_size=batch_size,
        pairs=len(blocks),
        n=sum(len(ours) for ours, _ in blocks),
        p50_ms=float(np.median(np.concatenate([ours for ours, _ in blocks]))),
        baseline_p50_ms=float(np.median(np.concatenate([theirs for _, theirs in blocks]))),
        ratio=float(np.median(ratios)),
        interval=(float(low), float(high)),
    )


def _settled(taken: Sequence[float]) -> bool | None:
    if len(taken) < 2 * WINDOW:
        return None
    before, last = median(taken[-2 * WINDOW : -WINDOW]), median(taken[-WINDOW:])
    return abs(last - before) <= SETTLED * before


def _time_validation(validate: Callable[[Any], Any], inputs: Sequence[Any], deadline: float) -> float | None:
    try:
        validate(inputs[0])  # one that is not counted; a check that refuses this input says nothing
        taken = time_block(validate, inputs, calls=VALIDATION_CALLS, deadline=deadline)
    except Exception:
        return None
    return float(np.median(taken))


def _latency_row(size: SizeTimings) -> LatencyRow:
    ordered = np.sort(size.calls_ms)
    figures = {
        f"p{p}_ms": float(v) for p, v in zip(PERCENTILES, np.percentile(ordered, PERCENTILES), strict=True)
    }
    intervals = {f"p{p}_interval": quantile_interval(ordered, p / 100) for p in PERCENTILES}
    return LatencyRow.model_validate({
        "batch_size": size.batch_size,
        "n": len(ordered),
        "warmup": size.warmup,
        "mean_ms": float(ordered.mean()),
        "rows_per_s": size.batch_size / max(figures["p50_ms"] / 1000, 1e-9),  # the clock ticks in nanoseconds
        "stable": size.stable,
        "prepare_ms": size.prepare_ms,
        "validation_ms": size.validation_ms,
        **figures,
        **intervals,
    })  # fmt: skip
