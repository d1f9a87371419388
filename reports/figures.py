"""Every aggregate figure of a report, one after the other, for a spreadsheet or a program.

Promises: keys stay what they are, new ones are added. Leaves writing them down to `exports`.
"""

from collections.abc import Iterator
from typing import Any, get_args

from records.base import Section
from records.checks import SectionName
from records.metrics import Performance
from records.run import RunReport

__all__ = ["SCORES", "figures"]

SCORES = (
    ("accuracy", "Accuracy"), ("balanced_accuracy", "Balanced accuracy"),
    ("precision_macro", "Precision (macro)"), ("recall_macro", "Recall (macro)"), ("f1_macro", "F1 (macro)"),
    ("roc_auc", "ROC AUC"), ("log_loss", "Log loss"), ("r2", "R2"), ("mae", "Mean absolute error"),
    ("rmse", "Root mean squared error"),
)  # fmt: skip


def figures(report: RunReport) -> Iterator[tuple[str, str, Any]]:
    """(section, key, value): numbers, texts, or None for what was not measured."""
    yield "run", "id", report.id
    yield "run", "name", report.name
    yield "run", "status", report.status
    yield "model", "name", report.model.name
    yield "model", "sha256", report.model.sha256
    yield "model", "estimator", report.model.estimator
    for name in get_args(SectionName):
        section: Section[Any] = getattr(report, name)
        yield name, "status", section.status
    if report.metrics.value:
        yield from _performance_figures(report.metrics.value)
    if report.accuracy.value:
        yield "accuracy", "rows", report.accuracy.value.rows
        for key, _ in SCORES:
            yield "accuracy", key, getattr(report.accuracy.value, key)
    if report.likeness.value:
        found = report.likeness.value.domain
        figures = (found.auc, *found.interval, found.rows_reference, found.rows_current)
        for key, figure in zip(("auc", "low", "high", "rows_sample", "rows_made"), figures, strict=True):
            yield "likeness", key, figure
    for behaviour in report.robustness.value.behaviours if report.robustness.value else ():
        yield "robustness", f"{behaviour.name}.failing_share", behaviour.failing_share
    if report.drift.value:
        yield from _drift_figures(report.drift.value)
    if report.explanation.value:
        yield "explanation", "additivity_error", report.explanation.value.additivity_error
        for importance in report.explanation.value.importance:
            yield "explanation", f"importance.{importance.feature}", importance.mean_abs
            yield "explanation", f"shuffled_change.{importance.feature}", importance.shuffled_change
    for check in report.checks:
        yield "checks", f"{check.id}.status", check.status
        yield "checks", f"{check.id}.value", check.value
        yield "checks", f"{check.id}.threshold", check.threshold
    for stage, seconds in report.timings.items():
        yield "timings", stage, seconds


def _performance_figures(performance: Performance) -> Iterator[tuple[str, str, Any]]:
    for key in ("load_ms", "first_call_ms", "throughput_rows_s", "error_rate", "peak_memory_mb",
                "load_memory_mb", "predict_memory_mb"):  # fmt: skip
        yield "metrics", key, getattr(performance, key)
    for row in performance.latency:
        at = f"latency.batch_{row.batch_size}"
        for key in ("n", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "rows_per_s",
                    "prepare_ms", "validation_ms"):  # fmt: skip
            yield "metrics", f"{at}.{key}", getattr(row, key)
        yield from _interval_figures(at, row, ("p50", "p90", "p95", "p99"))
    for level in performance.concurrency:
        at = f"concurrency.{level.callers}"
        for key in ("n", "p50_ms", "p95_ms", "rows_per_s"):
            yield "metrics", f"{at}.{key}", getattr(level, key)
        yield from _interval_figures(at, level, ("p50", "p95"))
    paired = performance.against_baseline.value if performance.against_baseline else None
    if paired:
        for key in ("ratio", "pairs", "n", "p50_ms", "baseline_p50_ms"):
            yield "metrics", f"against_baseline.{key}", getattr(paired, key)
        yield "metrics", "against_baseline.low", paired.interval[0]
        yield "metrics", "against_baseline.high", paired.interval[1]


def _interval_figures(at: str, row: Any, names: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
    for name in names:
        interval = getattr(row, f"{name}_interval")
        if interval is not None:
            yield "metrics", f"{at}.{name}_low_ms", interval[0]
            yield "metrics", f"{at}.{name}_high_ms", interval[1]


def _drift_figures(drift: Any) -> Iterator[tuple[str, str, Any]]:
    for i, scenario in enumerate(drift.scenarios):
        key = f"scenario_{i}.{scenario.kind}_{scenario.magnitude:g}"
        yield "drift", f"{key}.changed_share", scenario.changed_share
        yield "drift", f"{key}.input_psi", scenario.input.psi
        yield "drift", f"{key}.prediction_psi", scenario.prediction.psi
        if scenario.domain is not None:
            yield "drift", f"{key}.domain_auc", scenario.domain.auc
            yield "drift", f"{key}.domain_auc_low", scenario.domain.interval[0]
            yield "drift", f"{key}.domain_auc_high", scenario.domain.interval[1]
    for point in drift.breaking_points:
        at = f"breaking_point.{point.feature}.{point.kind}"
        near, far = point.distances or (None, None)
        yield "drift", at, point.magnitude
        yield "drift", f"{at}.near", near
        yield "drift", f"{at}.far", far
        yield "drift", f"{at}.shift", point.shift
        yield "drift", f"{at}.psi", point.psi
    for alarms in drift.false_alarms:
        at = f"false_alarms.{alarms.rows_current}"
        yield "drift", f"{at}.any", alarms.any_column
        for column in alarms.columns:
            yield "drift", f"{at}.{column.column}", column.rate
    parts = drift.decomposition
    if parts is not None:
        at = f"decomposition.{parts.kind}_{parts.magnitude:g}"
        for single in parts.singles:
            yield "drift", f"{at}.{single.feature}.changed_share", single.changed_share
            yield "drift", f"{at}.{single.feature}.output_change", single.output_change
        for key in ("joint_changed_share", "single_changed_sum", "changed_remainder", "joint_output_change",
                    "single_output_sum", "output_remainder"):  # fmt: skip
            yield "drift", f"{at}.{key}", getattr(parts, key)
