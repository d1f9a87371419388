"""Integrated gradients: attributions of a differentiable network along the way from a baseline to a row.

Promises: the values sum to the difference of the outputs as exactly as the steps and the time allow, and
what is missing is for the caller to see. Leaves the gradients to the network's own library.
"""

import time
from collections.abc import Callable

import numpy as np

from estimators.answers import FloatArray

__all__ = ["integrated_gradients"]

Gradients = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""From rows (n, f) to outputs (n, k) and their gradients (n, f, k)."""

FEWEST_STEPS, MOST_STEPS = 16, 1024
CLOSE_ENOUGH = 1e-4  # of the largest output: what the sum may miss before more steps are taken
CELLS = 4_000_000  # values of one call


def integrated_gradients(
    gradients: Gradients, rows: FloatArray, baseline: FloatArray, budget_s: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(values (n, f, k), base (k,), explained (n, k)) for rows (n, f) against one baseline (f,).

    The path's integral by the midpoint rule, whose steps are doubled until the values sum to the difference
    of the outputs or the budget is spent: a network of ReLUs is not smooth, so that higher-order rules
    gain nothing. Source: Sundararajan, Taly, Yan, Axiomatic Attribution for Deep Networks (2017).
    """
    started = time.perf_counter()
    explained, base = gradients(rows)[0], gradients(baseline[None])[0][0]
    size = float(np.abs(explained).max(initial=0.0)) or 1.0
    steps = FEWEST_STEPS
    while True:
        values = _midpoints(gradients, rows, baseline, steps)
        missing = float(np.abs(values.sum(axis=1) + base - explained).max(initial=0.0)) / size
        spent_s = time.perf_counter() - started
        if missing <= CLOSE_ENOUGH or steps >= MOST_STEPS or 3 * spent_s > budget_s:
            return values, base, explained
        steps *= 2


def _midpoints(gradients: Gradients, rows: FloatArray, baseline: FloatArray, steps: int) -> FloatArray:
    shares = (np.arange(steps) + 0.5) / steps
    n, f = rows.shape
    away = rows - baseline
    total: FloatArray | None = None
    at_once = max(1, CELLS // max(1, n * f))
    for start in range(0, steps, at_once):
        part = shares[start : start + at_once]
        points = (baseline + part[:, None, None] * away).reshape(-1, f)
        slopes = gradients(points)[1].reshape(len(part), n, f, -1).sum(axis=0)
        total = slopes if total is None else total + slopes
    assert total is not None
    return np.asarray(away[:, :, None] * total / steps, dtype=np.float64)
