"""LIME: which features a straight line would need to answer as the model does near one row.

Promises: the same cells-swapped neighbourhood for numbers and text, reproducible by its seed, and a fit
that is told. Leaves models and their outputs to `explainers.families`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import PredictFailed
from estimators.answers import FloatArray

__all__ = ["LocalFit", "local_surrogate"]

Function = Callable[[pd.DataFrame], FloatArray]

NEIGHBOURS = 500  # of each row
FEWEST_NEIGHBOURS = 64
KERNEL_WIDTH = 0.25  # of the share of swapped features, as in the authors' own code for text
PENALTY = 1.0  # of the ridge regression, theirs as well
PROBE_ROWS = 64


@dataclass(frozen=True)
class LocalFit:
    """values (n, f, k): what each feature's own value adds against a value of the background.

    base (k,): the mean of the intercepts. explained (n, k). fit: R^2 of the straight lines, weighted as they
    were fitted, over all rows and outputs.
    """

    values: FloatArray
    base: FloatArray
    explained: FloatArray
    fit: float
    neighbours: int


def local_surrogate(
    function: Function, rows: pd.DataFrame, background: pd.DataFrame, *, budget_s: float, seed: int
) -> LocalFit:
    """A weighted ridge regression for each row, on whether each feature kept the row's value.

    A neighbour has some of the row's cells swapped for those of a background row; it weighs
    exp(-d^2 / width^2) with d the share of swapped features. n may be below the rows given when the budget
    ends. Source: Ribeiro, Singh, Guestrin, "Why Should I Trust You?" (2016), tabular data as presence.
    """
    deadline = time.perf_counter() + budget_s
    rng = np.random.default_rng(seed)
    f = rows.shape[1]
    explained = _answers(function, rows)
    cost_s = _cost_of_a_row(function, rows)
    affordable = max(0.0, deadline - time.perf_counter()) / max(cost_s * len(rows), 1e-9)
    count = int(np.clip(affordable, FEWEST_NEIGHBOURS, max(NEIGHBOURS, 2 * f)))
    values, base = np.zeros((len(rows), f, explained.shape[1])), np.zeros(explained.shape)
    residual = total = 0.0
    done = 0
    for position in range(len(rows)):
        kept = rng.random((count, f)) < rng.random((count, 1))  # every size of swap is met
        kept[0] = True
        behind = rng.integers(0, len(background), count)
        answers = _answers(function, _mixed(rows.iloc[[position]], background, kept, behind))
        swapped = 1 - kept.mean(axis=1)
        weights = np.exp(-np.square(swapped) / KERNEL_WIDTH**2)
        slopes, intercept, missed, spread = _ridge(kept.astype(np.float64), answers, weights)
        values[position], base[position] = slopes, intercept
        residual, total = residual + missed, total + spread
        done = position + 1
        if time.perf_counter() > deadline:
            break
    fit = 1 - residual / total if total > 0 else 1.0
    return LocalFit(values[:done], base[:done].mean(axis=0), explained[:done], fit, count)


def _mixed(
    row: pd.DataFrame, background: pd.DataFrame, kept: npt.NDArray[np.bool_], behind: npt.NDArray[np.intp]
) -> pd.DataFrame:
    """The row's cells where kept (e, f), else those of the background rows `behind` (e,)."""
    pool = pd.concat([row, background[row.columns]], ignore_index=True)
    columns = {
        i: pool.iloc[:, i].array.take(np.where(kept[:, i], 0, behind + 1)) for i in range(row.shape[1])
    }
    mixed = pd.DataFrame(columns)
    mixed.columns = row.columns
    return mixed


def _ridge(
    kept: FloatArray, answers: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, float, float]:
    """Slopes (f, k), intercepts (k,), and the weighted squares that are left and that there were."""
    share = weights / weights.sum()
    centre, mean = share @ kept, share @ answers
    x, y = kept - centre, answers - mean
    weighted = x * weights[:, None]
    slopes = np.linalg.solve(weighted.T @ x + PENALTY * np.eye(x.shape[1]), weighted.T @ y)
    left = y - x @ slopes
    missed, spread = (float((weights[:, None] * np.square(part)).sum()) for part in (left, y))
    return slopes, mean - centre @ slopes, missed, spread


def _answers(function: Function, frame: pd.DataFrame) -> FloatArray:
    answers = np.asarray(function(frame), dtype=np.float64).reshape(len(frame), -1)
    if not np.isfinite(answers).all():
        raise PredictFailed(
            "The model gave no finite answer for a mix of two rows, so it cannot be explained by LIME.",
            hint="Check the missing-values and extremes behaviours; set explain.method to 'none'.",
        )
    return answers


def _cost_of_a_row(function: Function, rows: pd.DataFrame) -> float:
    probe = rows.iloc[np.arange(PROBE_ROWS) % len(rows)]
    started = time.perf_counter()
    function(probe)
    return (time.perf_counter() - started) / PROBE_ROWS
