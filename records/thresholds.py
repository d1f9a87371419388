"""A model's own monitoring thresholds: its breaking points in a form that a monitor can be set up with.

Promises: figures of the drift section and nothing else; an alert threshold that cannot work says so, and what
can. Leaves finding them to `shifts.breaking_points` and counting false alarms to `shifts.false_alarms`.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

from records.base import Figure, Record
from records.drift import BreakingPoint, DriftAnalysis, DriftPlan, FalseAlarms

__all__ = [
    "TOLERATED",
    "AnyAlarm",
    "BatchAlarm",
    "MeanAlarm",
    "MonitoringThreshold",
    "MonitoringThresholds",
    "SteadyFeature",
    "enough_in_words",
    "enough_rows",
    "monitoring_thresholds",
    "rate_of",
    "to_watch",
    "why_unusable",
]

CONFIDENCE = 0.95
TOLERATED = 0.05  # share of batches without drift that may raise an alarm
SATURATED = 0.5  # of the alert threshold: a tenth of the shift leaves a hundredth of a PSI that tells how far
MOST_BATCH_ROWS = 1_000_000


class BatchAlarm(Record):
    """How often a batch of so many rows without drift reaches a feature's `watch_psi`."""

    rows: int
    rate: float


class AnyAlarm(Record):
    """How often at least one feature's `watch_psi` is reached; interval: 95 %, from so many rounds."""

    rows: int
    rate: float
    interval: tuple[float, float]
    rounds: int


class MeanAlarm(Record):
    """What works in place of a PSI: how far a batch's mean may lie from the reference's before the alarm.

    Up or down, in standard deviations of the generated rows' column and in the feature's unit. batch_rows:
    from which chance moves a mean so far in at most 5 % of the batches; null where that is over a million.
    """

    mean_shift_std: float
    mean_shift: Figure
    batch_rows: int | None


class MonitoringThreshold(Record):
    """From which shift of one feature's mean this model breaks, and the PSI to raise the alarm at.

    Distances without a sign; `direction` tells where to. shift_std: standard deviations of the generated
    rows' column; shift: in the feature's unit. psi: at which it breaks; watch_psi: at the interval's nearer
    end, below which it most likely does not. Ends of intervals that were not reached are null. false_alarms:
    by the rows of a batch; batch_rows: the fewest of these that reach watch_psi by chance in at most 5 % of
    batches, null where none did or none was tried. usable: whether watch_psi can be an alert threshold;
    reason: why not; instead: what can be watched in its place.
    """

    feature: str
    direction: Literal["up", "down"] | None
    shift_std: float
    shift: Figure
    interval_std: tuple[Figure, Figure] | None
    interval: tuple[Figure, Figure] | None
    psi: Figure
    watch_psi: Figure
    by: Literal["changed_answers", "score"] | None
    limit: Figure
    rows: int | None
    monotone: bool | None
    false_alarms: tuple[BatchAlarm, ...] = ()
    batch_rows: int | None = None
    usable: bool = True
    reason: str = ""
    instead: MeanAlarm | None = None


class SteadyFeature(Record):
    """A feature that did not break up to this shift of its mean, in standard deviations."""

    feature: str
    searched_to_std: float


class MonitoringThresholds(Record):
    """The file `thresholds.json` of a run; nearest breaking point first. Of numbers: texts have no mean.

    changed_limit: the share of changed answers, score_limit: the drop of the score that count as broken.
    false_alarms: of all features watched together whose threshold is usable; batch_rows: the fewest rows at
    which at most 5 % of the batches without drift raise any alarm, null where no size tried had so few.
    """

    version: int = 1
    model_sha256: str
    confidence: float = CONFIDENCE
    changed_limit: float
    score_limit: float | None
    thresholds: tuple[MonitoringThreshold, ...]
    steady: tuple[SteadyFeature, ...]
    false_alarms: tuple[AnyAlarm, ...] = ()
    batch_rows: int | None = None


def monitoring_thresholds(
    analysis: DriftAnalysis, plan: DriftPlan, model_sha256: str
) -> MonitoringThresholds:
    """The thresholds that the breaking points of `analysis` stand for."""
    return MonitoringThresholds(
        model_sha256=model_sha256,
        changed_limit=plan.changed_limit,
        score_limit=plan.score_limit,
        thresholds=tuple(
            _threshold(point, point.magnitude, plan, analysis.false_alarms)
            for point in analysis.breaking_points
            if point.magnitude is not None and point.kind == "mean_shift"
        ),
        steady=tuple(
            SteadyFeature(feature=point.feature, searched_to_std=point.searched_to)
            for point in analysis.breaking_points
            if point.magnitude is None and point.kind == "mean_shift" and not point.not_searched
        ),
        false_alarms=tuple(
            AnyAlarm(rows=a.rows_current, rate=a.any_column, interval=a.interval, rounds=a.rounds)
            for a in analysis.false_alarms
        ),
        batch_rows=enough_rows(analysis.false_alarms),
    )


def to_watch(points: Sequence[BreakingPoint]) -> dict[str, float]:
    """The PSI to watch of each feature that breaks: at its interval's nearer end, where that is above 0."""
    return {
        point.feature: point.psi_interval[0]
        for point in points
        if point.magnitude is not None and point.psi_interval and point.psi_interval[0]
    }


def why_unusable(point: BreakingPoint, alarms: Sequence[FalseAlarms]) -> str:
    """Why the PSI at a breaking point's nearer end cannot be an alert threshold; empty where it can."""
    watch = to_watch([point]).get(point.feature)
    if watch is None:
        known = point.psi_interval is not None and point.psi_interval[0] is not None
        return "A PSI of 0: every batch reaches it." if known else "The PSI of the nearer end is not known."
    if point.psi_early is not None and point.psi_early >= SATURATED * watch:
        return (
            f"Saturated bins: a tenth of the shift makes a PSI of {point.psi_early:.3g} already, so that it "
            "does not tell how far the feature moved."
        )
    tried = [(a.rows_current, rate) for a in alarms if (rate := rate_of(a, point.feature)) is not None]
    if tried and enough_rows(alarms, point.feature) is None:
        rows, rate = max(tried)
        share = f"{rate * 100:.3g} %"
        return f"Too many false alarms: {share} of batches of {rows:,} rows without drift reach it."
    return ""


def rate_of(alarms: FalseAlarms, feature: str | None = None) -> float | None:
    """Share of batches that reach the feature's PSI by chance, or any feature's; None if not watched."""
    if feature is None:
        return alarms.any_column
    return next((c.rate for c in alarms.columns if c.column == feature), None)


def enough_rows(alarms: Sequence[FalseAlarms], feature: str | None = None) -> int | None:
    """The fewest rows of a batch tried whose rate is at most 5 %; None where there is none."""
    rates = [(a.rows_current, rate_of(a, feature)) for a in alarms]
    return min((rows for rows, rate in rates if rate is not None and rate <= TOLERATED), default=None)


def enough_in_words(alarms: Sequence[FalseAlarms], feature: str | None = None) -> str | None:
    """`200 rows`, or `over 500 rows` where the largest batch tried was not enough; None if none was tried."""
    tried = [a.rows_current for a in alarms if rate_of(a, feature) is not None]
    if not tried:
        return None
    rows = enough_rows(alarms, feature)
    return f"over {max(tried):,} rows" if rows is None else f"{rows:,} rows"


def _threshold(
    point: BreakingPoint, magnitude: float, plan: DriftPlan, alarms: Sequence[FalseAlarms]
) -> MonitoringThreshold:
    near, far = point.distances or (None, None)
    why_not = why_unusable(point, alarms)
    # What one standard deviation is in the feature's unit; older reports do not tell.
    unit = point.shift / magnitude if point.shift is not None and magnitude else None
    in_unit = [None if end is None or unit is None else end * unit for end in (near, far)]
    return MonitoringThreshold(
        feature=point.feature,
        direction="up" if magnitude > 0 else "down",
        shift_std=abs(magnitude),
        shift=None if point.shift is None else abs(point.shift),
        interval_std=point.distances,
        interval=None if unit is None else (in_unit[0], in_unit[1]),
        psi=point.psi,
        watch_psi=to_watch([point]).get(point.feature),
        by=point.by,
        limit=plan.changed_limit if point.limit is None else point.limit,
        rows=point.rows,
        monotone=point.monotone,
        false_alarms=tuple(
            BatchAlarm(rows=a.rows_current, rate=rate)
            for a in alarms
            if (rate := rate_of(a, point.feature)) is not None
        ),
        batch_rows=enough_rows(alarms, point.feature),
        usable=not why_not,
        reason=why_not,
        instead=_mean_alarm(near or abs(magnitude), unit) if why_not else None,
    )


def _mean_alarm(distance: float, unit: float | None) -> MeanAlarm | None:
    """A mean of n rows strays by 1 / sqrt(n) standard deviations (the central limit theorem)."""
    if not distance:
        return None
    z = NormalDist().inv_cdf(1 - TOLERATED / 2)
    rows = math.ceil((z / distance) ** 2)
    return MeanAlarm(
        mean_shift_std=distance,
        mean_shift=None if unit is None else abs(distance * unit),
        batch_rows=rows if rows <= MOST_BATCH_ROWS else None,
    )
