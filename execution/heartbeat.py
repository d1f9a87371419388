"""The worker's sign of life: a line to its supervisor, twice a second, that says what it is busy with.

Promises: it never waits for the supervisor, and falls silent with the interpreter: when the process is
stopped, and when native code keeps the interpreter's lock. Leaves judging the silence to `supervisor`.
"""

import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["BEAT_S", "Heartbeat"]

BEAT_S = 0.5


class Heartbeat:
    """Beats from `start` until the process ends; before that, and without a supervisor, it says nothing."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._jobs = b""
        self._sending = threading.Lock()  # else a beat from before may be the last word

    def start(self) -> None:
        """Beat on standard input, where that is the supervisor's socket, from a thread of its own."""
        with suppress(OSError):  # somebody's terminal, pipe or file: nobody there counts
            self._line = socket.socket(fileno=0)
            threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def tell(self, jobs: Iterable[str]) -> None:
        """Say what the worker holds from now on, at once: the first of it may be what stops the worker."""
        self._jobs = ", ".join(jobs).encode()
        self._send()

    def _beat(self) -> None:
        while True:
            self._send()
            time.sleep(BEAT_S)

    def _send(self) -> None:
        if self._line is not None:
            # An error: nobody has read for long, or there is nobody any more.
            with self._sending, suppress(OSError):
                self._line.send(self._jobs + b"\n", socket.MSG_DONTWAIT)
