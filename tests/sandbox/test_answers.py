"""What a child answers: forged, mutated or too much, it is taken as it is meant, or refused.

The answers of real models are recorded once and played again changed, through the pipes and the checks that a
process's answers go through.
"""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metrics
from errors import BadAnswer, ChildDied, ModelError
from estimators.answers import LARGEST, MAX_ATTRIBUTIONS, MAX_ERRORS, MAX_OUTPUTS, Predictions
from execution.inspection import complete
from execution.results import as_stored, predictions_table, row_errors
from explainability import summarise
from records.base import Section
from records.explanation import Explanation
from records.metrics import Performance
from sandbox import wire
from sandbox.wire import MAX_TEXT
from tests.support import models_for_tests as models
from tests.support.mutations import bomb, mutated, put_together, taken_apart
from tests.support.sample_reports import sample_report
from tests.support.threaded_child import ASKED, ThreadZygote, asked, frame_of, recorded

ROWS = models.numbers(6, 1)
KINDS: dict[str, Callable[[], Any]] = {"classifier": models.logistic, "regressor": models.ridge}
Frames = dict[str, bytes]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Frames]]:
    found = {}
    for kind, build in KINDS.items():
        path = models.save(build(), tmp_path_factory.mktemp("recorded") / f"{kind}.pkl")
        found[kind] = (path, recorded(path, ROWS))
    return found


class Played:
    """One kind of model, whose answers are played again; `ask` puts other bytes in place of one of them."""

    def __init__(self, path: Path, frames: Frames) -> None:
        self.path, self.frames = path, frames

    def ask(self, operation: str, frame: bytes) -> Any:
        """What the worker makes of it. The process ends after it, so that a frame cut short has an end."""

        def answer(asked_for: str, _true: Callable[[], bytes]) -> tuple[bytes, bool]:
            changed = asked_for == operation
            return (frame if changed else self.frames[asked_for]), not changed

        zygote = ThreadZygote(answer)
        try:
            return asked(zygote, self.path, operation, ROWS)
        finally:
            zygote.join()

    def changed(
        self,
        operation: str,
        header: dict[str, Any] | None = None,
        texts: dict[str, Any] | None = None,
        **arrays: Any,
    ) -> bytes:
        """The recorded answer with some values of its header, its texts and its arrays replaced."""
        told, parts = taken_apart(self.frames[operation])
        message = wire.Message(
            told | (header or {}),
            {
                name: np.frombuffer(data, wire.DTYPES[code]).reshape(shape)
                for name, code, shape, data in parts
            },
        )
        message.arrays.update(arrays)
        if texts:
            document = json.loads(message.arrays["texts"].tobytes())
            message.arrays["texts"] = wire.json_to_array(document | texts)
        return frame_of(message)


@pytest.fixture(params=KINDS)
def played(request: pytest.FixtureRequest, recordings: dict[str, tuple[Path, Frames]]) -> Played:
    return Played(*recordings[request.param])


@pytest.fixture
def regressor(recordings: dict[str, tuple[Path, Frames]]) -> Played:
    return Played(*recordings["regressor"])


@pytest.fixture
def classifier(recordings: dict[str, tuple[Path, Frames]]) -> Played:
    return Played(*recordings["classifier"])


def forged(frame: bytes, document: bytes) -> bytes:
    """The answer with other bytes in place of its document."""
    told, parts = taken_apart(frame)
    changed = [p if p[0] != "texts" else ("texts", "u1", [len(document)], document) for p in parts]
    return put_together(json.dumps(told), changed)


def survives(operation: str, found: Any) -> None:
    """Whatever was accepted can be worked with, and its report can be stored and read."""
    report = sample_report()
    if operation == "load":
        info, mined, _ = found
        report = sample_report(model=complete(report.model, info, {0: report.model.scan}), schema_=mined)
    elif isinstance(found, Predictions):
        predictions_table(found).to_parquet()
        numbers = found.labels is None and not found.failed.all()
        accuracy = (
            metrics.score(ROWS["age"], found, "regression", "age") if numbers else report.accuracy.value
        )
        report = sample_report(errors=tuple(row_errors(found)), accuracy=Section.ok(accuracy))
    elif operation == "measure":
        told = Performance(
            load_ms=None, latency=found.rows, throughput_rows_s=found.throughput_rows_s, error_rate=0,
            peak_memory_mb=None, first_call_ms=found.first_call_ms,
        )  # fmt: skip
        report = sample_report(metrics=Section[Performance].ok(told))
    elif operation == "block":
        assert np.isfinite(metrics.concurrency_row(1, [found]).rows_per_s)
    elif operation == "explain":
        report = sample_report(explanation=Section[Explanation].ok(summarise(found, ROWS)))
    else:
        assert 0 <= found.since_load_mb < 1e9 and 0 <= found.peak_mb < 1e9
    stored, document = as_stored(report)
    assert stored is report, stored.errors
    assert len(json.dumps(document, ensure_ascii=False).encode()) < 4_000_000


def check(played: Played, operation: str, frame: bytes) -> str:
    try:
        found = played.ask(operation, frame)
    except (BadAnswer, ChildDied, ModelError) as error:
        error.message.encode()
        assert len(error.message) < MAX_TEXT + 200
        return type(error).__name__
    survives(operation, found)
    return "accepted"


@pytest.mark.parametrize("operation", ASKED)
def test_a_recorded_answer_is_accepted_as_it_is(played: Played, operation: str) -> None:
    assert check(played, operation, played.frames[operation]) == "accepted"


SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("operation", ASKED)
@settings(max_examples=40, suppress_health_check=[*HealthCheck])
@given(seed=SEEDS)
def test_a_mutated_answer_is_refused_or_can_be_stored(played: Played, operation: str, seed: int) -> None:
    check(played, operation, mutated(played.frames[operation], random.Random(seed), largest=1 << 12))


@pytest.mark.slow
@pytest.mark.parametrize("operation", ASKED)
def test_thousands_of_mutated_answers_are_refused_or_can_be_stored(played: Played, operation: str) -> None:
    outcomes = [
        check(played, operation, mutated(played.frames[operation], random.Random(seed)))
        for seed in range(1500)
    ]
    print({outcome: outcomes.count(outcome) for outcome in set(outcomes)})
    assert {"BadAnswer", "accepted"} <= set(outcomes)


@pytest.mark.parametrize("operation", ASKED)
@settings(max_examples=15, suppress_health_check=[*HealthCheck])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_an_answer_that_cannot_be_used(played: Played, operation: str, data: bytes) -> None:
    with pytest.raises((BadAnswer, ChildDied)):
        played.ask(operation, data)


@pytest.mark.parametrize("seed", range(12))
def test_a_document_that_unfolds_to_gigabytes_or_never_closes_is_refused(played: Played, seed: int) -> None:
    document = bomb(random.Random(seed), 3 << 20)
    with pytest.raises(BadAnswer):
        played.ask("predict", forged(played.frames["predict"], document))


# --- what an answer may hold ---


def refused(played: Played, operation: str, frame: bytes, says: str | None = None) -> None:
    with pytest.raises(BadAnswer, match=says):
        played.ask(operation, frame)


@pytest.mark.parametrize("value", [1e308, 1e9, -1.0, 10**99, "1", None, True])
@pytest.mark.parametrize("key", ["load_ms", "load_memory_mb"])
def test_loading_took_no_longer_than_it_was_waited_for_and_no_more_than_there_is(
    regressor: Played, key: str, value: Any
) -> None:
    refused(regressor, "load", regressor.changed("load", {key: value}), "description is malformed")


@pytest.mark.parametrize("value", [1e308, 60_000.0, np.nan, -1.0])
def test_no_call_lasts_longer_than_its_run(regressor: Played, value: float) -> None:
    calls = np.full(8, 0.001)
    calls[3] = value
    refused(regressor, "measure", regressor.changed("measure", calls=calls), "milliseconds that were spent")
    refused(regressor, "block", regressor.changed("block", calls=calls), "milliseconds that were spent")


def test_calls_that_each_fit_but_not_together_are_refused(regressor: Played) -> None:
    few, many = np.full(10, 0.05), np.full(20, 5_000.0)
    assert len(regressor.ask("block", regressor.changed("block", calls=few))) == 10
    refused(regressor, "block", regressor.changed("block", calls=many))


@pytest.mark.parametrize("key", ["first_call_ms", "prepare_ms", "validation_ms"])
def test_what_is_timed_beside_the_calls_took_no_longer_either(regressor: Played, key: str) -> None:
    told, _ = taken_apart(regressor.frames["measure"])
    if key in told:
        told[key] = 1e300
    else:
        told["sizes"][0][key] = 1e300
    refused(regressor, "measure", regressor.changed("measure", told), "figure")


@pytest.mark.parametrize("value", [1e300, 10**99, -1, "much", None])
def test_no_process_has_had_more_memory_than_the_machine_has(regressor: Played, value: Any) -> None:
    for key in ("peak_memory_mb", "since_load_mb"):
        refused(regressor, "memory", regressor.changed("memory", {key: value}), "can have had")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e151, -1e308])
def test_a_number_beyond_any_use_counts_as_no_answer(regressor: Played, value: float) -> None:
    values = np.full(len(ROWS), 1.0)
    values[2] = value
    frame = regressor.changed("predict", values=values)
    refused(regressor, "predict", frame, "not a number, or beyond any use")
    failed = np.zeros(len(ROWS), np.uint8)
    failed[2] = 1
    found = regressor.ask("predict", regressor.changed("predict", values=values, failed=failed))
    assert np.flatnonzero(found.failed).tolist() == [2] == np.flatnonzero(np.isnan(found.values)).tolist()


def test_everything_worked_out_from_the_largest_answers_is_finite(regressor: Played) -> None:
    values = LARGEST * np.array([1, -1, 1, -1, 1, -1.0])
    found = regressor.ask("predict", regressor.changed("predict", values=values))
    score = metrics.score(ROWS["age"], found, "regression", "age")
    assert all(figure is None or np.isfinite(figure) for figure in (score.r2, score.mae, score.rmse))
    attributions: dict[str, Any] = {
        name: np.full(shape, LARGEST)
        for name, shape in {"values": (6, 3, 1), "base": (1,), "explained": (6, 1)}.items()
    }
    survives("explain", regressor.ask("explain", regressor.changed("explain", **attributions)))


@pytest.mark.parametrize("name", ["values", "base", "explained", "std_error"])
@pytest.mark.parametrize("value", [np.inf, 1e200])
def test_attributions_beyond_any_use_are_refused(regressor: Played, name: str, value: float) -> None:
    shape = {"values": (6, 3, 1), "base": (1,), "explained": (6, 1), "std_error": (3,)}[name]
    changed: dict[str, Any] = {name: np.full(shape, value)}
    frame = regressor.changed("explain", **changed)
    refused(regressor, "explain", frame, "attributions are malformed")


def test_a_report_cannot_be_filled_with_attributions(regressor: Played) -> None:
    k = MAX_OUTPUTS + 1
    arrays: dict[str, Any] = {
        "values": np.zeros((6, 3, k)),
        "base": np.zeros(k),
        "explained": np.zeros((6, k)),
    }
    frame = regressor.changed("explain", texts={"outputs": ["a"] * k}, **arrays)
    refused(regressor, "explain", frame, "attributions are malformed")
    twice = regressor.changed("explain", texts={"features": ["height", "height", "age"]})
    refused(regressor, "explain", twice, "rows and features")
    assert len(ROWS) * 3 * MAX_OUTPUTS < MAX_ATTRIBUTIONS


@pytest.mark.parametrize(
    "errors",
    [
        [["ValueError", "bad", 1, 0]] * (MAX_ERRORS + 1),
        [["ValueError", "bad", 7, 0]],
        [["ValueError", "bad", 1, -1]],
        [["ValueError", "bad", 1.0, 0]],
        [["ValueError", 7, 1, 0]],
        [["ValueError", "bad", 1]],
        {"0": "a"},
        None,
    ],
)
def test_reasons_of_failed_rows_are_as_many_and_as_true_as_an_honest_process_tells(
    regressor: Played, errors: Any
) -> None:
    refused(regressor, "predict", regressor.changed("predict", texts={"errors": errors}), "malformed")


def test_reasons_are_cut_and_of_many_chunks_no_more_are_kept_than_of_one(
    regressor: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [["E" * 999, f"{i}{'m' * 5000}", 1, 0] for i in range(MAX_ERRORS)]
    found = regressor.ask("predict", regressor.changed("predict", texts={"errors": told}))
    assert {(len(e.kind), len(e.message)) for e in found.errors} == {(200, 300)}
    chunk = Played(regressor.path, regressor.frames)
    monkeypatch.setattr("sandbox.handle.MAX_ROWS", 3)
    counter = iter(range(1000))

    def answer(operation: str, _true: Callable[[], bytes]) -> tuple[bytes, bool]:
        if operation != "predict":
            return chunk.frames[operation], True
        errors = [["E", f"reason {next(counter)}", 1, 0] for _ in range(MAX_ERRORS)]
        texts = {"errors": errors}
        return chunk.changed("predict", texts=texts, values=np.zeros(3), failed=np.ones(3, np.uint8)), True

    zygote = ThreadZygote(answer)
    joined = asked(zygote, chunk.path, "predict", ROWS)
    zygote.join()
    assert len(joined.errors) == MAX_ERRORS and len(joined.values) == 6


@pytest.mark.parametrize("operation", ["load", "predict", "measure", "block", "explain", "memory"])
def test_an_array_that_does_not_belong_to_an_answer_is_refused(played: Played, operation: str) -> None:
    refused(played, operation, played.changed(operation, extra=np.zeros(3)))


def test_scores_are_a_number_for_each_row_and_class_and_none_where_the_row_failed(classifier: Played) -> None:
    for wrong in (np.zeros((6, 3)), np.full((6, 2), np.nan), np.full((6, 2), 1e200), np.zeros(12)):
        refused(classifier, "predict", classifier.changed("predict", scores=wrong), "scores do not fit")
    scores = np.full((6, 2), 0.5)
    scores[1] = [1e300, np.inf]
    failed = np.array([0, 1, 0, 0, 0, 0], np.uint8)
    found = classifier.ask("predict", classifier.changed("predict", scores=scores, failed=failed))
    assert np.flatnonzero(np.isnan(found.scores).all(axis=1)).tolist() == [1]


def test_scores_of_more_rows_and_classes_than_can_be_held_are_left_out(
    classifier: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.handle.MAX_SCORES", 11)
    assert classifier.ask("predict", classifier.frames["predict"]).scores is None


def test_texts_are_cleaned_where_they_arrive(classifier: Played) -> None:
    """A hostile process does not clean its own."""
    labels = ["a\ud800", "b\0\x1b[31m\u202e"]
    frame = classifier.changed("load", {"estimator": "E\0\ud800" + "x" * 500}, texts={"labels": labels})
    info, *_ = classifier.ask("load", frame)
    assert info.labels == ("a?", "b\ufffd\ufffd[31m\ufffd")
    assert info.estimator.startswith("E\ufffd?xxx") and len(info.estimator) == 200
    errors = [["E\0", "m\ud800", 1, 0]]
    found = classifier.ask("predict", classifier.changed("predict", texts={"errors": errors}))
    assert [(e.kind, e.message) for e in found.errors] == [("E\ufffd", "m?")]


def test_an_error_that_a_process_tells_is_cleaned_and_cut(classifier: Played) -> None:
    told = {"code": "no_predict", "message": "a\0\ud800" + "b" * 9000, "hint": {"a": 1}}
    with pytest.raises(ModelError) as caught:
        classifier.ask("predict", put_together(json.dumps({"error": told}), []))
    assert caught.value.message == ("a\ufffd?" + "b" * 9000)[:MAX_TEXT]


@pytest.mark.parametrize(
    "texts",
    [
        {"labels": ["x"] * 10_001},
        {"labels": ["x" * 2000] * 5_000},
        {"features": ["x"] * 100_001},
        {"warnings": ["w"] * 51},
        {"upgrades": ["s"] * 101},
        {"upgraded_from": 1},
        {"labels": ["a", 1]},
        {"parts": [["a", "b", "model", ""]] * 101},
        {"parts": [["a", "b", "owner", ""]]},
        {"parts": [["a", "b", "model"]]},
        {"parts": [[1, "b", "model", ""]]},
        {"class_shares": [1e308, 1e308]},
        {"class_shares": [2, -1]},
        {"schema": {"features": [{"name": "a", "type": "category", "categories": [10**99]}]}},
        {"schema": {"features": [{"name": "a", "min": 10**99, "max": 0}]}},
        {"schema": {"features": [{"name": f"f{i}"} for i in range(10_001)]}},
    ],
)
def test_a_model_that_describes_itself_at_length_or_wrongly_is_refused(
    classifier: Played, texts: dict[str, Any]
) -> None:
    refused(classifier, "load", classifier.changed("load", texts=texts), "description is malformed")


@pytest.mark.parametrize("file", [1, -1, True, "0", None, 0.0])
def test_a_file_that_was_not_sent_is_not_the_model(classifier: Played, file: object) -> None:
    refused(classifier, "load", classifier.changed("load", header={"file": file}), "description is malformed")


def test_numbers_of_hundreds_of_digits_are_a_bad_answer(regressor: Played) -> None:
    head = put_together('{"peak_memory_mb": ' + "9" * 400 + ', "since_load_mb": 0}', [])
    refused(regressor, "memory", head, "longer than 100 characters")
    assert struct.unpack_from("<I", head)[0] < 1000
