"""A model set up to be timed: what one timed call is, with how many threads, and its inputs laid out.

Promises: what is timed is the estimator's own method on an input made beforehand; reading the answer is
not in it. Lives in the child. Leaves the clock to `model_process.clock` and
the figures to `metrics`.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pandas as pd

from errors import ModelError, PredictFailed
from estimators.answers import FloatArray, TimedCalls
from estimators.traits import input_check
from model_process import clock
from model_utils import Adapter
from records.metrics import LatencyPlan

__all__ = ["Rig"]

REHEARSAL_S = 1.0  # most that warming up for blocks of calls may take
YARDSTICK_LIKE = 10  # calls, the shortest of which a call of the yardstick is as long as


class Rig:
    """One model and the plan that it is timed by."""

    def __init__(self, adapter: Adapter, plan: LatencyPlan) -> None:
        self._plan = plan
        self._prepare: Callable[[pd.DataFrame], Any] = adapter.prepare
        self._call = _timed_method(adapter, plan.method)
        self._validate = input_check(adapter.estimator) if adapter.framework == "scikit-learn" else None
        if adapter.takes_matrix:
            # It answers a matrix that it met before from memory: each timed call makes its own.
            self._prepare, self._validate = adapter.select, adapter.convert
            self._call = lambda table: adapter.predict(adapter.convert(table))
        self._inputs: Sequence[Any] = ()
        self._yardstick: clock.Yardstick | None = None

    @property
    def threads(self) -> int:
        """Threads that the numeric libraries may use while a call is timed."""
        return self._plan.threads or os.cpu_count() or 1

    def measure(self, frame: pd.DataFrame) -> TimedCalls:
        """Time every batch size of the plan."""
        with _limited(self._plan.threads):
            return clock.measure(self._prepare, self._call, frame, self._plan, self._validate)

    def rehearse(self, frame: pd.DataFrame, batch_size: int) -> None:
        """Lay out inputs of one batch size and warm up, ready for blocks of calls."""
        self._inputs, _ = clock.inputs_of(self._prepare, frame, batch_size)
        with _limited(self._plan.threads):
            clock.warm_up(
                self._call,
                self._inputs,
                fewest=max(1, self._plan.warmup),
                deadline=clock.seconds_from_now(REHEARSAL_S),
            )

    def block(self, calls: int, seconds: float) -> FloatArray:
        """Milliseconds of up to `calls` calls in a row (n,), no more than one after `seconds`."""
        if not self._inputs:
            raise ModelError("The model was not made ready to be timed.")
        deadline = clock.seconds_from_now(seconds)
        with _limited(self._plan.threads):
            return clock.time_block(self._call, self._inputs, calls=calls, deadline=deadline)

    def yardstick(self, seconds: float) -> FloatArray:
        """Milliseconds of a fixed piece of work, by calls as long as the model's (n,)."""
        if self._yardstick is None:
            self._yardstick = clock.Yardstick(float(self.block(YARDSTICK_LIKE, seconds).min()))
        return self._yardstick.block(seconds)


def _timed_method(adapter: Adapter, method: str) -> Callable[[Any], Any]:
    """The estimator's bound method; a raw booster's `predict` gives probabilities already.

    Where there is no predict, what is tested in its place is timed.
    """
    name = "predict" if adapter.objective else adapter.method if method == "predict" else method
    found = getattr(adapter.estimator, name, None)
    if found is None:
        raise PredictFailed(
            f"The model has no {name}, which the run's config wants timed.",
            hint="Leave out latency.method, or set it to predict.",
        )
    call: Callable[[Any], Any] = found
    return call


def _limited(threads: int | None) -> AbstractContextManager[Any]:
    """Numeric libraries held to so many threads. What an estimator sets for itself (n_jobs) still holds."""
    if threads is None:
        return nullcontext()
    from sklearn.utils.parallel import _get_threadpool_controller  # built before the lock

    limit: AbstractContextManager[Any] = _get_threadpool_controller().limit(limits=threads)
    return limit
