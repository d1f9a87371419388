"""Takes away from a process what a model does not need: memory, time, files, descriptors, privileges.

Promises: each measure either holds or is not named among those applied. Linux has them all, macOS the
resource limits, Windows none. Leaves system-call and file-system filters to later, and the wall clock,
which a process cannot hold against itself, to `sandbox`.
"""

import ctypes
import math
import os
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

__all__ = ["apply_limits", "become_reaper", "die_with_parent", "layers", "lock"]

IS_LINUX = sys.platform.startswith("linux")
MAX_DESCRIPTORS = 64
SPARE_PROCESSES = 64  # beyond what the user already runs: numeric libraries start threads
CPU_GRACE_S = 2  # between the signal at the soft limit and the kill at the hard one

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38


def layers() -> tuple[str, ...]:
    """What this machine offers to hold a model in, weakest link first; () where it offers nothing."""
    if os.name != "posix":
        return ()
    common = ("process of its own", "clean environment", "inherited descriptors closed", "wall clock")
    limits = ("cpu limit", "no file growth", "descriptor limit", "no core dump")
    if not IS_LINUX:
        return common + limits
    return (*common, "memory limit", *limits, "dies with its worker", "not traceable", "no new privileges")


def lock(
    keep: Collection[int], *, parent: int, memory_mb: int, cpu_s: float, threads: int
) -> tuple[str, ...]:
    """Lock the calling process, freshly forked and single-threaded; returns what was applied.

    keep: the only descriptors that stay open; standard input, output and error become /dev/null.
    parent: the process to die with; when it is already gone this one ends at once.
    """
    applied = ["process of its own", "clean environment", "wall clock"]
    if die_with_parent(parent):
        applied.append("dies with its worker")
    _close_descriptors(keep)
    applied.append("inherited descriptors closed")
    if _prctl(PR_SET_DUMPABLE, 0):
        applied.append("not traceable")
    applied += apply_limits(memory_mb, cpu_s, threads)
    if _prctl(PR_SET_NO_NEW_PRIVS, 1):
        applied.append("no new privileges")
    return tuple(applied)


def apply_limits(memory_mb: int, cpu_s: float, threads: int) -> tuple[str, ...]:
    """Set the resource limits of this process for good; returns the names of those that took.

    Address space rather than data segment, which shared mappings evade. The processes' limit counts all
    of the user's threads and does not bind root.
    """
    import resource

    seconds = max(1, math.ceil(cpu_s))
    memory = memory_mb << 20
    wanted: list[tuple[str, str, tuple[int, int]]] = [
        ("cpu limit", "RLIMIT_CPU", (seconds, seconds + CPU_GRACE_S)),
        ("no file growth", "RLIMIT_FSIZE", (0, 0)),
        ("descriptor limit", "RLIMIT_NOFILE", (MAX_DESCRIPTORS, MAX_DESCRIPTORS)),
        ("no core dump", "RLIMIT_CORE", (0, 0)),
    ]
    if IS_LINUX:  # macOS accepts an address-space limit and does not hold it
        wanted.append(("memory limit", "RLIMIT_AS", (memory, memory)))
        if os.getuid() != 0:
            processes = _user_threads() + threads + SPARE_PROCESSES
            wanted.append(("process limit", "RLIMIT_NPROC", (processes, processes)))
        wanted.append(("no locked memory", "RLIMIT_MEMLOCK", (0, 0)))
        wanted.append(("no message queues", "RLIMIT_MSGQUEUE", (0, 0)))
    applied = []
    for name, limit, (soft, hard) in wanted:
        try:
            number = getattr(resource, limit)
            ceiling = resource.getrlimit(number)[1]
            if ceiling != resource.RLIM_INFINITY:  # an operator's own stricter limit stays
                soft, hard = min(soft, ceiling), min(hard, ceiling)
            resource.setrlimit(number, (soft, hard))
        except (AttributeError, ValueError, OSError):
            continue
        applied.append(name)
    return tuple(applied)


def die_with_parent(parent: int) -> bool:
    """Have the kernel kill this process when its parent dies; ends it when that has happened already."""
    held = _prctl(PR_SET_PDEATHSIG, signal.SIGKILL) if IS_LINUX else False
    if os.getppid() != parent:
        os._exit(1)
    return held


def become_reaper() -> bool:
    """Have orphaned descendants handed to this process, so that none escapes by losing its parent."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _libc_prctl() -> Callable[..., int] | None:
    if not IS_LINUX:
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    function.restype = ctypes.c_int
    return function


def _prctl(option: int, value: int) -> bool:
    function = _libc_prctl()
    return function is not None and function(option, value, 0, 0, 0) == 0


def _close_descriptors(keep: Collection[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    low = 3
    for fd in sorted({*keep}):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _highest_descriptor() + 1)


def _highest_descriptor() -> int:
    with suppress(OSError, ValueError):
        return max(int(entry.name) for entry in Path("/dev/fd").iterdir())
    return 65_536


def _user_threads() -> int:
    """Threads the user runs now, in all processes; 0 where that cannot be seen."""
    me, count = os.getuid(), 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == me:
                count += sum(1 for _ in (process / "task").iterdir())
    return count
