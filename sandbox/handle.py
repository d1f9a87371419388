"""The worker's side of a model's process: asks it, and believes nothing.

Promises: an answer is validated before it is given on; one that is not as asked ends the process. Leaves
clock, pipes and cancellation to `sandbox.process`, and what is done in the child to `model_process.child`.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from errors import BadAnswer
from estimators.answers import Attributions, Predictions, RowError, joined_scores
from metrics import Timings, summarise
from records.explanation import ExplainPlan
from records.metrics import LatencyPlan
from records.model import Policy, ScanReport, Task
from records.schema import Schema
from rows.joint import Joint
from sandbox import wire
from sandbox.answers import (
    all_float,
    count_of,
    is_figure,
    joint_of,
    scores_fit,
    shares_of,
    text_of,
    texts_of,
    timed_block,
    timed_calls,
)
from sandbox.process import LockedProcess
from sandbox.zygote import Zygote
from scan.policy import check_policy

__all__ = ["LoadedModel", "Memory", "ModelHandle", "open_model"]

log = logging.getLogger(__name__)

MAX_ROWS = 65_536  # a predict call
REQUEST_BYTES = 64 << 20
ANSWER_BYTES = 12 << 20
MAX_LABELS = 10_000
TASKS = ("classification", "regression", "clustering", "outlier", "unknown")
ZIP = b"PK\x03\x04"
ZIP_ROOM_MB = 4096  # PyTorch and Keras map the libraries of a GPU also where there is none


@dataclass(frozen=True)
class LoadedModel:
    """What the loaded model said of itself. load_memory_mb: growth of the process's peak while loading."""

    framework: str
    estimator: str
    task: Task
    features: tuple[str, ...]
    n_features: int | None
    labels: tuple[str, ...] | None
    class_shares: tuple[float, ...] | None
    load_ms: float
    load_memory_mb: float
    libraries: dict[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """The highest resident memory of a model's process so far, and its growth since loading; MB."""

    peak_mb: float
    since_load_mb: float


@contextmanager
def open_model(
    zygote: Zygote,
    path: Path,
    *,
    name: str,
    deadline_s: float,
    cancelled: threading.Event | None = None,
    policy: Policy | None = None,
    on_scan: Callable[[ScanReport], None] | None = None,
) -> Iterator["ModelHandle"]:
    """Load a model file in a process of its own; the process is gone when the block ends.

    deadline_s: seconds for everything done with the handle. Loading has its own limit besides
    (`load_timeout_s`). policy: in place of the settings' `model_policy`. on_scan: told what the file shows
    at a glance, then what the whole scan saw, also of a model that is then refused. Raises ModelRefused for
    what the policy does not allow, a ModelError for the file's other faults, a ChildError for the process's.
    """
    handle = ModelHandle(zygote, path, name=name, deadline_s=deadline_s, cancelled=cancelled)
    try:
        limit_s = zygote.settings.load_timeout_s
        handle._hello()
        for look in ("glance", "scan"):
            handle._look(look, limit_s)
            if on_scan is not None:
                on_scan(handle.scan)
        handle._load(limit_s, policy or zygote.settings.model_policy)
        yield handle
    finally:
        handle.close()


class ModelHandle(LockedProcess):
    """A loaded model."""

    info: LoadedModel
    mined: Schema | None
    joint: Joint | None
    scan: ScanReport

    def __init__(
        self, zygote: Zygote, path: Path, *, name: str, deadline_s: float, cancelled: threading.Event | None
    ) -> None:
        memory_mb = zygote.settings.child_memory_mb + _room_for_library(path)
        super().__init__(zygote, path, memory_mb=memory_mb, deadline_s=deadline_s, cancelled=cancelled)
        self.name = name
        self._labels: list[str] = []  # met in answers, in a fixed order, when the model names no classes

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.info.warnings

    def predict(self, frame: pd.DataFrame) -> Predictions:
        """Predictions for every row, asked in chunks. Rows that fail are in the answer, not raised."""
        width = 8 * max(1, frame.shape[1])
        answer = 9 + 8 * len(self.info.labels or ())
        step = max(1, min(MAX_ROWS, REQUEST_BYTES // width, ANSWER_BYTES // answer))
        starts = range(0, max(len(frame), 1), step)
        parts = [(start, self._predict_chunk(frame.iloc[start : start + step])) for start in starts]
        return _joined(parts)

    def predict_singly(self, frame: pd.DataFrame) -> Predictions:
        """Predictions for every row of a small table, each asked in a table of its own, in one request."""
        return self._predict_chunk(frame, "predict_singly")

    def predict_together(self, frame: pd.DataFrame) -> Predictions:
        """Predictions for every row of a small table, asked by several threads of the process at once."""
        return self._predict_chunk(frame, "predict_together")

    def measure(self, frame: pd.DataFrame, plan: LatencyPlan) -> Timings:
        """Latency of each batch size, as measured in the model's process on rows of the frame."""
        most = max(*plan.batch_sizes, 1000)
        request = {"op": "measure", "plan": plan.model_dump(mode="json")}
        answer = self._call("measure", request, wire.encode_frame(frame.head(most)))
        try:
            return summarise(timed_calls(answer, plan))
        except (KeyError, TypeError, ValueError) as error:
            raise self._bad(f"The timings are malformed ({type(error).__name__}: {error}).") from None

    def rehearse(self, frame: pd.DataFrame, plan: LatencyPlan, batch_size: int) -> None:
        """Make ready for `time_block`: lay out inputs of one batch size in the process, and warm up."""
        request = {"op": "rehearse", "plan": plan.model_dump(mode="json"), "batch_size": batch_size}
        self._call("measure", request, wire.encode_frame(frame.head(max(batch_size, 1000))))

    def time_block(self, calls: int, seconds: float) -> np.ndarray:
        """Milliseconds of up to `calls` calls in a row, no more than one after `seconds`; (n,)."""
        answer = self._call("measure", {"op": "block", "calls": calls, "seconds": seconds})
        try:
            return timed_block(answer, calls)
        except (KeyError, TypeError, ValueError) as error:
            raise self._bad(f"The timings are malformed ({type(error).__name__}: {error}).") from None

    def explain(
        self, frame: pd.DataFrame, background: pd.DataFrame, plan: ExplainPlan, seed: int
    ) -> Attributions:
        """Attributions of the frame's first rows, as computed in the model's process."""
        request = {"op": "explain", "plan": plan.model_dump(mode="json"), "seed": seed}
        arrays = wire.encode_frame(frame, "frame") | wire.encode_frame(background, "background")
        answer = self._call("explain", request, arrays)
        try:
            texts = wire.array_to_json(answer.arrays["texts"])
            found = Attributions(
                method=text_of(texts["method"]),
                explainer=text_of(texts["explainer"]),
                output=text_of(texts["output"]),
                outputs=texts_of(texts["outputs"], MAX_LABELS),
                features=texts_of(texts["features"], MAX_LABELS),
                values=answer.arrays["values"],
                base=answer.arrays["base"],
                explained=answer.arrays["explained"],
                std_error=answer.arrays.get("std_error"),
                notes=texts_of(texts["notes"], 50),
            )
        except (KeyError, TypeError, ValueError, BadAnswer) as error:
            raise self._bad(f"The attributions are malformed ({type(error).__name__}).") from None
        n, f, k = found.values.shape if found.values.ndim == 3 else (-1, -1, -1)
        expected = {"values": (n, f, k), "base": (k,), "explained": (n, k)}
        shaped = all(getattr(found, name).shape == shape for name, shape in expected.items())
        counted = len(found.outputs) == k and len(found.features) == f and 0 < n <= len(frame)
        known = set(found.features) <= {str(c) for c in frame.columns}
        sampled = found.std_error is None or found.std_error.shape == (f,)
        if not (shaped and counted and known and sampled and all_float(answer.arrays)):
            raise self._bad("The attributions do not have the shape of what was asked.")
        if not np.isfinite(found.values).all() or not np.isfinite(found.base).all():
            raise self._bad("The attributions are not all finite numbers.")
        return found

    def memory(self) -> Memory:
        """The highest resident memory of the process so far, in MB."""
        header = self._call("memory", {"op": "memory"}).header
        found: list[Any] = [header.get(key) for key in ("peak_memory_mb", "since_load_mb")]
        if not all(is_figure(value) for value in found):
            raise self._bad("The memory is not a number.")
        return Memory(*map(float, found))

    def _look(self, operation: str, limit_s: float) -> None:
        """Take in what the file shows; answered before the model's code could run."""
        seen = self._call("load", {"op": operation}, limit_s=limit_s)
        try:
            self.scan = ScanReport.model_validate(wire.array_to_json(seen.arrays["texts"]))
        except (KeyError, ValueError, BadAnswer) as error:
            raise self._bad(f"The model's scan is malformed ({type(error).__name__}).") from None

    def _load(self, limit_s: float, policy: Policy) -> None:
        check_policy(self.scan, policy)  # the child refuses it too; here the verdict is out of its reach
        answer = self._call("load", {"op": "load", "policy": policy}, limit_s=limit_s)
        header = answer.header
        try:
            texts = wire.array_to_json(answer.arrays["texts"])
            labels = texts["labels"]
            self.info = LoadedModel(
                framework=text_of(header["framework"]),
                estimator=text_of(header["estimator"]),
                task=header["task"],
                features=texts_of(texts["features"], 100_000),
                n_features=header["n_features"],
                labels=None if labels is None else texts_of(labels, MAX_LABELS),
                class_shares=shares_of(texts["class_shares"], labels),
                load_ms=header["load_ms"],
                load_memory_mb=header["load_memory_mb"],
                libraries={text_of(k): text_of(v) for k, v in list(texts["libraries"].items())[:50]},
                warnings=texts_of(texts["warnings"], 50),
            )
            self.mined = None if texts["schema"] is None else Schema.model_validate(texts["schema"])
            self.joint = joint_of(texts["joint"], answer.arrays.get("joint"), self.mined)
        except (KeyError, TypeError, ValueError, AttributeError, BadAnswer) as error:
            raise self._bad(f"The model's description is malformed ({type(error).__name__}).") from None
        count = self.info.n_features
        sound = count is None or (type(count) is int and 0 <= count <= 10_000_000)
        if not sound or self.info.task not in TASKS:
            raise self._bad("The model's description holds an impossible value.")
        if not (is_figure(self.info.load_ms) and is_figure(self.info.load_memory_mb)):
            raise self._bad("The load's time or memory is not a number.")

    def _predict_chunk(self, frame: pd.DataFrame, operation: str = "predict") -> Predictions:
        answer = self._call("predict", {"op": operation}, wire.encode_frame(frame))
        n = len(frame)
        try:
            arrays = answer.arrays
            texts = wire.array_to_json(arrays["texts"])
            values, flags, scores = arrays["values"].copy(), arrays["failed"], arrays.get("scores")
            own = texts.get("labels")
            labels = self.info.labels if own is None else texts_of(own, MAX_LABELS)
            found = [
                RowError(text_of(k), text_of(m), count_of(r, n), count_of(f, n))
                for k, m, r, f in texts["errors"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError, BadAnswer) as error:
            raise self._bad(f"The predictions are malformed ({type(error).__name__}).") from None
        if (
            values.shape != (n,)
            or flags.shape != (n,)
            or values.dtype != np.float64
            or flags.max(initial=0) > 1
        ):
            raise self._bad(f"The predictions are not {n:,} numbers with their flags.")
        failed = flags.astype(bool)
        usable = values[~failed]
        if not np.isfinite(usable).all():
            raise self._bad("A prediction that counts as an answer is not a number.")
        if labels is not None and ((usable < 0) | (usable >= len(labels)) | (usable % 1 != 0)).any():
            raise self._bad("A prediction is none of the model's classes.")
        values[failed] = np.nan
        if scores is not None and not scores_fit(scores, n, labels, failed):
            raise self._bad("The scores do not fit the predictions.")
        if own is not None and labels is not None:
            values, labels = self._stable_codes(values, labels, failed)
        return Predictions(values, scores, labels, failed, tuple(found))

    def _stable_codes(
        self, values: np.ndarray, labels: tuple[str, ...], failed: np.ndarray
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Codes that mean the same in every answer of this model: new labels are added at the end."""
        known = set(self._labels)
        self._labels += [label for label in labels if label not in known]
        if len(self._labels) > MAX_LABELS:
            raise self._bad("The model answers with ever new texts.")
        place = {label: i for i, label in enumerate(self._labels)}
        table = np.array([place[label] for label in labels], dtype=np.float64)
        recoded = np.full(len(values), np.nan)
        recoded[~failed] = table[values[~failed].astype(np.intp)]
        return recoded, tuple(self._labels)


def _room_for_library(path: Path) -> int:
    """MB of address space for a library that takes up gigabytes, where the file may be one of its own.

    Both write zip archives, and no archive is opened outside of the lock to see whose it is.
    """
    with path.open("rb") as file:
        archive = file.read(len(ZIP)) == ZIP
    return ZIP_ROOM_MB if archive else 0


def _joined(parts: list[tuple[int, Predictions]]) -> Predictions:
    """The chunks' predictions as one; errors of the same kind and message are counted together."""
    if len(parts) == 1:
        return parts[0][1]
    counted: dict[tuple[str, str], RowError] = {}
    for start, part in parts:
        for error in part.errors:
            key = (error.kind, error.message)
            before = counted.get(key)
            first = before.first_row if before else start + error.first_row
            counted[key] = RowError(*key, error.rows + (before.rows if before else 0), first)
    found = [part for _, part in parts]
    return Predictions(
        values=np.concatenate([part.values for part in found]),
        scores=joined_scores(found),
        labels=max((part.labels for part in found if part.labels is not None), key=len, default=None),
        failed=np.concatenate([part.failed for part in found]),
        errors=tuple(counted.values()),
    )
