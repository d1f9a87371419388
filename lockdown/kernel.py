"""The calls into the Linux kernel that Python does not offer, through the C library that is loaded anyway.

Promises: an error number, never an exception, and ENOSYS wherever there is no such kernel. Leaves the
meaning of the calls to `lockdown.landlock`, `lockdown.seccomp` and `lockdown.lock`.
"""

import ctypes
import errno
import platform
import sys
from pathlib import Path
from typing import Any

__all__ = ["IS_LINUX", "MACHINE", "call", "drop_capabilities", "prctl", "thread_count"]

IS_LINUX = sys.platform.startswith("linux")
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
WORDS = 6  # most arguments that a system call takes
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_READ_SEARCH = 1 << 2


def _libc() -> ctypes.CDLL | None:
    if not IS_LINUX:
        return None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * WORDS]
        libc.syscall.restype = ctypes.c_long
        libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        libc.prctl.restype = ctypes.c_int
    except (OSError, AttributeError):
        return None
    return libc


LIBC = _libc()


def call(number: int, *arguments: Any) -> tuple[int, int]:
    """A system call's result and its error number (0 when it succeeded)."""
    if LIBC is None:
        return -1, errno.ENOSYS
    words = [*arguments, *[None] * (WORDS - len(arguments))]
    result: int = LIBC.syscall(number, *words)
    return result, ctypes.get_errno() if result < 0 else 0


def prctl(option: int, value: int = 0, *more: int) -> bool:
    """Whether prctl(2) did what was asked."""
    if LIBC is None:
        return False
    rest = [*more, 0, 0, 0][:3]
    return bool(LIBC.prctl(option, value, *rest) == 0)


def drop_capabilities() -> bool:
    """Give up root's capabilities for good, but the one to read: packages may be another user's."""
    if LIBC is None:
        return False
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    if LIBC.capget(header, data) != 0:
        return False
    effective, permitted = data[0] & CAP_DAC_READ_SEARCH, data[1] & CAP_DAC_READ_SEARCH
    kept = (ctypes.c_uint32 * 6)(effective, permitted, 0, 0, 0, 0)
    return bool(LIBC.capset(header, kept) == 0)


def thread_count() -> int | None:
    """Threads of this process, those of native libraries included; None where the system does not say."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return None
