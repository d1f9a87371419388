"""Starts the worker beside the web process, starts it again when it dies or hangs, and stops it at the end.

Promises: one worker at a time; a silent one is replaced within two leases, a dead one after a pause that
grows while it keeps dying; no worker is left behind. Leaves the jobs of a lost worker to the queue's leases.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from records.restarts import Restarts
from settings import PROJECT_ROOT, Settings

__all__ = ["WORKER_COMMAND", "Supervisor", "worker_environment"]

log = logging.getLogger(__name__)

# Its standard input is a socket to here: it ends when this process does, however that happens, and takes
# the worker's beats (`execution.heartbeat`).
WORKER_COMMAND = (sys.executable, "-m", "worker", "--with-parent")
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0  # a worker that lived this long starts again without a grown pause
GRACE_S = 10.0
SLICE_S = 0.5
SHORTEST_SILENCE_S = 1.0  # two beats of the worker


def worker_environment(settings: Settings) -> dict[str, str]:
    """This process's environment with every setting spelled out, so that both read the same."""
    values = settings.model_dump(mode="json")
    values["data_dir"] = str(settings.data_dir.expanduser().resolve())
    return {**os.environ, **{name.upper(): str(value) for name, value in values.items()}}


class Supervisor:
    """Keeps one worker process alive, from `start` to `stop`; also a context manager.

    A worker that gives no sign of life for `lease_s` seconds is told to end, killed with its process group
    a third of a lease later at the latest, and another is started at once.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        lease_s: float,
        command: Sequence[str] = WORKER_COMMAND,
        cwd: Path = PROJECT_ROOT,
        first_pause_s: float = FIRST_PAUSE_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._environment = dict(environment)
        self._silence_s = max(lease_s, SHORTEST_SILENCE_S)
        self._command = tuple(command)
        self._cwd = cwd
        self._first_pause_s = first_pause_s
        self._grace_s = grace_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._worker: _Worker | None = None
        self._restarts = Restarts()

    @property
    def alive(self) -> bool:
        """Whether a worker process runs right now."""
        worker = self._worker
        return worker is not None and worker.process.poll() is None

    @property
    def pid(self) -> int | None:
        worker = self._worker
        return None if worker is None else worker.process.pid

    @property
    def restarts(self) -> Restarts:
        """How often the worker had to be started again, and why the last time."""
        return self._restarts

    def start(self) -> None:
        """Start the worker and the thread that watches it; does not wait for the worker to be ready."""
        if self._thread is not None:
            raise RuntimeError("the supervisor is already started")
        self._stopping.clear()
        self._worker = self._spawn()
        self._thread = threading.Thread(target=self._watch, name="worker-supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to end, kill it with its process group when it does not, and return after."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.end(self._grace_s)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        # The watcher may have been starting the next one in the same moment.
        if self._worker is not None:
            self._worker.end(self._grace_s)
            self._worker.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self) -> "_Worker":
        return _Worker(self._command, self._cwd, self._environment)

    def _watch(self) -> None:
        pause = self._first_pause_s
        while not self._stopping.is_set():
            worker, started = self._worker, time.monotonic()
            silent, reason = False, "It could not be started."
            if worker is not None:
                code = worker.wait(self._silence_s)
                if self._stopping.is_set():
                    return
                silent, reason = code is None, self._reason(worker, code)
                if silent:
                    log.error("The worker (process %d) is replaced. %s", worker.process.pid, reason)
                    worker.end(min(self._grace_s, self._silence_s / 3))
                worker.close()
            if time.monotonic() - started >= STEADY_S:
                pause = self._first_pause_s
            wait_s = 0.0 if silent else pause  # the silence was a pause
            log.error("The worker is started again in %.1f s. %s", wait_s, reason)
            if self._stopping.wait(wait_s):
                return
            if not silent:
                pause = min(pause * 2, LONGEST_PAUSE_S)
            try:
                self._worker = self._spawn()
            except OSError:
                log.exception("The worker cannot be started")
                self._worker = None
            else:
                self._restarts = Restarts(
                    total=self._restarts.total + 1,
                    silent=self._restarts.silent + silent,
                    last_at=datetime.now(UTC),
                    last_reason=reason,
                )

    def _reason(self, worker: "_Worker", code: int | None) -> str:
        silence = f"It gave no sign of life for {self._silence_s:g} s"
        return f"{silence if code is None else f'It ended with code {code}'}; it last held: {worker.held}."


class _Worker:
    """One worker process, and the socket that is its standard input."""

    def __init__(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
        self.held = "unknown"
        self._line: socket.socket | None = None
        theirs: socket.socket | None = None
        if os.name == "posix":  # elsewhere no socket is passed on, and only a worker that ends is replaced
            self._line, theirs = socket.socketpair()
            self._line.settimeout(SLICE_S)
        try:
            # A session of its own: Ctrl-C in the terminal reaches this process only, which then stops
            # the worker in order; and the group can be killed as one.
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.PIPE if theirs is None else theirs.fileno(),
                start_new_session=True,
            )
        except OSError:
            self.close()
            raise
        finally:
            if theirs is not None:
                theirs.close()

    def wait(self, silence_s: float) -> int | None:
        """The code that it ended with; None when it lives, and gave no sign of it for that long."""
        silent_s = 0.0
        while silent_s < silence_s:
            if self._hears():
                silent_s = 0.0
            elif (code := self.process.poll()) is not None:
                return code
            else:
                # Waits are added up in place of a clock's reading: where the whole machine or container
                # stood still, this process did as well, and nobody was silent.
                silent_s += SLICE_S
        return None

    def end(self, grace_s: float) -> None:
        """Hang up, ask it to end, and kill what is left of its process group after `grace_s` at most."""
        self._hang_up()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                log.warning("The worker did not end within %.1f s and is killed", grace_s)
                self.process.kill()
            if os.name == "posix":
                with suppress(OSError):  # usually there is nobody left
                    os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        if self._line is not None:
            self._line.close()

    def _hears(self) -> bool:
        """Whether it gave a sign of life within a slice of time; at its end at once."""
        if self._line is not None:
            try:
                beats = self._line.recv(65536)
            except TimeoutError:
                return False
            except OSError:  # reset: it ended without having read everything
                beats = b""
            if beats:
                latest = beats.rpartition(b"\n")[0].rpartition(b"\n")[2]
                self.held = latest.decode(errors="replace") or "nothing"
                return True
        # Without a line, or at its end, the process has ended or is about to.
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(SLICE_S)
        return self._line is None and self.process.poll() is None

    def _hang_up(self) -> None:
        with suppress(OSError):
            if self._line is not None:
                self._line.shutdown(socket.SHUT_RDWR)
            elif self.process.stdin is not None:
                self.process.stdin.close()
