"""How fast a model answers: what is timed, and what the timed calls amount to.

Promises: tables are made before the clock runs, the clock is monotonic, the collector is off, and every
percentile comes with an interval. Calls are timed beside the model (`measure`, `time_block`); what they
amount to is worked out by whoever asked (`summarise`, `concurrency_row`, `paired_timing`).
"""

import gc
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from estimators.answers import FloatArray, SizeTimings, TimedCalls
from records.metrics import LatencyPlan

__all__ = ["Yardstick", "inputs_of", "measure", "seconds_from_now", "time_block", "warm_up"]


FEWEST_CALLS = 3
SINGLE_ROW_INPUTS = 16  # distinct rows, so that no cache answers for the model
BATCH_INPUTS = 3
MOST_INPUT_CELLS = 5_000_000  # 40 MB; larger batches are measured on one input
WINDOW = 3  # calls; two windows after each other are compared to see whether warming up is over
SETTLED = 0.1  # relative difference of the two windows' medians
MOST_WARM_UP = 100  # calls beyond which waiting for steadiness ends
WARM_UP_SHARE = 0.25  # of a batch size's time, beyond the calls that the plan asks for
VALIDATION_CALLS = 5
YARDSTICK_NUMBERS = 1_000  # some 20 microseconds
YARDSTICK_TRIALS = 25
MOST_REPEATS = 10_000
MOST_YARDSTICKS = 100_000


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


class Yardstick:
    """A fixed piece of work, some of it Python's and some NumPy's, timed to tell how busy the machine is.

    One call repeats it until it takes about `like_ms`, to be interrupted as often as the model's call is.
    """

    def __init__(self, like_ms: float) -> None:
        self._numbers = np.random.default_rng(0).random(YARDSTICK_NUMBERS)
        self._repeats = 1
        alone = time_block(self._work, (None,), calls=YARDSTICK_TRIALS)
        self._repeats = max(1, min(MOST_REPEATS, round(like_ms / float(np.median(alone)))))

    def block(self, seconds: float) -> FloatArray:
        """Milliseconds of the piece of work, one figure for each call (n,)."""
        ends = seconds_from_now(seconds)
        return time_block(self._work, (None,), calls=MOST_YARDSTICKS, deadline=ends) / self._repeats

    def _work(self, _nothing: None) -> None:
        for _ in range(self._repeats):
            sum(range(YARDSTICK_NUMBERS))
            np.sort(self._numbers)


def seconds_from_now(seconds: float) -> float:
    """A deadline for `warm_up` and `time_block`, on their clock."""
    return time.perf_counter() + seconds


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
