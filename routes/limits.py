"""How much one caller may ask for: submissions a minute.

Promises: a caller within the limit is never refused, and memory is bounded. Counts in this process alone,
from its start; the length of the queue, which all processes share, is `runs`' matter.
"""

import time
from collections.abc import Callable

from fastapi import Request

from auth import ANYONE
from errors import TooBusy
from settings import Settings

__all__ = ["Buckets", "limit_submissions"]

MAX_CALLERS = 10_000


class Buckets:
    """A token bucket for each caller: `per_minute` at once, refilled evenly."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}  # caller -> (tokens, when)

    def take(self, caller: str) -> float:
        """0.0 when the caller may go on, else the seconds until it may."""
        now = self._clock()
        left = self._refilled(caller, now)
        if left < 1:
            return (1 - left) * 60 / self._most
        if len(self._left) >= MAX_CALLERS:  # those with a full bucket need no memory
            self._left = {c: v for c, v in self._left.items() if self._refilled(c, now) < self._most}
        self._left[caller] = (left - 1, now)
        return 0.0

    def _refilled(self, caller: str, now: float) -> float:
        left, when = self._left.get(caller, (self._most, now))
        return min(self._most, left + (now - when) * self._most / 60)


def limit_submissions(request: Request, settings: Settings, *, repeated: bool = False) -> None:
    """TooBusy when this caller has submitted too many runs within a minute.

    Repeated requests count apart: they start nothing, but their uploads have to be read all the same.
    """
    state = request.app.state
    if not hasattr(state, "buckets"):
        state.buckets = Buckets(settings.rate_per_minute)
    grant = getattr(request.state, "grant", ANYONE)
    address = request.client.host if request.client else "unknown"
    caller = address if grant is ANYONE else f"token {grant.name}"
    wait_s = state.buckets.take(f"{caller}, again" if repeated else caller)
    if wait_s:
        error = TooBusy(
            f"More than {settings.rate_per_minute} runs a minute were submitted.",
            hint="Wait as Retry-After says, or raise RATE_PER_MINUTE on the server.",
        )
        error.retry_after_s = int(wait_s) + 1
        raise error
