"""Timings that a gate names, made sure of: more calls, in fresh processes, until the gate can be told.

Promises: what the first timings already show to hold costs nothing; a gate is called broken only by several
sittings that agree, granting that the machine may have been busy. Leaves the verdict to `judging`, and the
calls to the models' processes.
"""

import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from errors import ChildError, ModelError, NotFound
from estimators.answers import FloatArray
from records.figures import figures
from records.gates import Expression, Gates
from records.metrics import GatedTiming, Interval, LatencyPlan, Performance
from sandbox.handle import ModelHandle

__all__ = ["Timer", "gated_expressions"]

Start = Callable[[], AbstractContextManager[ModelHandle]]

FEWEST_SITTINGS = 3
MOST_SITTINGS = 9
PAIRS = 6  # of blocks in a sitting
BLOCK_S = 0.06
FEWEST_CALLS = 20  # of a block: fewer have no 95th percentile of their own
MOST_CALLS = 100_000
CONFIDENCE = 0.99  # of a gate's interval: a build should not turn red by chance
LATENCY = re.compile(
    r"metrics\.latency\[(?P<size>\d{1,7})\]\.(?P<what>p50_ms|p90_ms|p95_ms|p99_ms|mean_ms|rows_per_s)"
)


class Timed(NamedTuple):
    """What a path asks for: of calls of so many rows the quantile, as milliseconds or as rows a second."""

    batch_size: int
    quantile: float | None  # None: the mean
    per_second: bool


class Sitting(NamedTuple):
    """One figure from one pair of fresh processes, in the figure's own unit."""

    value: float
    slowdown: float
    n: int
    baseline: float | None = None
    ratio: float | None = None


def gated_expressions(gates: Gates) -> tuple[Expression, ...]:
    """The gates that are of calls' times, the single-row p95 of `p95_ms` among them."""
    named = tuple(one for one in gates.parsed if one.is_timing)
    return named if gates.single_row is None else (gates.single_row, *named)


class Rest:
    """The shortest that the yardstick ever took on this machine since the process began, in milliseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._least = float("inf")

    def seen(self, calls_ms: FloatArray) -> float:
        with self._lock:
            # Not the least of all: the clock has its own slips.
            self._least = min(self._least, float(np.quantile(calls_ms, 0.05)))
            return self._least


_REST = Rest()


@dataclass
class Timer:
    """What a gated timing needs: both models, rows to ask, and the seconds for all gates together."""

    start: Start
    start_baseline: Start | None
    frame: pd.DataFrame
    plan: LatencyPlan
    budget_s: float
    ends: float = field(init=False)

    def __post_init__(self) -> None:
        self.ends = time.monotonic() + self.budget_s

    def settled(self, expressions: Sequence[Expression], measured: Performance) -> tuple[GatedTiming, ...]:
        """A figure for each gate that the timings made so far cannot tell."""
        found = []
        known = figures({"metrics": measured})
        for i, one in enumerate(expressions):
            timed = _timed(one.path, measured)
            if timed is None:
                continue
            first = known.get(one.path)
            surely = first is not None and _surely_holds(one, first.interval)
            if one.limit is not None and surely:
                continue
            until = time.monotonic() + max(self.ends - time.monotonic(), 0.0) / (len(expressions) - i)
            found.append(self._sit(one, timed, until))
        return tuple(one for one in found if one is not None)

    def _sit(self, gate: Expression, timed: Timed, until: float) -> GatedTiming | None:
        sittings: list[Sitting] = []
        beside = self.start_baseline if gate.needs_baseline else None
        while len(sittings) < MOST_SITTINGS:
            if len(sittings) >= FEWEST_SITTINGS and time.monotonic() >= until:
                break
            try:
                sittings.append(self._sitting(timed, beside))
            except (ModelError, ChildError, NotFound):
                if beside is None:
                    break
                beside = None  # the baseline's model is gone or does not run: its figures are judged instead
                sittings.clear()
                continue
            if len(sittings) >= FEWEST_SITTINGS and _told(gate, _summary(gate, timed, sittings)):
                break
        return _summary(gate, timed, sittings) if len(sittings) >= FEWEST_SITTINGS else None

    def _sitting(self, timed: Timed, start_baseline: Start | None) -> Sitting:
        with self.start() as mine:
            mine.rehearse(self.frame, self.plan, timed.batch_size)
            if start_baseline is None:
                blocks, yardsticks = [], []
                for _ in range(PAIRS):
                    blocks.append(_block(mine))
                    yardsticks.append(mine.time_block(MOST_CALLS, BLOCK_S / 2, yardstick=True))
                calls, work = np.concatenate(blocks), np.concatenate(yardsticks)
                slowdown = max(1.0, _quantile(work, timed) / _REST.seen(work))
                return Sitting(_figure(calls, timed), slowdown, len(calls))
            with start_baseline() as other:
                other.rehearse(self.frame, self.plan, timed.batch_size)
                ours: list[FloatArray] = []
                theirs: list[FloatArray] = []
                for i in range(PAIRS):
                    order = ((mine, ours), (other, theirs))
                    for handle, into in order if i % 2 == 0 else order[::-1]:
                        into.append(_block(handle))
        ratios = [_figure(a, timed) / _figure(b, timed) for a, b in zip(ours, theirs, strict=True)]
        calls = np.concatenate(ours)
        baseline = _figure(np.concatenate(theirs), timed)
        return Sitting(_figure(calls, timed), 1.0, len(calls), baseline, float(np.median(ratios)))


def _block(handle: ModelHandle) -> FloatArray:
    calls = handle.time_block(MOST_CALLS, BLOCK_S)
    if len(calls) < FEWEST_CALLS:
        calls = np.concatenate([calls, handle.time_block(FEWEST_CALLS - len(calls), BLOCK_S * FEWEST_CALLS)])
    return calls


def _timed(path: str, measured: Performance) -> Timed | None:
    found = LATENCY.fullmatch(path)
    if found is not None:
        what = found["what"]
        quantile = None if what == "mean_ms" else 0.5 if what == "rows_per_s" else int(what[1:3]) / 100
        return Timed(int(found["size"]), quantile, what == "rows_per_s")
    if path == "metrics.throughput_rows_s" and measured.latency:
        best = max(measured.latency, key=lambda row: row.rows_per_s)
        return Timed(best.batch_size, 0.5, True)
    return None


def _quantile(calls_ms: FloatArray, timed: Timed) -> float:
    if timed.quantile is None:
        return float(np.mean(calls_ms))
    return float(np.quantile(calls_ms, timed.quantile))


def _figure(calls_ms: FloatArray, timed: Timed) -> float:
    taken = max(_quantile(calls_ms, timed), 1e-6)  # the clock ticks in nanoseconds
    return timed.batch_size * 1000.0 / taken if timed.per_second else taken


def _surely_holds(gate: Expression, interval: Interval | None) -> bool:
    worse = None if interval is None else interval[1 if gate.direction == "at_most" else 0]
    return worse is not None and gate.limit is not None and gate.holds(worse, gate.limit)


def _summary(gate: Expression, timed: Timed, sittings: Sequence[Sitting]) -> GatedTiming:
    values = np.array([one.value for one in sittings])
    slow = np.array([one.slowdown for one in sittings])
    at_rest = values * slow if timed.per_second else values / slow
    raw, rested = _interval(values), _interval(at_rest)
    ratios = np.array([one.ratio for one in sittings if one.ratio is not None])
    in_turn = len(ratios) == len(sittings)
    baselines = [one.baseline for one in sittings if one.baseline is not None]
    return GatedTiming(
        gate=gate.text,
        path=gate.path,
        batch_size=timed.batch_size,
        sittings=len(sittings),
        n=sum(one.n for one in sittings),
        value=float(np.median(values)),
        interval=(raw[0], rested[1]) if timed.per_second else (rested[0], raw[1]),
        slowdown=None if in_turn else float(np.median(slow)),
        baseline=float(np.median(baselines)) if in_turn else None,
        ratio=float(np.median(ratios)) if in_turn else None,
        ratio_interval=_interval(ratios) if in_turn else None,
    )


def _interval(values: FloatArray) -> tuple[float, float]:
    """Student's t interval of the mean logarithm over the sittings, the sittings being what varies."""
    logs = np.log(values)
    half = (
        float(student.ppf(0.5 + CONFIDENCE / 2, len(logs) - 1)) * float(logs.std(ddof=1)) / len(logs) ** 0.5
    )
    middle = float(logs.mean())
    return float(np.exp(middle - half)), float(np.exp(middle + half))


def _told(gate: Expression, found: GatedTiming) -> bool:
    """Whether all of the interval is on one side of the limit."""
    if gate.needs_baseline:
        limit, interval = gate.limit_from(found.baseline), found.ratio_interval
        if limit is None or interval is None or found.baseline is None:
            return False
        limit /= found.baseline
    else:
        limit, interval = gate.limit, found.interval
    assert limit is not None and interval is not None
    low, high = interval
    assert low is not None and high is not None
    return gate.holds(low, limit) == gate.holds(high, limit)
