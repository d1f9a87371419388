"""The worker's side of the zygote: the clean process that models' processes are forked from.

Promises: it starts when first needed, starts again when it dies, and takes all its children along. What
it does inside is `model_process.zygote`; what is asked of a child is `sandbox.handle`'s.
"""

import array
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, cast

from errors import Cancelled, Unavailable
from settings import PROJECT_ROOT, Settings

__all__ = ["EXIT_WAIT_S", "MAIN", "SLICE_S", "Child", "Zygote", "clean_environment"]

log = logging.getLogger(__name__)

MAIN = "model_process.zygote"  # started, never imported: this process holds none of what it imports
START_TIMEOUT_S = 300.0  # importing everything from a cold disk takes half a minute, on a busy machine more
SLICE_S = 0.05  # how often a wait looks for cancellation
EXIT_WAIT_S = 5.0
PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ", "SYSTEMROOT")
SEE_LOG = "Look into the server's log, or run `python -c 'import sklearn, shap'` with the server's Python."

SIGNALS = {
    signal.SIGSEGV: "it crashed (segmentation fault): native code met data that it cannot read",
    signal.SIGBUS: "it crashed (bus error)",
    signal.SIGILL: "it used an instruction that this processor does not have",
    signal.SIGFPE: "it crashed (arithmetic error in native code)",
    signal.SIGABRT: "native code gave up; running out of memory is the usual reason",
    signal.SIGKILL: "it was killed from outside; the machine running out of memory is the usual reason",
    signal.SIGXCPU: "it used all the processor time that it was given",
    signal.SIGXFSZ: "it tried to write a file",
    signal.SIGSYS: "it made a system call in a way that no model needs",
}


class Child:
    """One forked child as its zygote reports it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid: int | None = None
        self.exited = threading.Event()
        self.status: int | None = None
        self.message = ""

    def describe(self) -> str:
        if self.status is None:
            return self.message or "its parent process ended"
        if self.status < 0:
            meaning = SIGNALS.get(cast(signal.Signals, -self.status), "it was ended by a signal")
            return f"killed by signal {-self.status}: {meaning}"
        return f"it ended itself with exit status {self.status}"


class Zygote:
    """The process that models' processes are forked from. Thread-safe; started again when it dies."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ready = threading.Event()
        self._failure = ""
        self._children: dict[int, Child] = {}
        self._next = 0
        self._closed = False

    def start(self) -> None:
        """Start the process unless it runs; returns at once, while it still imports."""
        with self._lock:
            self._start()

    def close(self) -> None:
        """End the process and every child of it."""
        with self._lock:
            self._closed = True
            process, control = self._process, self._control
            self._process = self._control = None
        if control is not None:
            with suppress(OSError):
                control.shutdown(socket.SHUT_RDWR)
        if process is not None:
            try:
                process.wait(EXIT_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The running process's number; None when there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def fork(
        self, fds: Sequence[int], cpu_s: float, memory_mb: int, cancelled: threading.Event | None
    ) -> Child:
        """A new locked child that owns the descriptors (requests, answers, the model's file, others)."""
        ready = self._ensure()
        ends = time.monotonic() + START_TIMEOUT_S
        while not ready.wait(SLICE_S):
            if cancelled is not None and cancelled.is_set():
                raise Cancelled("The run was cancelled.")
            if time.monotonic() > ends:
                raise Unavailable("The process that models are run in did not start in time.", hint=SEE_LOG)
        with self._lock:
            if self._failure or self._control is None:
                raise Unavailable(
                    f"The process that models are run in could not start: {self._failure}", hint=SEE_LOG
                )
            self._next += 1
            child = self._children[self._next] = Child(self._next)
            request = {
                "op": "fork",
                "id": child.number,
                "fds": len(fds),
                "memory_mb": memory_mb,
                "cpu_s": cpu_s,
                "threads": os.cpu_count() or 1,
                "require_lock": self.settings.model_policy != "unsafe",
            }
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
            try:
                self._control.sendmsg([json.dumps(request).encode() + b"\n"], [rights])
            except OSError as error:
                del self._children[child.number]
                raise Unavailable(
                    f"The process that models are run in ended ({error}).", hint=SEE_LOG
                ) from None
            return child

    def kill(self, child: Child) -> None:
        """Kill a child with its whole process group and wait until it is gone."""
        if child.exited.is_set():
            return
        with self._lock:
            control = self._control
        if control is not None:
            with suppress(OSError):
                control.sendall(json.dumps({"op": "kill", "id": child.number}).encode() + b"\n")
        if not child.exited.wait(EXIT_WAIT_S):
            log.error("The model's process %s did not end when it was killed.", child.pid)

    def _ensure(self) -> threading.Event:
        with self._lock:
            return self._start()

    def _start(self) -> threading.Event:
        """Start the process if none runs (the lock is held); the event says when it is ready or failed."""
        if self._closed:
            raise Unavailable("The worker is shutting down.")
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._ready
        if os.name != "posix":
            raise Unavailable(
                "Models cannot be run on this system.", hint="Run the server on Linux or macOS, or in Docker."
            )
        if self._process is not None:  # it died: nothing that it left is of use
            self._process.kill()
            self._process.wait()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        code = (
            f"import sys; sys.path.insert(0, {str(PROJECT_ROOT)!r}); "
            f"from {MAIN} import zygote_main; zygote_main({theirs.fileno()})"
        )
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", code],
                env=clean_environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._control, self._failure = ours, ""
        self._ready, self._children = threading.Event(), {}
        listener = threading.Thread(
            target=self._listen, args=(ours, self._ready, self._children), name="zygote", daemon=True
        )
        listener.start()
        return self._ready

    def _listen(self, control: socket.socket, ready: threading.Event, children: dict[int, Child]) -> None:
        """Take in the zygote's reports until it ends; then all its children have ended too."""
        with suppress(OSError), control.makefile("rb") as lines:
            for line in lines:
                event = json.loads(line)
                if event["event"] == "ready":
                    if event["missing"]:
                        log.warning("Not available to models: %s", ", ".join(event["missing"]))
                    if event["threads"] > 1:  # a fork may inherit a lock that a lost thread held
                        log.warning("A library started %d threads before the fork.", event["threads"] - 1)
                    ready.set()
                elif event["event"] == "failed":
                    self._failure = str(event["message"])
                elif (child := children.get(event["id"])) is not None:
                    if event["event"] == "forked":
                        child.pid = event["pid"]
                    else:
                        child.status, child.message = event["status"], event["message"]
                        child.exited.set()
                        children.pop(child.number, None)
        with self._lock:
            if self._control is control:
                self._control = None
                self._failure = self._failure or "it ended while starting"
        control.close()
        for child in list(children.values()):
            child.exited.set()
        ready.set()


def clean_environment() -> dict[str, str]:
    """A few named variables and nothing of the server's own: no token, no database URL."""
    cores = str(os.cpu_count() or 1)
    clean = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "MPLCONFIGDIR": "/nonexistent",
        "MPLBACKEND": "Agg",
        "JOBLIB_MULTIPROCESSING": "0",  # its pool wants shared-memory semaphores
        "OMP_NUM_THREADS": cores,
        "OMP_WAIT_POLICY": "PASSIVE",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's thread: a fork wants none
    }
    return clean | {name: os.environ[name] for name in PASSED_ON if name in os.environ}
