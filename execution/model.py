"""The model of one run: what is known of it, and the process that holds it.

Promises: it is scanned and described once, and opened again in a fresh process when a stage lost it, but
not for ever. Leaves what it is asked to `execution.stages`.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import pandas as pd

from errors import PredictFailed
from estimators.answers import Predictions
from execution.inspection import complete, let_in, policy_of, version_skew, with_scan
from records.model import ModelInfo, Policy, ScanReport
from sandbox.handle import Asking, ModelHandle, open_model
from sandbox.zygote import Zygote
from services import Services
from store.run_rows import RunRow

__all__ = ["RunModel"]

MAX_OPENINGS = 3  # a model that kills its process in every stage is not opened for ever


class RunModel:
    """Closed at first; `deadline` is the run's, in time.monotonic() seconds.

    info: filled by and by, from the file's bytes, the scan, and the loaded model. warnings: what the reader
    of the report should know of the file. isolation: what holds its process.
    """

    def __init__(
        self, services: Services, zygote: Zygote, row: RunRow, deadline: float, cancelled: threading.Event
    ) -> None:
        self.info = ModelInfo(
            name=row.model_name,
            sha256=row.model_sha256,
            bytes=row.model_bytes,
            companions=row.companions,
        )
        self.warnings: tuple[str, ...] = ()
        self.isolation: tuple[str, ...] = ()
        self._services, self._zygote, self.row = services, zygote, row
        self._deadline, self._cancelled = deadline, cancelled
        self._handles = ExitStack()
        self._handle: ModelHandle | None = None
        self._openings = 0

    def open(self) -> ModelHandle:
        """The open model; opened again in a fresh process when an earlier stage lost it."""
        if self._handle is not None and self._handle.alive:
            return self._handle
        if self._openings >= MAX_OPENINGS:
            raise PredictFailed(
                f"The model's process died {MAX_OPENINGS} times; it was not started again.",
                hint="See the earlier errors of this run.",
            )
        self._openings += 1
        self._handle = self._handles.enter_context(self.start(self.row, self._scanned))
        loaded = self._handle.info
        if self._openings == 1:
            self.info = complete(self.info, loaded, self._handle.scans)
            self.warnings = (*let_in(self.info, self._policy), *loaded.warnings, *version_skew(self.info))
            self.isolation = self._handle.isolation
        return self._handle

    def start(
        self, row: RunRow, on_scan: Callable[[ScanReport], None] | None = None
    ) -> AbstractContextManager[ModelHandle]:
        """The model of a run, this one or another, in a process of its own until the context ends."""
        return open_model(
            self._zygote,
            self._services.artifacts.path(row.model_sha256),
            name=row.model_name,
            companions=[(one.name, self._services.artifacts.path(one.sha256)) for one in row.companions],
            asking=Asking(row.plan.entry, row.plan.steps),
            deadline_s=max(self._deadline - time.monotonic(), 0.0),
            cancelled=self._cancelled,
            policy=self._policy,
            on_scan=on_scan,
        )

    def predict(self, frame: pd.DataFrame) -> Predictions:
        """The answers of the open model, as `ModelHandle.predict`."""
        return self.open().predict(frame)

    def close(self) -> None:
        """End its processes."""
        self._handles.close()

    @property
    def _policy(self) -> Policy:
        return policy_of(self._services.settings, self.row.plan.policy == "contained")

    def _scanned(self, scan: ScanReport) -> None:
        self.info = with_scan(self.info, scan)
