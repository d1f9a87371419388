"""A locked process that reads one file of a stranger's: started, asked, and ended by the worker.

Promises: every call ends by its deadline or its cancellation, with an answer or an error that names the
stage; no process outlives the object. Leaves what answers mean, and whether they may be believed, to
those that ask: `sandbox.handle` a model, `sandbox.reader` a sample.
"""

import math
import os
import select
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from errors import (
    BadAnswer,
    Cancelled,
    ChildDied,
    ChildTimeout,
    DashboardError,
    LockUnavailable,
    ModelError,
    kind_of,
)
from records.texts import clean
from sandbox import wire
from sandbox.answers import texts_of
from sandbox.zygote import EXIT_WAIT_S, SLICE_S, Zygote

__all__ = ["LockedProcess"]


class LockedProcess:
    """One forked process with one file, or some. Calls take turns; after a fault of the process itself it is
    of no more use.

    deadline_s: seconds for everything that it is asked. memory_mb: its address space.
    """

    isolation: tuple[str, ...]
    believed: ClassVar[tuple[type[DashboardError], ...]] = (ModelError,)
    """The kinds of error that the process may report; any other is read as the first of them."""

    def __init__(
        self,
        zygote: Zygote,
        paths: Sequence[Path],
        *,
        memory_mb: int,
        deadline_s: float,
        cancelled: threading.Event | None,
    ) -> None:
        self._zygote = zygote
        self._cancelled = cancelled
        self._turn = threading.Lock()
        self._broken: DashboardError | None = None
        self._requests = self._answers = -1
        request_read, self._requests = os.pipe()
        self._answers, answer_write = os.pipe()
        theirs = [request_read, answer_write]
        try:
            for path in paths:
                theirs.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            cpu_s = deadline_s * (os.cpu_count() or 1) + 5
            self._child = zygote.fork(theirs, cpu_s, memory_mb, cancelled)
        except BaseException:
            os.close(self._requests)
            os.close(self._answers)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        self._deadline_s = deadline_s
        self._deadline = time.monotonic() + deadline_s

    @property
    def alive(self) -> bool:
        """Whether the process can still be asked."""
        return self._broken is None and not self._child.exited.is_set()

    def kill(self) -> None:
        """End the process now; may be called from another thread."""
        self._broken = self._broken or ChildDied("The model's process was stopped.")
        self._zygote.kill(self._child)

    def close(self) -> None:
        """End the process and give back its pipes."""
        self.kill()
        with self._turn:
            for fd in (self._requests, self._answers):
                if fd >= 0:
                    os.close(fd)
            self._requests = self._answers = -1

    def _hello(self) -> None:
        """Learn what holds the process, before the file's first byte is read."""
        hello = self._call("start", {"op": "hello"})
        self.isolation = texts_of(hello.header.get("isolation"), 40)

    def _call(
        self,
        stage: str,
        header: dict[str, Any],
        arrays: dict[str, wire.Array] | None = None,
        limit_s: float = math.inf,
    ) -> wire.Message:
        """One request and its answer. An error that the process reports passes on; any other ends it."""
        with self._turn:
            if self._broken is not None:
                raise self._broken
            wait = self._waiter(stage, limit_s)
            try:
                wire.send(self._requests, wire.Message(header, arrays or {}), wait)
                answer = wire.receive(self._answers, wire.ANSWER_LIMIT, wait)
            except (EOFError, OSError):
                self._child.exited.wait(EXIT_WAIT_S)
                raise self._end(self._told(self._death(stage))) from None
            except (ChildTimeout, Cancelled, ChildDied, BadAnswer) as error:
                raise self._end(self._told(error)) from None
        if "error" in answer.header:
            raise self._error(answer.header["error"], stage)
        return answer

    def _waiter(self, stage: str, limit_s: float) -> wire.Wait:
        started = time.monotonic()
        ends = min(self._deadline, started + limit_s)

        def wait(fd: int, writing: bool) -> None:
            poller = select.poll()
            poller.register(fd, select.POLLOUT if writing else select.POLLIN)
            while True:
                gone = self._child.exited.is_set()  # looked at first: what it wrote before is still read
                if self._cancelled is not None and self._cancelled.is_set():
                    raise Cancelled("The run was cancelled.")
                left = ends - time.monotonic()
                if left <= 0:
                    raise _timeout(stage, min(self._deadline_s, limit_s))
                if poller.poll(0 if gone else min(SLICE_S, left) * 1000):
                    return
                if gone:
                    raise self._death(stage)

        return wait

    def _death(self, stage: str) -> DashboardError:
        if self._broken is not None:
            return self._broken
        return ChildDied(
            f"The model's process died in stage {stage}: {self._child.describe()}.",
            hint="Predict with the model in a fresh interpreter to see the crash; check its memory's limit "
            "(CHILD_MEMORY_MB).",
        )

    def _bad(self, message: str) -> DashboardError:
        return self._end(BadAnswer(message, hint="The file does not behave as a model does; do not use it."))

    def _end(self, error: DashboardError) -> DashboardError:
        self._broken = self._broken or error
        self._zygote.kill(self._child)
        return self._broken

    def _told(self, error: DashboardError) -> DashboardError:
        """A fault of the process in the words of what it was asked for; here a model's."""
        return error

    def _error(self, described: Any, stage: str) -> DashboardError:
        """The error that the child described; a code that is not ours is some fault of the model.

        Before the file is read, the lock may be at fault; afterwards nobody would be believed who says so.
        """
        fault = self.believed[0]
        if not isinstance(described, dict):
            return fault("The process failed and did not say why.")
        parts = [str(described.get(key, ""))[: wire.MAX_TEXT] for key in ("code", "message", "hint")]
        kind = kind_of(parts[0]) or fault
        believed = (*self.believed, LockUnavailable) if stage == "start" else self.believed
        choices = described.get("choices")
        chosen = [clean(str(one)[:200]) for one in choices[:50]] if isinstance(choices, list) else []
        return (kind if issubclass(kind, believed) else fault)(parts[1], hint=parts[2], choices=chosen)


def _timeout(stage: str, seconds: float) -> ChildTimeout:
    return ChildTimeout(
        f"The model did not answer in stage {stage} within {seconds:.3g} s and was stopped.",
        hint="Give the run more time (timeout_s), test fewer rows, or use a faster model.",
    )
