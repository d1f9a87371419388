"""Takes away from a process what a model does not need: memory, time, files, sockets, privileges.

Promises: each measure either holds or is not named among those applied, and without the file and the
system-call filter nothing goes on unless the caller says so. Only Linux has both (`probe`). Leaves the
filters to `lockdown.landlock` and `lockdown.seccomp`, and the wall clock, which no process holds against
itself, to `sandbox.handle`.
"""

import math
import os
import signal
import sys
import sysconfig
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from errors import LockUnavailable
from lockdown import kernel, landlock, seccomp

__all__ = ["Offer", "apply_limits", "become_reaper", "die_with_parent", "layers", "lock", "probe"]

MAX_DESCRIPTORS = 64
SPARE_PROCESSES = 64  # beyond what the user already runs: numeric libraries start threads
CPU_GRACE_S = 2  # between the signal at the soft limit and the kill at the hard one
UNUSED_USERS = 0x7000_0000  # far above any user that a system gives out

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

SHARED_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib")
SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/dev/null",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self/maps",
    "/proc/self/statm",
    "/proc/self/status",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
)
"""What numeric libraries read, found by tracing them: about the machine, and about the process itself.

Those in /proc hold until the kernel, short of memory, forgets the file: then they are refused as well.
"""

COMMON = ("process of its own", "clean environment", "wall clock")
LIMITS = ("cpu limit", "no file growth", "descriptor limit", "no core dump")
LINUX_LIMITS = ("memory limit", "no locked memory", "no message queues")
OOM_SCORE = Path("/proc/self/oom_score_adj")
OOM_FIRST = 1000  # the kernel's highest: taken before any process that has not asked for it
FIRST = "first to go when the machine's memory ends"
CLOSED, NOT_TRACEABLE, DIES = "inherited descriptors closed", "not traceable", "dies with its worker"
NO_PRIVILEGES, FILES, CALLS = "no new privileges", "Landlock", "seccomp"

HINT = (
    "Run the server on Linux 5.13 or newer, x86-64 or aarch64, with Landlock and seccomp (Docker's default "
    "profile has both). MODEL_POLICY=unsafe loads models without: do that only with files you trust."
)


@dataclass(frozen=True)
class Offer:
    """What this machine has to hold a model's process with. landlock: its ABI, None where it is missing."""

    platform: str
    machine: str
    root: bool
    landlock: int | None
    seccomp: bool

    @property
    def full(self) -> bool:
        """Whether both filters are there, without which no model is loaded unless told to."""
        return self.landlock is not None and self.seccomp


def probe() -> Offer:
    """Ask the kernel what it offers; changes nothing and takes microseconds."""
    return Offer(
        platform=sys.platform,
        machine=kernel.MACHINE,
        root=os.name == "posix" and os.geteuid() == 0,
        landlock=landlock.abi(),
        seccomp=seccomp.available(),
    )


def layers() -> tuple[str, ...]:
    """What this machine offers to hold a model in, weakest link first; () where it offers nothing."""
    if os.name != "posix":
        return ()
    common = (*COMMON, CLOSED, *LIMITS)
    if not kernel.IS_LINUX:
        return common
    offer = probe()
    filters = [name for name, held in ((FILES, offer.landlock), (CALLS, offer.seccomp)) if held]
    first = (FIRST,) if OOM_SCORE.exists() else ()
    return (*common, *LINUX_LIMITS, DIES, *first, NOT_TRACEABLE, NO_PRIVILEGES, *filters)


def lock(
    keep: Collection[int], *, parent: int, memory_mb: int, cpu_s: float, threads: int, require: bool = True
) -> tuple[str, ...]:
    """Lock the calling process, freshly forked and single-threaded; returns what was applied.

    keep: the only descriptors that stay open; standard input, output and error become /dev/null.
    parent: the process to die with; when it is already gone this one ends at once.
    require: raise LockUnavailable when a layer does not hold; False goes on with those that do.
    """
    applied = list(COMMON)

    def take(name: str, held: bool) -> None:
        if held:
            applied.append(name)
        elif require:
            raise LockUnavailable(f"The lock around models is incomplete here: no {name!r}.", hint=HINT)

    if require:
        _check_machine()
    take(DIES, die_with_parent(parent))
    _close_descriptors(keep)
    take(CLOSED, True)
    if _go_first():  # never required: it protects the machine's other processes, not what the model may reach
        applied.append(FIRST)
    take(NOT_TRACEABLE, kernel.prctl(PR_SET_DUMPABLE, 0))
    limits = apply_limits(memory_mb, cpu_s, threads)
    for name in dict.fromkeys((*LIMITS, *LINUX_LIMITS, *limits)):
        take(name, name in limits)
    take(NO_PRIVILEGES, kernel.prctl(PR_SET_NO_NEW_PRIVS, 1))
    take(FILES, landlock.allow_reading_only(_readable()))
    take(CALLS, seccomp.install())
    return tuple(applied)


def apply_limits(memory_mb: int, cpu_s: float, threads: int) -> tuple[str, ...]:
    """Set the resource limits of this process for good; returns the names of those that took.

    Address space rather than data segment, which shared mappings evade. The processes' limit counts all
    threads of the real user, so root takes one that nobody else has; without the right to, it is not bound.
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
    if kernel.IS_LINUX:  # macOS accepts an address-space limit and does not hold it
        wanted.append(("memory limit", "RLIMIT_AS", (memory, memory)))
        wanted.append(("no locked memory", "RLIMIT_MEMLOCK", (0, 0)))
        wanted.append(("no message queues", "RLIMIT_MSGQUEUE", (0, 0)))
        own_user = os.getuid() == 0 and _leave_root()
        if own_user or os.getuid() != 0:
            processes = threads + SPARE_PROCESSES + (0 if own_user else _user_threads())
            wanted.append(("process limit", "RLIMIT_NPROC", (processes, processes)))
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
    held = kernel.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    return held


def become_reaper() -> bool:
    """Have orphaned descendants handed to this process, so that none escapes by losing its parent."""
    return kernel.prctl(PR_SET_CHILD_SUBREAPER, 1)


def _check_machine() -> None:
    """Before anything is taken away: say what is missing, and that the process has one thread."""
    offer = probe()
    if not offer.full:
        missing = [name for name, held in ((FILES, offer.landlock), (CALLS, offer.seccomp)) if not held]
        where = f"{offer.platform}, {offer.machine}"
        raise LockUnavailable(f"This machine ({where}) does not offer {' and '.join(missing)}.", hint=HINT)
    threads = kernel.thread_count()
    if threads != 1:  # Landlock binds the thread that asks for it, and those that it starts
        seen = "an unknown number of" if threads is None else threads
        raise LockUnavailable(f"The process to be locked has {seen} threads; it must have one.", hint=HINT)


def _leave_root() -> bool:
    """As root: a real user of its own, for the kernel exempts root's, and no capability that exempts too.

    The effective user stays, for the files; the filters are what holds them.
    """
    try:
        os.setresuid(UNUSED_USERS + os.getpid(), -1, -1)
    except OSError:
        return False
    return kernel.drop_capabilities()


def _go_first() -> bool:
    """Offer this process to the kernel before the worker and all others: the limits bound each model alone.

    Anybody may raise their own score; what cannot be traced any more may no longer write it.
    """
    with suppress(OSError):
        OOM_SCORE.write_text(str(OOM_FIRST))
        return True
    return False


def _readable() -> Iterator[Path]:
    """What may be read under the lock: libraries, and what describes the machine. Nothing of ours:
    the house's own modules are imported before, and `.env` or the data may lie beside them."""
    for prefix in {sys.prefix, sys.base_prefix}:
        yield from (Path(prefix, folder) for folder in {"lib", sys.platlibdir})
    yield from (Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
    yield from (path for path in map(Path, sys.path) if path.name in ("site-packages", "dist-packages"))
    yield from map(Path, (*SHARED_LIBRARIES, *SYSTEM_FILES))


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
