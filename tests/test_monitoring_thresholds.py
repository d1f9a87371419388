"""Breaking points as thresholds that a monitor can be set up with."""

from typing import Any

import pytest

from drift import BreakingPoint, DriftAnalysis, DriftPlan
from monitoring_thresholds import MonitoringThresholds, monitoring_thresholds


def point(**changes: Any) -> BreakingPoint:
    down: dict[str, Any] = {
        "feature": "age", "kind": "mean_shift", "magnitude": -0.5, "psi": 0.3, "interval": (-0.8, -0.4),
        "searched_to": 4.0, "direction": "down", "shift": -6.0, "psi_interval": (0.2, 0.7),
        "by": "changed_answers", "limit": 0.1, "value": 0.1, "rows": 256, "monotone": True,
    }  # fmt: skip
    return BreakingPoint(**(down | changes))


def thresholds(*points: BreakingPoint, **plan: Any) -> MonitoringThresholds:
    return monitoring_thresholds(
        DriftAnalysis(scenarios=(), breaking_points=points), DriftPlan(**plan), "cd" * 32
    )


def test_a_shift_down_is_told_by_its_distance_and_direction_in_both_units() -> None:
    (found,) = thresholds(point()).thresholds
    assert (found.feature, found.direction, found.shift_std, found.shift) == ("age", "down", 0.5, 6.0)
    assert found.interval_std == (0.4, 0.8)
    assert found.interval == pytest.approx((4.8, 9.6))  # one standard deviation is 12
    assert (found.psi, found.watch_psi, found.by, found.limit, found.rows) == (
        0.3,
        0.2,
        "changed_answers",
        0.1,
        256,
    )


def test_an_open_end_stays_open() -> None:
    up = point(magnitude=0.5, direction="up", shift=6.0, interval=(0.4, None), psi_interval=(0.2, None))
    down = point(interval=(None, -0.4))
    for found in thresholds(up, down).thresholds:
        assert found.interval_std == (0.4, None)
        assert found.interval is not None and found.interval[1] is None
        assert found.interval[0] == pytest.approx(4.8)


def test_features_that_did_not_break_are_listed_with_how_far_they_were_moved() -> None:
    steady = point(magnitude=None, interval=None, direction=None, shift=None, searched_to=2.0)
    found = thresholds(point(), steady, score_limit=0.05, changed_limit=0.2)
    assert [(s.feature, s.searched_to_std) for s in found.steady] == [("age", 2.0)]
    assert len(found.thresholds) == 1
    assert (found.changed_limit, found.score_limit, found.confidence) == (0.2, 0.05, 0.95)


def test_points_of_an_older_report_keep_what_they_have() -> None:
    old = BreakingPoint(
        feature="x", kind="mean_shift", magnitude=-0.5, psi=0.3, interval=(-0.6, -0.4), searched_to=4.0
    )
    (found,) = thresholds(old).thresholds
    assert (found.direction, found.shift_std, found.interval_std) == ("down", 0.5, (0.4, 0.6))
    assert (found.shift, found.interval, found.watch_psi, found.limit) == (None, None, None, 0.1)


def test_it_reads_back_from_its_own_json() -> None:
    found = thresholds(point())
    assert MonitoringThresholds.model_validate_json(found.model_dump_json()) == found
