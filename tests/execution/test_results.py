"""What an executed run hands on: a report that can be read, whatever a model made of its figures."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from estimators.answers import Predictions, RowError
from execution import results
from execution.results import as_stored, predictions_table, row_errors
from records.run import RunReport
from tests.support.sample_reports import sample_report


def with_changed(section: str, **changes: Any) -> RunReport:
    """A report whose section holds what no validation has seen, as `model_copy` lets it."""
    report = sample_report()
    found = getattr(report, section)
    value = found.value.model_copy(update=changes)
    return report.model_copy(update={section: found.model_copy(update={"value": value})})


def test_a_report_is_stored_as_it_is() -> None:
    report = sample_report()
    stored, document = as_stored(report)
    assert stored is report
    assert RunReport.model_validate(json.loads(json.dumps(document, allow_nan=False))) == report


def test_texts_that_no_store_takes_are_cleaned_and_the_report_stays() -> None:
    stored, document = as_stored(sample_report(warnings=("a\0b\ud800",)))
    assert stored.status != "error"
    assert document["warnings"] == ["a\ufffdb\ufffd"]
    json.dumps(document, ensure_ascii=False).encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400])
def test_a_report_that_could_not_be_read_becomes_an_error_of_its_run(value: Any) -> None:
    """A mean that overflowed was stored as null, and whoever asked for the report was answered with 500."""
    importance = sample_report().explanation.value
    assert importance is not None
    first, *rest = importance.importance
    broken = first.model_copy(update={"mean_abs": value})
    report = with_changed("explanation", importance=(broken, *rest))
    stored, document = as_stored(report)
    assert stored.status == "error" and stored.explanation.status == "failed"
    assert [(e.code, e.stage) for e in stored.errors] == [("bad_answer", "done")]
    assert "mean_abs" in stored.errors[0].message or value == 10**400
    assert RunReport.model_validate(json.loads(json.dumps(document, allow_nan=False))) == stored
    assert (stored.id, stored.plan, stored.model.sha256) == (report.id, report.plan, report.model.sha256)
    assert results.summary_of(stored).error_message == stored.errors[0].message


def test_a_report_beyond_the_limit_becomes_an_error_that_says_how_large_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(results, "MAX_REPORT", 100_000)
    stored, document = as_stored(sample_report(warnings=("w" * 200_000,)))
    assert stored.status == "error" and "explain.rows" in stored.errors[0].hint
    assert len(json.dumps(document)) < 10_000


def test_rows_that_failed_for_one_reason_are_one_error_whatever_value_they_hold() -> None:
    errors = (
        RowError("ValueError", "could not convert string to float: 'M'", 30, 4),
        RowError("ValueError", "could not convert string to float: 'HIGH'", 20, 2),
        RowError("KeyError", "'M'", 5, 0),
    )
    failed = np.ones(60, dtype=bool)
    found = row_errors(Predictions(np.full(60, np.nan), None, None, failed, errors))
    assert [error.message.split(" rows")[0] for error in found] == ["50 of 60", "5 of 60"]
    assert "row 2 " in found[0].hint


def test_classes_that_are_written_alike_share_their_place_in_the_table() -> None:
    answers = Predictions(
        np.array([0, 1, 2, np.nan]), np.eye(4)[:, :3], ("a", "b", "a"), np.array([False, False, False, True])
    )
    table = predictions_table(answers)
    assert table["prediction"].tolist()[:3] == ["a", "b", "a"] and pd.isna(table["prediction"][3])
    assert list(table.columns) == ["prediction", "score a", "score b", "failed"]
