"""Landlock: the kernel's own list of what a process may still open, for good and for all that it starts.

Promises: reading below the given paths is all that is left of the file system; no TCP, and no signal or
abstract UNIX socket to the outside where the kernel's ABI knows them. Leaves other sockets, system calls
and threads that already run (it does not bind them) to `lockdown.seccomp` and `lockdown.lock`.
"""

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR

from lockdown import kernel

__all__ = ["abi", "allow_reading_only"]

# System call numbers are the same on every architecture (linux/landlock.h, asm-generic/unistd.h).
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
QUERY_VERSION = 1
RULE_PATH_BENEATH = 1

READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many file rights, counted from the lowest bit, each ABI added up to: refer, truncate, device ioctl."""
TCP_RIGHTS = 0b11  # bind and connect, from ABI 4
SCOPES = 0b11  # abstract UNIX sockets and signals, from ABI 6


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("fd", ctypes.c_int32))


def abi() -> int | None:
    """The kernel's Landlock ABI, 1 or higher; None where it is missing, disabled or kept from us."""
    version, _ = kernel.call(CREATE_RULESET, None, 0, QUERY_VERSION)
    return version if version >= 1 else None


def allow_reading_only(paths: Iterable[Path]) -> bool:
    """Restrict this process, for ever, to reading at and below the paths; needs no-new-privileges.

    What cannot be opened is left out: nothing could be read there anyway. False, with nothing
    changed, when the kernel refuses.
    """
    version = abi()
    if version is None:
        return False
    attributes = _Ruleset(
        files=(1 << max(bits for since, bits in FILE_RIGHTS.items() if since <= version)) - 1,
        network=TCP_RIGHTS if version >= 4 else 0,
        scopes=SCOPES if version >= 6 else 0,
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8  # an older kernel takes no longer one
    ruleset, _ = kernel.call(CREATE_RULESET, ctypes.byref(attributes), size, 0)
    if ruleset < 0:
        return False
    try:
        for path in paths:
            with suppress(OSError):
                _allow(ruleset, path)
        return kernel.call(RESTRICT_SELF, ruleset, 0)[1] == 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = READ_FILE | READ_DIR if S_ISDIR(os.fstat(fd).st_mode) else READ_FILE
        rule = _PathBeneath(allowed=rights, fd=fd)
        _, error = kernel.call(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        if error:
            raise OSError(error, os.strerror(error), str(path))
    finally:
        os.close(fd)
