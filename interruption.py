"""Where long work listens: whether it was cancelled, and whether its time is over.

Promises: a loop that calls `check` ends within one of its steps; without `listening` around it nothing
ends. Leaves who cancels, and how long a run may take, to `execution.stages`; calls of a model's process
listen by themselves (`sandbox.process`).
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from errors import Cancelled, ChildTimeout

__all__ = ["check", "in_one_piece", "listening"]

T = TypeVar("T")
SLICE_S = 0.05


@dataclass(frozen=True)
class _Bounds:
    cancelled: threading.Event
    ends_at: float  # time.monotonic()
    limit_s: float


# Ambient, for it would stand in the signature of every loop over columns, scenarios and rounds.
_BOUNDS: ContextVar[_Bounds | None] = ContextVar("bounds", default=None)


@contextmanager
def listening(cancelled: threading.Event, ends_at: float, limit_s: float) -> Iterator[None]:
    """The work of this block, in this thread, ends when `cancelled` is set or `ends_at` is past.

    ends_at: in seconds of time.monotonic(). limit_s: how long it had, for the error's text.
    """
    before = _BOUNDS.set(_Bounds(cancelled, ends_at, limit_s))
    try:
        yield
    finally:
        _BOUNDS.reset(before)


def check() -> None:
    """Raises Cancelled or ChildTimeout where the work that `listening` holds is to end; else 0.2 µs."""
    bounds = _BOUNDS.get()
    if bounds is None:
        return
    if bounds.cancelled.is_set():
        raise Cancelled("The run was cancelled.")
    if time.monotonic() > bounds.ends_at:
        raise ChildTimeout(
            f"The run's limit of {bounds.limit_s:g} s ended in the midst of this stage.",
            hint="Raise `timeout_s` in the run's config, or lower `rows`; a wide model takes longer.",
        )


def in_one_piece(work: Callable[[], T]) -> T:
    """What `work` gives: a library's one long call, in a thread of its own while this one listens.

    Where the work is to end, the call is left behind: it ends by itself, and nobody has its answer.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="one-piece")
    try:
        found = pool.submit(work)
        while not wait((found,), SLICE_S).done:
            check()
        return found.result()
    finally:
        pool.shutdown(wait=False)
