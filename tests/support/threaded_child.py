"""A model's process played by a thread: the real child's answers, or others in their place.

Promises: the worker's side sees what it sees of a process: two pipes, and an end. What is not here are the
lock and the fork, so only models that are trusted are loaded.
"""

import json
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from errors import BadAnswer
from model_process.child import _Child, _error
from records.explanation import ExplainPlan
from records.metrics import LatencyPlan
from sandbox import wire
from sandbox.handle import ModelHandle, open_model
from sandbox.zygote import Child, Zygote
from settings import Settings
from tests.support.mutations import put_together, taken_apart

__all__ = ["ASKED", "LATENCY", "ThreadZygote", "asked", "frame_of", "recorded"]

LATENCY = LatencyPlan(batch_sizes=(1, 2), calls=4, warmup=1, budget_s=0.05)
METHODS = {"predict_singly": "_predict_batches", "predict_together": "_predict_batches"}
Answer = Callable[[str, Callable[[], bytes]], tuple[bytes, bool]]
"""From an operation, and what gives the true answer to it, to the bytes to send and whether it goes on."""


def frame_of(message: wire.Message) -> bytes:
    """The bytes of a message on the pipe."""
    with tempfile.TemporaryFile() as file:
        wire.send(file.fileno(), message)
        file.seek(0)
        return file.read()


class ThreadZygote:
    """Stands in for a `Zygote`; `answer` decides what is sent."""

    def __init__(self, answer: Answer, settings: Settings | None = None) -> None:
        self.settings = settings or Settings(_env_file=None, model_policy="contained")
        self._answer = answer
        self._threads: list[threading.Thread] = []

    def fork(
        self, fds: tuple[int, int, int], _cpu_s: float, _memory_mb: int, _cancelled: threading.Event | None
    ) -> Child:
        child, own = Child(len(self._threads)), [os.dup(fd) for fd in fds]
        self._threads.append(threading.Thread(target=self._serve, args=(child, *own), daemon=True))
        self._threads[-1].start()
        return child

    def kill(self, child: Child) -> None:
        child.exited.set()

    def join(self) -> None:
        """Wait until every thread has seen the end of its pipes."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _serve(self, child: Child, requests: int, answers: int, model: int) -> None:
        with os.fdopen(model, "rb") as file, suppress(EOFError, OSError, BadAnswer):
            loaded, goes_on = _Child(requests, answers, [file], ("a thread",)), True
            while goes_on:
                request = wire.receive(requests, wire.REQUEST_LIMIT)
                operation = str(request.header["op"])
                data, goes_on = self._answer(operation, lambda: _true_answer(loaded, operation, request))  # noqa: B023
                while data:
                    data = data[os.write(answers, data) :]
        os.close(requests)
        os.close(answers)
        child.exited.set()


def _true_answer(child: _Child, operation: str, request: wire.Message) -> bytes:
    try:
        found = getattr(child, METHODS.get(operation, f"_{operation}"))(request)
    except Exception as error:
        found = wire.Message({"error": _error(error, operation)})
    return frame_of(found)


ASKED: dict[str, Callable[[ModelHandle, pd.DataFrame], Any]] = {
    "load": lambda handle, _: (handle.info, handle.mined, handle.joint),
    "predict": lambda handle, rows: handle.predict(rows),
    "predict_singly": lambda handle, rows: handle.predict_singly(rows),
    "measure": lambda handle, rows: handle.measure(rows, LATENCY),
    "block": lambda handle, _: handle.time_block(20, 0.01),
    "explain": lambda handle, rows: handle.explain(rows, rows, ExplainPlan(budget_s=0.2), 0),
    "memory": lambda handle, _: handle.memory(),
}
"""What each operation is on the worker's side."""


def asked(zygote: ThreadZygote, path: Path, operation: str, rows: pd.DataFrame) -> Any:
    """What the worker makes of an operation's answer; raises what it raises."""
    with open_model(cast(Zygote, zygote), path, name="m", deadline_s=60) as handle:
        if operation == "block":
            handle.rehearse(rows, LATENCY, 1)
        return ASKED[operation](handle, rows)


def recorded(path: Path, rows: pd.DataFrame) -> dict[str, bytes]:
    """The true answers of a model to all it can be asked, as frames; its times are cut to a thousandth.

    Whoever plays them again answers at once, and no call may have taken longer than that.
    """
    frames: dict[str, bytes] = {}

    def keep(operation: str, true: Callable[[], bytes]) -> tuple[bytes, bool]:
        frames[operation] = true()
        return frames[operation], True

    zygote = ThreadZygote(keep)
    for operation in ASKED:
        asked(zygote, path, operation, rows)
    zygote.join()
    return {operation: _quick(frame) for operation, frame in frames.items()}


def _quick(frame: bytes) -> bytes:
    header, parts = taken_apart(frame)
    for described in (header, *header.get("sizes", [])):
        for key in ("load_ms", "first_call_ms", "prepare_ms", "validation_ms"):
            if described.get(key):
                described[key] /= 1000
    quick = [
        (name, code, shape, (np.frombuffer(data) / 1000).tobytes() if name == "calls" else data)
        for name, code, shape, data in parts
    ]
    return put_together(json.dumps(header), quick)
