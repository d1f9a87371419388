"""Every number of a report has a path, and a path means the same figure in every report."""

import math

import pytest

from records.base import Section
from records.drift import BreakingPoint, DriftAnalysis
from records.figures import PATH, check_path, figures, nearest
from records.metrics import LatencyRow, Performance
from tests.support.sample_reports import sample_report, stopped_report

REPORT = sample_report()
KNOWN = figures(vars(REPORT))


def point(
    feature: str,
    magnitude: float | None,
    ends: tuple[float | None, float | None] | None,
    searched_to: float = 4.0,
) -> BreakingPoint:
    return BreakingPoint(
        feature=feature,
        kind="mean_shift",
        magnitude=magnitude,
        psi=None,
        interval=ends,
        searched_to=searched_to,
    )


def test_lists_are_addressed_by_what_their_entries_are_of() -> None:
    assert REPORT.metrics.value is not None and REPORT.drift.value is not None
    for row in REPORT.metrics.value.latency:
        assert KNOWN[f"metrics.latency[{row.batch_size}].p95_ms"].value == row.p95_ms
        assert KNOWN[f"metrics.latency[{row.batch_size}].p95_ms"].interval == row.p95_interval
    for scenario in REPORT.drift.value.scenarios:
        path = f"drift.scenarios[{scenario.kind} {scenario.magnitude:g}].changed_share"
        assert path in KNOWN


def test_numbers_are_the_report_s_own_and_carry_their_units() -> None:
    assert REPORT.accuracy.value is not None and REPORT.metrics.value is not None
    assert KNOWN["accuracy.accuracy"].value == REPORT.accuracy.value.accuracy
    assert KNOWN["metrics.error_rate"].value == REPORT.metrics.value.error_rate
    assert KNOWN["timings.load"].value == REPORT.timings["load"]
    units = {"metrics.load_ms": "ms", "metrics.throughput_rows_s": "rows/s", "metrics.error_rate": "share",
             "metrics.peak_memory_mb": "MB", "drift.breaking_points.min": "sd"}  # fmt: skip
    assert {path: KNOWN[path].unit for path in units} == units


def test_every_path_of_a_report_is_one_that_may_be_asked_for() -> None:
    """Names of features stand in brackets and may hold anything but brackets."""
    import re

    for path in KNOWN:
        check_path(path)
        assert re.fullmatch(PATH, path) or not path.startswith(("metrics", "accuracy"))


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("metrics.latency[1].p96_ms", "metrics.latency[*].p95_ms"),
        ("accuracy.roc", "accuracy.roc_auc"),
        ("metrics.load", "metrics.load_ms"),
    ],
)
def test_a_path_that_no_report_can_have_names_the_nearest(path: str, near: str) -> None:
    with pytest.raises(ValueError, match="is no figure of a report") as refused:
        check_path(path)
    assert near in str(refused.value)


def test_a_path_of_nothing_says_what_paths_begin_with() -> None:
    with pytest.raises(ValueError, match="they begin with metrics, accuracy"):
        check_path("zzzzzz")


def test_a_report_that_lacks_a_batch_size_says_which_it_has() -> None:
    assert nearest("metrics.latency[7].p95_ms", KNOWN).startswith("metrics.latency[1].")
    assert "metrics.latency[7].p95_ms" not in KNOWN


def test_a_section_that_failed_has_no_figures() -> None:
    assert not [path for path in figures(vars(stopped_report())) if path.startswith(("metrics", "drift"))]


def test_the_nearest_breaking_point_has_the_interval_of_the_nearest() -> None:
    def point(
        feature: str, magnitude: float | None, ends: tuple[float | None, float | None] | None
    ) -> BreakingPoint:
        return BreakingPoint(
            feature=feature, kind="mean_shift", magnitude=magnitude, psi=None, interval=ends, searched_to=4.0
        )

    points = (point("a", -0.7, (-0.9, -0.5)), point("b", 1.5, (1.2, None)), point("c", None, None))
    drift = Section[DriftAnalysis].ok(DriftAnalysis(scenarios=(), breaking_points=points))
    known = figures({"drift": drift})
    assert known["drift.breaking_points.min"].value == 0.7
    assert known["drift.breaking_points.min"].interval == (0.5, 0.9)
    assert known["drift.breaking_points[c].distance"].value == 4.0
    assert known["drift.breaking_points[c].distance"].interval == (4.0, None)


def test_a_breaking_point_that_was_not_searched_leaves_the_nearest_open() -> None:
    points = (
        BreakingPoint(
            feature="a", kind="mean_shift", magnitude=0.7, psi=None, interval=(0.5, 0.9), searched_to=4
        ),
        BreakingPoint(feature="b", kind="mean_shift", magnitude=None, psi=None, interval=None, searched_to=0),
    )
    drift = Section[DriftAnalysis].ok(DriftAnalysis(scenarios=(), breaking_points=points))
    assert figures({"drift": drift})["drift.breaking_points.min"].interval == (0.0, 0.9)


def test_rows_a_second_have_the_interval_of_the_median_turned_round() -> None:
    row = LatencyRow(
        batch_size=10, n=50, warmup=3, mean_ms=2, p50_ms=2, p90_ms=3, p95_ms=4, p99_ms=5, rows_per_s=5000,
        p50_interval=(1.0, 4.0),
    )  # fmt: skip
    metrics = Performance(load_ms=1, latency=(row,), throughput_rows_s=5000, error_rate=0, peak_memory_mb=1)
    found = figures({"metrics": Section[Performance].ok(metrics)})["metrics.latency[10].rows_per_s"]
    assert found.interval is not None and all(
        math.isclose(end or 0, wanted) for end, wanted in zip(found.interval, (2500, 10_000), strict=True)
    )
