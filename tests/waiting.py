"""Waiting for what happens soon, with a limit that only a broken test meets."""

import time
from collections.abc import Callable

__all__ = ["WAIT_S", "wait_until"]

WAIT_S = 30.0


def wait_until(condition: Callable[[], object], seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
