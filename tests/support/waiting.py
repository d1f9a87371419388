"""Waiting for what happens soon, with a limit that only a broken test meets."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from sandbox.handle import ModelHandle

__all__ = ["WAIT_S", "gone", "pid_of", "wait_until"]

WAIT_S = 30.0


def wait_until(condition: Callable[[], object], seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def pid_of(handle: ModelHandle) -> int:
    """The process that holds the model: its zygote tells beside the pipe, maybe after the model answered."""
    wait_until(lambda: handle._child.pid is not None)
    assert handle._child.pid is not None
    return handle._child.pid


def gone(pid: int) -> bool:
    """Whether the process has ended; one that only waits to be reaped by init has."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
