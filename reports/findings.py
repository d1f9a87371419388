"""What a reader of a report is told first: what stopped it, then what is not right, each thing once.

Promises: the checks that one cause left unjudged are one finding; nothing is added to the report, so that
every door tells the same. Leaves markup to the exports and pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from records.base import Section
from records.checks import UNJUDGED, Check, CheckStatus, SectionName, section_of
from records.model import ModelInfo
from records.run import RunError, RunReport

__all__ = [
    "Finding", "is_consequence", "kind_of", "merged", "other_warnings", "parts_of", "sections_to_show",
    "sentences_of",
]  # fmt: skip

NOT_KNOWN = "unknown"
MOST_LEFT = 5


@dataclass(frozen=True)
class Finding:
    """One check, or all that could not be judged for one reason: then `title` says how many they are."""

    status: CheckStatus
    title: str
    reason: str
    checks: tuple[Check, ...]


def merged(checks: Sequence[Check]) -> tuple[Finding, ...]:
    """The checks in their order; those that share the reason why nothing could be judged, as one.

    >>> [f.title for f in merged([Check(id=i, title=i, status="error", reason=UNJUDGED + "x") for i in "ab"])]
    ['2 checks']
    """
    groups: dict[str, list[Check]] = {}
    for i, check in enumerate(checks):
        shared = check.status == "error" and check.reason.startswith(UNJUDGED)
        groups.setdefault(check.reason if shared else f"check {i}", []).append(check)
    return tuple(_finding(group) for group in groups.values())


def is_consequence(report: RunReport, check: Check) -> bool:
    """Whether a check could not be judged because of something that the report's errors tell already."""
    section: Section[Any] = getattr(report, section_of(check))
    return check.status == "error" and section.status == "failed" and bool(report.errors)


def sections_to_show(report: RunReport) -> tuple[SectionName, ...]:
    """The sections that add something: not those that failed for a reason which several checks tell."""
    told = {f.checks[0].reason.removeprefix(UNJUDGED) for f in merged(report.checks) if len(f.checks) > 1}
    sections: dict[SectionName, Section[Any]] = {n: getattr(report, n) for n in get_args(SectionName)}
    return tuple(
        name for name, part in sections.items() if part.status != "failed" or part.reason not in told
    )


def other_warnings(report: RunReport) -> tuple[str, ...]:
    """The warnings but for what was done to the sample, which a page tells beside it."""
    told = set(report.sample.told) if report.sample is not None else set()
    return tuple(warning for warning in report.warnings if warning not in told)


def kind_of(model: ModelInfo) -> str:
    """`scikit-learn Ridge, regression`; `not opened` of a file that never was."""
    if model.estimator == NOT_KNOWN:
        return "not opened"
    return f"{model.framework} {model.estimator}, {model.task}"


def parts_of(model: ModelInfo) -> tuple[str, ...]:
    """Sentences on a bundle or several files: what is asked, in which order, and what was left aside."""
    asked = [part for part in model.parts if part.role in ("preprocessor", "model", "answers")]
    sentences = []
    if len(asked) > 1:
        steps = " → ".join(f"{part.entry} ({part.kind})" for part in asked)
        sentences.append(f"Asked as one pipeline: {steps}.")
    elif asked:
        sentences.append(f"Taken: {asked[0].entry} ({asked[0].kind}).")
    for role, words in (("columns", "Columns by"), ("classes", "Classes by")):
        named = [f"{part.entry} ({part.kind})" for part in model.parts if part.role == role]
        sentences += [f"{words} {', '.join(named)}."] if named else []
    left = [f"{part.entry} ({part.note or part.kind})" for part in model.parts if part.role == "left aside"]
    more = f" and {len(left) - MOST_LEFT} more" if len(left) > MOST_LEFT else ""
    shown = ", ".join(left[:MOST_LEFT]) + more
    sentences += [f"Left aside: {shown}."] if left else []
    return tuple(sentences)


def sentences_of(error: RunError) -> str:
    """What happened, and what to do, as sentences. A model's own message may lack its full stop."""
    message = error.message.rstrip()
    ended = message.endswith((".", "!", "?", ":"))
    return f"{message}{'' if ended else '.'} {error.hint}".strip()


def _finding(group: Sequence[Check]) -> Finding:
    first = group[0]
    if len(group) == 1:
        return Finding(first.status, first.title, first.reason, (first,))
    return Finding(first.status, f"{len(group)} checks", f"They{first.reason.removeprefix('It')}", (*group,))
