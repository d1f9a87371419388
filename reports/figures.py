"""The figures of a report: every aggregate for a spreadsheet or a program, and the few that stand for it.

Promises: keys stay what they are, new ones are added. Leaves writing them down to `reports.exports`.
"""

from collections.abc import Iterator
from typing import Any, get_args

from records.base import Section
from records.checks import SectionName
from records.drift import seen_by
from records.metrics import SCORES, Performance
from records.run import RunReport
from records.thresholds import TOLERATED, enough_in_words
from reports.words import between, breaking_distance, counted, number, share, with_features

__all__ = ["figures", "key_figures"]


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
        for key in SCORES:
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
        for texts in report.explanation.value.texts:
            for word in texts.words:
                yield "explanation", f"word.{word.word}", word.effect
    for check in report.checks:
        yield "checks", f"{check.id}.status", check.status
        yield "checks", f"{check.id}.value", check.value
        yield "checks", f"{check.id}.threshold", check.threshold
    for stage, seconds in report.timings.items():
        yield "timings", stage, seconds


def key_figures(report: RunReport) -> Iterator[tuple[str, str]]:
    """(title, what was found) of the few figures that stand for the report, in words."""
    performance = report.metrics.value
    if performance:
        row = performance.single_row
        if row is not None:
            found = f"{number(row.p50_ms)} / {number(row.p95_ms, 'ms')} (n = {row.n})"
            yield "Single-row latency, p50 / p95", found
        paired = performance.against_baseline.value if performance.against_baseline else None
        if paired:
            found = f"{number(paired.ratio, 'x')} ({between(paired.interval)})"
            yield "Time a call, relative to the baseline", found
        yield "Throughput", number(performance.throughput_rows_s, "rows/s")
        yield "Error rate", share(performance.error_rate)
        yield "Load time", number(performance.load_ms, "ms")
        yield "Peak memory", number(performance.peak_memory_mb, "MB")
    if report.accuracy.value:
        name, score = report.accuracy.value.headline
        yield SCORES[name], f"{number(score)} ({counted(report.accuracy.value.rows, 'row')})"
    if report.likeness.value:
        told = report.likeness.value.domain
        yield "Generated rows told from the sample's", f"AUC {number(told.auc)} ({between(told.interval)})"
    if report.drift.value:
        largest = report.drift.value.largest_changed_share
        if largest is not None:
            yield "Largest flip rate (changed answers) under drift", share(largest)
        hidden = [with_features(s) for s in report.drift.value.scenarios if seen_by(s) == "whole table only"]
        if hidden:
            yield "Shifts that no single column shows", "; ".join(hidden)
        for first in report.drift.value.found_points[:1]:
            yield "Nearest breaking point", f"{first.feature}, {breaking_distance(first)}"
        enough = enough_in_words(report.drift.value.false_alarms)
        if enough is not None:
            yield f"Batch size with at most {TOLERATED * 100:g} % false alarms", enough
    if report.explanation.value and report.explanation.value.importance:
        yield "Most important feature", report.explanation.value.importance[0].feature
        for texts in report.explanation.value.texts:
            if texts.words:
                yield "Weightiest words", ", ".join(word.word for word in texts.words[:5])


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
