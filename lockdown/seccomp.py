"""seccomp: the system calls that a model's process may still make, as a filter that the kernel runs.

Promises: what is not listed is refused (EPERM) without being looked at; a call of another architecture
kills the process. Leaves which files are read to `lockdown.landlock`, and how much of anything to resource
limits.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lockdown import kernel

__all__ = ["Check", "available", "install", "program"]

SET_MODE_FILTER, GET_ACTION_AVAIL = 1, 2
ON_ALL_THREADS = 1
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
# Classic BPF: load a word of the call's description; and, jump if equal / at least, return.
LOAD, AND, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
ALL_BITS = 0xFFFFFFFF
INSTRUCTION = struct.Struct("<HBBI")  # operation, jump if true, jump if false, value

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
THREAD = 0x3D0F00  # the flags with which both C libraries start a thread: all shared, nothing new
DETACHED = 0x400000  # musl adds it; the kernel ignores it

PLAIN = frozenset((
    # what is open already, and opening to read
    "read", "readv", "pread64", "preadv", "write", "writev", "lseek", "close", "close_range",
    "dup", "dup2", "dup3", "stat", "lstat", "fstat", "newfstatat", "statx", "statfs", "fstatfs",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "fadvise64",
    "poll", "ppoll", "select", "pselect6",
    # memory, threads, time
    "mmap", "munmap", "mremap", "mprotect", "madvise", "msync", "brk", "get_mempolicy",
    "exit", "exit_group", "futex", "futex_waitv", "set_robust_list", "rseq", "set_tid_address",
    "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "getcpu", "arch_prctl", "restart_syscall",
    "clock_gettime", "clock_getres", "gettimeofday", "time", "nanosleep", "clock_nanosleep",
    # its own signals, and what it may know of itself
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "sigaltstack",
    "pause", "getpid", "gettid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "geteuid",
    "getgid", "getegid", "getgroups", "getresuid", "getresgid", "getrlimit", "getrusage", "times",
    "sysinfo", "uname", "getrandom",
))  # fmt: skip

CHECKED = frozenset((
    "open", "openat", "clone", "kill", "tgkill", "prlimit64", "fcntl", "ioctl", "prctl",
    "sched_setaffinity",
))  # fmt: skip
"""Allowed with some arguments only: see `_checks`."""

ABSENT = ("clone3", "openat2")
"""Answered ENOSYS, for their arguments lie in memory: callers then use what can be checked."""


@dataclass(frozen=True)
class Check:
    """A condition on one 32-bit half of an argument: its bits under `mask` are one of `values`."""

    argument: int
    values: tuple[int, ...]
    mask: int = ALL_BITS
    upper_half: bool = False


@dataclass(frozen=True)
class _Architecture:
    audit: int  # what the kernel calls it, linux/audit.h
    seccomp: int
    numbers: Mapping[str, int]
    foreign_from: int | None = None  # numbers from here on are another calling convention's (x32)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def available() -> bool:
    """Whether this kernel runs filters on this architecture and can kill a process by one."""
    architecture = ARCHITECTURES.get(kernel.MACHINE)
    if architecture is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    action = ctypes.c_uint32(KILL_PROCESS)
    return kernel.call(architecture.seccomp, GET_ACTION_AVAIL, 0, ctypes.byref(action))[1] == 0


def install() -> bool:
    """Filter every thread of this process from now on; needs no-new-privileges. False when refused."""
    if not available():
        return False
    code = program(kernel.MACHINE, os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    described = _Program(len(code) // INSTRUCTION.size, ctypes.addressof(buffer))
    number = ARCHITECTURES[kernel.MACHINE].seccomp
    # A positive answer is a thread that could not be brought under the filter.
    return kernel.call(number, SET_MODE_FILTER, ON_ALL_THREADS, ctypes.byref(described))[0] == 0


def program(machine: str, pid: int) -> bytes:
    """The filter for one process on one machine ("x86_64", "aarch64"): 8 bytes an instruction."""
    architecture = ARCHITECTURES[machine]
    code = [
        _load(ARCHITECTURE_AT),
        _jump(EQUAL, architecture.audit, 1, 0),
        _return(KILL_PROCESS),
        _load(NUMBER_AT),
    ]
    if architecture.foreign_from is not None:
        code += [_jump(AT_LEAST, architecture.foreign_from, 0, 1), _return(KILL_PROCESS)]
    checks = _checks(pid)
    for name, number in architecture.numbers.items():
        if name in ABSENT:
            body = [_return(ERRNO | errno.ENOSYS)]
        else:
            body = [*_conditions(checks.get(name, ())), _return(ALLOW)]
        code += [_jump(EQUAL, number, 0, len(body)), *body]
    code.append(_return(ERRNO | errno.EPERM))
    return b"".join(code)


def _checks(pid: int) -> dict[str, tuple[Check, ...]]:
    """Conditions on the arguments of each call of `CHECKED`; all of them must hold."""
    reads = Check(1, (0,), mask=WRITING)
    itself = Check(0, (pid,))
    return {
        "open": (reads,),
        "openat": (Check(2, (0,), mask=WRITING),),
        "clone": (Check(0, (THREAD,), mask=ALL_BITS & ~DETACHED),),
        "kill": (itself,),
        "tgkill": (itself,),
        "prlimit64": (Check(0, (0,)), Check(2, (0,)), Check(2, (0,), upper_half=True)),  # asking only
        # Not F_SETOWN and F_SETSIG, which have the kernel send any signal to anybody.
        "fcntl": (Check(1, (0, 1, 2, 3, 4, 1030)),),  # F_DUPFD, F_[GS]ETFD, F_[GS]ETFL, F_DUPFD_CLOEXEC
        "ioctl": (Check(1, (0x5401, 0x5421, 0x5450, 0x5451)),),  # TCGETS, FIONBIO, FIONCLEX, FIOCLEX
        "prctl": (Check(0, (15, 16, 0x53564D41)),),  # thread names, and names of memory areas
        "sched_setaffinity": (Check(0, (0,)),),
    }


def _conditions(checks: tuple[Check, ...]) -> Iterator[bytes]:
    """Fall through when all hold, return EPERM at the first that does not."""
    for check in checks:
        yield _load(ARGUMENTS_AT + 8 * check.argument + 4 * check.upper_half)  # little-endian, both machines
        if check.mask != ALL_BITS:
            yield _instruction(AND, check.mask)
        last = len(check.values) - 1
        for i, value in enumerate(check.values):
            yield _jump(EQUAL, value, last - i + 1, 0)
        yield _return(ERRNO | errno.EPERM)


def _instruction(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return INSTRUCTION.pack(operation, if_true, if_false, value)


def _load(offset: int) -> bytes:
    return _instruction(LOAD, offset)


def _jump(operation: int, value: int, if_true: int, if_false: int) -> bytes:
    return _instruction(operation, value, if_true, if_false)


def _return(action: int) -> bytes:
    return _instruction(RETURN, action)


X86_64: Mapping[str, int] = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
    "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
    "rt_sigreturn": 15, "ioctl": 16, "pread64": 17, "readv": 19, "writev": 20, "access": 21, "select": 23,
    "sched_yield": 24, "mremap": 25, "msync": 26, "madvise": 28, "dup": 32, "dup2": 33, "pause": 34,
    "nanosleep": 35, "getpid": 39, "clone": 56, "exit": 60, "kill": 62, "uname": 63, "fcntl": 72,
    "getcwd": 79, "readlink": 89, "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99,
    "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108, "getppid": 110,
    "getpgrp": 111, "getgroups": 115, "getresuid": 118, "getresgid": 120, "getpgid": 121, "getsid": 124,
    "rt_sigpending": 127, "rt_sigsuspend": 130, "sigaltstack": 131, "statfs": 137, "fstatfs": 138,
    "sched_getparam": 143, "sched_getscheduler": 145, "sched_get_priority_max": 146,
    "sched_get_priority_min": 147, "prctl": 157, "arch_prctl": 158, "gettid": 186, "time": 201,
    "futex": 202, "sched_setaffinity": 203, "sched_getaffinity": 204, "getdents64": 217,
    "set_tid_address": 218, "restart_syscall": 219, "fadvise64": 221, "clock_gettime": 228,
    "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234, "get_mempolicy": 239,
    "openat": 257, "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "pselect6": 270, "ppoll": 271,
    "set_robust_list": 273, "dup3": 292, "preadv": 295, "prlimit64": 302, "getcpu": 309, "getrandom": 318,
    "statx": 332, "rseq": 334, "clone3": 435, "close_range": 436, "openat2": 437, "faccessat2": 439,
    "futex_waitv": 449,
}  # fmt: skip

AARCH64: Mapping[str, int] = {
    "getcwd": 17, "dup": 23, "dup3": 24, "fcntl": 25, "ioctl": 29, "statfs": 43, "fstatfs": 44,
    "faccessat": 48, "openat": 56, "close": 57, "getdents64": 61, "lseek": 62, "read": 63, "write": 64,
    "readv": 65, "writev": 66, "pread64": 67, "preadv": 69, "pselect6": 72, "ppoll": 73, "readlinkat": 78,
    "newfstatat": 79, "fstat": 80, "exit": 93, "exit_group": 94, "set_tid_address": 96, "futex": 98,
    "set_robust_list": 99, "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114,
    "clock_nanosleep": 115, "sched_getscheduler": 120, "sched_getparam": 121, "sched_setaffinity": 122,
    "sched_getaffinity": 123, "sched_yield": 124, "sched_get_priority_max": 125,
    "sched_get_priority_min": 126, "restart_syscall": 128, "kill": 129, "tgkill": 131, "sigaltstack": 132,
    "rt_sigsuspend": 133, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigpending": 136,
    "rt_sigreturn": 139, "getresuid": 148, "getresgid": 150, "times": 153, "getpgid": 155, "getsid": 156,
    "getgroups": 158, "uname": 160, "getrlimit": 163, "getrusage": 165, "prctl": 167, "getcpu": 168,
    "gettimeofday": 169, "getpid": 172, "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176,
    "getegid": 177, "gettid": 178, "sysinfo": 179, "brk": 214, "munmap": 215, "mremap": 216, "clone": 220,
    "mmap": 222, "fadvise64": 223, "mprotect": 226, "msync": 227, "madvise": 233, "get_mempolicy": 236,
    "prlimit64": 261, "getrandom": 278, "statx": 291, "rseq": 293, "clone3": 435, "close_range": 436,
    "openat2": 437, "faccessat2": 439, "futex_waitv": 449,
}  # fmt: skip

ARCHITECTURES: Mapping[str, _Architecture] = {
    "x86_64": _Architecture(0xC000003E, 317, X86_64, foreign_from=0x40000000),
    "aarch64": _Architecture(0xC00000B7, 277, AARCH64),
}
