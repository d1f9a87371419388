"""A report as JUnit XML, which every CI system reads.

Promises: well-formed XML whatever the names are, and a tally of errors that counts causes.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from records.checks import Check, SectionName, section_of
from records.run import RunError, RunReport, Stage
from reports.deciding import limit_of, model_name
from reports.findings import is_consequence, sentences_of
from reports.words import between, number, writable

__all__ = ["to_junit"]

SUITES: tuple[tuple[SectionName, str, tuple[Stage, ...]], ...] = (
    ("metrics", "Performance", ("load", "predict", "latency")),
    ("likeness", "Generated rows", ("schema", "rows")),
    ("accuracy", "Accuracy", ("accuracy",)),
    ("robustness", "Robustness", ("robustness",)),
    ("drift", "Drift", ("drift",)),
    ("explanation", "Explainability", ("explain",)),
)
"""Each section, its suite's name, and the stages whose seconds are its own."""
_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def to_junit(report: RunReport) -> str:
    """A testsuite a section, a testcase a check, of the class `model.section`.

    The message ends with the measured value, the limit and the interval. `fail` is a failure, `error` an
    error; `measured` and `not_applicable` are skipped, for nothing was judged; a warning passes with its
    reason in system-out. What stopped a stage is an error in the first suite, "Run"; checks that it left
    unjudged are skipped. time: seconds; the checks of a section are judged from one measurement, so that
    each case has an equal part of the section's, and sums are right.
    """
    model = writable(model_name(report)).replace(".", "_")
    root = ET.Element("testsuites", name=writable(f"Model Monitoring Dashboard: {report.name}"))
    suites: list[tuple[str, float, list[ET.Element]]] = [
        ("Run", 0.0, [_stage_error(model, e) for e in report.errors])
    ]
    for section, title, stages in SUITES:
        cases = [_case(model, section, c, report) for c in report.checks if section_of(c) == section]
        suites.append((title, sum(report.timings.get(stage, 0.0) for stage in stages), cases))
    totals = dict.fromkeys(("tests", *_COUNTED), 0)
    for title, seconds, cases in suites:
        if not cases:
            continue
        stamp = report.created_at.replace(microsecond=0, tzinfo=None).isoformat()
        suite = ET.SubElement(root, "testsuite", name=title, timestamp=stamp, time=f"{seconds:.3f}")
        for key, count in _tally(cases).items():
            suite.set(key, str(count))
            totals[key] += count
        for case in cases:
            case.set("time", f"{seconds / len(cases):.6f}")
        suite.extend(cases)
    for key, count in totals.items():
        root.set(key, str(count))
    root.set("time", f"{sum(report.timings.values()):.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _tally(cases: Sequence[ET.Element]) -> dict[str, int]:
    found = {key: sum(case.find(tag) is not None for case in cases) for key, tag in _COUNTED.items()}
    return {"tests": len(cases), **found}


def _case(model: str, section: SectionName, check: Check, report: RunReport) -> ET.Element:
    case = ET.Element("testcase", classname=f"{model}.{section}", name=writable(check.title))
    message = writable(_message(check))
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
    """The sentence, then value, limit and interval."""
    figures = [] if check.value is None else [f"value {number(check.value, check.unit)}"]
    figures += [f"limit {limit_of(check)}"] if check.threshold is not None else []
    figures += [f"interval {between(check.interval, check.unit)}"] if check.interval else []
    return f"{check.sentence} [{', '.join(figures)}]" if figures else check.sentence


def _stage_error(model: str, error: RunError) -> ET.Element:
    case = ET.Element("testcase", classname=f"{model}.run", name=writable(error.stage))
    text = writable(sentences_of(error))
    ET.SubElement(case, "error", message=text, type=writable(error.code)).text = text
    return case
