"""Gates as people write them: what is understood, and what a refusal says."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from records.gates import Gates, parse_baseline, parse_expression
from records.run import RunPlan


@pytest.mark.parametrize(
    ("text", "baseline", "limit"),
    [
        ("metrics.latency[1].p95_ms <= 50", None, 50.0),
        ("metrics.latency[1].p95_ms<=5e1", None, 50.0),
        ("  accuracy.r2 > -.5 ", None, -0.5),
        ("accuracy.roc_auc >= baseline - 0.01", 0.9, 0.89),
        ("accuracy.roc_auc >= baseline", 0.9, 0.9),
        ("metrics.load_ms < baseline * 1.5", 10.0, 15.0),
        ("metrics.load_ms < baseline/2", 10.0, 5.0),
        ("drift.breaking_points[mean radius].distance >= 0.5", None, 0.5),
        ("drift.breaking_points[a.b, c <= d].distance >= 0.5", None, 0.5),
    ],
)
def test_a_gate_is_understood(text: str, baseline: float | None, limit: float) -> None:
    gate = parse_expression(text)
    assert gate.limit_from(baseline) == pytest.approx(limit)
    assert gate.needs_baseline == (baseline is not None)


@pytest.mark.parametrize(
    "text",
    [
        "", "metrics.load_ms", "metrics.load_ms <= ", "50 >= metrics.load_ms", "metrics.load_ms = 5",
        "metrics.load_ms <= 5 ms", "metrics.load_ms <= baseline - 1 - 2", "metrics.load_ms <= baseline ** 2",
        "metrics.load_ms <= __import__('os')", "metrics.load_ms <= baseline / 0", "accuracy.nothing >= 1",
    ],
)  # fmt: skip
def test_what_is_no_gate_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no gate|is no figure|divides by 0"):
        parse_expression(text)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    with suppress(ValueError):
        parse_expression(text)


def test_the_limit_itself_is_good_where_the_sign_says_so() -> None:
    at_most, below = parse_expression("metrics.load_ms <= 5"), parse_expression("metrics.load_ms < 5")
    assert at_most.holds(5, 5) and not below.holds(5, 5)
    assert below.holds(4.9, 5) and not at_most.holds(5.1, 5)
    at_least = parse_expression("accuracy.r2 >= 0.5")
    assert at_least.holds(0.5, 0.5) and at_least.holds(0.6, 0.5) and not at_least.holds(0.4, 0.5)


def test_a_list_of_expressions_stands_for_the_object() -> None:
    assert Gates.model_validate(["metrics.load_ms <= 5"]) == Gates(expressions=("metrics.load_ms <= 5",))


def test_a_gate_on_a_baseline_needs_one() -> None:
    with pytest.raises(ValidationError, match="set baseline"):
        RunPlan(gates=Gates(expressions=("metrics.load_ms <= baseline",)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("latest:churn", ("latest", "churn", None)),
        ("latest:churn@main branch", ("latest", "churn", "main branch")),
        ("latest", ("latest", None, None)),
        ("pinned:churn v2", ("pinned", "churn v2", None)),
        ("20261121-101500-3f9a2c41d0", None),
        ("latestchurn", None),
    ],
)
def test_a_baseline_is_a_run_or_the_latest_or_the_pinned_of_a_model(
    text: str, found: tuple[str, str | None, str | None] | None
) -> None:
    assert parse_baseline(text) == found


def test_a_pinned_run_has_no_tag() -> None:
    with pytest.raises(ValidationError, match="one pinned run"):
        RunPlan(baseline="pinned:churn@main")


def test_a_run_s_own_gates_go_before_those_kept_for_its_model() -> None:
    kept = Gates(p95_ms=20, min_score=0.8, expressions=("metrics.load_ms <= 5",))
    own = Gates(p95_ms=10, expressions=("accuracy.r2 >= 0.5", "metrics.load_ms <= 5"))
    both = own.over(kept)
    assert (both.p95_ms, both.min_score) == (10, 0.8)
    assert both.expressions == ("metrics.load_ms <= 5", "accuracy.r2 >= 0.5")
    assert own.over(None) is own
