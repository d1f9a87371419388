"""What a gate over a figure says: holds, broken, too close to tell, or that it could not be judged."""

from typing import Any

import pytest

from checks import judge, verdict
from judging.expressions import GatedReport, expression_checks
from records.checks import Check, section_of
from records.gates import Gates
from records.metrics import GatedTiming
from tests.support.sample_reports import sample_report, stopped_report

REPORT = sample_report()
assert REPORT.metrics.value is not None and REPORT.accuracy.value is not None
P95 = REPORT.metrics.value.latency[0].p95_ms
ACCURACY = REPORT.accuracy.value.accuracy or 0.0
PATH = "metrics.latency[1].p95_ms"


def judged(
    text: str,
    *timings: GatedTiming,
    report: Any = REPORT,
    baseline: Any = None,
    strict: bool = False,
    same_sample: bool = False,
) -> Check:
    gates = Gates(expressions=(text,), strict=strict)
    before = None if baseline is None else GatedReport(vars(baseline))
    (found,) = expression_checks(gates, GatedReport(vars(report)), before, timings, same_sample)
    return found


def timing(text: str, low: float, high: float, **more: Any) -> GatedTiming:
    return GatedTiming(
        gate=text,
        path=PATH,
        batch_size=1,
        sittings=4,
        n=400,
        value=(low + high) / 2,
        interval=(low, high),
        **more,
    )


def with_p95(p95: float, low: float, high: float) -> Any:
    metrics = REPORT.metrics.value
    assert metrics is not None
    row = metrics.latency[0].model_copy(update={"p95_ms": p95, "p95_interval": (low, high)})
    section = REPORT.metrics.model_copy(
        update={"value": metrics.model_copy(update={"latency": (row, *metrics.latency[1:])})}
    )
    return sample_report(metrics=section)


def test_a_figure_is_held_against_its_limit() -> None:
    good, bad = judged("accuracy.accuracy >= 0.5"), judged("accuracy.accuracy >= 0.9999")
    assert (good.status, bad.status) == ("pass", "fail")
    assert good.value == ACCURACY and bad.threshold == 0.9999 and good.gate
    assert section_of(bad) == "accuracy" and section_of(judged("drift.breaking_points.min > 0")) == "drift"


@pytest.mark.parametrize(
    ("ends", "strict", "status"),
    [((8.0, 9.0), False, "pass"), ((8.0, 11.0), False, "warn"), ((8.0, 11.0), True, "fail"),
     ((10.5, 12.0), False, "fail")],
)  # fmt: skip
def test_a_timing_is_broken_with_all_of_its_interval_or_too_close_to_tell(
    ends: tuple[float, float], strict: bool, status: str
) -> None:
    found = judged(f"{PATH} <= 10", report=with_p95(sum(ends) / 2, *ends), strict=strict)
    assert found.status == status
    assert found.interval == ends and found.threshold == 10 and found.unit == "ms"


def test_more_sittings_take_the_place_of_the_first_timings() -> None:
    text = f"{PATH} <= 10"
    report = with_p95(10.5, 8.0, 13.0)
    assert judged(text, timing(text, 8.0, 9.5), report=report).status == "pass"
    found = judged(text, timing(text, 11.0, 14.0, slowdown=1.7), report=report)
    assert found.status == "fail"
    assert "400 calls in 4 sittings" in found.reason and "1.7 times slower than at rest" in found.reason


def test_a_timing_against_the_baseline_is_judged_in_turn() -> None:
    text = f"{PATH} <= baseline * 1.2"
    # The machine was slow: both took long, and the ratio is what counts.
    slow = timing(text, 90, 110, baseline=98.0, ratio=1.02, ratio_interval=(0.97, 1.08))
    found = judged(text, slow, baseline=REPORT)
    assert found.status == "pass" and found.unit == "x" and found.value == 1.02
    assert found.threshold == pytest.approx(1.2)
    broken = timing(text, 290, 310, baseline=98.0, ratio=3.0, ratio_interval=(2.8, 3.2))
    assert judged(text, broken, baseline=REPORT).status == "fail"


def test_without_an_earlier_run_a_gate_on_the_baseline_warns_that_it_is_the_first() -> None:
    found = judged("accuracy.accuracy >= baseline")
    assert found.status == "warn" and "no earlier run" in found.reason


def test_a_score_on_the_same_sample_breaks_and_on_another_only_warns() -> None:
    scores = REPORT.accuracy.value
    assert scores is not None
    better_scores = scores.model_copy(update={"accuracy": ACCURACY + 0.02})
    accuracy = REPORT.accuracy.model_copy(update={"value": better_scores})
    better = sample_report(accuracy=accuracy)
    text = "accuracy.accuracy >= baseline - 0.01"
    assert judged(text, baseline=better, same_sample=True).status == "fail"
    other = judged(text, baseline=better)
    assert other.status == "warn" and "another sample" in other.reason
    assert judged("accuracy.accuracy >= baseline - 0.03", baseline=better).status == "pass"


def test_a_figure_that_the_report_lacks_is_an_error_that_says_what_there_is() -> None:
    found = judged("metrics.latency[7].p95_ms <= 1")
    assert found.status == "error" and "metrics.latency[1]" in found.reason
    stopped = judged("accuracy.accuracy >= 0.1", report=stopped_report())
    assert stopped.status == "error" and "The run ended before this part." in stopped.reason


def test_a_figure_that_was_not_measured_is_an_error() -> None:
    assert judged("accuracy.mae <= 1").status == "error"
    assert "not measured" in judged("accuracy.mae <= 1").reason


def test_the_baseline_lacks_the_figure() -> None:
    found = judged("accuracy.accuracy >= baseline", baseline=stopped_report())
    assert found.status == "error" and "of the baseline" in found.reason


def test_a_gate_that_cannot_be_judged_makes_the_run_an_error_and_a_broken_one_fails_it() -> None:
    error, broken = judged("accuracy.mae <= 1"), judged("accuracy.accuracy >= 0.9999")
    assert verdict((error,), False) == "error" and verdict((error, broken), False) == "failed"


def test_expressions_stand_among_the_checks_of_a_run() -> None:
    from settings import Settings

    found = judge(
        metrics=REPORT.metrics, accuracy=REPORT.accuracy, robustness=REPORT.robustness, drift=REPORT.drift,
        explanation=REPORT.explanation, likeness=REPORT.likeness, thresholds=Settings(), baseline=None,
        gates=Gates(expressions=("model.bytes <= 1", "timings.load >= 0")),
        beside={"model": REPORT.model, "timings": REPORT.timings},
    )  # fmt: skip
    assert {c.id: c.status for c in found if c.id.startswith("gate:")} == {
        "gate:model.bytes <= 1": "fail",
        "gate:timings.load >= 0": "pass",
    }
