"""Waiting for what happens soon, with a limit that only a broken test meets."""

import os
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["WAIT_S", "gone", "wait_until"]

WAIT_S = 30.0


def wait_until(condition: Callable[[], object], seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether the process has ended; one that only waits to be reaped by init has."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
