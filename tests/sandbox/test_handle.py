"""The locked child: good models answer as at home, bad ones end in an error that names the stage."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier

import model_utils
from errors import (
    BadAnswer,
    Cancelled,
    ChildDied,
    ChildTimeout,
    MissingLibrary,
    ModelError,
    ModelRefused,
    NoPredict,
    NotAModel,
    PredictFailed,
    Unavailable,
)
from execution import latency_trials
from explainers.tree_shapley import flatten, forest_shapley
from lockdown import lock
from model_process import rig
from model_process.zygote import MODEL_LIBRARIES
from records.explanation import ExplainPlan
from records.metrics import LatencyPlan
from records.model import ScanReport
from sandbox.handle import ModelHandle, open_model
from sandbox.zygote import Zygote
from settings import Settings
from tests.support import forged_answers
from tests.support import models_for_tests as models
from tests.support.waiting import gone, pid_of, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="models run in forked processes")
LINUX = Path("/proc/self").exists()


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_DASHBOARD_TEST_SECRET", "hunter2")
        with Zygote(Settings(child_memory_mb=2048, model_policy="contained")) as started:
            yield started


# Most models here are hostile: `contained` lets them in, so that the process's own walls are what is tested.
@contextlib.contextmanager
def opened(zygote: Zygote, path: Path, deadline_s: float = 60, **options: Any) -> Iterator[ModelHandle]:
    with open_model(zygote, path, name=path.name, deadline_s=deadline_s, **options) as handle:
        yield handle


def text_answer(zygote: Zygote, path: Path) -> str:
    """What a model says that answers every row with one text."""
    with opened(zygote, path) as handle:
        found = handle.predict(models.numbers(1))
        assert found.labels is not None, found.errors
        return found.labels[0]


@pytest.mark.parametrize(
    ("build", "frame"),
    [
        (models.logistic, models.numbers),
        (models.forest_pipeline, models.mixed),
        (models.xgboost_classifier, models.numbers),
        (models.lightgbm_classifier, models.numbers),
    ],
)
def test_a_classifier_answers_through_the_pipe_as_at_home(
    zygote: Zygote, tmp_path: Path, build: Any, frame: Any
) -> None:
    model, rows = build(), frame(100, 1)
    with opened(zygote, models.save(model, tmp_path / "m.pkl")) as handle:
        assert handle.info.estimator == type(model).__name__
        assert handle.info.features == tuple(rows.columns)
        assert handle.mined is not None
        assert [field.name for field in handle.mined.features] == list(rows.columns)
        found = handle.predict(rows)
    assert found.labels is not None and found.scores is not None
    assert [found.labels[int(code)] for code in found.values] == [str(value) for value in model.predict(rows)]
    np.testing.assert_allclose(found.scores, model.predict_proba(rows), rtol=1e-6)


def test_a_regressor_and_a_raw_booster_answer_through_the_pipe(zygote: Zygote, tmp_path: Path) -> None:
    rows = models.numbers(50, 1)
    ridge = models.ridge()
    with opened(zygote, models.save(ridge, tmp_path / "ridge.pkl")) as handle:
        np.testing.assert_allclose(handle.predict(rows).values, ridge.predict(rows.to_numpy()))
    with opened(zygote, models.save(models.xgboost_booster(), tmp_path / "booster.pkl")) as handle:
        assert (handle.info.framework, handle.info.labels) == ("xgboost", ("0", "1"))
        expected = models.xgboost_classifier()  # the same rows, other parameters: only the shape agrees
        assert handle.predict(rows).values.shape == expected.predict(rows).shape


def test_more_rows_than_one_call_carries_come_back_in_order(
    zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.handle.MAX_ROWS", 64)
    rows = models.numbers(300, 1)
    rows.loc[[70, 299], "age"] = np.nan
    model = models.logistic()
    with opened(zygote, models.save(model, tmp_path / "m.pkl")) as handle:
        found = handle.predict(rows)
    assert np.flatnonzero(found.failed).tolist() == [70, 299]
    assert [(e.rows, e.first_row) for e in found.errors] == [(2, 70)]
    good = ~found.failed
    np.testing.assert_array_equal(found.values[good], (model.predict(rows[good]) == "yes").astype(float))


def test_a_million_rows_are_predicted(zygote: Zygote, tmp_path: Path) -> None:
    rows = models.numbers(1_000_000, 1)
    ridge = models.ridge()
    with opened(zygote, models.save(ridge, tmp_path / "m.pkl")) as handle:
        np.testing.assert_allclose(handle.predict(rows).values, ridge.predict(rows.to_numpy()))


def test_a_forest_is_explained_in_the_locked_child_as_at_home(zygote: Zygote, tmp_path: Path) -> None:
    """Compiled before the fork: the child may start threads, but neither write nor import."""
    rows = models.numbers(200, 1)
    model = RandomForestRegressor(50, random_state=0).fit(rows.to_numpy(), rows.to_numpy().sum(axis=1))
    with opened(zygote, models.save(model, tmp_path / "m.pkl")) as handle:
        found = handle.explain(rows, rows, ExplainPlan(rows=200), 0)
    assert found.explainer == "quadrature tree SHAP, path-dependent"
    expected, base = forest_shapley(flatten(model), rows.to_numpy())
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    np.testing.assert_allclose(found.base, base)


def test_latency_attributions_and_memory_come_from_the_child(zygote: Zygote, tmp_path: Path) -> None:
    rows = models.numbers(200, 1)
    plan = LatencyPlan(batch_sizes=(1, 10), calls=5, warmup=1, budget_s=1)
    with opened(zygote, models.save(models.logistic(), tmp_path / "m.pkl")) as handle:
        assert [row.batch_size for row in handle.measure(rows, plan).rows] == [1, 10]
        found = handle.explain(rows.head(20), rows, ExplainPlan(), 0)
        assert handle.memory().peak_mb > 10
    assert found.values.shape[:2] == (20, 3)
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base, found.explained, atol=1e-6)


def test_callers_at_the_same_time_and_models_in_turn_are_timed_in_their_processes(
    zygote: Zygote, tmp_path: Path
) -> None:
    rows = models.numbers(200, 1)
    plan = LatencyPlan(batch_sizes=(2,), budget_s=0.2, concurrency=(1, 2), warmup=1)
    path = models.save(models.logistic(), tmp_path / "m.pkl")
    with opened(zygote, path) as first, opened(zygote, path) as second:
        found = latency_trials.with_callers(first, lambda: second, rows, plan)
        assert [(row.callers, row.batch_size) for row in found] == [(1, 2), (2, 2)]
        assert all(row.n >= row.callers and row.p50_ms <= row.p95_ms for row in found)
        pair = latency_trials.in_turn(first, second, rows, plan, "earlier")
    assert latency_trials.FEWEST_PAIRS <= pair.pairs <= latency_trials.PAIRS <= pair.n
    assert pair.interval[0] <= pair.ratio <= pair.interval[1]


def test_filters_of_warnings_are_those_of_a_process_that_only_serves_models(
    zygote: Zygote, tmp_path: Path
) -> None:
    """A forest sets every one of them again for each tree: one more or less is a hundredth of its time."""
    show = "str(sorted(str(entry) for entry in warnings.filters))"
    names = ", ".join(MODEL_LIBRARIES)
    code = f"import warnings; warnings.simplefilter('ignore'); import {names}; print({show})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    body = f"import warnings, zlib\nreturn np.array([str(zlib.crc32({show}.encode()))] * len(x))"
    found = text_answer(zygote, models.save_predict(body, tmp_path / "m.pkl"))
    assert found == str(zlib.crc32(done.stdout.strip().encode())), done.stdout


def test_callers_start_together() -> None:
    """Each tells when it was called: all of them within one block's time, not one block after the other."""
    started: list[float] = []

    class Handle:
        def rehearse(self, *_: Any) -> None:
            pass

        def time_block(self, calls: int, seconds: float) -> Any:
            started.append(time.monotonic())
            together.wait(30)  # passes only when all are inside at once
            return np.ones(3)

    together = threading.Barrier(4)
    plan = LatencyPlan(batch_sizes=(1,))
    row = latency_trials.together([Handle() for _ in range(4)], models.numbers(5), plan)  # type: ignore[misc]
    assert (row.callers, row.n, len(started)) == (4, 12, 4)


def test_a_raw_booster_is_timed_on_a_matrix_that_it_never_met(zygote: Zygote, tmp_path: Path) -> None:
    """It answers a matrix that it knows from memory: so each timed call makes its own."""
    rows = models.numbers(300, 1)
    plan = LatencyPlan(batch_sizes=(300,), calls=5, budget_s=5)
    with opened(zygote, models.save(models.xgboost_booster(), tmp_path / "m.pkl")) as handle:
        (row,) = handle.measure(rows, plan).rows
    assert row.validation_ms is not None and row.validation_ms > 0
    met: list[int] = []

    class Booster:
        def predict(self, matrix: Any) -> Any:
            met.append(id(matrix))
            kept.append(matrix)
            return np.zeros(matrix.num_row())

    kept: list[Any] = []
    adapter = replace(model_utils.adapt(models.xgboost_booster()), estimator=Booster())
    rig.Rig(adapter, plan).measure(rows)
    assert len(set(met)) == len(met) >= 6


def test_a_method_that_the_model_lacks_is_named(zygote: Zygote, tmp_path: Path) -> None:
    plan = LatencyPlan(batch_sizes=(1,), method="predict_proba")
    with (
        opened(zygote, models.save(models.ridge(), tmp_path / "m.pkl")) as handle,
        pytest.raises(PredictFailed, match="no predict_proba"),
    ):
        handle.measure(models.numbers(5), plan)


def test_labels_that_answers_reveal_keep_their_codes(zygote: Zygote, tmp_path: Path) -> None:
    body = "return ['z' if v > 0 else 'a' if v == 0 else 'm' for v in x[:, 0]]"
    path = models.save_predict(body, tmp_path / "m.pkl")
    rows = models.numbers(3)
    with opened(zygote, path) as handle:
        rows["height"] = [1.0, 1.0, -1.0]
        first = handle.predict(rows)
        rows["height"] = [0.0, 1.0, -1.0]
        second = handle.predict(rows)
    assert (first.labels, second.labels) == (("m", "z"), ("m", "z", "a"))
    assert second.values.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotAModel),
        (b"a,b\n1,2\n", NotAModel),
        (b"\x80\x04\x95\xff", NotAModel),
        (b"\x80\x04\xff\xff", NotAModel),
        (b"\x80\x02cnosuchlib\nModel\n.", MissingLibrary),
        (b"\x80\x02]q\x00.", NoPredict),
    ],
)
def test_a_file_that_holds_no_model_is_refused_by_the_child(
    zygote: Zygote, tmp_path: Path, data: bytes, error: type[ModelError]
) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(data)
    with pytest.raises(error) as caught, opened(zygote, path):
        pass
    assert caught.value.message and caught.value.hint


def test_a_version_warning_reaches_the_report(zygote: Zygote, tmp_path: Path) -> None:
    import sklearn

    path = models.save(models.logistic(), tmp_path / "m.pkl")
    version = sklearn.__version__
    assert len(version) == 5
    path.write_bytes(path.read_bytes().replace(version.encode(), b"1.0.2"))
    with opened(zygote, path) as handle:
        assert any("1.0.2" in text and version in text for text in handle.info.warnings)


def test_strict_policy_refuses_by_name_before_anything_runs_and_shows_the_scan(
    zygote: Zygote, tmp_path: Path
) -> None:
    hostile = models.save_source("raise SystemExit", tmp_path / "m.pkl")
    seen: list[ScanReport] = []
    with (
        pytest.raises(ModelRefused, match=r"builtins\.eval \(runs a text as code\)"),
        opened(zygote, hostile, policy="strict", on_scan=seen.append),
    ):
        pass
    assert [(r.module, r.name) for r in seen[-1].refused] == [("builtins", "eval")]
    good = models.save(models.logistic(), tmp_path / "good.pkl")
    with opened(zygote, good, policy="strict") as handle:
        assert handle.scan.ok
        assert "sklearn.linear_model._logistic LogisticRegression" in handle.scan.globals


def test_a_model_that_spins_is_stopped_at_the_deadline(zygote: Zygote, tmp_path: Path) -> None:
    path = models.save_predict("while True: pass", tmp_path / "m.pkl")
    with opened(zygote, path, deadline_s=2) as handle:
        with pytest.raises(ChildTimeout, match=r"stage predict within 2 s"):
            handle.predict(models.numbers(1))
        assert handle._child.pid is not None and gone(handle._child.pid)
        assert not handle.alive


def test_a_file_that_sleeps_while_loading_is_stopped_by_the_loads_own_limit(
    zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.save_source("import time; time.sleep(600); model = 1", tmp_path / "m.pkl")
    monkeypatch.setattr(zygote, "settings", zygote.settings.model_copy(update={"load_timeout_s": 0.5}))
    with pytest.raises(ChildTimeout, match=r"stage load within 0.5 s"), opened(zygote, path):
        pass


def test_a_cancelled_run_ends_its_child(zygote: Zygote, tmp_path: Path) -> None:
    cancelled = threading.Event()
    path = models.save_predict("time.sleep(600)", tmp_path / "m.pkl")
    with opened(zygote, path, cancelled=cancelled) as handle:
        threading.Timer(0.3, cancelled.set).start()
        with pytest.raises(Cancelled):
            handle.predict(models.numbers(1))
        assert handle._child.pid is not None and gone(handle._child.pid)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("ctypes.string_at(0)", "segmentation fault"),
        ("os._exit(3)", "exit status 3"),
        ("os.kill(os.getpid(), 9)", "signal 9"),
        ("os.abort()", "signal 6"),
    ],
)
def test_a_model_that_dies_is_reported_with_its_stage_and_cause(
    zygote: Zygote, tmp_path: Path, body: str, says: str
) -> None:
    with opened(zygote, models.save_predict(body, tmp_path / "m.pkl")) as handle:
        with pytest.raises(ChildDied) as caught:
            handle.predict(models.numbers(1))
        assert "stage predict" in caught.value.message
        assert says in caught.value.message
        with pytest.raises(ChildDied):
            handle.predict(models.numbers(1))


def test_a_corrupted_tree_of_listed_names_alone_costs_its_process_and_no_other(
    tmp_path: Path,
) -> None:
    tree = DecisionTreeClassifier().fit(models.numbers(), models.positive(models.numbers()))
    good = models.save(tree, tmp_path / "good.pkl")
    tree.tree_.children_left[0] = tree.tree_.children_right[0] = 50_000_000  # far behind the last node
    corrupted = models.save(tree, tmp_path / "corrupted.pkl")
    with Zygote(Settings(_env_file=None)) as strict:
        with opened(strict, corrupted) as handle, pytest.raises(ChildDied, match="segmentation fault"):
            handle.predict(models.numbers(1))
        with opened(strict, good) as handle:
            assert not handle.predict(models.numbers(5)).failed.any()


def test_a_file_that_crashes_while_loading_names_that_stage(zygote: Zygote, tmp_path: Path) -> None:
    path = models.save_source("import ctypes; ctypes.string_at(0); model = 1", tmp_path / "m.pkl")
    with pytest.raises(ChildDied, match=r"stage load.*segmentation fault"), opened(zygote, path):
        pass


def test_a_model_that_ends_the_interpreter_is_an_error_of_the_model(zygote: Zygote, tmp_path: Path) -> None:
    path = models.save_predict("raise SystemExit(0)", tmp_path / "m.pkl")
    with opened(zygote, path) as handle, pytest.raises(PredictFailed, match="SystemExit"):
        handle.predict(models.numbers(1))


@pytest.mark.skipif(not LINUX, reason="only Linux holds an address-space limit")
def test_memory_beyond_the_limit_is_refused_not_taken(zygote: Zygote, tmp_path: Path) -> None:
    path = models.save_predict("return np.ones((1 << 30,)) * len(x)", tmp_path / "m.pkl")
    with opened(zygote, path) as handle:
        found = handle.predict(models.numbers(1))
        assert found.failed.all()
        assert "Memory" in found.errors[0].kind
    with pytest.raises(ModelError, match="memory"):
        source = "model = bytearray(8 << 30)"
        with opened(zygote, models.save_source(source, tmp_path / "big.pkl")):
            pass


def test_garbage_on_standard_output_changes_nothing(zygote: Zygote, tmp_path: Path) -> None:
    body = "os.write(1, b'x' * 100); os.write(2, b'y' * 100); print('z' * 1000)\nreturn x[:, 0]"
    with opened(zygote, models.save_predict(body, tmp_path / "m.pkl")) as handle:
        rows = models.numbers(5)
        np.testing.assert_array_equal(handle.predict(rows).values, rows["height"])


def test_garbage_on_the_answers_pipe_is_a_bad_answer(zygote: Zygote, tmp_path: Path) -> None:
    body = "os.write(4, b'\\xff' * 64)\nreturn x[:, 0]"
    with opened(zygote, models.save_predict(body, tmp_path / "m.pkl")) as handle:
        with pytest.raises(BadAnswer):
            handle.predict(models.numbers(5))
        assert not handle.alive


FORGED = """
import json, struct
texts = json.dumps({{'errors': []}}).encode()
texts += b' ' * (-len(texts) % 8)
values = np.array({values}, dtype='<f8').tobytes()
failed = bytes({failed})
failed_padded = failed + bytes(-len(failed) % 8)
buffers = [['values', 'f8', [len(values) // 8]], ['failed', 'u1', [len(failed)]]]
buffers.append(['texts', 'u1', [len(texts)]])
head = json.dumps({{'h': {{'verdict': 'passed'}}, 'b': buffers}}).encode()
head += b' ' * (-len(head) % 8)
body = values + failed_padded + texts
os.write(4, struct.pack('<II', len(head), len(body)) + head + body)
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("values", "failed"),
    [("[1.0]", "[0]"), ("[np.nan, 1.0]", "[0, 0]"), ("[1.0, np.inf]", "[0, 0]"), ("[1.0, 2.0]", "[0, 7]")],
)
def test_a_forged_answer_is_judged_like_any_other(
    zygote: Zygote, tmp_path: Path, values: str, failed: str
) -> None:
    body = FORGED.format(values=values, failed=failed).strip()
    path = models.save_predict(body, tmp_path / "m.pkl")
    with opened(zygote, path) as handle, pytest.raises(BadAnswer):
        handle.predict(models.numbers(2))


def test_a_well_formed_forgery_is_only_a_prediction(zygote: Zygote, tmp_path: Path) -> None:
    body = FORGED.format(values="[1.0, 2.0]", failed="[0, 1]").strip()
    with opened(zygote, models.save_predict(body, tmp_path / "m.pkl")) as handle:
        found = handle.predict(models.numbers(2))
    np.testing.assert_array_equal(found.values, [1.0, np.nan])


def test_a_process_that_puts_other_bytes_into_its_pipe_costs_only_itself(
    zygote: Zygote, tmp_path: Path
) -> None:
    """The first answer is its own loading's, the last a latency from another age."""
    path = forged_answers.save_replacing({"load": b'"' * 4000}, tmp_path / "load.pkl")
    with pytest.raises(BadAnswer), opened(zygote, path):
        pass
    forged = """
def forged(operation, frame):
    return frame[:-8] + struct.pack("<d", 1e308) if operation == "block" else frame
"""
    path = forged_answers.save_forging(forged.strip(), tmp_path / "block.pkl")
    with opened(zygote, path) as handle:
        rows = models.numbers(5)
        np.testing.assert_allclose(handle.predict(rows).values, rows.to_numpy().sum(axis=1))
        handle.rehearse(rows, LatencyPlan(batch_sizes=(1,), warmup=1), 1)
        with pytest.raises(BadAnswer, match="milliseconds that were spent"):
            handle.time_block(5, 0.05)
        assert not handle.alive


def test_a_model_whose_every_answer_is_mutated_is_refused_and_leaves_its_zygote_as_it_was(
    zygote: Zygote, tmp_path: Path
) -> None:
    pid = zygote.pid
    for seed in range(4):
        path = forged_answers.save_mutating(seed, tmp_path / f"{seed}.pkl", share=1.0, largest=4096)
        refusals = contextlib.suppress(BadAnswer, ChildDied, ChildTimeout, ModelError)
        with refusals, opened(zygote, path, deadline_s=3) as handle:
            handle.predict(models.numbers(5))
    assert zygote.pid == pid


def test_a_model_can_write_no_file(zygote: Zygote, tmp_path: Path) -> None:
    target = tmp_path / "written"
    body = f"""
try:
    with open({str(target)!r}, 'wb') as file: file.write(b'x')
except OSError as error:
    return ['refused: ' + type(error).__name__] * len(x)
return ['written'] * len(x)""".strip()
    assert text_answer(zygote, models.save_predict(body, tmp_path / "m.pkl")).startswith("refused")
    assert not target.exists() or target.stat().st_size == 0


def test_descriptors_and_environment_of_the_worker_are_not_in_the_child(
    zygote: Zygote, tmp_path: Path
) -> None:
    sentinel = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(sentinel, True)
    body = """
found = []
for fd in range(1024):
    try:
        os.fstat(fd); found.append(fd)
    except OSError:
        pass
return [str(found) + ' ' + ' '.join(sorted(os.environ))] * len(x)""".strip()
    try:
        said = text_answer(zygote, models.save_predict(body, tmp_path / "m.pkl"))
    finally:
        os.close(sentinel)
    assert said.startswith("[0, 1, 2, 3, 4, 5] ")
    assert "SECRET" not in said


def test_what_a_model_forks_does_not_outlive_it(zygote: Zygote, tmp_path: Path) -> None:
    """Where the lock holds there is no fork at all; elsewhere the zygote finds the orphan."""
    body = """
try:
    pid = os.fork()
except OSError as error:
    return [type(error).__name__] * len(x)
if pid == 0:
    os.setsid()
    time.sleep(600)
return [str(pid)] * len(x)""".strip()
    said = text_answer(zygote, models.save_predict(body, tmp_path / "m.pkl"))
    if lock.probe().full:
        assert said == "PermissionError"
        return
    wait_until(lambda: gone(int(said)))


def test_isolation_is_told_before_the_model_is_read(zygote: Zygote, tmp_path: Path) -> None:
    with opened(zygote, models.save(models.ridge(), tmp_path / "m.pkl")) as handle:
        assert {"process of its own", "no file growth", "cpu limit"} <= set(handle.isolation)
        if LINUX:
            assert {"memory limit", "no new privileges", "dies with its worker"} <= set(handle.isolation)


def test_several_models_are_open_at_once(zygote: Zygote, tmp_path: Path) -> None:
    rows = models.numbers(10)
    first = models.save(models.ridge(), tmp_path / "a.pkl")
    second = models.save_predict("return x[:, 1]", tmp_path / "b.pkl")
    with opened(zygote, first) as a, opened(zygote, second) as b:
        np.testing.assert_array_equal(b.predict(rows).values, rows["weight"])
        a.kill()
        np.testing.assert_array_equal(b.predict(rows).values, rows["weight"])
        assert not a.alive


def test_closing_a_handle_leaves_no_process_and_no_descriptor(zygote: Zygote, tmp_path: Path) -> None:
    path = models.save(models.ridge(), tmp_path / "m.pkl")
    before = len(list(Path("/dev/fd").iterdir()))
    with opened(zygote, path) as handle:
        pid = pid_of(handle)
    assert gone(pid)
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_killed_zygote_takes_its_children_along_and_is_started_again(
    zygote: Zygote, tmp_path: Path
) -> None:
    path = models.save(models.ridge(), tmp_path / "m.pkl")
    with opened(zygote, path) as handle:
        child, first = pid_of(handle), zygote.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert handle._child.exited.wait(30)
        if LINUX:  # a moment later: the kernel closes a process's files before it tells its children
            wait_until(lambda: gone(child))
        with pytest.raises(ChildDied, match="parent process ended"):
            handle.predict(models.numbers(1))
    with opened(zygote, path) as handle:
        assert len(handle.predict(models.numbers(7)).values) == 7
        assert zygote.pid != first
    assert gone(child) or not LINUX


def test_a_closed_zygote_starts_no_more_models(tmp_path: Path) -> None:
    closed = Zygote(Settings())
    closed.close()
    with pytest.raises(Unavailable), opened(closed, models.save(models.ridge(), tmp_path / "m.pkl")):
        pass
