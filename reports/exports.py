"""A report as a file: HTML for people, JUnit for CI, Markdown for a summary, CSV for a spreadsheet.

Promises aggregates only, never a row of data, and that no name in a report can become markup, a link
or a formula. Leaves storing and sending to the callers.
"""

import csv
import io
import re
import xml.etree.ElementTree as ET
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.checks import Check, SectionName, section_of
from records.drift import ColumnDrift, DriftAnalysis, judgement, seen_by
from records.likeness import finding
from records.metrics import SCORES
from records.run import RunError, RunReport
from records.thresholds import TOLERATED, enough_in_words, monitoring_thresholds
from reports.figures import figures, key_figures
from reports.findings import (
    is_consequence,
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
)

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["metrics_csv", "thresholds_json", "to_html", "to_junit", "to_markdown"]

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
# What XML 1.0 cannot hold, in any spelling: controls, surrogates, the two non-characters.
UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
    return _writable(page)


def to_junit(report: RunReport) -> str:
    """JUnit XML: a testsuite per section, a testcase per check; value and threshold in the message.

    `fail` is a failure, `error` an error, `measured` and `not_applicable` are skipped, for nothing was
    judged; a warning passes with its reason in system-out. What stopped a stage is an error in the first
    suite, "Run"; checks that it left unjudged are skipped, so that a tally of errors counts causes.
    """
    root = ET.Element("testsuites", name=_writable(f"Model Monitoring Dashboard: {report.name}"))
    suites = [("Run", [_junit_stage_error(e) for e in report.errors])]
    suites += [
        (title, [_junit_case(name, c, report) for c in report.checks if section_of(c) == name])
        for name, title in SECTIONS
    ]
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for title, cases in suites:
        if not cases:
            continue
        counts = {
            "tests": len(cases),
            "failures": sum(case.find("failure") is not None for case in cases),
            "errors": sum(case.find("error") is not None for case in cases),
            "skipped": sum(case.find("skipped") is not None for case in cases),
        }
        stamp = report.created_at.replace(microsecond=0, tzinfo=None).isoformat()
        suite = ET.SubElement(root, "testsuite", name=title, timestamp=stamp, time="0")
        for key, count in counts.items():
            suite.set(key, str(count))
            totals[key] += count
        suite.extend(cases)
    for key, count in totals.items():
        root.set(key, str(count))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def to_markdown(report: RunReport) -> str:
    """A short summary for a pull request: the verdict, what is not right, and the key figures."""
    counts = _counts(report.checks)
    lines = [f"## {_VERDICTS[report.status]}: {_md(report.name)}", ""]
    if report.errors:
        lines += [f"- **{_md(e.code)}** in {e.stage}: {_md(sentences_of(e))}" for e in report.errors]
        lines.append("")
    lines += [
        f"{_md(report.model.name)} ({_md(kind_of(report.model))}). "
        f"Checks: {counts['pass']} passed, {counts['warn']} warned, {counts['fail']} failed, "
        f"{counts['error']} could not be judged, {counts['measured']} measured without a limit.",
        "",
        *(_md(sentence) for sentence in parts_of(report.model)),
        *([""] if report.model.parts else []),
    ]
    notable = [f for f in merged(report.checks) if f.status in ("fail", "error", "warn")]
    if notable:
        lines += ["| Check | Status | Reason |", "| --- | --- | --- |"]
        lines += [f"| {_md(f.title)} | {f.status} | {_md(f.reason)} |" for f in notable]
        lines.append("")
    properties = report.robustness.value.properties if report.robustness.value else ()
    if properties:
        lines += ["Properties of the model: " + _md(" ".join(p.sentence for p in properties)), ""]
    told = list(key_figures(report))
    if told:
        lines += ["| Figure | Value |", "| --- | ---: |"]
        lines += [f"| {_md(title)} | {_md(value)} |" for title, value in told]
    return "\n".join(lines).rstrip() + "\n"


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


_VERDICTS = {
    "passed": "Passed",
    "warned": "Passed with warnings",
    "failed": "Failed",
    "error": "Could not be judged",
    "cancelled": "Cancelled",
}


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


def _junit_case(section: SectionName, check: Check, report: RunReport) -> ET.Element:
    case = ET.Element("testcase", classname=section, name=_writable(check.title), time="0")
    message = _writable(_message(check))
    if check.status == "fail":
        ET.SubElement(case, "failure", message=message, type="threshold").text = message
    elif check.status == "error" and not is_consequence(report, check):
        ET.SubElement(case, "error", message=message, type="not_judged").text = message
    elif check.status in ("error", "measured", "not_applicable"):
        ET.SubElement(case, "skipped", message=message)
    else:
        prefix = "Warning: " if check.status == "warn" else ""
        ET.SubElement(case, "system-out").text = prefix + message
    return case


def _message(check: Check) -> str:
    """The sentence, then the figures as a program reads them."""
    figures = []
    if check.value is not None:
        figures.append(f"value {check.value:g} {check.unit}".rstrip())
    if check.threshold is not None:
        figures.append(f"{check.direction.replace('_', ' ')} {check.threshold:g} {check.unit}".rstrip())
    return f"{check.sentence} [{', '.join(figures)}]" if figures else check.sentence


def _junit_stage_error(error: RunError) -> ET.Element:
    case = ET.Element("testcase", classname="run", name=_writable(error.stage), time="0")
    text = _writable(sentences_of(error))
    ET.SubElement(case, "error", message=text, type=_writable(error.code)).text = text
    return case


def _writable(text: str) -> str:
    """Without what neither XML nor UTF-8 can carry."""
    return UNWRITABLE.sub("", text)


def _md(text: str) -> str:
    """Text that stays text in a Markdown table: no markup, no link, no image, no cell break, no mention."""
    text = re.sub(r"\s+", " ", _writable(text)).strip()
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    text = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", text)
    return re.sub(r"(?i)\b(https?|ftp|javascript|www)([:.])", r"\1&#8203;\2", text)


def _cell(value: Any) -> Any:
    """A spreadsheet runs what begins like a formula; a quote in front keeps it text."""
    if value is None or isinstance(value, int | float):
        return "" if value is None else value
    text = _writable(str(value))
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
        verdicts=_VERDICTS,
        status_words=STATUSES,
        kind_of=kind_of,
        parts_of=parts_of,
        sentences_of=sentences_of,
        tolerated=TOLERATED,
    )
    return environment.get_template("report.html")
