"""What the lock costs a model's process, and each layer of it: `python -m benchmarks.lock`.

Medians of 100 forks of a process that has imported all that models are made of. Forks are timed from
outside until the child answers, layers inside the child, each in a child of its own.
"""

import gc
import os
import statistics
import struct
import sys
import time
from collections.abc import Callable

from lockdown import kernel, landlock, seccomp
from lockdown import lock as lockdown
from model_process.zygote import preload
from sandbox import zygote

FORKS = 100
TARGET_MS = 20
CORES = os.cpu_count() or 1


def lock(keep: int) -> None:
    lockdown.lock((keep,), parent=os.getppid(), memory_mb=4096, cpu_s=60, threads=CORES)


def landlock_only() -> None:
    kernel.prctl(lockdown.PR_SET_NO_NEW_PRIVS, 1)
    assert landlock.allow_reading_only(lockdown._readable())


def seccomp_only() -> None:
    kernel.prctl(lockdown.PR_SET_NO_NEW_PRIVS, 1)
    assert seccomp.install()


STEPS: dict[str, Callable[[int], object]] = {
    "fork": lambda _: None,
    "fork + lock": lock,
    "  looking at the machine": lambda _: lockdown._check_machine(),
    "  descriptors": lambda keep: lockdown._close_descriptors((keep,)),
    "  resource limits": lambda _: lockdown.apply_limits(4096, 60, CORES),
    "  Landlock": lambda _: landlock_only(),
    "  seccomp": lambda _: seccomp_only(),
}


def once(step: Callable[[int], object]) -> tuple[float, float]:
    """Milliseconds from before the fork until the child says that it is done, and those of the step."""
    done, tell = os.pipe()
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        try:
            began = time.perf_counter()
            step(tell)
            os.write(tell, struct.pack("d", time.perf_counter() - began))
        finally:
            os._exit(0)
    os.close(tell)
    said = os.read(done, 8)
    spent = time.perf_counter() - started
    os.close(done)
    os.waitpid(pid, 0)
    if not said:
        raise SystemExit("a child died before its lock was complete")
    return spent * 1000, struct.unpack("d", said)[0] * 1000


def main() -> None:
    print(lockdown.probe())
    missing = preload()
    gc.collect()
    gc.freeze()
    print(f"{kernel.thread_count()} thread, not installed: {', '.join(missing) or 'nothing'}")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in STEPS}
    for _ in range(FORKS):  # in turns, so that a busy moment hits all of them
        for name, step in STEPS.items():
            times[name].append(once(step))
    for name, values in times.items():
        is_layer = name.startswith(" ")
        print(f"{name:26} {statistics.median(value[is_layer] for value in values):6.2f} ms")
    whole = statistics.median(value[0] for value in times["fork + lock"])
    verdict = "within" if whole <= TARGET_MS else "over"
    print(f"medians of {FORKS} forks; fork + lock is {verdict} its target of {TARGET_MS} ms")


if __name__ == "__main__":
    if os.environ.get("JOBLIB_MULTIPROCESSING") != "0":  # libraries read the zygote's variables when loaded
        os.execve(sys.executable, [sys.executable, "-B", "-m", "benchmarks.lock"], zygote.clean_environment())
    main()
