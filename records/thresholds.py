"""A model's own monitoring thresholds: its breaking points in a form that a monitor can be set up with.

Promises: figures of the drift section and nothing else. Leaves finding them to `shifts.breaking_points` and
counting false alarms to `shifts.false_alarms`.
"""

from collections.abc import Sequence
from typing import Literal

from records.base import Figure, Record
from records.drift import BreakingPoint, DriftAnalysis, DriftPlan, FalseAlarms

__all__ = [
    "TOLERATED",
    "AnyAlarm",
    "BatchAlarm",
    "MonitoringThreshold",
    "MonitoringThresholds",
    "SteadyFeature",
    "enough_in_words",
    "enough_rows",
    "monitoring_thresholds",
    "rate_of",
    "to_watch",
]

CONFIDENCE = 0.95
TOLERATED = 0.05  # share of batches without drift that may raise an alarm


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


class MonitoringThreshold(Record):
    """From which shift of one feature's mean this model breaks, and the PSI to raise the alarm at.

    Distances without a sign; `direction` tells where to. shift_std: standard deviations of the generated
    rows' column; shift: in the feature's unit. psi: at which it breaks; watch_psi: at the interval's nearer
    end, below which it most likely does not. Ends of intervals that were not reached are null. false_alarms:
    by the rows of a batch; batch_rows: the fewest of these that reach watch_psi by chance in at most 5 % of
    batches, null where none did or none was tried.
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


class SteadyFeature(Record):
    """A feature that did not break up to this shift of its mean, in standard deviations."""

    feature: str
    searched_to_std: float


class MonitoringThresholds(Record):
    """The file `thresholds.json` of a run; nearest breaking point first. Of numbers: texts have no mean.

    changed_limit: the share of changed answers, score_limit: the drop of the score that count as broken.
    false_alarms: of all features watched together; batch_rows: the fewest rows at which at most 5 % of the
    batches without drift raise any alarm, null where no size tried had so few.
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
    """The PSI to watch of each feature that breaks: at its interval's nearer end, where that is known."""
    return {
        point.feature: point.psi_interval[0]
        for point in points
        if point.magnitude is not None and point.psi_interval and point.psi_interval[0] is not None
    }


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
    )
