"""What a forked, locked child does: it takes in one file and answers what is asked of it.

Promises: a child holds one model or one sample, sees only its own pipes, and answers with numbers and short
texts. Leaves the wall clock, the judging of answers and every verdict to `sandbox.handle` and
`sandbox.reader`, which trust nothing that comes from here.
"""

import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bundles.assembly import assembled
from bundles.containers import Opened, opened
from errors import MAX_QUOTED, DashboardError, InvalidSample, LockUnavailable, ModelError, PredictFailed
from estimators import native
from estimators.answers import MAX_ERRORS, Predictions
from estimators.batches import answer_singly, answer_together
from estimators.loading import load
from explainability import explain
from lockdown import lock
from mining.class_shares import class_shares
from mining.schema import mine
from model_process.reader import SAMPLE_OPERATIONS, SampleOperations
from model_process.rig import Rig
from model_utils import Adapter
from records import bounded_json
from records.explanation import ExplainPlan
from records.metrics import LatencyPlan
from records.model import Policy, ScanReport
from records.schema import Schema
from records.texts import clean, clean_within
from rows.joint import Joint
from sandbox import wire
from scan.versions import installed_versions
from upgrades.steps import Upgrade
from upgrades.telling import told_of

__all__ = ["child_main"]

MAX_MINED = 8 << 20
MAX_MINED_TOKENS = wire.ANSWER_TOKENS * 4 // 5  # the rest is for the names, classes and notes beside it
MAX_WARNINGS = 20
FIRST_FD = 3
ASKED_TO_PREDICT = ("predict", "predict_singly", "predict_together", "measure", "rehearse", "block")


def child_main(request: dict[str, Any], fds: list[int], parent: int) -> None:
    """What a forked child does: leave the worker's world, lock itself, serve its one model or sample.

    fds: for requests, for answers, and of each file, the model's first.
    """
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Low numbers, for the descriptor limit; through high ones first, for they may be one another's.
    high = [os.dup2(fd, 200 + i, inheritable=False) for i, fd in enumerate(fds)]
    kept = tuple(os.dup2(fd, FIRST_FD + i, inheritable=False) for i, fd in enumerate(high))
    requests, answers, *given = kept
    try:
        isolation = lock.lock(
            kept,
            parent=parent,
            memory_mb=request["memory_mb"],
            cpu_s=request["cpu_s"],
            threads=request["threads"],
            require=request["require_lock"],
        )
    except LockUnavailable as error:  # said instead of hello; the model's file stays unread
        wire.receive(requests, wire.REQUEST_LIMIT)
        wire.send(answers, wire.Message({"error": _error(error, "hello")}))
        os._exit(0)
    warnings.simplefilter("ignore")
    _Child(requests, answers, [os.fdopen(fd, "rb") for fd in given], isolation).serve()
    os._exit(0)


@dataclass
class _Child:
    """One locked child: reads a request, answers it, until it is told to quit."""

    requests: int
    answers: int
    given: list[BinaryIO]
    isolation: tuple[str, ...]
    adapter: Adapter | None = None
    files: dict[int, Opened] = field(
        default_factory=dict
    )  # what each file given holds, once it was looked at
    reports: dict[int, ScanReport] = field(default_factory=dict)
    rig: Rig | None = None
    before_mb: float = 0.0  # the peak before anything of the model was read
    loaded_mb: float = 0.0  # the peak when the model was loaded

    def serve(self) -> None:
        operations: dict[str, Callable[[wire.Message], wire.Message]] = {
            "hello": self._hello,
            "glance": self._glance,
            "scan": self._scan,
            "load": self._load,
            "predict": self._predict,
            "predict_singly": self._predict_batches,
            "predict_together": self._predict_batches,
            "measure": self._measure,
            "rehearse": self._rehearse,
            "block": self._block,
            "explain": self._explain,
            "memory": self._memory,
        } | SampleOperations(self.given[0]).by_name
        while True:
            try:
                request = wire.receive(self.requests, wire.REQUEST_LIMIT)
            except EOFError:
                return
            name = str(request.header.get("op"))
            if name == "quit":
                return
            try:
                answer = operations[name](request)
            except BaseException as error:  # SystemExit and KeyboardInterrupt are the model's too
                answer = wire.Message({"error": _error(error, name)})
            wire.send(self.answers, answer)

    def _hello(self, _request: wire.Message) -> wire.Message:
        """Answered before the model's first byte is read, so that no model can forge it."""
        return wire.Message({"isolation": list(self.isolation)})

    def _glance(self, request: wire.Message) -> wire.Message:
        """Answered before the model's code could run, so that no model can forge it either; as is a scan."""
        self.before_mb = self.before_mb or _peak_memory_mb()
        return _seen(self._opened(request).glance())

    def _scan(self, request: wire.Message) -> wire.Message:
        self.reports[request.header["file"]] = report = self._opened(request).scan()
        return _seen(report)

    def _opened(self, request: wire.Message) -> Opened:
        number = request.header["file"]
        if number not in self.files:
            self.files[number] = opened(self.given[number], companion=number > 0)
        return self.files[number]

    def _load(self, request: wire.Message) -> wire.Message:
        upgrade, header = Upgrade(), request.header
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            native.import_libraries({name for report in self.reports.values() for name in report.libraries})
            started = time.perf_counter()
            loaded = [
                (name, self._content(number, header["policy"], upgrade))
                for number, name in enumerate(header["names"])
            ]
            load_ms = (time.perf_counter() - started) * 1000
            found = assembled(loaded, header["entry"], header["steps"])
            adapter, estimator = found.adapter, found.adapter.estimator
        self.loaded_mb = _peak_memory_mb()
        memory = max(0.0, self.loaded_mb - self.before_mb)
        mined, joint, complaint = _mined(estimator, self.files[found.file].promised)
        said = [*adapter.notes, *told_of(upgrade), *_warnings(caught), *complaint]
        self.adapter = adapter
        texts = {
            "features": list(adapter.features),
            "labels": None if adapter.labels is None else list(adapter.labels),
            "class_shares": class_shares(estimator) if adapter.labels is not None else None,
            "warnings": list(dict.fromkeys(said))[:MAX_WARNINGS],
            "upgraded_from": upgrade.brought_from,
            "upgrades": list(upgrade.steps) if upgrade.brought_from else [],
            "libraries": installed_versions(),
            "parts": [[part.entry, part.kind, part.role, part.note] for part in found.parts],
            "schema": mined,
            "joint": None if joint is None else list(joint.names),
        }
        header = {
            "framework": adapter.framework,
            "estimator": adapter.name,
            "task": adapter.task,
            "n_features": adapter.n_features,
            "file": found.file,
            "load_ms": load_ms,
            "load_memory_mb": memory,
        }
        arrays: dict[str, wire.Array] = {"texts": wire.json_to_array(clean_within(texts, wire.MAX_TEXT))}
        if joint is not None:
            arrays["joint"] = joint.ranks
        return wire.Message(header, arrays)

    def _content(self, number: int, policy: Policy, upgrade: Upgrade) -> Any:
        """What one file holds, once it was scanned."""
        file = self.files[number]
        return (
            file.names if file.names is not None else load(file.file, policy, self.reports[number], upgrade)
        )

    def _predict(self, request: wire.Message) -> wire.Message:
        adapter = self._loaded()
        found = adapter.answer(wire.decode_frame(request.arrays))
        return _prediction_answer(found, adapter.labels)

    def _predict_batches(self, request: wire.Message) -> wire.Message:
        adapter = self._loaded()
        ways = {"predict_singly": answer_singly, "predict_together": answer_together}
        found = ways[request.header["op"]](adapter.answer, wire.decode_frame(request.arrays))
        return _prediction_answer(found, adapter.labels)

    def _measure(self, request: wire.Message) -> wire.Message:
        self.rig = self._rigged(request)
        timed = self.rig.measure(wire.decode_frame(request.arrays))
        sizes = [
            {
                "batch_size": size.batch_size,
                "n": len(size.calls_ms),
                "warmup": size.warmup,
                "stable": size.stable,
                "prepare_ms": size.prepare_ms,
                "validation_ms": size.validation_ms,
            }
            for size in timed.sizes
        ]
        header = {
            "sizes": sizes,
            "first_call_ms": timed.first_call_ms,
            "cut_short": timed.cut_short,
            "threads": self.rig.threads,
        }
        return wire.Message(header, {"calls": np.concatenate([size.calls_ms for size in timed.sizes])})

    def _rehearse(self, request: wire.Message) -> wire.Message:
        self.rig = self._rigged(request)
        self.rig.rehearse(wire.decode_frame(request.arrays), int(request.header["batch_size"]))
        return wire.Message({})

    def _block(self, request: wire.Message) -> wire.Message:
        if self.rig is None:
            raise ModelError("The model was not made ready to be timed.")
        seconds = float(request.header["seconds"])
        if request.header.get("yardstick"):
            return wire.Message({}, {"calls": self.rig.yardstick(seconds)})
        calls = self.rig.block(int(request.header["calls"]), seconds)
        return wire.Message({}, {"calls": calls})

    def _rigged(self, request: wire.Message) -> Rig:
        return Rig(self._loaded(), LatencyPlan.model_validate(request.header["plan"]))

    def _explain(self, request: wire.Message) -> wire.Message:
        plan = ExplainPlan.model_validate(request.header["plan"])
        frame = wire.decode_frame(request.arrays, "frame")
        background = wire.decode_frame(request.arrays, "background")
        found = explain(self._loaded(), frame, background, plan, int(request.header["seed"]))
        texts: dict[str, Any] = {
            "method": found.method,
            "explainer": found.explainer,
            "output": found.output,
            "outputs": list(found.outputs),
            "features": list(found.features),
            "notes": list(found.notes)[:MAX_WARNINGS],
            "words": [text.model_dump(mode="json") for text in found.texts],
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            "texts": wire.json_to_array(clean_within(texts, wire.MAX_TEXT)),
            "values": np.ascontiguousarray(found.values, dtype=np.float64),
            "base": np.asarray(found.base, dtype=np.float64),
            "explained": np.asarray(found.explained, dtype=np.float64),
        }
        if found.std_error is not None:
            arrays["std_error"] = np.asarray(found.std_error, dtype=np.float64)
        return wire.Message({}, arrays)

    def _memory(self, _request: wire.Message) -> wire.Message:
        peak = _peak_memory_mb()
        return wire.Message({"peak_memory_mb": peak, "since_load_mb": max(0.0, peak - self.loaded_mb)})

    def _loaded(self) -> Adapter:
        if self.adapter is None:
            raise ModelError("No model is loaded.")
        return self.adapter


def _seen(report: ScanReport) -> wire.Message:
    return wire.Message({}, {"texts": wire.json_to_array(report.model_dump(mode="json"))})


def _prediction_answer(found: Predictions, known: tuple[str, ...] | None) -> wire.Message:
    arrays: dict[str, wire.Array] = {
        "values": found.values.astype(np.float64),
        "failed": found.failed.astype(np.uint8),
    }
    if found.scores is not None:
        arrays["scores"] = found.scores
    told = found.errors[:MAX_ERRORS]
    texts: dict[str, Any] = {
        "errors": [[e.kind[:100], e.message[:MAX_QUOTED], e.rows, e.first_row] for e in told]
    }
    if found.no_scores is not None:
        texts["no_scores"] = found.no_scores[:MAX_QUOTED]
    if found.labels is not None and found.labels != known:
        texts["labels"] = list(found.labels)
    arrays["texts"] = wire.json_to_array(clean_within(texts, wire.MAX_TEXT))
    return wire.Message({}, arrays)


def _mined(estimator: Any, promised: Schema | None) -> tuple[Any, Joint | None, list[str]]:
    """What the model remembers of its training data; not finding it never loses the load."""
    try:
        found = mine(estimator, promised)
        if found is None:
            return None, None, []
        schema = found.schema.model_dump(mode="json", exclude_defaults=True)
        try:
            bounded_json.parse(
                json.dumps(schema), max_bytes=MAX_MINED, max_depth=wire.MAX_DEPTH, max_tokens=MAX_MINED_TOKENS
            )
        except ValueError:
            return None, None, ["The model's own schema is too large to be used: send one, or a sample."]
    except Exception as error:
        shown = f"{type(error).__name__}: {error}"[:MAX_QUOTED]
        complaint = f"The model's schema could not be read from it ({shown}): send one, or a sample."
        return None, None, [complaint]
    return schema, found.joint, []


def _warnings(caught: list[warnings.WarningMessage]) -> list[str]:
    """Each different warning once. A version warning is about every nested estimator: one will do."""
    said: dict[str, None] = {}
    for entry in caught:
        kind = entry.category.__name__
        if kind == "InconsistentVersionWarning":
            saved = getattr(entry.message, "original_sklearn_version", "another version")
            here = getattr(entry.message, "current_sklearn_version", "the one here")
            said[f"Saved with scikit-learn {saved}, loaded with {here}: its answers may differ."] = None
        elif not issubclass(entry.category, DeprecationWarning | PendingDeprecationWarning | ResourceWarning):
            said[" ".join(f"{kind}: {entry.message}"[:MAX_QUOTED].split())] = None
    return list(said)


def _error(error: BaseException, operation: str) -> dict[str, Any]:
    """An exception as it crosses the pipe: code, message and hint, each of bounded length."""
    if isinstance(error, DashboardError):
        found = error
    elif isinstance(error, MemoryError):
        found = ModelError(
            f"The model needs more memory than its process may use (while it was asked to {operation}).",
            hint="Raise CHILD_MEMORY_MB, or test with fewer rows.",
        )
    else:
        shown = f"{type(error).__name__}: {_message(error)}"
        kind = PredictFailed if operation in ASKED_TO_PREDICT else ModelError
        found = kind(f"The model failed when asked to {operation}: {shown}")
        if operation in SAMPLE_OPERATIONS:
            found = InvalidSample(f"The sample cannot be read: {shown}", hint="Save it again as CSV.")
    texts = {"code": found.code, "message": found.message[:2000], "hint": found.hint[:1000]}
    choices = [clean(choice[:200]) for choice in found.choices[:50]]
    return {key: clean(text) for key, text in texts.items()} | ({"choices": choices} if choices else {})


def _message(error: BaseException) -> str:
    try:
        return str(error)[:MAX_QUOTED]
    except Exception:
        return "(no message)"


def _peak_memory_mb() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024
