"""Gates over any figure of a report, such as `metrics.latency[1].p95_ms <= 50`.

Promises: a figure that could not be had is an error, never a pass; a timing is broken only where its whole
interval is. Leaves reading a gate to `records.gates`, and timing again to `execution.gated_timing`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from records.checks import UNJUDGED, Check, CheckStatus
from records.figures import ReportFigure, figures, nearest
from records.gates import Expression, Gates
from records.metrics import GatedTiming, Interval
from reports.words import between, number

__all__ = ["GatedReport", "expression_checks", "timing_check"]

PREFIX = "gate:"
NO_BASELINE = "There is no earlier run to hold this one against yet; it can be the first."
_SCORES = ("accuracy.",)
BUSY = 1.2  # times at rest, from which on the machine's state is said


class GatedReport(NamedTuple):
    """The sections of a report by name, and why one has no value."""

    sections: Mapping[str, Any]

    @property
    def figures(self) -> dict[str, ReportFigure]:
        return figures(self.sections)

    def why_not(self, path: str, known: Mapping[str, ReportFigure]) -> str:
        """In place of a figure: the section's reason, or what there is."""
        root = path.split(".")[0]
        section = self.sections.get(root)
        status = getattr(section, "status", "ok")
        if status != "ok":
            reason = getattr(section, "reason", "")
            return f"{root} is {str(status).replace('_', ' ')}: {reason}"
        if path in known:
            return "it was not measured."
        return f"this report has no such figure; there are {nearest(path, known)}."


def expression_checks(
    gates: Gates,
    report: GatedReport,
    baseline: GatedReport | None,
    timings: Sequence[GatedTiming],
    same_sample: bool = False,
) -> tuple[Check, ...]:
    """One check for each expression, in their order. baseline: None where no earlier run was found.

    same_sample: the baseline was scored on the same rows, so that scores differ by the models alone.
    """
    if not gates.expressions:
        return ()
    known = report.figures
    before = baseline.figures if baseline is not None else {}
    settled = {one.gate: one for one in timings}
    found = []
    for gate in gates.parsed:
        figure = known.get(gate.path)
        if figure is None or figure.value is None:
            found.append(_check(gate, "error", reason=UNJUDGED + report.why_not(gate.path, known)))
        elif gate.needs_baseline and baseline is None:
            found.append(_check(gate, "warn", figure, reason=NO_BASELINE))
        elif gate.is_timing:
            found.append(timing_check(gate, figure, settled.get(gate.text), before, strict=gates.strict))
        else:
            found.append(_figure_check(gate, figure, baseline, before, same_sample))
    return tuple(found)


def timing_check(
    gate: Expression,
    figure: ReportFigure,
    settled: GatedTiming | None,
    before: Mapping[str, ReportFigure],
    *,
    strict: bool,
) -> Check:
    """Holds, broken with its whole interval, or too close to tell."""
    earlier = before.get(gate.path)
    told, value, unit = figure.interval, figure.value, figure.unit
    limit = gate.limit_from(earlier.value if earlier else None)
    about = ""
    if settled is not None:
        about = f" {settled.n:,} calls in {settled.sittings} sittings"
        if gate.needs_baseline and settled.ratio is not None and settled.baseline:
            # Both in turn: what slows the machine slows both, so the ratio is what is known well.
            moved = gate.limit_from(settled.baseline)
            limit = None if moved is None else moved / settled.baseline
            told, value, unit = settled.ratio_interval, settled.ratio, "x"
            about += ", in turn with the baseline's model"
        else:
            told, value = settled.interval, settled.value
            if (settled.slowdown or 1.0) >= BUSY:
                about += f"; the machine was {settled.slowdown:.2g} times slower than at rest"
    if limit is None or value is None:
        return _check(gate, "error", figure, reason=f"{UNJUDGED}the baseline has no figure {gate.path}.")
    status, words = _of_interval(gate, value, told, limit, strict)
    held = f" (interval {between(told, unit, open='not known')})" if told else ""
    side = "at most" if gate.direction == "at_most" else "at least"
    reason = f"{number(value, unit)}{held} {words}, {side} {number(limit, unit)}."
    if about:
        reason += f" From{about}."
    return _check(gate, status, ReportFigure(gate.path, value, told, unit), limit, reason)


def _of_interval(
    gate: Expression, value: float, interval: Interval | None, limit: float, strict: bool
) -> tuple[CheckStatus, str]:
    if interval is None:
        return ("pass", "is within the limit") if gate.holds(value, limit) else ("fail", "breaks the limit")
    better, worse = interval if gate.direction == "at_most" else interval[::-1]
    if worse is not None and gate.holds(worse, limit):
        return "pass", "is within the limit"
    if better is not None and not gate.holds(better, limit):
        return "fail", "breaks the limit with all of its interval"
    return ("fail" if strict else "warn"), "is too close to the limit to tell"


def _figure_check(
    gate: Expression,
    figure: ReportFigure,
    baseline: GatedReport | None,
    before: Mapping[str, ReportFigure],
    same_sample: bool,
) -> Check:
    assert figure.value is not None
    earlier = before.get(gate.path)
    limit = gate.limit_from(earlier.value if earlier else None)
    if limit is None:
        why = baseline.why_not(gate.path, before) if baseline else ""
        return _check(gate, "error", figure, reason=f"{UNJUDGED}of the baseline, {why}")
    side = "at most" if gate.direction == "at_most" else "at least"
    holds = gate.holds(figure.value, limit)
    held = f" (interval {between(figure.interval, figure.unit, open='open')})" if figure.interval else ""
    reason = (
        f"{number(figure.value, figure.unit)}{held} {'is within' if holds else 'breaks'} the limit, "
        f"{side} {number(limit, figure.unit)}"
    )
    if gate.needs_baseline and earlier is not None:
        reason += f"; the baseline has {number(earlier.value, figure.unit)}"
    status: CheckStatus = "pass" if holds else "fail"
    if gate.needs_baseline and not holds and gate.path.startswith(_SCORES) and not same_sample:
        reason += ", scored on another sample: whether the model is worse cannot be told from that"
        status = "warn"
    return _check(gate, status, figure, limit, f"{reason}.")


def _check(
    gate: Expression,
    status: CheckStatus,
    figure: ReportFigure | None = None,
    limit: float | None = None,
    reason: str = "",
) -> Check:
    return Check(
        id=PREFIX + gate.text,
        title=gate.text,
        status=status,
        value=figure.value if figure else None,
        threshold=limit if limit is not None else gate.limit,
        direction=gate.direction,
        unit=figure.unit if figure else "",
        interval=figure.interval if figure else None,
        reason=reason,
        gate=True,
    )
