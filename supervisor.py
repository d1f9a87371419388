"""Starts the worker beside the web process, starts it again when it dies, and stops it at the end.

Promises: one worker at a time, a pause that grows while it keeps dying, and no worker left behind.
Leaves the jobs of a dead worker to the queue's leases.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from settings import PROJECT_ROOT, Settings

__all__ = ["WORKER_COMMAND", "Supervisor", "worker_environment"]

log = logging.getLogger(__name__)

# Its standard input is a pipe from here, which ends when this process does, however that happens.
WORKER_COMMAND = (sys.executable, "-m", "worker", "--with-parent")
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0  # a worker that lived this long starts again without a grown pause
GRACE_S = 10.0


def worker_environment(settings: Settings) -> dict[str, str]:
    """This process's environment with every setting spelled out, so that both read the same."""
    values = settings.model_dump(mode="json")
    values["data_dir"] = str(settings.data_dir.expanduser().resolve())
    return {**os.environ, **{name.upper(): str(value) for name, value in values.items()}}


class Supervisor:
    """Keeps one worker process alive, from `start` to `stop`; also a context manager."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        command: Sequence[str] = WORKER_COMMAND,
        cwd: Path = PROJECT_ROOT,
        first_pause_s: float = FIRST_PAUSE_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._environment = dict(environment)
        self._command = tuple(command)
        self._cwd = cwd
        self._first_pause_s = first_pause_s
        self._grace_s = grace_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts = 0

    @property
    def alive(self) -> bool:
        """Whether a worker process runs right now."""
        process = self._process
        return process is not None and process.poll() is None

    @property
    def pid(self) -> int | None:
        process = self._process
        return None if process is None else process.pid

    @property
    def restarts(self) -> int:
        """How often the worker had to be started again."""
        return self._restarts

    def start(self) -> None:
        """Start the worker and the thread that watches it; does not wait for the worker to be ready."""
        if self._thread is not None:
            raise RuntimeError("the supervisor is already started")
        self._stopping.clear()
        self._process = self._spawn()
        self._thread = threading.Thread(target=self._watch, name="worker-supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to end, kill it with its process group when it does not, and return after."""
        self._stopping.set()
        if self._process is not None:
            _end(self._process, self._grace_s)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        # The watcher may have been starting the next one in the same moment.
        if self._process is not None:
            _end(self._process, self._grace_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal reaches this process only, which then stops
        # the worker in order; and the group can be killed as one.
        return subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _watch(self) -> None:
        pause = self._first_pause_s
        while not self._stopping.is_set():
            process, started = self._process, time.monotonic()
            if process is not None:
                code = process.wait()
                if self._stopping.is_set():
                    return
                _close_pipe(process)
                log.error("The worker ended with code %s; starting it again in %.1f s", code, pause)
            if time.monotonic() - started >= STEADY_S:
                pause = self._first_pause_s
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE_S)
            try:
                self._process = self._spawn()
                self._restarts += 1
            except OSError:
                log.exception("The worker cannot be started")
                self._process = None


def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    _close_pipe(process)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            log.warning("The worker did not end within %.0f s and is killed", grace_s)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
