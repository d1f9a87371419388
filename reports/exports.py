"""A report as a file: HTML for people, CSV for a spreadsheet, its thresholds for a monitor.

Promises aggregates only, never a row of data, and that no name in a report can become markup, a link
or a formula. Leaves JUnit, Markdown and the picture to the modules beside this one, sending to the callers.
"""

import csv
import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.checks import Check, SectionName, section_of
from records.drift import ColumnDrift, DriftAnalysis, judgement, seen_by
from records.likeness import finding
from records.metrics import SCORES
from records.run import RunReport
from records.thresholds import TOLERATED, enough_in_words, monitoring_thresholds
from reports.deciding import VERDICTS
from reports.figures import figures, key_figures
from reports.findings import (
    kind_of,
    merged,
    other_warnings,
    parts_of,
    sections_to_show,
    sentences_of,
)
from reports.words import (
    STATUSES,
    between,
    breaking_distance,
    held,
    number,
    scenario,
    share,
    under,
    with_features,
    writable,
)

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["metrics_csv", "thresholds_json", "to_html"]

SECTIONS: tuple[tuple[SectionName, str], ...] = (
    ("metrics", "Performance"),
    ("likeness", "Generated rows"),
    ("accuracy", "Accuracy"),
    ("robustness", "Robustness"),
    ("drift", "Drift"),
    ("explanation", "Explainability"),
)
MOST_BARS = 20
MOST_PARTS = 12
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_html(report: RunReport) -> str:
    """One self-contained page: no script, nothing fetched, light and dark, fit for a phone and for paper."""
    found = merged(report.checks)
    page = _template().render(
        report=report,
        warnings=other_warnings(report),
        counts=_counts(report.checks),
        sections=SECTIONS,
        by_section=lambda name: [f for f in found if section_of(f.checks[0]) == name],
        shown=sections_to_show(report),
        key_figures=list(key_figures(report)),
        scores=_scores(report),
        latency_bars=_latency_bars(report),
        importance_bars=_importance_bars(report),
        drift_bars=_drift_bars(report),
        worst_columns=_by_psi(report.drift.value.columns if report.drift.value else ()),
        likeness_columns=_by_psi(report.likeness.value.columns if report.likeness.value else ()),
        decomposition_bars=_decomposition_bars(report),
    )
    return writable(page)


def metrics_csv(report: RunReport) -> str:
    """section,key,value: every aggregate figure of the report, one a row; no quoting surprises in Excel."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("section", "key", "value"))
    for row in figures(report):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def thresholds_json(report: RunReport) -> str:
    """The run's `thresholds.json`, made anew; also of reports older than that file."""
    analysis = report.drift.value or DriftAnalysis(scenarios=())
    return monitoring_thresholds(analysis, report.plan.drift, report.model.sha256).model_dump_json(indent=2)


def _counts(checks: tuple[Check, ...]) -> dict[str, int]:
    return {status: sum(c.status == status for c in checks) for status in STATUSES}


def _scores(report: RunReport) -> list[tuple[str, str]]:
    accuracy = report.accuracy.value
    if accuracy is None:
        return []
    return [(SCORES[key], number(value)) for key, value in accuracy.known.items()]


def _bars(entries: list[tuple[str, float | None, str]], full: float | None = None) -> list[dict[str, Any]]:
    """Label, length in per cent of `full` (default: the longest), text; the template draws them."""
    shown = [(label, value, text) for label, value, text in entries if value is not None][:MOST_BARS]
    longest = full or max((abs(value) for _, value, _ in shown), default=0.0) or 1.0
    return [
        {"label": label, "width": round(abs(v) / longest * 100, 2), "text": text} for label, v, text in shown
    ]


def _latency_bars(report: RunReport) -> list[dict[str, Any]]:
    rows = report.metrics.value.latency if report.metrics.value else ()
    return _bars([(f"Batch of {r.batch_size:,}", r.p95_ms, number(r.p95_ms, "ms")) for r in rows])


def _importance_bars(report: RunReport) -> list[dict[str, Any]]:
    importance = report.explanation.value.importance if report.explanation.value else ()
    return _bars([
        (i.feature, i.mean_abs, number(i.mean_abs) + (f" ± {number(i.std_error)}" if i.std_error else ""))
        for i in importance
    ])  # fmt: skip


def _drift_bars(report: RunReport) -> list[dict[str, Any]]:
    scenarios = report.drift.value.scenarios if report.drift.value else ()
    return _bars([(with_features(s), s.changed_share, share(s.changed_share)) for s in scenarios], full=1.0)


def _decomposition_bars(report: RunReport) -> list[dict[str, Any]]:
    """What each shift changes alone, the largest first, then what they change all together."""
    parts = report.drift.value.decomposition if report.drift.value else None
    if parts is None:
        return []
    singles = [(s.feature, s.changed_share, share(s.changed_share)) for s in parts.singles[:MOST_PARTS]]
    joint = ("All together", parts.joint_changed_share, share(parts.joint_changed_share))
    return _bars([*singles, joint], full=1.0)


def _by_psi(columns: tuple[ColumnDrift, ...]) -> list[ColumnDrift]:
    return sorted(columns, key=lambda c: -(c.psi or 0.0))[:MOST_BARS]


def _cell(value: Any) -> Any:
    """A spreadsheet runs what begins like a formula; a quote in front keeps it text."""
    if value is None or isinstance(value, int | float):
        return "" if value is None else value
    text = writable(str(value))
    return (
        f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else text
    )


@lru_cache(maxsize=1)
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # not before the first report

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        short=number,
        share=share,
        scenario=with_features,
        under=under,
        range=between,
        judgement=judgement,
        scenario_name=lambda parts: scenario(parts.kind, parts.magnitude),
        finding=finding,
        seen_by=seen_by,
        enough=lambda point, alarms: enough_in_words(alarms, point.feature) or "",
        breaking_distance=breaking_distance,
        held=held,
    )
    environment.globals.update(
        verdicts=VERDICTS,
        status_words=STATUSES,
        kind_of=kind_of,
        parts_of=parts_of,
        sentences_of=sentences_of,
        tolerated=TOLERATED,
    )
    return environment.get_template("report.html")
