"""A run that ends in the midst of it, by its limit or by who cancels it; a sample that gets no answers."""

import threading
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest

import runs
from estimators.answers import Predictions, RowError
from execution.stages import STAGE_STARTS, Execution
from records.run import RunPlan, RunReport, Stage
from sandbox.handle import ModelHandle
from sandbox.zygote import Zygote
from services import Services
from tests.support import models_for_tests as models
from tests.support.threaded_child import ThreadZygote

PLAN = RunPlan.model_validate({
    "rows": 40, "timeout_s": 60, "latency": {"batch_sizes": [1, 5], "calls": 3, "budget_s": 0.05},
    "explain": {"rows": 5, "budget_s": 0.2}, "drift": {"budget_s": 0.1},
})  # fmt: skip


class Run:
    """A run of a small model, with something to happen when a stage begins."""

    def __init__(self, services: Services, folder: Path, sample: pd.DataFrame | None = None) -> None:
        model = runs.store_upload(
            services, BytesIO(models.save(models.logistic(), folder / "m.pkl").read_bytes()), "m.pkl"
        )
        kept = None
        if sample is not None:
            kept = runs.store_upload(services, BytesIO(sample.to_csv(index=False).encode()), "s.csv")
        row = runs.submit(services, model=model, sample=kept, target="label" if kept else None, plan=PLAN)
        self.stages: list[Stage] = []
        self.at: Stage | None = None
        self.cancelled = threading.Event()
        self.zygote = ThreadZygote(lambda _, true: (true(), True))
        self.execution = Execution(services, cast(Zygote, self.zygote), row, self.cancelled, self._progress)

    def _progress(self, stage: Stage, _share: float) -> None:
        self.stages.append(stage)
        if stage == self.at:
            self.happen()

    def happen(self) -> None:
        self.cancelled.set()

    def report(self) -> RunReport:
        with self.execution as execution:
            found = execution.run().report
        self.zygote.join()
        return found


def test_a_run_that_passes_its_limit_keeps_what_was_done_and_says_what_was_not_reached(
    services: Services, tmp_path: Path
) -> None:
    class Late(Run):
        def happen(self) -> None:
            self.execution.deadline = 0.0  # seen when the next stage begins

    run = Late(services, tmp_path)
    run.at = "drift"
    report = run.report()
    assert report.status == "error"
    assert report.metrics.status == report.drift.status == "ok"
    assert report.robustness.status == report.explanation.status == "failed"
    (error,) = report.errors
    assert error.code == "child_timeout" and "not reached: robustness, explanation" in error.message


@pytest.mark.parametrize("stage", [stage for stage in STAGE_STARTS if stage not in ("accuracy", "judge")])
def test_a_run_that_is_cancelled_ends_in_the_stage_that_it_is_in(
    services: Services, tmp_path: Path, stage: Stage
) -> None:
    run = Run(services, tmp_path)
    run.at = stage
    report = run.report()
    assert report.status == "cancelled" and run.stages[-1] == stage


def test_accuracy_over_no_answered_row_is_failed_and_never_nought(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ModelHandle.predict
    rng = np.random.default_rng(0)

    def predict(handle: ModelHandle, frame: pd.DataFrame) -> Predictions:
        found = asked(handle, frame)
        if len(frame) != 33:
            return found
        errors = (RowError("ValueError", "not scaled", 33, 0),)
        return Predictions(np.full(33, np.nan), None, found.labels, np.ones(33, dtype=bool), errors)

    names = list(models.logistic().feature_names_in_)
    sample = pd.DataFrame(rng.normal(size=(33, len(names))), columns=names)
    sample["label"] = rng.choice(["yes", "no"], 33)
    # The stand-in for a model's process reads no samples.
    monkeypatch.setattr("execution.stages.read_sample", lambda *_: (sample, ()))
    assert Run(services, tmp_path, sample).report().accuracy.status == "ok"
    monkeypatch.setattr(ModelHandle, "predict", predict)
    report = Run(services, tmp_path, sample).report()
    assert report.accuracy.status == "failed" and report.accuracy.value is None
    assert "none of the sample's 33 labelled rows" in (report.accuracy.reason or "")
    assert "not scaled" in (report.accuracy.reason or "")
