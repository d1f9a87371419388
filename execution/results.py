"""What an executed run hands on and leaves beside its report: sortable figures, and tables for download.

Promises: a figure that was not measured is None. Arithmetic alone.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from estimators.answers import Attributions, Predictions
from records.base import Section
from records.metrics import Accuracy
from records.run import RunError, RunReport
from records.schema import Schema
from shifts.criteria import Labelled
from store.runs import RunSummary

__all__ = ["attributions_table", "labelled_rows", "predictions_table", "row_errors", "summary_of"]


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


def labelled_rows(
    schema: Schema, inputs: pd.DataFrame | None, labels: "pd.Series | None", accuracy: Section[Accuracy]
) -> Labelled | None:
    """The sample's features with their labels; None where none came, or none fits the model."""
    if inputs is None or labels is None or accuracy.value is None:
        return None
    return Labelled(inputs[[field.name for field in schema.features]], labels)


def row_errors(predictions: Predictions) -> list[RunError]:
    """One error for each kind of row that got no usable answer."""
    return [
        RunError(
            code="predict_failed",
            stage="predict",
            message=f"{error.rows:,} of {len(predictions.failed):,} rows got no usable answer: "
            f"{error.kind}: {error.message}"[:500],
            hint=f"The first is row {error.first_row} of rows.parquet.",
        )
        for error in predictions.errors
    ]


def predictions_table(predictions: Predictions) -> pd.DataFrame:
    if predictions.labels is None:
        frame = pd.DataFrame({"prediction": predictions.values})
    else:
        codes = predictions.values.copy()
        codes[predictions.failed] = -1
        whole: npt.NDArray[np.int64] = codes.astype(np.int64)
        answers = pd.Categorical.from_codes(whole, categories=pd.Index(predictions.labels))
        frame = pd.DataFrame({"prediction": answers})
    if predictions.scores is not None:
        for k in range(predictions.scores.shape[1]):
            name = predictions.labels[k] if predictions.labels and k < len(predictions.labels) else str(k)
            frame[f"score {name}"] = predictions.scores[:, k]
    frame["failed"] = predictions.failed
    return frame


def attributions_table(attributions: Attributions) -> pd.DataFrame:
    """One column for each feature and output, in the order of the arrays."""
    columns = {
        feature if len(attributions.outputs) == 1 else f"{feature} | {output}": attributions.values[:, j, k]
        for j, feature in enumerate(attributions.features)
        for k, output in enumerate(attributions.outputs)
    }
    return pd.DataFrame(columns)
