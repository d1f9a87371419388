"""One model asked by several threads at once, as a server with a thread pool would.

Promises: each batch is answered by one thread, all threads start together, and what a thread raised is
the failure of its batch. Lives in the child. Leaves judging the answers to `robustness`.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd

from model_utils import Adapter, Predictions, RowError

__all__ = ["THREADS", "answer_together"]

THREADS = 4
BARRIER_S = 30.0
SWITCH_S = 1e-5  # how often threads take turns: the usual 5 ms is longer than most calls


def answer_together(adapter: Adapter, frame: pd.DataFrame) -> Predictions:
    """Answers to the rows of `frame` in four batches that as many threads ask for at the same time.

    Labels that only answers reveal are those of all batches together, in alphabetical order.
    """
    bounds = np.linspace(0, len(frame), THREADS + 1).astype(int)
    parts = [frame.iloc[a:b] for a, b in pairwise(bounds) if b > a]
    if not parts:
        return adapter.answer(frame)
    barrier = threading.Barrier(len(parts), timeout=BARRIER_S)

    def work(part: pd.DataFrame) -> Predictions:
        barrier.wait()
        return _answered(adapter, part)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with ThreadPoolExecutor(len(parts)) as pool:
            return _joined(list(pool.map(work, parts)))
    finally:
        sys.setswitchinterval(usual)


def _answered(adapter: Adapter, part: pd.DataFrame) -> Predictions:
    try:
        return adapter.answer(part)
    except Exception as error:  # one batch's: the others are still compared
        nothing = np.full(len(part), np.nan)
        problem = RowError(type(error).__name__, str(error)[:300], len(part), 0)
        return Predictions(nothing, None, adapter.labels, np.ones(len(part), dtype=bool), (problem,))


def _joined(parts: list[Predictions]) -> Predictions:
    named = [part.labels for part in parts if part.labels is not None]
    labels = None
    if named:
        same = all(found == named[0] for found in named)
        labels = named[0] if same else tuple(sorted({label for found in named for label in found}))
    codes = {label: code for code, label in enumerate(labels or ())}
    values, errors, start = [], [], 0
    for part in parts:
        if part.labels is not None and part.labels != labels:
            table = np.array([codes[label] for label in part.labels], dtype=np.float64)
            values.append(np.full(len(part.values), np.nan))
            values[-1][~part.failed] = table[part.values[~part.failed].astype(np.intp)]
        else:
            values.append(part.values)
        errors += [RowError(e.kind, e.message, e.rows, start + e.first_row) for e in part.errors]
        start += len(part.values)
    scores = None
    if all(part.scores is not None or part.failed.all() for part in parts):
        width = max((part.scores.shape[1] for part in parts if part.scores is not None), default=0)
        if width:
            scores = np.concatenate([
                np.full((len(part.values), width), np.nan) if part.scores is None else part.scores
                for part in parts
            ])  # fmt: skip
    return Predictions(
        np.concatenate(values), scores, labels, np.concatenate([p.failed for p in parts]), tuple(errors)
    )
