"""The zygote itself: imports the numeric stack once, forks a process for each model, and reaps it.

Promises: single-threaded and without a model of its own; what it forked is gone when the worker says so
or goes away. Leaves what a child does to `model_process.child`, and asking it to `sandbox.handle`.
"""

import array
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from errors import MAX_QUOTED
from lockdown import kernel, lock
from records.explanation import ExplainPlan
from records.metrics import LatencyPlan
from records.model import MAX_FILES, ScanReport
from records.sample import SampleFacts
from records.schema import Schema

__all__ = ["MODEL_LIBRARIES", "preload", "zygote_main"]

MODEL_LIBRARIES = (  # that models are made of
    "scipy.stats",
    "joblib",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.compose",
    "sklearn.preprocessing",
    "sklearn.impute",
    "sklearn.tree",
    "sklearn.svm",
    "sklearn.neighbors",
    "sklearn.naive_bayes",
    "sklearn.gaussian_process",
    "sklearn.neural_network",
    "sklearn.model_selection",
    "xgboost",
    "lightgbm",
)
LIBRARIES_OF_OURS = ("resource", "shap")  # that our own modules import only when they need them
REQUEST_BYTES = 65_536


def zygote_main(fd: int) -> None:
    """Import, then serve fork requests on the control socket until the worker closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides when this ends
    control = socket.socket(fileno=fd)
    parent = os.getppid()
    lock.die_with_parent(parent)
    lock.become_reaper()
    warnings.simplefilter("ignore")
    try:
        missing = preload()
    except Exception as error:
        _tell(control, event="failed", message=f"{type(error).__name__}: {error}"[:MAX_QUOTED])
        return
    gc.collect()
    gc.freeze()  # collections in a child would copy every page that they touch
    _tell(control, event="ready", missing=missing, threads=kernel.thread_count() or 1)
    _Zygote(control).serve()


def preload() -> list[str]:
    """Import what models are made of and what is done with them; gives the libraries that are missing.

    A library that is not installed is missed only when a model needs it. Of the house every module that a
    child may come to need is imported by name, here or by those imported here: under the lock it could no
    longer be read, and one that is missing ends the start.
    """
    missing = _import(MODEL_LIBRARIES)
    _import_lazy_parts()
    # The filters of warnings that our tools bring are dropped, those of the libraries stay, as in a process
    # that only serves a model: a forest sets every one of them again for each tree that it asks.
    with warnings.catch_warnings():
        missing += _import(LIBRARIES_OF_OURS)
        from explainers import tree_shapley
        from mining import particles
        from model_process import child, reader  # noqa: F401
        from scan import allow_list
        from scan.policy import installed_versions

        reader.warm_up()
        tree_shapley.warm_up()  # compilation costs seconds: paid here once
        particles.warm_up()
        allow_list.warm_up()
        installed_versions()  # each child tells them; reading them once is enough
        for record in (ScanReport, Schema, SampleFacts, LatencyPlan, ExplainPlan):
            record.model_rebuild()  # what every child builds and reads
    return missing


def _import(names: tuple[str, ...]) -> list[str]:
    missing = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    return missing


def _import_lazy_parts() -> None:
    """What libraries import only when first used, so that no model's first call pays for it."""
    with suppress(ImportError):
        import pandas as pd
        from sklearn.preprocessing import StandardScaler

        StandardScaler().fit_transform(pd.DataFrame({"a": [0.0, 1.0]}))  # on a frame; no OpenMP in it
    with suppress(ImportError):  # found by reading /proc/self/maps, which the lock cannot promise
        from sklearn.utils.parallel import _get_threadpool_controller

        _get_threadpool_controller()


def _tell(control: socket.socket, **event: Any) -> None:
    with suppress(OSError):
        control.sendall(json.dumps(event).encode() + b"\n")


class _Zygote:
    """Forks children, reaps them and their orphans, and reports how they ended. Single-threaded."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, int] = {}  # pid -> the worker's number for it
        self._text = b""
        self._fds: list[int] = []

    def serve(self) -> None:
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._control:
                        if not self._receive():
                            self._kill_all()
                            return
                    else:
                        with suppress(BlockingIOError):
                            os.read(woken, 4096)
                self._reap()

    def _receive(self) -> bool:
        try:
            text, ancillary, _, _ = self._control.recvmsg(
                REQUEST_BYTES, socket.CMSG_SPACE(4 * (2 + MAX_FILES))
            )
        except OSError:
            return False
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
                self._fds.extend(numbers)
        if not text:
            return False
        self._text += text
        while b"\n" in self._text:
            line, _, self._text = self._text.partition(b"\n")
            request = json.loads(line)
            if request["op"] == "fork":
                count = request["fds"]
                fds, self._fds = self._fds[:count], self._fds[count:]
                self._fork(request, fds)
            elif request["op"] == "kill":
                for pid in [p for p, number in self._children.items() if number == request["id"]]:
                    _kill_group(pid)
        return True

    def _fork(self, request: dict[str, Any], fds: list[int]) -> None:
        from model_process.child import child_main  # loaded by now, after the libraries

        me = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            _tell(self._control, event="exited", id=request["id"], status=None, message=str(error))
            pid = -1
        if pid == 0:
            try:
                child_main(request, fds, me)
            finally:
                os._exit(70)
        for fd in fds:
            os.close(fd)
        if pid > 0:
            self._children[pid] = request["id"]
            _tell(self._control, event="forked", id=request["id"], pid=pid)

    def _reap(self) -> None:
        while self._reap_one():
            self._kill_orphans()

    def _reap_one(self) -> bool:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        number = self._children.pop(pid, None)
        if number is not None:
            with suppress(OSError):  # what it forked and left behind
                os.killpg(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(status)
            _tell(self._control, event="exited", id=number, status=code, message="")
        return pid != 0

    def _kill_orphans(self) -> None:
        """Descendants that left their group come here when their parent dies: none of them is ours."""
        for pid in _orphans():
            if pid not in self._children:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def _kill_all(self) -> None:
        for pid in self._children:
            _kill_group(pid)
        self._kill_orphans()


def _orphans() -> list[int]:
    """This process's children, as the kernel lists them (Linux)."""
    with suppress(OSError):
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return [int(pid) for pid in listed.split()]
    return []


def _kill_group(pid: int) -> None:
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(OSError):  # killed before it made a group of its own
        os.kill(pid, signal.SIGKILL)
