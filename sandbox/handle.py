"""The worker's side of a model's process: asks it, and believes nothing.

Promises: an answer is validated before it is given on; one that is not as asked ends the process. Leaves
clock, pipes and cancellation to `sandbox.process`, and what is done in the child to `model_process.child`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from errors import MAX_QUOTED, BadAnswer, DashboardError
from estimators.answers import (
    LARGEST,
    MAX_ERRORS,
    Attributions,
    Predictions,
    RowError,
    joined_scores,
)
from metrics import Timings, summarise
from records.explanation import ExplainPlan
from records.metrics import LatencyPlan
from records.model import MAX_PARTS_TOLD, ModelPart, Policy, ScanReport, Task
from records.schema import Schema
from rows.joint import Joint
from sandbox import wire
from sandbox.answers import (
    MAX_TITLE,
    attributions_of,
    figure_of,
    joint_of,
    machine_mb,
    row_errors_of,
    scores_of,
    shares_of,
    text_of,
    texts_of,
    timed_block,
    timed_calls,
    took_ms,
    with_arrays,
)
from sandbox.process import LockedProcess
from sandbox.zygote import Zygote
from scan.policy import check_policy

__all__ = ["Asking", "LoadedModel", "Memory", "ModelHandle", "open_model"]

MAX_ROWS = 65_536  # a predict call
REQUEST_BYTES = 64 << 20
ANSWER_BYTES = 12 << 20
MAX_LABELS = 10_000
MAX_SCORES = 50_000_000  # rows x classes: 400 MB; more are not kept
TASKS = ("classification", "regression", "clustering", "outlier", "unknown")
LARGE = (b"PK\x03\x04", b"\x89HDF")  # zip archives and HDF5
LIBRARY_ROOM_MB = 4096  # PyTorch and Keras map the libraries of a GPU also where there is none


@dataclass(frozen=True)
class LoadedModel:
    """What the loaded model said of itself. load_memory_mb: growth of the process's peak while loading.

    parts: of a bundle or of several files. file: which of these holds what predicts.
    """

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
    upgraded_from: str | None = None
    upgrades: tuple[str, ...] = ()
    parts: tuple[ModelPart, ...] = ()
    file: int = 0


@dataclass(frozen=True)
class Asking:
    """What a request says of a bundle. entry: the part to test; steps: the preprocessors in their order."""

    entry: str | None = None
    steps: tuple[str, ...] = ()


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
    companions: Sequence[tuple[str, Path]] = (),
    asking: Asking | None = None,
    deadline_s: float,
    cancelled: threading.Event | None = None,
    policy: Policy | None = None,
    on_scan: Callable[[ScanReport], None] | None = None,
) -> Iterator["ModelHandle"]:
    """Load a model file in a process of its own; the process is gone when the block ends.

    companions: (name, path) of the files that came beside it.
    deadline_s: seconds for everything done with the handle. Loading has its own limit besides
    (`load_timeout_s`). policy: in place of the settings' `model_policy`. on_scan: told what the file shows
    at a glance, then what the whole scan saw, also of a model that is then refused. Raises ModelRefused for
    what the policy does not allow, a ModelError for the file's other faults, a ChildError for the process's.
    """
    files = ((name, path), *companions)
    handle = ModelHandle(zygote, files, deadline_s=deadline_s, cancelled=cancelled)
    try:
        limit_s = zygote.settings.load_timeout_s
        handle._hello()
        for number in range(len(files)):
            for look in ("glance", "scan"):
                handle.scans[number] = handle._look(look, number, limit_s)
                if on_scan is not None and number == 0:
                    on_scan(handle.scan)
        handle._load(limit_s, policy or zygote.settings.model_policy, asking or Asking())
        yield handle
    finally:
        handle.close()


class ModelHandle(LockedProcess):
    """A loaded model."""

    info: LoadedModel
    mined: Schema | None
    joint: Joint | None

    def __init__(
        self,
        zygote: Zygote,
        files: Sequence[tuple[str, Path]],
        *,
        deadline_s: float,
        cancelled: threading.Event | None,
    ) -> None:
        paths = [path for _, path in files]
        memory_mb = zygote.settings.child_memory_mb + max(map(_room_for_library, paths))
        super().__init__(zygote, paths, memory_mb=memory_mb, deadline_s=deadline_s, cancelled=cancelled)
        self.names = tuple(name for name, _ in files)
        self.scans: dict[int, ScanReport] = {}
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
        scored = len(frame) * len(self.info.labels or ()) <= MAX_SCORES
        parts = []
        for start in starts:
            part = self._predict_chunk(frame.iloc[start : start + step])
            parts.append((start, part if scored else replace(part, scores=None)))
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
        asked = time.monotonic()
        answer = self._call("measure", request, wire.encode_frame(frame.head(most)))
        try:
            return summarise(timed_calls(answer, plan, took_ms(asked)))
        except (KeyError, TypeError, ValueError) as error:
            raise self._bad(f"The timings are malformed ({type(error).__name__}: {error}).") from None

    def rehearse(self, frame: pd.DataFrame, plan: LatencyPlan, batch_size: int) -> None:
        """Make ready for `time_block`: lay out inputs of one batch size in the process, and warm up."""
        request = {"op": "rehearse", "plan": plan.model_dump(mode="json"), "batch_size": batch_size}
        self._call("measure", request, wire.encode_frame(frame.head(max(batch_size, 1000))))

    def time_block(self, calls: int, seconds: float, *, yardstick: bool = False) -> np.ndarray:
        """Milliseconds of up to `calls` calls in a row, no more than one after `seconds`; (n,).

        yardstick: of a fixed piece of work instead of the model's calls, to tell how busy the machine is.
        """
        asked = time.monotonic()
        request = {"op": "block", "calls": calls, "seconds": seconds, "yardstick": yardstick}
        answer = self._call("measure", request)
        try:
            return timed_block(answer, calls, took_ms(asked))
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
            return attributions_of(answer, len(frame), list(map(str, frame.columns)))
        except (KeyError, TypeError, ValueError, BadAnswer) as error:
            raise self._bad(f"The attributions are malformed ({type(error).__name__}: {error}).") from None

    def memory(self) -> Memory:
        """The highest resident memory of the process so far, in MB."""
        answer, most = self._call("memory", {"op": "memory"}), machine_mb()
        try:
            header = with_arrays(answer, set()).header
            return Memory(*(figure_of(header[key], most) for key in ("peak_memory_mb", "since_load_mb")))
        except (KeyError, ValueError):
            raise self._bad("The memory is not what a process can have had.") from None

    @property
    def scan(self) -> ScanReport:
        """What the file showed that was sent as the model."""
        return self.scans[0]

    def _look(self, operation: str, number: int, limit_s: float) -> ScanReport:
        """What one file shows; answered before any file's code could run."""
        seen = self._call("load", {"op": operation, "file": number}, limit_s=limit_s)
        try:
            return ScanReport.model_validate(wire.array_to_json(seen.arrays["texts"]))
        except (KeyError, ValueError, BadAnswer) as error:
            raise self._bad(f"The model's scan is malformed ({type(error).__name__}).") from None

    def _load(self, limit_s: float, policy: Policy, asking: Asking) -> None:
        for number, scan in self.scans.items():
            self._check(number, scan, policy)
        asked = time.monotonic()
        names = list(self.names)
        request = {"op": "load", "policy": policy, "names": names, "entry": asking.entry}
        answer = self._call("load", request | {"steps": list(asking.steps)}, limit_s=limit_s)
        try:
            header = with_arrays(answer, {"texts"}, {"joint"}).header
            texts = wire.array_to_json(answer.arrays["texts"])
            labels, upgraded_from = texts["labels"], texts["upgraded_from"]
            self.info = LoadedModel(
                framework=text_of(header["framework"], MAX_TITLE),
                estimator=text_of(header["estimator"], MAX_TITLE),
                task=header["task"],
                features=texts_of(texts["features"], 100_000),
                n_features=header["n_features"],
                labels=None if labels is None else texts_of(labels, MAX_LABELS),
                class_shares=shares_of(texts["class_shares"], labels),
                load_ms=figure_of(header["load_ms"], took_ms(asked)),
                load_memory_mb=figure_of(header["load_memory_mb"], machine_mb()),
                libraries=dict(
                    (text_of(k, MAX_TITLE), text_of(v, MAX_TITLE))
                    for k, v in list(texts["libraries"].items())[:50]
                ),
                warnings=texts_of(texts["warnings"], 50),
                upgraded_from=upgraded_from and text_of(upgraded_from, MAX_TITLE),
                upgrades=texts_of(texts["upgrades"], 100),
                parts=_parts_of(texts["parts"]),
                file=_number_of(header["file"], len(self.names)),
            )
            self.mined = None if texts["schema"] is None else Schema.model_validate(texts["schema"])
            self.joint = joint_of(texts["joint"], answer.arrays.get("joint"), self.mined)
        except (KeyError, TypeError, ValueError, AttributeError, BadAnswer) as error:
            raise self._bad(f"The model's description is malformed ({type(error).__name__}).") from None
        count = self.info.n_features
        sound = count is None or (type(count) is int and 0 <= count <= 10_000_000)
        if not sound or self.info.task not in TASKS:
            raise self._bad("The model's description holds an impossible value.")

    def _check(self, number: int, scan: ScanReport, policy: Policy) -> None:
        """The child refuses what the policy does not allow too; here the verdict is out of its reach."""
        try:
            check_policy(scan, policy)
        except DashboardError as error:
            if number == 0:
                raise
            raise type(error)(f"{self.names[number]}: {error.message}", hint=error.hint) from None

    def _predict_chunk(self, frame: pd.DataFrame, operation: str = "predict") -> Predictions:
        answer = self._call("predict", {"op": operation}, wire.encode_frame(frame))
        n = len(frame)
        try:
            arrays = with_arrays(answer, {"values", "failed", "texts"}, {"scores"}).arrays
            texts = wire.array_to_json(arrays["texts"])
            values, flags = arrays["values"].copy(), arrays["failed"]
            own = texts.get("labels")
            labels = self.info.labels if own is None else texts_of(own, MAX_LABELS)
            errors = row_errors_of(texts["errors"], n)
            why = texts.get("no_scores")
            why = None if why is None else text_of(why, MAX_QUOTED)
        except (KeyError, TypeError, ValueError, AttributeError, BadAnswer) as error:
            raise self._bad(f"The predictions are malformed ({type(error).__name__}).") from None
        if (
            values.shape != (n,)
            or flags.shape != (n,)
            or values.dtype != np.float64
            or flags.dtype != np.uint8
            or flags.max(initial=0) > 1
        ):
            raise self._bad(f"The predictions are not {n:,} numbers with their flags.")
        failed = flags.astype(bool)
        usable = values[~failed]
        if not (np.abs(usable) <= LARGEST).all():  # neither NaN nor infinity is
            raise self._bad("A prediction that counts as an answer is not a number, or beyond any use.")
        if labels is not None and ((usable < 0) | (usable >= len(labels)) | (usable % 1 != 0)).any():
            raise self._bad("A prediction is none of the model's classes.")
        values[failed] = np.nan
        try:
            scores = scores_of(arrays.get("scores"), labels, failed)
        except ValueError:
            raise self._bad("The scores do not fit the predictions.") from None
        if own is not None and labels is not None:
            values, labels = self._stable_codes(values, labels, failed)
        return Predictions(values, scores, labels, failed, errors, why)

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


def _number_of(told: Any, count: int) -> int:
    """Which of so many files. Raises ValueError for anything else."""
    if type(told) is not int or not 0 <= told < count:
        raise ValueError("no number of a file")
    return told


def _parts_of(told: Any) -> tuple[ModelPart, ...]:
    """Raises ValueError, of which pydantic's is one, for anything else than parts."""
    if not isinstance(told, list) or len(told) > MAX_PARTS_TOLD:
        raise ValueError("the parts are no list")
    return tuple(
        ModelPart(entry=text_of(e, MAX_TITLE), kind=text_of(k, MAX_TITLE), role=r, note=text_of(n, MAX_TITLE))
        for e, k, r, n in told
    )


def _room_for_library(path: Path) -> int:
    """MB of address space for a library that takes up gigabytes, where the file may be one of its own.

    Both write zip archives, Keras HDF5 as well, and none is opened outside of the lock to see whose it is.
    """
    with path.open("rb") as file:
        large = file.read(4) in LARGE
    return LIBRARY_ROOM_MB if large else 0


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
        errors=tuple(counted.values())[:MAX_ERRORS],
        no_scores=next((part.no_scores for part in found if part.no_scores is not None), None),
    )
