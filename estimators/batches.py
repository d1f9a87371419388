"""One table asked in other batches than as a whole: row by row, or by several threads at once.

Promises: what a batch raised is the failure of its rows; threads start together, each with a batch of its
own, as in a server with a thread pool. Leaves judging the answers to `robustness.examination`.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd

from errors import MAX_QUOTED, Cancelled, ChildDied, ChildTimeout
from estimators.answers import Predict, Predictions, RowError, joined_scores

__all__ = ["THREADS", "answer_singly", "answer_together"]

THREADS = 4
BARRIER_S = 30.0
SWITCH_S = 1e-5  # how often threads take turns: the usual 5 ms is longer than most calls


def answer_singly(predict: Predict, frame: pd.DataFrame) -> Predictions:
    """Answers to the rows of `frame` (one or more), each asked in a table of its own."""
    return _joined([_answered(predict, frame.iloc[i : i + 1]) for i in range(len(frame))])


def answer_together(predict: Predict, frame: pd.DataFrame) -> Predictions:
    """Answers to the rows of `frame` in four batches that as many threads ask for at the same time.

    Labels that only answers reveal are those of all batches together, in alphabetical order.
    """
    bounds = np.linspace(0, len(frame), THREADS + 1).astype(int)
    parts = [frame.iloc[a:b] for a, b in pairwise(bounds) if b > a]
    if not parts:
        return predict(frame)
    barrier = threading.Barrier(len(parts), timeout=BARRIER_S)

    def work(part: pd.DataFrame) -> Predictions:
        barrier.wait()
        return _answered(predict, part)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with ThreadPoolExecutor(len(parts)) as pool:
            return _joined(list(pool.map(work, parts)))
    finally:
        sys.setswitchinterval(usual)


def _answered(predict: Predict, part: pd.DataFrame) -> Predictions:
    try:
        return predict(part)
    except (Cancelled, ChildDied, ChildTimeout):
        raise
    except Exception as error:  # one batch's: the others are still compared
        nothing = np.full(len(part), np.nan)
        problem = RowError(type(error).__name__, str(error)[:MAX_QUOTED], len(part), 0)
        return Predictions(nothing, None, None, np.ones(len(part), dtype=bool), (problem,))


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
    return Predictions(
        np.concatenate(values),
        joined_scores(parts),
        labels,
        np.concatenate([p.failed for p in parts]),
        tuple(errors),
    )
