"""The report's `metrics` section: one model timed, alone, by several callers, and beside its baseline.

Leaves the calls to the models' processes, and judging to `checks`.
"""

import os
from contextlib import ExitStack

import pandas as pd

from estimators.answers import Predictions
from execution import latency_trials
from execution.gated_timing import Timer, gated_expressions
from execution.model import RunModel
from records.base import Section
from records.gates import Gates
from records.metrics import PairedTiming, Performance
from sandbox.handle import ModelHandle
from store.run_rows import RunRow

__all__ = ["performance"]


def performance(
    model: RunModel, baseline: RunRow | None, frame: pd.DataFrame, reference: Predictions
) -> Performance:
    """All about time and memory. reference: the answers to `frame`, whose failed rows are not timed."""
    handle, run_plan = model.open(), model.row.plan
    plan = run_plan.latency
    usable = frame[~reference.failed]
    if usable.empty:
        return Performance(
            load_ms=model.info.load_ms,
            latency=(),
            throughput_rows_s=None,
            error_rate=1.0,
            peak_memory_mb=handle.memory().peak_mb,
            load_memory_mb=model.info.load_memory_mb,
        )
    timings = handle.measure(usable, plan)
    memory = handle.memory()
    with ExitStack() as others:
        callers = latency_trials.with_callers(
            handle, lambda: others.enter_context(model.start(model.row)), usable, plan
        )
    in_turn = _against_baseline(model, baseline, handle, usable) if plan.against_baseline else None
    found = Performance(
        load_ms=model.info.load_ms,
        first_call_ms=timings.first_call_ms,
        latency=timings.rows,
        throughput_rows_s=max((row.rows_per_s for row in timings.rows), default=None),
        error_rate=float(reference.failed.mean()),
        peak_memory_mb=memory.peak_mb,
        load_memory_mb=model.info.load_memory_mb,
        predict_memory_mb=memory.since_load_mb,
        cut_short=timings.cut_short,
        method=plan.method,
        threads=plan.threads or os.cpu_count(),
        concurrency=callers,
        against_baseline=in_turn,
    )
    gated = gated_expressions(run_plan.gates)
    if not plan.against_baseline and _seems_slower(found, baseline, run_plan.gates):
        gated = (*gated, run_plan.gates.against_baseline)
    if not gated:
        return found
    timer = Timer(
        lambda: model.start(model.row),
        None if baseline is None else lambda: model.start(baseline),
        usable,
        plan,
        run_plan.gates.budget_s,
    )
    return found.model_copy(update={"gated": timer.settled(gated, found)})


def _seems_slower(found: Performance, baseline: RunRow | None, gates: Gates) -> bool:
    """Whether the figures break the gate on the earlier run's: they are of another hour, so that both models
    are timed in turn before it is said."""
    row, earlier = found.single_row, baseline.p95_ms if baseline is not None else None
    limit = gates.against_baseline.limit_from(earlier)
    return row is not None and limit is not None and row.p95_ms > limit


def _against_baseline(
    model: RunModel, baseline: RunRow | None, handle: ModelHandle, frame: pd.DataFrame
) -> Section[PairedTiming]:
    """This model and the baseline run's, timed in turn; why not, where the two cannot be."""
    if baseline is None:
        return Section[PairedTiming].not_applicable("The baseline run was deleted.")
    return latency_trials.in_turn_or_why_not(
        handle, lambda: model.start(baseline), frame, model.row.plan.latency, baseline.id
    )
