"""Where long work listens: every loop of the worker's arithmetic ends when it is told to."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from distances.domain import Effort, domain_drift
from distances.subject import Subject
from drift import compare
from errors import Cancelled, ChildTimeout
from interruption import check, in_one_piece, listening
from records.drift import DriftPlan, ScenarioKind, ScenarioPlan
from records.robustness import RobustnessPlan
from records.schema import FieldSpec, Schema
from robustness.examination import examine
from rows.joint import Joint
from sandbox import wire
from schema_utils import infer_from_frame
from shifts.analysis import analyse
from shifts.false_alarms import watched_false_alarms
from shifts.scenarios import applicable_features, simulate
from synthetic_data import generate
from tests.support.predictors import classes

FAR = 1e9
NAMES = ("a", "b", "c")
SCHEMA = Schema(features=tuple(FieldSpec(name=name) for name in NAMES))
FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list(NAMES))
MIXED = FRAME.assign(d="text")
KINDS: tuple[ScenarioKind, ...] = ("mean_shift", "missing_values", "correlated_shift", "segment_swap")


def subject() -> Subject:
    predict = classes(lambda frame: np.arange(len(frame)) % 2)
    return Subject.of(FRAME, SCHEMA, predict, predict(FRAME), 0)


def simulated(kind: ScenarioKind) -> pd.DataFrame:
    # Its features are given, so that looking for them is not what listens.
    plan = ScenarioPlan(kind=kind, magnitude=0.5)
    return simulate(FRAME, SCHEMA, plan, np.random.default_rng(0), NAMES)


WORK: dict[str, Callable[[], object]] = {
    "schema": lambda: infer_from_frame(FRAME),
    "joint": lambda: Joint.of_frame(FRAME, SCHEMA),
    "rows": lambda: generate(SCHEMA, 60, 0),
    "compare": lambda: compare(FRAME, FRAME),
    "domain": lambda: domain_drift(FRAME, FRAME, Effort(folds=2, trees=2)),
    "false alarms": lambda: watched_false_alarms(FRAME, {"a": 0.1}, batches=[20], rounds=50),
    "applicable": lambda: applicable_features(FRAME, SCHEMA, ScenarioPlan(kind="noise", magnitude=1)),
    "drift": lambda: analyse(subject(), DriftPlan()),
    "robustness": lambda: examine(subject(), RobustnessPlan()),
    "a mixed table to the pipe": lambda: wire.encode_frame(MIXED),
} | {kind: (lambda kind=kind: simulated(kind)) for kind in KINDS}  # type: ignore[misc]


@pytest.mark.parametrize("work", list(WORK))
def test_arithmetic_ends_when_the_run_is_cancelled(work: str) -> None:
    cancelled = threading.Event()
    with listening(cancelled, FAR, 1.0):
        WORK[work]()
        cancelled.set()
        with pytest.raises(Cancelled):
            WORK[work]()


@pytest.mark.parametrize("work", list(WORK))
def test_arithmetic_ends_with_the_runs_time(work: str) -> None:
    with listening(threading.Event(), time.monotonic() - 1, 5.0), pytest.raises(ChildTimeout, match="5 s"):
        WORK[work]()


def test_a_compared_table_of_many_cells_listens_between_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift.PARALLEL_CELLS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    cancelled = threading.Event()
    cancelled.set()
    with listening(cancelled, FAR, 1.0), pytest.raises(Cancelled):
        compare(FRAME, FRAME)


def test_without_a_run_nothing_is_ended() -> None:
    with listening(threading.Event(), 0.0, 1.0), pytest.raises(ChildTimeout):
        check()
    check()


def test_a_call_that_cannot_listen_is_left_behind_and_its_answer_with_it() -> None:
    cancelled, begun, left = threading.Event(), threading.Event(), threading.Event()

    def long_call() -> None:
        begun.set()
        left.wait(30)

    def cancel() -> None:
        begun.wait(30)
        cancelled.set()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with listening(cancelled, FAR, 1.0), pytest.raises(Cancelled):
        in_one_piece(long_call)
    assert not left.is_set()  # it did not have to end for that
    left.set()
    canceller.join()


def test_a_call_in_one_piece_gives_what_it_gives_and_raises_what_it_raises() -> None:
    assert in_one_piece(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        in_one_piece(lambda: 1 // 0)
