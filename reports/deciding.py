"""What a verdict rests on: the few checks that decide it, each with its figure, limit and interval in words.

Promises: broken gates come first, and what is told is what the check holds. Leaves markup to the exports.
"""

from dataclasses import dataclass

from records.checks import Check, CheckStatus
from records.model import name_of_file
from records.run import RunReport
from reports.findings import merged
from reports.words import between, number

__all__ = ["MOST_DECIDING", "VERDICTS", "Deciding", "deciding", "limit_of", "model_name"]

MOST_DECIDING = 3
VERDICTS = {
    "passed": "Passed",
    "warned": "Passed with warnings",
    "failed": "Failed",
    "error": "Could not be judged",
    "cancelled": "Cancelled",
}
_FIRST: tuple[CheckStatus, ...] = ("fail", "error", "warn")


@dataclass(frozen=True)
class Deciding:
    """One of the figures that decide. figure, limit, interval: in words; empty where there is none.

    check: of several that one reason left unjudged the first; title and reason are of all of them.
    """

    check: Check
    title: str
    reason: str
    figure: str
    limit: str
    interval: str


def deciding(report: RunReport, most: int = MOST_DECIDING) -> tuple[Deciding, ...]:
    """The broken checks, gates before others; then what could not be judged, then what warns.

    Where room is left, the gates that held come after them, the one nearest to its limit first.
    """
    findings = [found for found in merged(report.checks) if found.status in _FIRST]
    findings.sort(key=lambda found: (_FIRST.index(found.status), not found.checks[0].gate))
    held = [check for check in report.checks if check.status == "pass" and check.gate and _is_judged(check)]
    shown = [_told(found.checks[0], found.title, found.reason) for found in findings]
    shown += [_told(check, check.title, check.reason) for check in sorted(held, key=_margin)]
    return tuple(shown[:most])


def limit_of(check: Check) -> str:
    """`at most 20 ms`; empty for a check without a limit."""
    if check.threshold is None:
        return ""
    return f"{check.direction.replace('_', ' ')} {number(check.threshold, check.unit)}"


def model_name(report: RunReport) -> str:
    """The name that the versions of the model share: the plan's, else the file's without its end."""
    return report.plan.model or name_of_file(report.model.name)


def _told(check: Check, title: str, reason: str) -> Deciding:
    figure = "" if check.value is None else number(check.value, check.unit)
    return Deciding(check, title, reason, figure, limit_of(check), between(check.interval, check.unit))


def _is_judged(check: Check) -> bool:
    return check.value is not None and check.threshold is not None


def _margin(check: Check) -> float:
    """How far the figure is from its limit, relative to the larger of both."""
    value, limit = check.value or 0.0, check.threshold or 0.0
    return abs(value - limit) / (max(abs(value), abs(limit)) or 1.0)
