"""Whole runs of a child that answers what it likes: each ends, and leaves a report that can be read."""

import json
import random
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import runs
from execution.heartbeat import Heartbeat
from records.run import RunPlan, RunReport
from reports.exports import to_html
from reports.junit import to_junit
from reports.markdown import to_markdown
from sandbox.zygote import Zygote
from services import Services
from tests.support import models_for_tests as models
from tests.support.mutations import mutated, put_together, taken_apart
from tests.support.threaded_child import Answer, ThreadZygote
from worker import Worker

PLAN = RunPlan.model_validate({
    "rows": 40, "timeout_s": 60, "latency": {"batch_sizes": [1, 5], "calls": 3, "budget_s": 0.05},
    "explain": {"rows": 5, "budget_s": 0.2}, "drift": {"budget_s": 0.1},
})  # fmt: skip
Change = Callable[[str, bytes], bytes]


def changing(change: Change) -> Answer:
    """The true answers, changed; one that is cut short is the last that the process says."""

    def answer(operation: str, true: Callable[[], bytes]) -> tuple[bytes, bool]:
        frame = true()
        if operation in ("hello", "scan"):  # told before a model's code could run
            return frame, True
        changed = change(operation, frame)
        whole = len(changed) >= 8 and len(changed) >= 8 + sum(struct.unpack_from("<II", changed))
        return changed, whole

    return answer


def report_of(services: Services, model: Any, change: Change, tmp_path: Path) -> RunReport:
    """What a reader gets of a run, done by a worker as any other."""
    path = models.save(model, tmp_path / "m.pkl")
    with path.open("rb") as stream:
        upload = runs.store_upload(services, stream, "m.pkl")
    row = runs.submit(services, model=upload, plan=PLAN)
    job = services.jobs.claim("test")
    assert job is not None
    zygote = ThreadZygote(changing(change))
    Worker(services, Heartbeat())._work(job, cast(Zygote, zygote))
    zygote.join()
    over = runs.get_run(services, row.id)
    assert over.state not in ("queued", "running")
    report = runs.get_report(services, row.id)
    assert report is not None, over.error_message
    assert report.status == over.state
    json.dumps(report.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()
    return report


def fine(report: RunReport) -> None:
    """No fault of ours in it, and pages and exports can show it."""
    assert not [e for e in report.errors if e.code == "internal_error"], report.errors
    to_html(report).encode()
    to_junit(report).encode()
    to_markdown(report).encode()


def with_header(frame: bytes, **values: Any) -> bytes:
    told, parts = taken_apart(frame)
    return put_together(json.dumps(told | values), parts)


def test_a_run_without_forgeries_passes(services: Services, tmp_path: Path) -> None:
    report = report_of(services, models.logistic(), lambda _, frame: frame, tmp_path)
    fine(report)
    assert report.metrics.status == report.explanation.status == report.drift.status == "ok"


@pytest.mark.parametrize("value", [1e308, 1e200, 3.6e6])
def test_a_latency_beyond_the_runs_own_time_costs_its_section_and_names_it(
    services: Services, tmp_path: Path, value: float
) -> None:
    """It was stored, and every reader of the report was answered with 500."""

    def change(operation: str, frame: bytes) -> bytes:
        if operation != "measure":
            return frame
        told, parts = taken_apart(frame)
        calls = np.full(parts[0][2], value)
        return put_together(json.dumps(told), [(*parts[0][:3], calls.tobytes())])

    report = report_of(services, models.logistic(), change, tmp_path)
    fine(report)
    assert report.metrics.status == "failed" and "milliseconds" in (report.metrics.reason or "")
    assert [e.code for e in report.errors if e.stage == "latency"] == ["bad_answer"]


def test_half_a_million_forged_row_errors_are_a_bad_answer_and_no_report_of_70_mb(
    services: Services, tmp_path: Path
) -> None:
    def change(operation: str, frame: bytes) -> bytes:
        if operation != "predict":
            return frame
        told, parts = taken_apart(frame)
        texts = json.dumps({"errors": [["E", f"{i}", 1, 0] for i in range(500_000)]}).encode()
        parts = [part if part[0] != "texts" else ("texts", "u1", [len(texts)], texts) for part in parts]
        return put_together(json.dumps(told), parts)

    report = report_of(services, models.ridge(), change, tmp_path)
    fine(report)
    assert report.status == "error" and report.errors[0].code == "bad_answer"
    assert len(report.model_dump_json()) < 100_000


@pytest.mark.parametrize("largest", [1e150, -1e150, 1e77])
def test_a_run_of_the_largest_answers_that_count_has_no_fault_of_ours(
    services: Services, tmp_path: Path, largest: float
) -> None:
    """Sums, squares and distances of them; a warning of numpy's is an error here."""

    def change(operation: str, frame: bytes) -> bytes:
        told, parts = taken_apart(frame)
        for i, (name, code, shape, data) in enumerate(parts):
            if name in ("values", "explained", "base", "std_error"):
                values = np.frombuffer(data).copy()
                values[::2] = largest
                values[1::4] = -largest
                parts[i] = (name, code, shape, values.tobytes())
        return put_together(json.dumps(told), parts)

    report = report_of(services, models.ridge(), change, tmp_path)
    fine(report)
    assert report.drift.status == report.robustness.status == report.explanation.status == "ok", report.errors


def test_a_run_of_the_largest_scores_that_count_has_no_fault_of_ours(
    services: Services, tmp_path: Path
) -> None:
    def change(operation: str, frame: bytes) -> bytes:
        told, parts = taken_apart(frame)
        for i, (name, code, shape, data) in enumerate(parts):
            if name == "scores":
                scores = np.frombuffer(data) * 1e150
                scores[::3] *= -1
                parts[i] = (name, code, shape, scores.tobytes())
        return put_together(json.dumps(told), parts)

    report = report_of(services, models.logistic(), change, tmp_path)
    fine(report)
    assert report.drift.status == report.robustness.status == "ok", report.errors


def test_what_could_not_be_stored_is_an_error_of_the_run(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.results.MAX_REPORT", 20_000)
    report = report_of(services, models.ridge(), lambda _, frame: frame, tmp_path)
    assert report.status == "error" and "MB are stored" in report.errors[0].message
    row = runs.get_run(services, report.id)
    assert row.error_message == report.errors[0].message


def mutating(seed: int) -> Change:
    chance = random.Random(seed)
    share = chance.choice((0.02, 0.1, 0.5))
    return lambda _, frame: mutated(frame, chance, 1 << 12) if chance.random() < share else frame


@pytest.mark.parametrize("seed", range(3))
def test_a_run_of_mutated_answers_ends_in_a_report(services: Services, tmp_path: Path, seed: int) -> None:
    fine(report_of(services, models.logistic(), mutating(seed), tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 63))
def test_many_runs_of_mutated_answers_end_in_reports(services: Services, tmp_path: Path, seed: int) -> None:
    model = models.logistic() if seed % 2 else models.ridge()
    report = report_of(services, model, mutating(seed), tmp_path)
    fine(report)
    print(report.status, dict(Counter(error.code for error in report.errors)))
