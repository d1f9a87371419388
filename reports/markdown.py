"""A report as Markdown, short enough for the comment of a pull request.

Promises: no name becomes markup, a link, a picture or a mention. Leaves posting it to who asked.
"""

import re

from records.run import RunReport
from reports.deciding import VERDICTS, deciding
from reports.figures import key_figures
from reports.findings import kind_of, merged, parts_of, sentences_of
from reports.words import STATUSES, writable

__all__ = ["to_markdown"]

MOST_TOLD = 10
MOST_CHARACTERS = 300  # of one reason


def to_markdown(report: RunReport, link: str = "") -> str:
    """The verdict, the three figures that decide it, and folded away what else is not right.

    link: where the whole report is; empty where nobody else can reach it.
    """
    counts = {status: sum(c.status == status for c in report.checks) for status in STATUSES}
    lines = [f"## {VERDICTS[report.status]}: {_md(report.name)}", ""]
    if report.errors:
        told = report.errors[:MOST_TOLD]
        lines += [f"- **{_md(e.code)}** in {e.stage}: {_md(sentences_of(e))}" for e in told]
        lines.append("")
    first = [each for each in deciding(report) if each.figure]
    if first:
        lines += ["| | What decides | Figure | Limit | Interval |", "| --- | --- | ---: | --- | --- |"]
        lines += [
            f"| {STATUSES[d.check.status]} | {_md(d.title)} | **{d.figure}** | {d.limit} | {d.interval} |"
            for d in first
        ]
        lines.append("")
    lines += [
        f"{_md(report.model.name)} ({_md(kind_of(report.model))}). "
        f"Checks: {counts['pass']} passed, {counts['warn']} warned, {counts['fail']} failed, "
        f"{counts['error']} could not be judged, {counts['measured']} measured without a limit.",
        "",
        *(_md(sentence) for sentence in parts_of(report.model)),
        *([""] if report.model.parts else []),
    ]
    if link:
        lines += [f"[The whole report](<{link}>)", ""]
    notable = [f for s in ("fail", "error", "warn") for f in merged(report.checks) if f.status == s]
    if notable:
        told_of = [f"| {_md(f.title)} | {f.status} | {_md(f.reason)} |" for f in notable[:MOST_TOLD]]
        more = len(notable) - MOST_TOLD
        told_of += [f"| {more} more | | |"] if more > 0 else []
        lines += _folded(
            "What is not right", ["| Check | Status | Reason |", "| --- | --- | --- |", *told_of]
        )
    properties = report.robustness.value.properties if report.robustness.value else ()
    if properties:
        sentences = [f"- {_md(p.sentence)}" for p in properties[:MOST_TOLD]]
        lines += _folded("Properties of the model", sentences)
    told_figures = [f"| {_md(title)} | {_md(value)} |" for title, value in key_figures(report)]
    if told_figures:
        lines += _folded("Key figures", ["| Figure | Value |", "| --- | ---: |", *told_figures])
    return "\n".join(lines).rstrip() + "\n"


def _folded(title: str, lines: list[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>", ""]


def _md(text: str) -> str:
    """Text that stays text in a Markdown table: no markup, no link, no image, no cell break, no mention."""
    text = re.sub(r"\s+", " ", writable(text)).strip()
    text = text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    text = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", text)
    return re.sub(r"(?i)\b(https?|ftp|javascript|www)([:.])", r"\1&#8203;\2", text)
