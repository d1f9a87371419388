"""A model's own monitoring thresholds: its breaking points in a form that a monitor can be set up with.

Promises: figures of the drift section and nothing else. Leaves finding them to `breaking_points`.
"""

from typing import Literal

from drift import BreakingPoint, DriftAnalysis, DriftPlan
from records import Figure, Record

__all__ = ["MonitoringThreshold", "MonitoringThresholds", "SteadyFeature", "monitoring_thresholds"]

CONFIDENCE = 0.95


class MonitoringThreshold(Record):
    """From which shift of one feature's mean this model breaks, and the PSI to raise the alarm at.

    Distances without a sign; `direction` tells where to. shift_std: standard deviations of the generated
    rows' column; shift: in the feature's unit. psi: at which it breaks; watch_psi: at the interval's nearer
    end, below which it most likely does not. Ends of intervals that were not reached are null.
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


class SteadyFeature(Record):
    """A feature that did not break up to this shift of its mean, in standard deviations."""

    feature: str
    searched_to_std: float


class MonitoringThresholds(Record):
    """The file `thresholds.json` of a run; nearest breaking point first.

    changed_limit: the share of changed answers, score_limit: the drop of the score that count as broken.
    """

    version: int = 1
    model_sha256: str
    confidence: float = CONFIDENCE
    changed_limit: float
    score_limit: float | None
    thresholds: tuple[MonitoringThreshold, ...]
    steady: tuple[SteadyFeature, ...]


def monitoring_thresholds(
    analysis: DriftAnalysis, plan: DriftPlan, model_sha256: str
) -> MonitoringThresholds:
    """The thresholds that the breaking points of `analysis` stand for."""
    return MonitoringThresholds(
        model_sha256=model_sha256,
        changed_limit=plan.changed_limit,
        score_limit=plan.score_limit,
        thresholds=tuple(
            _threshold(point, point.magnitude, plan)
            for point in analysis.breaking_points
            if point.magnitude is not None
        ),
        steady=tuple(
            SteadyFeature(feature=point.feature, searched_to_std=point.searched_to)
            for point in analysis.breaking_points
            if point.magnitude is None
        ),
    )


def _threshold(point: BreakingPoint, magnitude: float, plan: DriftPlan) -> MonitoringThreshold:
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
        watch_psi=point.psi_interval[0] if point.psi_interval else None,
        by=point.by,
        limit=plan.changed_limit if point.limit is None else point.limit,
        rows=point.rows,
        monotone=point.monotone,
    )
