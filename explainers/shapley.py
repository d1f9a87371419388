"""Shapley values of any function of a table's cells, by enumeration or by sampled permutations.

Promises: values sum to `f(row) - mean f(background)` by construction, string columns work (whole cells are
swapped), and the time stays near a budget. Leaves models and their outputs to `explainers.families`.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import InvalidPlan, PredictFailed
from estimators.answers import FloatArray

__all__ = ["Function", "ShapleyValues", "shapley_values"]

Function = Callable[[pd.DataFrame], FloatArray]
"""From a frame of n rows to (n, k) numbers."""

BACKGROUND_ROWS = 10  # sampling error falls faster with permutations than with more of these
FEWEST_BACKGROUND_ROWS = 2
FEWEST_ROWS = 10  # rows explained are cut down to this before background rows are
MOST_PAIRS = 10  # with 10 background rows: 200 permutations a row, sampling error of a few per cent
MOST_FEATURES = 2000  # one row's coalitions then take 80 MB
EXACT_FEATURES = 10  # 1,024 coalitions
CHUNK_CELLS = 4_000_000  # 32 MB of float64 in one call of the function
PROBE_SIZES = (8, 64, 512, 4096)
PROBE_SHARE = 0.02


@dataclass(frozen=True)
class ShapleyValues:
    """values (n, f, k), base (k,), explained (n, k) and how good they are; n may be below the rows given.

    std_error: (f,), the typical standard error of one value of that feature over permutations (root
    mean square over rows and outputs); zeros where the values are exact.
    """

    values: FloatArray
    base: FloatArray
    explained: FloatArray
    std_error: FloatArray
    exact: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Effort:
    """How much is evaluated: `pairs` of antithetic permutations per row and background row; 0 = exact."""

    rows: int
    background: int
    pairs: int


class _Game:
    """The function over mixed rows: cells of explained rows and of background rows, swapped by a mask."""

    def __init__(self, function: Function, rows: pd.DataFrame, background: pd.DataFrame) -> None:
        pool = pd.concat([rows, background[rows.columns]], ignore_index=True)
        self._function = function
        self._columns = [pool.iloc[:, i].array for i in range(pool.shape[1])]
        self._names = rows.columns
        self._n = len(rows)

    def __call__(
        self, keep: npt.NDArray[np.bool_], row: npt.NDArray[np.intp], background: npt.NDArray[np.intp]
    ) -> FloatArray:
        """Function values (e, k) of mixed rows: cells of `row` where `keep` (e, f), else of `background`."""
        step = max(1, CHUNK_CELLS // max(1, keep.shape[1]))
        parts = []
        for start in range(0, len(keep), step):
            part = slice(start, start + step)
            parts.append(self._mixed(keep[part], row[part], background[part] + self._n))
        return np.concatenate(parts)

    def _mixed(
        self, keep: npt.NDArray[np.bool_], row: npt.NDArray[np.intp], background: npt.NDArray[np.intp]
    ) -> FloatArray:
        columns = {
            i: column.take(np.where(keep[:, i], row, background)) for i, column in enumerate(self._columns)
        }
        mixed = pd.DataFrame(columns)
        mixed.columns = self._names
        answers = np.asarray(self._function(mixed), dtype=np.float64).reshape(len(keep), -1)
        if not np.isfinite(answers).all():
            raise PredictFailed(
                "The model gave no finite answer for a mix of two rows, so it cannot be explained by "
                "permutation.",
                hint="Check the missing-values and extremes behaviours; set explain.method to 'none'.",
            )
        return answers


def shapley_values(
    function: Function, rows: pd.DataFrame, background: pd.DataFrame, *, budget_s: float, seed: int
) -> ShapleyValues:
    """Interventional Shapley values of `function` at each row, against rows of `background`.

    Up to EXACT_FEATURES features every coalition is evaluated when the budget allows it; otherwise
    antithetic pairs of random permutations, drawn anew for each row and background row, at least one
    pair (Mitchell et al., Sampling Permutations for Shapley Value Estimation, 2022; Castro et al., 2009).
    What the budget cuts (pairs, then rows, then background rows) is said in `notes`.
    """
    f = rows.shape[1]
    if f > MOST_FEATURES:
        raise InvalidPlan(
            f"The model takes {f:,} features; permutation explains models with up to {MOST_FEATURES:,}.",
            hint="Set explain.method to 'none' for this model.",
            field="explain.method",
        )
    deadline = time.perf_counter() + budget_s
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(background))[:BACKGROUND_ROWS]
    background = background.iloc[np.sort(chosen)]
    game = _Game(function, rows, background)
    effort = _plan_effort(game, len(rows), len(background), f, deadline)
    notes = []
    if effort.background < len(background):
        notes.append(f"The time budget allowed {effort.background} background rows.")
    every = np.arange(effort.rows)
    explained = game(np.ones((effort.rows, f), dtype=bool), every, np.zeros_like(every))
    behind = np.arange(effort.background)
    at_background = game(np.zeros((effort.background, f), dtype=bool), np.zeros_like(behind), behind)
    if effort.pairs == 0:
        values = _enumerate(game, explained, at_background, f)
        std_error = np.zeros(f)
    else:
        values, std_error, pairs = _sample(
            game, explained, at_background, f, effort.pairs, deadline=deadline, rng=rng
        )
        explained = explained[: len(values)]
        notes.append(
            f"Sampled: {pairs} antithetic pair{'s' if pairs > 1 else ''} of permutations for each row "
            f"against each of {effort.background} background rows."
        )
    if len(values) < len(rows):
        notes.append(f"The time budget allowed {len(values)} of {len(rows)} rows.")
    return ShapleyValues(
        values, at_background.mean(axis=0), explained, std_error, effort.pairs == 0, tuple(notes)
    )


def _plan_effort(game: _Game, n: int, m: int, f: int, deadline: float) -> _Effort:
    """Fit rows, background rows and pairs to the time left, from the cost of a timed probe."""
    cost_s = _cost_of_a_row(game, f, deadline)
    affordable = max(0.0, deadline - time.perf_counter()) / max(cost_s, 1e-9)
    if f <= EXACT_FEATURES and n * m * (2**f - 2) <= affordable:
        return _Effort(n, m, 0)
    walk = 2 * (f - 1)  # evaluations of one antithetic pair; both ends are known
    pairs = int(affordable // (n * m * walk))
    if pairs >= 1:
        return _Effort(n, m, min(pairs, MOST_PAIRS))
    fewest = min(n, FEWEST_ROWS)
    fitting = max(fewest, int(affordable // (m * walk)))
    if fitting * m * walk > affordable:
        m = min(m, max(FEWEST_BACKGROUND_ROWS, int(affordable // (fitting * walk))))
        fitting = max(1, min(fitting, int(affordable // (m * walk))))
    return _Effort(fitting, m, 1)


def _cost_of_a_row(game: _Game, f: int, deadline: float) -> float:
    """Seconds for one evaluation; batches grow until one takes a visible part of the budget."""
    first = np.zeros(1, dtype=np.intp)
    started = time.perf_counter()
    game(np.ones((1, f), dtype=bool), first, first)  # the first call pays for lazy imports and thread pools
    visible_s = PROBE_SHARE * max(0.0, deadline - started)
    for size in PROBE_SIZES:
        at = np.zeros(size, dtype=np.intp)
        started = time.perf_counter()
        game(np.ones((size, f), dtype=bool), at, at)
        spent_s = time.perf_counter() - started
        if spent_s > visible_s:
            break
    return spent_s / size


def _enumerate(game: _Game, explained: FloatArray, at_background: FloatArray, f: int) -> FloatArray:
    """Exact values (n, f, k): the Shapley-weighted sum over all 2^f coalitions, averaged over background."""
    n, k = explained.shape
    m = len(at_background)
    codes = np.arange(2**f)
    coalitions = (codes[:, None] >> np.arange(f)) & 1 == 1
    worth = np.empty((n, 2**f, k))
    worth[:, 0] = at_background.mean(axis=0)
    worth[:, -1] = explained
    inner = coalitions[1:-1]
    step = max(1, CHUNK_CELLS // max(1, len(inner) * m * f))
    for start in range(0, n if len(inner) else 0, step):
        row = np.arange(start, min(n, start + step))
        shape = (len(row), m, len(inner))
        keep = np.broadcast_to(inner, (*shape, f)).reshape(-1, f)
        rows = np.broadcast_to(row[:, None, None], shape).ravel()
        behind = np.broadcast_to(np.arange(m)[None, :, None], shape).ravel()
        worth[row, 1:-1] = game(keep, rows, behind).reshape(*shape, k).mean(axis=1)
    size = coalitions.sum(axis=1)
    joined = np.array([1 / (f * math.comb(f - 1, s - 1)) if s else 0.0 for s in size])
    left = np.array([1 / (f * math.comb(f - 1, s)) if s < f else 0.0 for s in size])
    weights = np.where(coalitions, joined[:, None], -left[:, None])  # (2^f, f)
    return np.asarray(np.einsum("cf,nck->nfk", weights, worth), dtype=np.float64)


def _sample(
    game: _Game,
    explained: FloatArray,
    at_background: FloatArray,
    f: int,
    pairs: int,
    *,
    deadline: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, int]:
    """Values (n, f, k), their standard error (f,) and the pairs done; n is cut when the time ends early.

    The error comes from the spread between pairs of the same row and background row. A single pair has
    no such spread; the one between background rows stands in, which is larger, never smaller, on average.
    """
    (n, k), m = explained.shape, len(at_background)
    means = np.zeros((n, m, f, k))
    squares = np.zeros_like(means)  # of deviations from the running mean (Welford)
    step = max(1, CHUNK_CELLS // (2 * m * max(1, f - 1) * f))
    done = 0
    for _ in range(pairs):
        for start in range(0, n, step):
            part = slice(start, min(n, start + step))
            pair = _walk_pairs(game, explained[part], at_background, start, f, rng)
            step_from_mean = pair - means[part]
            means[part] += step_from_mean / (done + 1)
            squares[part] += step_from_mean * (pair - means[part])
            if done == 0 and part.stop < n and time.perf_counter() > deadline:
                n = part.stop
                break
        done += 1
        if time.perf_counter() > deadline:
            break
    means, squares = means[:n], squares[:n]
    if done > 1:
        variance = (squares / (done - 1) / done).sum(axis=1) / m**2
    else:
        variance = means.var(axis=1, ddof=1) / m if m > 1 else np.full((n, f, k), np.nan)
    return means.mean(axis=1), np.sqrt(variance.mean(axis=(0, 2))), done


def _walk_pairs(
    game: _Game,
    explained: FloatArray,
    at_background: FloatArray,
    first: int,
    f: int,
    rng: np.random.Generator,
) -> FloatArray:
    """One antithetic pair for each row and background row: the mean of both walks' steps, (rows, m, f, k)."""
    (rows, k), m = explained.shape, len(at_background)
    walks = rows * m
    row = np.repeat(np.arange(rows), m)
    behind = np.tile(np.arange(m), rows)
    rank = rng.random((walks, f)).argsort(axis=1)  # a random permutation is also its own random rank
    steps = np.zeros((walks, f, k))
    for order in (rank, f - 1 - rank):
        keep = order[:, None, :] < np.arange(1, f)[None, :, None]  # (walks, f - 1, f)
        worth = np.empty((walks, f + 1, k))
        worth[:, 0] = at_background[behind]
        worth[:, f] = explained[row]
        if f > 1:
            inner = game(keep.reshape(-1, f), np.repeat(row + first, f - 1), np.repeat(behind, f - 1))
            worth[:, 1:f] = inner.reshape(walks, f - 1, k)
        steps += np.take_along_axis(np.diff(worth, axis=1), order[:, :, None], axis=1)
    return (steps / 2).reshape(rows, m, f, k)
