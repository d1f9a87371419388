"""Thresholds to checks to one verdict; the only place that decides pass, warn or fail.

Promises: a figure without a limit is `measured`, never a pass. Leaves measuring to others: a check is built
from a figure that a section already holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from judging.expressions import GatedReport, expression_checks, timing_check
from records.base import Section
from records.checks import UNJUDGED, Check, CheckStatus, RunStatus
from records.drift import BreakingPoint, DriftAnalysis, Scenario
from records.explanation import ADDITIVITY_LIMIT, Explanation
from records.figures import ReportFigure
from records.gates import BaselineFigures, Gates
from records.likeness import RowLikeness, finding
from records.metrics import SCORES, Accuracy, LatencyRow, Performance
from records.robustness import Behaviour, Robustness
from records.run import RunReport
from reports.words import between, counted, held, number, with_features
from settings import Settings

__all__ = ["judge", "verdict"]

NOT_KNOWN = "not known"  # an end of an interval that so few values cannot bound


def judge(
    *,
    metrics: Section[Performance],
    accuracy: Section[Accuracy],
    robustness: Section[Robustness],
    drift: Section[DriftAnalysis],
    explanation: Section[Explanation],
    likeness: Section[RowLikeness],
    gates: Gates,
    thresholds: Settings,
    baseline: BaselineFigures | None,
    baseline_report: RunReport | None = None,
    beside: Mapping[str, Any] | None = None,
) -> tuple[Check, ...]:
    """Every check of a run, passes included. A figure equal to its threshold is good.

    A section that failed gives checks with status `error`, one that does not apply gives
    `not_applicable`; what a gate asks for and the run could not measure is `error` either way.
    baseline_report: the earlier run's, for gates that name its figures. beside: what else of the report a
    gate may name, by its key (`model`, `timings`).
    """
    sections = {
        "metrics": metrics, "accuracy": accuracy, "robustness": robustness, "drift": drift,
        "explanation": explanation, "likeness": likeness, **(beside or {}),
    }  # fmt: skip
    return (
        *_performance_checks(metrics, gates, thresholds),
        *_score_checks(accuracy, gates),
        *_robustness_checks(robustness),
        *_drift_checks(drift, gates, thresholds),
        _additivity_check(explanation),
        _likeness_check(likeness, thresholds.rows_auc_warn),
        *(_baseline_checks(metrics, accuracy, gates, baseline) if baseline else ()),
        *expression_checks(
            gates,
            GatedReport(sections),
            None if baseline_report is None else GatedReport(vars(baseline_report)),
            metrics.value.gated if metrics.value else (),
            same_sample=baseline is not None and baseline.same_sample,
        ),
    )


def verdict(checks: Sequence[Check], errors_present: bool) -> RunStatus:
    """One word for the run, the worst that holds:

    `failed`  a check failed;
    `error`   a gate could not be judged (load, latency, error rate, and all that `gates` or a baseline
              ask for), or nothing was checked at all;
    `warned`  a check warned, another check could not be judged, or a stage reported an error;
    `passed`  none of these.
    """
    if any(check.status == "fail" for check in checks):
        return "failed"
    if not checks or any(check.gate and check.status == "error" for check in checks):
        return "error"
    if errors_present or any(check.status in ("warn", "error") for check in checks):
        return "warned"
    return "passed"


@dataclass(frozen=True)
class _Limit:
    """What one figure is judged by: `fail` breaks the run, `warn` only warns; None where there is none."""

    id: str
    title: str
    unit: str = ""
    warn: float | None = None
    fail: float | None = None
    direction: Literal["at_most", "at_least"] = "at_most"
    gate: bool = False

    def judged(self, value: float | None, missing: str = "") -> Check:
        """The check of a measured figure; None is an error, because only measured figures come here."""
        if value is None:
            return self.unjudged("error", missing or "It was not measured.")
        if self.fail is not None and self._beyond(value, self.fail):
            return self._check("fail", value, self.fail)
        if self.warn is not None and self._beyond(value, self.warn):
            return self._check("warn", value, self.warn)
        if self.fail is None and self.warn is None:
            return self._check("measured", value, None)
        return self._check("pass", value, self.fail if self.warn is None else self.warn)

    def unjudged(self, status: CheckStatus, reason: str, value: float | None = None) -> Check:
        return Check(
            id=self.id,
            title=self.title,
            status="error" if self.gate and status == "not_applicable" else status,
            value=value,
            threshold=self.fail if self.fail is not None else self.warn,
            direction=self.direction,
            unit=self.unit,
            reason=reason,
            gate=self.gate,
        )

    def of(self, section: Section[Any], value: float | None) -> Check:
        """Judge a figure of a section, or say why the section has none."""
        if section.status == "ok":
            return self.judged(value)
        status: CheckStatus = "error" if section.status == "failed" else "not_applicable"
        return self.unjudged(status, _why_not(status, section.reason))

    def _beyond(self, value: float, threshold: float) -> bool:
        return value > threshold if self.direction == "at_most" else value < threshold

    def _check(self, status: CheckStatus, value: float, threshold: float | None) -> Check:
        reason = f"{number(value, self.unit)}; no limit is set."
        if threshold is not None:
            side = "at most" if self.direction == "at_most" else "at least"
            verb = {"pass": "is within the limit", "warn": "is beyond the limit that warns"}.get(
                status, "breaks the limit"
            )
            reason = f"{number(value, self.unit)} {verb}, {side} {number(threshold, self.unit)}."
        return Check(
            id=self.id,
            title=self.title,
            status=status,
            value=value,
            threshold=threshold,
            direction=self.direction,
            unit=self.unit,
            reason=reason,
            gate=self.gate,
        )


def _performance_checks(metrics: Section[Performance], gates: Gates, thresholds: Settings) -> list[Check]:
    measured = metrics.value
    load = _Limit("load", "Load time", "ms", gate=True)
    checks = [load.of(metrics, measured.load_ms if measured else None)]
    latency = _limit_or_gate("latency_p95", "Single-row p95 latency", "ms", gates.p95_ms,
                             thresholds.p95_warn_ms, thresholds.p95_fail_ms)  # fmt: skip
    single_row = measured.single_row if measured else None
    p95 = single_row.p95_ms if single_row else None
    if measured and p95 is None and gates.p95_ms is None:
        single = _Limit(latency.id, latency.title, "ms", latency.warn, latency.fail)
        left_out = "The run's plan leaves out the batch size 1."
        why = left_out if measured.latency else "No row was answered, so no call was timed."
        checks.append(single.unjudged("not_applicable", why))
    else:
        checks.append(_single_row_check(latency, metrics, gates))
    errors = _limit_or_gate("error_rate", "Error rate", "share", gates.error_rate,
                            thresholds.error_rate_warn, thresholds.error_rate_fail)  # fmt: skip
    checks.append(errors.of(metrics, measured.error_rate if measured else None))
    if gates.min_throughput_rows_s is not None:
        throughput = _Limit("throughput", "Throughput", "rows/s", fail=gates.min_throughput_rows_s,
                            direction="at_least", gate=True)  # fmt: skip
        checks.append(throughput.of(metrics, measured.throughput_rows_s if measured else None))
    if gates.max_memory_mb is not None:
        memory = _Limit("memory", "Peak memory", "MB", fail=gates.max_memory_mb, gate=True)
        checks.append(memory.of(metrics, measured.peak_memory_mb if measured else None))
    return checks


def _single_row_check(latency: _Limit, metrics: Section[Performance], gates: Gates) -> Check:
    """The run's own limit is judged as any gated timing is; the server's by the figure alone."""
    measured = metrics.value
    row = measured.single_row if measured else None
    gate = gates.single_row
    if measured is None or row is None or gate is None:
        return _with_interval(latency.of(metrics, row.p95_ms if row else None), row)
    settled = next((one for one in measured.gated if one.gate == gate.text), None)
    figure = ReportFigure(gate.path, row.p95_ms, row.p95_interval, "ms")
    found = timing_check(gate, figure, settled, {}, strict=gates.strict)
    return found.model_copy(update={"id": latency.id, "title": latency.title})


def _with_interval(check: Check, row: LatencyRow | None) -> Check:
    """The same judgement, saying how far the p95 may be off for so few calls."""
    if row is None or row.p95_interval is None:
        return check
    held = between(row.p95_interval, "ms", open=NOT_KNOWN)
    return check.model_copy(update={"reason": f"{check.reason} Interval from {row.n:,} calls: {held}."})


def _limit_or_gate(id: str, title: str, unit: str, gate: float | None, warn: float, fail: float) -> _Limit:
    """The run's own limit replaces both of the server's."""
    if gate is not None:
        return _Limit(id, title, unit, fail=gate, gate=True)
    return _Limit(id, title, unit, warn, fail, gate=True)


def _score_checks(accuracy: Section[Accuracy], gates: Gates) -> list[Check]:
    name, value = accuracy.value.headline if accuracy.value else ("score", None)
    title = SCORES.get(name, "Score")
    limit = _Limit(
        "score", title, fail=gates.min_score, direction="at_least", gate=gates.min_score is not None
    )
    return [limit.of(accuracy, value)]


def _robustness_checks(robustness: Section[Robustness]) -> list[Check]:
    if robustness.value is None:
        return [_Limit("robustness_behaviour", "Behaviour").of(robustness, None)]
    return [_behaviour_check(behaviour) for behaviour in robustness.value.behaviours]


def _behaviour_check(behaviour: Behaviour) -> Check:
    """No row may misbehave: a serious behaviour fails, any other warns, a property of the family is told."""
    id, title = f"robustness_{behaviour.name}", behaviour.title
    limit = (
        _Limit(id, title, "share", fail=0.0) if behaviour.serious else _Limit(id, title, "share", warn=0.0)
    )
    if behaviour.status != "ok":
        status: CheckStatus = "error" if behaviour.status == "failed" else "not_applicable"
        return limit.unjudged(status, _why_not(status, behaviour.reason))
    share = behaviour.failing_share
    if share is None:
        return limit.judged(None)
    if share and behaviour.trait:
        told = f"{behaviour.trait} {behaviour.advice}".strip()
        return replace(limit, warn=None, fail=None).unjudged("measured", told, share)
    reason = f"{held(behaviour)}. {behaviour.advice if share else ''}"
    return limit.judged(share).model_copy(update={"reason": reason.strip()})


def _drift_checks(drift: Section[DriftAnalysis], gates: Gates, thresholds: Settings) -> list[Check]:
    value = drift.value.largest_changed_share if drift.value else None
    # Without a gate only told: among the scenarios are shifts after which nearly every model answers anew.
    title = "Largest flip rate (changed answers) under simulated drift"
    limit = _Limit("drift_changed_share", title, "share", fail=gates.max_changed_share,
                   gate=gates.max_changed_share is not None)  # fmt: skip
    if drift.value and value is None:
        status: CheckStatus = "error" if limit.gate else "not_applicable"
        changed = limit.unjudged(status, "No drift scenario could be simulated on this model's inputs.")
    else:
        changed = limit.of(drift, value)
    if drift.value and changed.status != "error" and value is not None:
        worst = next(s for s in drift.value.scenarios if s.changed_share == value)
        changed = changed.model_copy(update={"reason": f"{changed.reason[:-1]} ({with_features(worst)})."})
    checks = [
        changed,
        _prediction_psi_check(drift),
        _breaking_point_check(drift, gates, thresholds),
    ]
    unjudged = drift.value.unjudged if drift.value else ""
    return [_unless(check, unjudged) for check in checks] if unjudged else checks


def _unless(check: Check, reason: str) -> Check:
    """What passes because nothing could show is not judged; for a gate that is an error."""
    if check.status not in ("pass", "measured", "not_applicable"):
        return check
    status: CheckStatus = "error" if check.gate else "not_applicable"
    return check.model_copy(update={"status": status, "reason": f"Not judged. {reason}"})


def _breaking_point_check(drift: Section[DriftAnalysis], gates: Gates, thresholds: Settings) -> Check:
    """The nearest breaking point; it warns, or as a gate fails, only where its whole interval is too near.

    The limit that the server sets is near enough for what a team should act on, and only for features whose
    ranges are known. One decision by one feature flips 10 % of answers at 0.25 sd or farther; of numbers,
    which change with a tenth of their spread, a straight line through one feature does at 0.1 sd. What breaks
    nearer than the limits is rough or steep.
    """
    title, value = "Nearest breaking point", drift.value
    if gates.min_breaking_point is not None:
        judged = _Limit("drift_breaking_point", title, "sd", fail=gates.min_breaking_point,
                        direction="at_least", gate=True)  # fmt: skip
        return _nearest_point(judged, gates.min_breaking_point, drift, value.breaking_points if value else ())
    numbers = value is not None and value.changed_tolerance is not None
    limit = thresholds.breaking_point_warn_numbers if numbers else thresholds.breaking_point_warn
    judged = _Limit("drift_breaking_point", title, "sd", warn=limit or None, direction="at_least")
    return _nearest_point(
        judged, limit, drift, [p for p in value.breaking_points if not p.assumed] if value else ()
    )


def _nearest_point(
    judged: _Limit, limit: float, drift: Section[DriftAnalysis], points: Sequence[BreakingPoint]
) -> Check:
    if drift.value is None:
        return judged.of(drift, None)
    points = [p for p in points if p.kind == "mean_shift"]  # texts have no such unit
    near, far = (
        [p for p in points if p.distances and (end := p.distances[side]) is not None and end < limit]
        for side in (0, 1)
    )
    told = next(iter(far or near or points), None)  # they are sorted, nearest first
    value = None if told is None or told.magnitude is None else abs(told.magnitude)
    unsearched = sum(p.magnitude is None and p.searched_to < limit for p in points)
    if told is None or (not far and unsearched):
        some = f"Not searched that far: {unsearched} of {len(points)} features."
        none = (
            "None was searched for." if judged.gate else "None was searched for on features of known range."
        )
        status: CheckStatus = "error" if judged.gate else "not_applicable" if value is None else "measured"
        return judged.unjudged(status, some if points else none, value)
    at = "No feature broke" if value is None else f"{told.feature} breaks first, at {number(value, 'sd')}"
    if judged.gate is False and judged.warn is None:
        return judged.unjudged(
            "measured" if value is not None else "not_applicable", f"{at}; no limit is set.", value
        )
    share = number(told.limit, "share") if told.by == "changed_answers" and told.limit is not None else ""
    if not (far or (near and judged.gate)):
        reason = f"{at}; none nearer than {limit:g} sd, 95 % intervals included."
        if value is None:
            reason = f"No feature breaks nearer than {limit:g} sd, 95 % intervals included."
        elif near:
            reason = f"{at}; its 95 % interval is not wholly nearer than {limit:g} sd."
        return judged.unjudged("pass", reason, value)
    ends = between(told.distances or (None, None), "sd", open=NOT_KNOWN)
    where = "is wholly nearer than" if far else "reaches nearer than"
    reason = f"{told.feature}: the 95 % interval {ends} {where} the limit, at least {limit:g} sd."
    if not judged.gate:
        flips = f" flips more than {share} of the answers" if share else " breaks the model"
        reason += f" So small a shift{flips}: watch {told.feature}, or smooth the model."
    return judged.unjudged("fail" if far and judged.gate else "warn", reason, value)


def _prediction_psi_check(drift: Section[DriftAnalysis]) -> Check:
    """Told beside the inputs' own, and not judged: what moves all inputs moves a sum of them farther.

    Judged by the largest of the inputs, a third of scikit-learn's estimators would warn, all of them linear.
    """
    limit = _Limit("prediction_psi", "PSI of the predictions under a moderate shift", "PSI")
    if drift.value is None:
        return limit.of(drift, None)
    shifts = [s for s in drift.value.scenarios if s.kind == "mean_shift" and s.prediction.psi is not None]
    if not shifts:
        return limit.unjudged("not_applicable", "No shift of the means could be simulated.")
    mildest: Scenario = min(shifts, key=lambda s: s.magnitude)
    own = (
        ""
        if mildest.input.psi is None
        else f"; the largest of an input is {number(mildest.input.psi, 'PSI')}"
    )
    reason = (
        f"{number(mildest.prediction.psi, 'PSI')} with every input shifted by {mildest.magnitude:g} sd{own}."
    )
    return limit.unjudged("measured", reason, mildest.prediction.psi)


def _additivity_check(explanation: Section[Explanation]) -> Check:
    limit = _Limit(
        "explanation_additivity", "Additivity error of the explanation", "relative", warn=ADDITIVITY_LIMIT
    )
    return limit.of(explanation, explanation.value.additivity_error if explanation.value else None)


def _likeness_check(likeness: Section[RowLikeness], warn: float) -> Check:
    """A warning only where the whole interval is above the limit: a small sample shows little."""
    limit = _Limit("rows_likeness", "Generated rows told from the sample's", "AUC", warn=warn)
    if likeness.value is None:
        return limit.of(likeness, None)
    found = likeness.value.domain
    status: CheckStatus = "warn" if found.interval[0] > warn else "pass"
    return limit.unjudged(status, finding(found), found.auc)


def _baseline_checks(
    metrics: Section[Performance], accuracy: Section[Accuracy], gates: Gates, baseline: BaselineFigures
) -> list[Check]:
    """Against an earlier run: p95 as a ratio, the score as a loss. Asked for, hence gates."""
    ratio = _Limit(
        "baseline_p95", "p95 latency relative to the baseline", "x", fail=gates.baseline_p95_ratio, gate=True
    )
    drop = _Limit(
        "baseline_score", "Loss of score against the baseline", fail=gates.baseline_score_drop, gate=True
    )
    slower = _paired_check(metrics.value, gates) if metrics.value else []
    single_row = metrics.value.single_row if metrics.value else None
    p95 = single_row.p95_ms if single_row else None
    if any(check.gate for check in slower):
        # Timed in turn: figures of another hour, on a machine in another state, add nothing to that.
        reason = "Judged by both models timed in turn instead."
        value = p95 / baseline.p95_ms if p95 and baseline.p95_ms else None
        unjudged: CheckStatus = "not_applicable" if value is None else "measured"
        slower.append(replace(ratio, gate=False).unjudged(unjudged, reason, value))
    elif not baseline.p95_ms:
        reason = f"The baseline run {baseline.run_id} has no single-row p95 latency."
        slower.append(ratio.unjudged("error", reason))
    else:
        check = ratio.of(metrics, None if p95 is None else p95 / baseline.p95_ms)
        slower.append(_in_turn(check, metrics.value, gates) or check)
    score = accuracy.value.headline[1] if accuracy.value else None
    if baseline.score is None:
        reason = f"The baseline run {baseline.run_id} has no score: it had no labelled sample."
        ungated = _Limit(drop.id, drop.title, fail=drop.fail)
        return [*slower, ungated.unjudged("not_applicable", reason)]
    return [*slower, drop.of(accuracy, None if score is None else baseline.score - score)]


def _in_turn(check: Check, measured: Performance | None, gates: Gates) -> Check | None:
    """The check by both models timed in turn, where the figures of two hours broke it; None where not."""
    gate, row = gates.against_baseline, measured.single_row if measured else None
    timed = measured.gated if measured else ()
    settled = next((one for one in timed if one.gate == gate.text and one.ratio is not None), None)
    if settled is None or row is None:
        return None
    figure = ReportFigure(gate.path, row.p95_ms, row.p95_interval, "ms")
    found = timing_check(gate, figure, settled, {}, strict=gates.strict)
    return found.model_copy(update={"id": check.id, "title": check.title})


def _paired_check(measured: Performance, gates: Gates) -> list[Check]:
    """Both models timed in turn: a failure only when the whole interval is beyond the limit.

    So a noisy machine makes the interval wide, and the check mild. Where the two could not be timed it
    says so, and the figures of the baseline run are judged instead.
    """
    section, limit = measured.against_baseline, gates.baseline_latency_ratio
    if section is None:
        return []
    judged = _Limit(
        "latency_vs_baseline",
        "Median time a call relative to the baseline's model",
        "x",
        fail=limit,
        gate=True,
    )
    paired = section.value
    if paired is None:
        status: CheckStatus = "error" if section.status == "failed" else "not_applicable"
        return [replace(judged, gate=False).unjudged(status, _why_not(status, section.reason))]
    low, high = paired.interval
    held = f"{number(paired.ratio, 'x')} (95 % interval {between(paired.interval, 'x')})"
    about = f"{paired.pairs} pairs of blocks, {counted(paired.batch_size, 'row')} a call"
    if low > limit:
        found = judged.judged(paired.ratio)
        reason = f"{held} is wholly above the limit, at most {number(limit, 'x')}; {about}."
        return [found.model_copy(update={"status": "fail", "reason": reason})]
    if paired.ratio > limit:
        reason = f"{held} may be above the limit, at most {number(limit, 'x')}, or not; {about}."
        return [judged.unjudged("warn", reason, paired.ratio)]
    side = "is within" if high <= limit else "is most likely within"
    reason = f"{held} {side} the limit, at most {number(limit, 'x')}; {about}."
    return [judged.unjudged("pass", reason, paired.ratio)]


def _why_not(status: CheckStatus, reason: str | None) -> str:
    reason = reason or "No reason was given."
    return reason if status == "not_applicable" else UNJUDGED + reason
