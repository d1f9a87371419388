"""A running server's processes and their memory, as Linux tells them under /proc; nothing is asked of them.

Promises: peaks are the kernel's own, so that nothing is missed between two looks. A child is any process
below the worker's own children, which are what children are forked from.
"""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Child", "Children", "peak_mb", "reset_peak", "resident_mb", "worker_of"]

PROC = Path("/proc")
LOOK_S = 0.01


def resident_mb(pid: int) -> float:
    """Resident memory now; 0 for a process that is gone."""
    return _status_mb(pid, "VmRSS:")


def peak_mb(pid: int) -> float:
    """The highest resident memory since the process began or its peak was reset; 0 when it is gone."""
    return _status_mb(pid, "VmHWM:")


def reset_peak(pid: int) -> None:
    """Let the peak begin from now on (proc(5), clear_refs)."""
    with suppress(OSError):
        (PROC / str(pid) / "clear_refs").write_text("5")


def worker_of(web: int) -> int | None:
    """The worker process of a server, None while there is none."""
    return next((pid for pid in _children(web) if b"\0worker\0" in _command(pid)), None)


@dataclass
class Child:
    """One child as it was last seen. limit_mb: of its address space, None while it has none."""

    peak_mb: float = 0.0
    limit_mb: float | None = None


class Children(threading.Thread):
    """Looks at a worker's children every 10 ms until the block ends."""

    def __init__(self, worker: int) -> None:
        super().__init__(name="children", daemon=True)
        self.seen: dict[int, Child] = {}
        self._worker = worker
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(LOOK_S):
            for pid in self.alive():
                child = self.seen.setdefault(pid, Child())
                child.peak_mb = max(child.peak_mb, peak_mb(pid))
                child.limit_mb = _limit_mb(pid) or child.limit_mb

    def alive(self) -> list[int]:
        return [pid for parent in _children(self._worker) for pid in _below(parent)]

    def wait_until_gone(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.alive() and time.monotonic() < until:
            time.sleep(LOOK_S)

    def largest(self) -> Child:
        """The child with the highest peak."""
        return max(self.seen.values(), key=lambda child: child.peak_mb, default=Child())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _below(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_below(child))]


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes()
    return b""


def _status_mb(pid: int, key: str) -> float:
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) / 1024
    return 0.0


def _limit_mb(pid: int) -> float | None:
    with suppress(OSError):
        for line in (PROC / str(pid) / "limits").read_text().splitlines():
            if line.startswith("Max address space"):
                soft = line.split()[3]
                return None if soft == "unlimited" else int(soft) / (1 << 20)
    return None
