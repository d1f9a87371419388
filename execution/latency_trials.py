"""Latency that takes more than one process: callers at the same time, and two models in turn.

Promises: processes that are compared run the same rows at the same time, or in turn in short blocks.
Leaves opening models to the caller and the calls themselves to the models' processes.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pandas as pd

from errors import BadAnswer, ChildDied, ChildTimeout, ModelError, NotFound
from estimators.answers import FloatArray
from metrics import concurrency_row, paired_timing
from records.base import Section
from records.metrics import ConcurrencyRow, LatencyPlan, PairedTiming
from sandbox.handle import ModelHandle

__all__ = ["in_turn", "in_turn_or_why_not", "together", "with_callers"]

LEVEL_SHARE = 0.25  # of the plan's budget, for each number of callers
PAIRS = 24  # of blocks
FEWEST_PAIRS = 6  # with fewer a bootstrap interval says nothing
MOST_CALLS = 100_000  # of one block: its answer stays below a megabyte
BARRIER_S = 30.0


def with_callers(
    first: ModelHandle, open_another: Callable[[], ModelHandle], frame: pd.DataFrame, plan: LatencyPlan
) -> tuple[ConcurrencyRow, ...]:
    """Every number of callers of the plan, in ascending order; `first` is one of them each time."""
    handles, rows = [first], []
    for callers in sorted(set(plan.concurrency)):
        while len(handles) < callers:
            handles.append(open_another())
        rows.append(together(handles[:callers], frame, plan))
    return tuple(rows)


def together(handles: Sequence[ModelHandle], frame: pd.DataFrame, plan: LatencyPlan) -> ConcurrencyRow:
    """Calls of all handles at the same time, each timed in its own process; the plan's first batch size."""
    batch_size, seconds = plan.batch_sizes[0], plan.budget_s * LEVEL_SHARE
    for handle in handles:
        handle.rehearse(frame, plan, batch_size)
    barrier = threading.Barrier(len(handles), timeout=BARRIER_S)

    def call(handle: ModelHandle) -> FloatArray:
        barrier.wait()
        return handle.time_block(MOST_CALLS, seconds)

    with ThreadPoolExecutor(len(handles), thread_name_prefix="caller") as pool:
        return concurrency_row(batch_size, list(pool.map(call, handles)))


def in_turn(
    candidate: ModelHandle, baseline: ModelHandle, frame: pd.DataFrame, plan: LatencyPlan, run_id: str
) -> PairedTiming:
    """Both models on the plan's first batch size: block after block, and each pair in the other order."""
    batch_size, seconds = plan.batch_sizes[0], plan.budget_s / (2 * PAIRS)
    for handle in (candidate, baseline):
        handle.rehearse(frame, plan, batch_size)
    ends = time.monotonic() + plan.budget_s
    blocks: list[tuple[FloatArray, FloatArray]] = []
    for i in range(PAIRS):
        if i >= FEWEST_PAIRS and time.monotonic() > ends:
            break
        order = (candidate, baseline) if i % 2 == 0 else (baseline, candidate)
        one, other = (handle.time_block(MOST_CALLS, seconds) for handle in order)
        blocks.append((one, other) if i % 2 == 0 else (other, one))
    return paired_timing(run_id, batch_size, blocks)


def in_turn_or_why_not(
    handle: ModelHandle,
    start_baseline: Callable[[], AbstractContextManager[ModelHandle]],
    frame: pd.DataFrame,
    plan: LatencyPlan,
    baseline: str,
) -> Section[PairedTiming]:
    """`in_turn` with a baseline that has yet to be started; why not, where the two cannot be timed."""
    try:
        with start_baseline() as other:
            return Section[PairedTiming].ok(in_turn(handle, other, frame, plan, baseline))
    except (NotFound, ModelError) as error:
        return Section[PairedTiming].not_applicable(f"The two could not be timed in turn: {error.message}")
    except (ChildTimeout, ChildDied, BadAnswer) as error:
        return Section[PairedTiming].failed(f"The two could not be timed in turn: {error.message}")
