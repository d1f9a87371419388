"""What an executed run hands on: its report as it is stored, sortable figures, and tables for download.

Promises: a figure that was not measured is None, and a report that is stored can be read. Arithmetic alone.
"""

import json
import re
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError

from errors import MAX_QUOTED, BadAnswer
from estimators.answers import Attributions, Predictions, RowError
from records.base import Section
from records.figures import figures
from records.metrics import Accuracy
from records.model import ModelInfo
from records.run import MAX_REPORT, RunError, RunReport
from records.schema import Schema
from shifts.criteria import Labelled
from store.run_rows import RunSummary
from store.tables import clean

__all__ = [
    "as_stored", "attributions_table", "kept_figures", "labelled_rows", "predictions_table", "row_errors",
    "summary_of",
]  # fmt: skip

MOST_FIGURES = 1_000
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\b\d+(?:\.\d+)?\b")  # values and numbers in a model's own message


def as_stored(report: RunReport) -> tuple[RunReport, dict[str, Any]]:
    """A report and the JSON document that is stored for it, which is read once as all its readers will.

    What cannot be read so, or is larger than MAX_REPORT, is replaced by a report with the status `error` that
    says what was wrong: what a model made of the figures leaves no run open, and no page failing for ever.
    """
    try:
        return report, _read_back(report)
    except BadAnswer as error:
        nothing: Any = Section.failed("The run's report could not be stored.")
        model = ModelInfo(name=report.model.name, sha256=report.model.sha256, bytes=report.model.bytes)
        bare = RunReport(
            **{name: getattr(report, name) for name in _KEPT},
            **dict.fromkeys(
                ("metrics", "accuracy", "robustness", "drift", "explanation", "likeness"), nothing
            ),
            status="error",
            model=model,
            errors=(RunError(code=error.code, stage="done", message=error.message, hint=error.hint),),
        )
        return bare, _read_back(bare)


_KEPT = ("id", "name", "tags", "source", "created_at", "finished_at", "plan", "timings", "environment")
_HINT = "The model answers what no report can hold; look at its predictions and attributions at home."


def _read_back(report: RunReport) -> dict[str, Any]:
    try:
        document: dict[str, Any] = clean(report.model_dump(mode="json"))
        size = len(json.dumps(document, allow_nan=False))
        RunReport.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BadAnswer(
            f"The run's report holds what cannot be read: {place}: {first['msg']}", hint=_HINT
        ) from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise BadAnswer(
            f"The run's report cannot be written: {str(error)[:MAX_QUOTED]}", hint=_HINT
        ) from None
    if size > MAX_REPORT:
        raise BadAnswer(
            f"The run's report would be {size / 1e6:.0f} MB; at most {MAX_REPORT / 1e6:.0f} MB are stored.",
            hint="Test a model with fewer features and shorter names, or explain fewer rows (explain.rows).",
        )
    return document


def summary_of(report: RunReport) -> RunSummary:
    performance, accuracy = report.metrics.value, report.accuracy.value
    single = performance.single_row if performance else None
    score_name, score = accuracy.headline if accuracy else (None, None)
    return RunSummary(
        framework=report.model.framework,
        estimator=report.model.estimator,
        task=report.model.task,
        rows=report.plan.rows,
        p50_ms=single.p50_ms if single else None,
        p95_ms=single.p95_ms if single else None,
        throughput_rows_s=performance.throughput_rows_s if performance else None,
        error_rate=performance.error_rate if performance else None,
        score=score,
        score_name=score_name,
        changed_share=report.drift.value.largest_changed_share if report.drift.value else None,
        checks_failed=sum(c.status in {"fail", "error"} for c in report.checks),
        checks_warned=sum(c.status == "warn" for c in report.checks),
        error_message=report.errors[0].message if report.status == "error" and report.errors else None,
    )


def kept_figures(report: RunReport) -> dict[str, float]:
    """The figures that trends are drawn of, by path; of wide models those of the first features."""
    known = ((one.path, one.value) for one in figures(vars(report)).values())
    return dict(islice(((path, value) for path, value in known if value is not None), MOST_FIGURES))


def labelled_rows(
    schema: Schema, inputs: pd.DataFrame | None, labels: "pd.Series | None", accuracy: Section[Accuracy]
) -> Labelled | None:
    """The sample's features with their labels; None where none came, or none fits the model."""
    if inputs is None or labels is None or accuracy.value is None:
        return None
    return Labelled(inputs[[field.name for field in schema.features]], labels)


def row_errors(predictions: Predictions) -> list[RunError]:
    """One error for each kind of row that got no usable answer.

    Messages that differ only in the value that they quote are one: a model without its encoder stumbles over
    each category for the same reason.
    """
    causes: dict[tuple[str, str], list[RowError]] = {}
    for error in predictions.errors:
        causes.setdefault((error.kind, QUOTED.sub("", error.message)), []).append(error)
    return [
        RunError(
            code="predict_failed",
            stage="predict",
            message=f"{sum(e.rows for e in errors):,} of {len(predictions.failed):,} rows got no usable "
            f"answer: {errors[0].kind}: {errors[0].message}"[:500],
            hint=f"The first is row {min(e.first_row for e in errors)} of rows.parquet.",
        )
        for errors in causes.values()
    ]


def predictions_table(predictions: Predictions) -> pd.DataFrame:
    if predictions.labels is None:
        frame = pd.DataFrame({"prediction": predictions.values})
    else:
        names = {label: code for code, label in enumerate(dict.fromkeys(predictions.labels))}
        places = np.array([*(names[label] for label in predictions.labels), -1], dtype=np.int64)
        codes = np.where(predictions.failed, -1, predictions.values)
        whole: npt.NDArray[np.int64] = places[codes.astype(np.int64)]  # two classes may be written alike
        answers = pd.Categorical.from_codes(whole, categories=pd.Index(list(names)))
        frame = pd.DataFrame({"prediction": answers})
    columns: dict[str, Any] = {}
    if predictions.scores is not None:
        for k in range(predictions.scores.shape[1]):
            name = predictions.labels[k] if predictions.labels and k < len(predictions.labels) else str(k)
            columns[f"score {name}"] = predictions.scores[:, k]
    return pd.concat([frame, pd.DataFrame(columns | {"failed": predictions.failed})], axis=1)


def attributions_table(attributions: Attributions) -> pd.DataFrame:
    """One column for each feature and output, in the order of the arrays."""
    columns = {
        feature if len(attributions.outputs) == 1 else f"{feature} | {output}": attributions.values[:, j, k]
        for j, feature in enumerate(attributions.features)
        for k, output in enumerate(attributions.outputs)
    }
    return pd.DataFrame(columns)
