"""Which rows a model cannot answer: calls it on ever smaller parts of a table within a budget of calls.

Promises: every row is answered or failed, and the errors are grouped by type and message. A row that the
budget leaves unexamined shares the fate of its part. Leaves the model to the `call` handed in.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import MAX_QUOTED, DashboardError

__all__ = ["Isolated", "isolate"]

CALLS = 256  # finds about 15 single rows among 1,000
SECONDS = 5.0
PROBES = 8  # single rows tried before a whole part is given up
MAX_PATTERNS = 16
MAX_ERRORS = 20

Rows = npt.NDArray[np.intp]
Answers = npt.NDArray[np.generic]
Call = Callable[[pd.DataFrame], npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Isolated:
    """answers: one a row that did not fail, in row order. failed: bool (n,).

    errors: (type, message, rows, position of the first row) of each group, the largest first.
    """

    answers: npt.NDArray[np.generic]
    failed: npt.NDArray[np.bool_]
    errors: tuple[tuple[str, str, int, int], ...]


def isolate(call: Call, frame: pd.DataFrame) -> Isolated:
    """Call the model on the whole table and, when that raises, on parts of it.

    Rows are first parted by which of their columns are missing, for that is the common cause; a part
    whose probed rows all fail is given up as a whole, any other is halved. Errors that are ours
    (DashboardError) pass through when they concern the whole table.
    """
    try:
        return Isolated(call(frame), np.zeros(len(frame), dtype=bool), ())
    except DashboardError:
        raise
    except Exception as error:
        search = _Search(call, frame)
        search.run(error)
        return search.outcome()


class _Search:
    """One isolation: what is answered and failed so far, and what may still be spent."""

    def __init__(self, call: Call, frame: pd.DataFrame) -> None:
        self._call = call
        self._frame = frame
        self._left = CALLS
        self._until = time.monotonic() + SECONDS
        self._answers: list[tuple[Rows, Answers]] = []
        self._failures: list[tuple[Rows, Exception]] = []

    def run(self, first: Exception) -> None:
        everything = np.arange(len(self._frame))
        if len(everything) <= 1:
            self._failures.append((everything, first))
            return
        parts = list(_by_missing(self._frame))
        queue: deque[tuple[Rows, Exception]] = deque()
        for rows in parts:
            error = first if len(parts) == 1 else self._try(rows)
            if error is not None:
                queue.extend(self._without_hopeless(rows, error))
        while queue:
            rows, error = queue.popleft()
            if len(rows) == 1 or self._spent():
                self._failures.append((rows, error))
                continue
            for half in np.array_split(rows, 2):
                inner = self._try(half)
                if inner is not None:
                    queue.append((half, inner))

    def outcome(self) -> Isolated:
        failed = np.zeros(len(self._frame), dtype=bool)
        for rows, _ in self._failures:
            failed[rows] = True
        if not self._answers:
            return Isolated(np.empty(0), failed, _grouped(self._failures))
        rows = np.concatenate([part for part, _ in self._answers])
        answers = np.concatenate([part for _, part in self._answers])
        return Isolated(answers[np.argsort(rows, kind="stable")], failed, _grouped(self._failures))

    def _without_hopeless(self, rows: Rows, error: Exception) -> Iterator[tuple[Rows, Exception]]:
        """The part, to be halved; nothing when every row probed in it failed."""
        if len(rows) <= PROBES:
            yield rows, error
            return
        chosen = np.unique(np.linspace(0, len(rows) - 1, PROBES).astype(np.intp))
        last = error
        for position in chosen:
            found = self._try(rows[[position]], keep=False)
            if found is None:
                yield rows, error
                return
            last = found
        self._failures.append((rows, last))

    def _try(self, rows: Rows, *, keep: bool = True) -> Exception | None:
        self._left -= 1
        try:
            answers = self._call(self._frame.iloc[rows])
        except Exception as error:
            return error
        if keep:
            self._answers.append((rows, answers))
        return None

    def _spent(self) -> bool:
        return self._left <= 0 or time.monotonic() > self._until


def _by_missing(frame: pd.DataFrame) -> Iterator[Rows]:
    """Row positions, parted by the pattern of missing columns (by any missing, when there are many)."""
    missing = frame.isna().to_numpy()
    packed = np.packbits(missing, axis=1)
    patterns, inverse = np.unique(packed, axis=0, return_inverse=True)
    which: Rows = np.asarray(inverse, dtype=np.intp).reshape(-1)
    if len(patterns) > MAX_PATTERNS:
        which = np.asarray(missing.any(axis=1), dtype=np.intp)
    for pattern in np.unique(which).tolist():
        yield np.flatnonzero(which == pattern)


def _grouped(failures: list[tuple[Rows, Exception]]) -> tuple[tuple[str, str, int, int], ...]:
    """One error for each type and message; what exceeds the most counted is summed into the last."""
    groups: dict[tuple[str, str], tuple[int, int]] = {}
    for rows, error in failures:
        key = (type(error).__name__[:100], message_of(error))
        if key not in groups and len(groups) >= MAX_ERRORS - 1:
            key = ("Various", "further errors, each of another kind")
        count, first = groups.get(key, (0, len(rows) and int(rows[0])))
        groups[key] = (count + len(rows), min(first, int(rows[0])) if len(rows) else first)
    ordered = sorted(groups.items(), key=lambda item: -item[1][0])
    return tuple((kind, text, count, first) for (kind, text), (count, first) in ordered)


def message_of(error: BaseException) -> str:
    """The exception's first 300 characters; its own code runs to make them, and may itself fail."""
    try:
        return str(error)[:MAX_QUOTED]
    except Exception:
        return "(no message)"
