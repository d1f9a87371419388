"""Breaking points as thresholds that a monitor can be set up with."""

from typing import Any

import numpy as np
import pytest

from records.drift import BreakingPoint, ColumnFalseAlarms, DriftAnalysis, DriftPlan, FalseAlarms
from records.thresholds import (
    MonitoringThresholds,
    enough_in_words,
    enough_rows,
    monitoring_thresholds,
    rate_of,
    to_watch,
    why_unusable,
)


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
    unknown = point(magnitude=None, interval=None, direction=None, shift=None, searched_to=0.0)
    assert unknown.not_searched and not thresholds(unknown).steady
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


def alarms(rows: int, age: float, income: float) -> FalseAlarms:
    columns = (ColumnFalseAlarms(column="age", rate=age), ColumnFalseAlarms(column="income", rate=income))
    return FalseAlarms(
        rounds=300, rows_reference=1_000 - rows, rows_current=rows, any_column=max(age, income),
        interval=(0.0, 1.0), mean_share=(age + income) / 2, columns=columns,
    )  # fmt: skip


ALARMS = (alarms(100, 0.3, 0.9), alarms(200, 0.05, 0.4), alarms(500, 0.0, 0.051))


def test_the_smallest_batch_with_few_false_alarms_is_told_with_the_rates() -> None:
    analysis = DriftAnalysis(
        scenarios=(), false_alarms=ALARMS,
        breaking_points=(point(), point(feature="income"), point(feature="b", psi_interval=None)),
    )  # fmt: skip
    found = monitoring_thresholds(analysis, DriftPlan(), "ab" * 32)
    age, income, unwatched = found.thresholds
    assert (age.batch_rows, income.batch_rows, unwatched.batch_rows) == (200, None, None)
    assert found.batch_rows is None
    assert [(a.rows, a.rate) for a in age.false_alarms] == [(100, 0.3), (200, 0.05), (500, 0.0)]
    assert [(a.rows, a.rate, a.rounds) for a in found.false_alarms][1] == (200, 0.4, 300)
    assert unwatched.false_alarms == () and unwatched.watch_psi is None
    assert MonitoringThresholds.model_validate_json(found.model_dump_json()) == found


def test_a_file_from_before_false_alarms_were_counted_still_reads() -> None:
    old = thresholds(point()).model_dump(mode="json")
    for record in (old, old["thresholds"][0]):
        del record["false_alarms"], record["batch_rows"]
    read = MonitoringThresholds.model_validate(old)
    assert (read.version, read.false_alarms, read.thresholds[0].batch_rows) == (1, (), None)


def test_what_is_watched_is_the_psi_at_the_nearer_end_of_what_breaks() -> None:
    points = (
        point(), point(feature="b", magnitude=None), point(feature="c", psi_interval=(None, 0.4)),
        point(feature="d", psi_interval=(0.0, None)),
    )  # fmt: skip
    assert to_watch(points) == {"age": 0.2}  # a PSI of 0 is reached by every batch


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"psi_early": 0.002}, ""),
        ({"psi_early": None}, ""),  # of an older report
        ({"psi_early": 0.15}, "Saturated bins: a tenth of the shift makes a PSI of 0.15 already"),
        ({"psi_interval": (0.0, 0.7)}, "A PSI of 0: every batch reaches it."),
        ({"psi_interval": None}, "The PSI of the nearer end is not known."),
        (
            {"feature": "income"},
            "Too many false alarms: 5.1 % of batches of 500 rows without drift reach it.",
        ),
    ],
)
def test_an_alert_threshold_that_cannot_work_says_why_and_what_can(
    changes: dict[str, Any], reason: str
) -> None:
    analysis = DriftAnalysis(scenarios=(), false_alarms=ALARMS, breaking_points=(point(**changes),))
    (found,) = monitoring_thresholds(analysis, DriftPlan(), "ab" * 32).thresholds
    assert found.reason.startswith(reason) and found.usable is (reason == "")
    assert why_unusable(point(**changes), ALARMS) == found.reason
    if found.usable:
        assert found.instead is None
        return
    assert found.instead is not None
    assert found.instead.mean_shift_std == 0.4
    assert found.instead.mean_shift == pytest.approx(4.8)
    assert found.instead.batch_rows == 25  # (1.96 / 0.4) squared, rounded up


def test_the_mean_that_is_proposed_cries_wolf_in_one_batch_of_twenty() -> None:
    at_zero = point(interval=(-0.3, 0.0), psi_interval=(0.0, 0.4), magnitude=-0.2, shift=-2.4)
    (found,) = thresholds(at_zero).thresholds
    instead = found.instead
    assert instead is not None and instead.mean_shift_std == 0.2 and instead.batch_rows is not None
    column = np.random.default_rng(0).gamma(2.0, size=100_000)
    column = (column - column.mean()) / column.std()
    drawn = np.random.default_rng(1).choice(column, (4_000, instead.batch_rows))
    rate = (np.abs(drawn.mean(axis=1)) >= instead.mean_shift_std).mean()
    assert 0.04 <= rate <= 0.06
    near = point(interval=(-0.3, -0.001), psi_early=1.0, psi_interval=(1.0, 1.2))
    (too_near,) = thresholds(near).thresholds
    assert too_near.instead is not None and too_near.instead.batch_rows is None


def test_a_file_from_before_thresholds_were_marked_still_reads() -> None:
    old = thresholds(point()).model_dump(mode="json")
    for key in ("usable", "reason", "instead"):
        del old["thresholds"][0][key]
    assert MonitoringThresholds.model_validate(old).thresholds[0].usable


def test_enough_rows_in_words() -> None:
    assert (enough_rows(ALARMS, "age"), enough_in_words(ALARMS, "age")) == (200, "200 rows")
    assert (enough_rows(ALARMS), enough_in_words(ALARMS)) == (None, "over 500 rows")
    assert (enough_rows((), "age"), enough_in_words(())) == (None, None)
    assert enough_in_words(ALARMS, "b") is None and rate_of(ALARMS[0], "b") is None
