"""Figures become checks and checks one verdict: nothing unjudged ever reads as a pass."""

# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type"

import pytest

from checks import judge, verdict
from records.base import Section
from records.checks import Check, section_of
from records.drift import BreakingPoint, Distances, DomainColumn, DomainDrift, DriftAnalysis, Scenario
from records.explanation import Explanation
from records.gates import BaselineFigures, Gates
from records.likeness import RowLikeness
from records.metrics import Accuracy, GatedTiming, LatencyRow, PairedTiming, Performance
from records.robustness import Behaviour, Robustness
from settings import Settings

THRESHOLDS = Settings(_env_file=None)
NO_SAMPLE = Section[RowLikeness].not_applicable("No sample.")


def performance(p95=10.0, batch_size=1, **changes):
    row = LatencyRow(
        batch_size=batch_size, n=50, warmup=3, mean_ms=p95, p50_ms=p95, p90_ms=p95, p95_ms=p95, p99_ms=p95,
        rows_per_s=1000 / p95,
    )  # fmt: skip
    fields = {
        "load_ms": 120.0, "latency": (row,), "throughput_rows_s": 5000.0, "error_rate": 0.0,
        "peak_memory_mb": 200.0,
    }  # fmt: skip
    return Section[Performance].ok(Performance(**{**fields, **changes}))


def behaviours(**shares):
    found = [
        Behaviour(name=n, title=n, status="ok", failing_share=s, rows=100, serious=n != "missing_values")
        for n, s in shares.items()
    ]
    return Section[Robustness].ok(Robustness(behaviours=tuple(found)))


def scenario(magnitude=0.5, changed=0.05, input_psi=0.25, prediction_psi=0.05):
    return Scenario(
        kind="mean_shift", features=("a",), magnitude=magnitude, input=Distances(psi=input_psi),
        prediction=Distances(psi=prediction_psi), changed_share=changed,
    )  # fmt: skip


def drifting(*scenarios, points=(), **changes):
    return Section[DriftAnalysis].ok(DriftAnalysis(scenarios=scenarios, breaking_points=points, **changes))


def broken_at(magnitude, interval, feature="a", searched_to=4.0):
    return BreakingPoint(
        feature=feature, kind="mean_shift", magnitude=magnitude, psi=0.3, interval=interval,
        searched_to=searched_to, direction=None if interval is None else "down" if interval[1] is not None
        and interval[1] < 0 else "up", rows=256,
    )  # fmt: skip


def explained(additivity_error=0.0):
    return Section[Explanation].ok(
        Explanation(
            method="shap",
            explainer="e",
            output="margin",
            outputs=("x",),
            rows=1,
            features=("a",),
            importance=(),
            base_values=(0.0,),
            shap_values=((1.0,),),
            feature_values=((1.0,),),
            additivity_error=additivity_error,
        )
    )


def checks_of(gates=None, baseline=None, **sections):
    parts = {
        "metrics": performance(),
        "accuracy": Section[Accuracy].not_applicable("No labelled sample."),
        "robustness": behaviours(determinism=0.0),
        "drift": drifting(scenario(), points=(broken_at(0.7, (0.6, 0.9)),)),
        "explanation": explained(),
        "likeness": NO_SAMPLE,
        **sections,
    }
    return {c.id: c for c in judge(**parts, gates=gates or Gates(), thresholds=THRESHOLDS, baseline=baseline)}


def status_of(checks, errors_present=False):
    return verdict(tuple(checks.values()), errors_present)


def test_a_good_run_passes_and_shows_its_passes():
    checks = checks_of()
    assert status_of(checks) == "passed"
    assert {c.id: c.status for c in checks.values()} == {
        "load": "measured",
        "latency_p95": "pass",
        "error_rate": "pass",
        "score": "not_applicable",
        "robustness_determinism": "pass",
        "drift_changed_share": "measured",
        "drift_breaking_point": "pass",
        "prediction_psi": "measured",
        "explanation_additivity": "pass",
        "rows_likeness": "not_applicable",
    }


@pytest.mark.parametrize(
    ("p95", "status"), [(49.9, "pass"), (50, "pass"), (50.1, "warn"), (100, "warn"), (100.1, "fail")]
)
def test_latency_is_judged_by_the_settings(p95, status):
    assert checks_of(metrics=performance(p95))["latency_p95"].status == status


@pytest.mark.parametrize(("rate", "status"), [(0.0005, "pass"), (0.005, "warn"), (0.05, "fail")])
def test_the_error_rate_is_judged_by_the_settings(rate, status):
    assert checks_of(metrics=performance(error_rate=rate))["error_rate"].status == status


def test_a_gate_replaces_both_of_the_servers_limits():
    assert checks_of(Gates(p95_ms=200), metrics=performance(150))["latency_p95"].status == "pass"
    broken = checks_of(Gates(p95_ms=5), metrics=performance(10.04))["latency_p95"]
    assert (broken.status, broken.threshold) == ("fail", 5)
    assert broken.reason == "10 ms breaks the limit, at most 5 ms."


@pytest.mark.parametrize(
    ("gates", "check"),
    [
        (Gates(min_throughput_rows_s=6000), "throughput"),
        (Gates(max_memory_mb=100), "memory"),
        (Gates(max_changed_share=0.01), "drift_changed_share"),
    ],
)
def test_figures_that_are_judged_only_when_gated(gates, check):
    checks = checks_of(gates)
    assert checks[check].status == "fail"
    assert status_of(checks) == "failed"
    assert status_of(checks_of()) == "passed"


def test_the_score_gate_reads_accuracy_or_r2():
    labelled = Section[Accuracy].ok(Accuracy(rows=10, target="y", accuracy=0.9))
    numbers = Section[Accuracy].ok(Accuracy(rows=10, target="y", r2=0.4))
    assert checks_of(Gates(min_score=0.9), accuracy=labelled)["score"].status == "pass"
    check = checks_of(Gates(min_score=0.5), accuracy=numbers)["score"]
    assert check.status == "fail"
    assert check.reason == "0.4 breaks the limit, at least 0.5."


def test_a_gate_on_what_was_not_measured_is_an_error_and_never_a_pass():
    for checks in (
        checks_of(Gates(min_score=0.5)),
        checks_of(Gates(max_changed_share=0.5), drift=Section[DriftAnalysis].failed("It broke.")),
        checks_of(Gates(max_changed_share=0.5), drift=Section[DriftAnalysis].not_applicable("No.")),
        checks_of(Gates(max_changed_share=0.5), drift=drifting()),
        checks_of(Gates(p95_ms=5), metrics=performance(batch_size=10)),
        checks_of(Gates(max_memory_mb=5), metrics=performance(peak_memory_mb=None)),
    ):
        assert status_of(checks) == "error"


def test_a_plan_without_single_rows_has_no_latency_verdict():
    checks = checks_of(metrics=performance(batch_size=10))
    assert checks["latency_p95"].status == "not_applicable"
    assert status_of(checks) == "passed"


def test_a_run_whose_metrics_failed_is_an_error():
    checks = checks_of(metrics=Section[Performance].failed("The process died."))
    assert checks["error_rate"].status == "error"
    assert "The process died." in checks["error_rate"].reason
    assert status_of(checks) == "error"


def test_a_failed_explanation_warns_even_when_every_gate_holds():
    checks = checks_of(explanation=Section[Explanation].failed("Too slow."))
    assert checks["explanation_additivity"].status == "error"
    assert status_of(checks) == "warned"


def test_an_explanation_that_was_not_asked_for_does_not_warn():
    checks = checks_of(explanation=Section[Explanation].not_applicable("Turned off."))
    assert status_of(checks) == "passed"


def test_serious_behaviour_fails_and_other_behaviour_warns():
    checks = checks_of(robustness=behaviours(determinism=0.01, missing_values=0.5))
    assert checks["robustness_determinism"].status == "fail"
    assert checks["robustness_missing_values"].status == "warn"
    assert checks["robustness_determinism"].reason == "99 of 100 rows held."


def test_a_property_of_the_family_is_told_and_judged_by_nothing():
    told = Behaviour(
        name="missing_values", title="Missing values are answered", status="ok", failing_share=0.4, rows=100,
        serious=False, trait="Needs complete rows.", advice="Put an imputer before the model.",
    )  # fmt: skip
    section = Section[Robustness].ok(Robustness(behaviours=(told,)))
    found = checks_of(robustness=section)["robustness_missing_values"]
    assert (found.status, found.value, found.threshold) == ("measured", 0.4, None)
    assert found.reason == "Needs complete rows. Put an imputer before the model."
    assert status_of(checks_of(robustness=section)) == "passed"


def test_what_was_looked_at_is_counted_by_its_own_name():
    held = behaviours(row_order=0.0, extremes=0.5, missing_column=1.0).value
    section = Section[Robustness].ok(held)
    reasons = {c.id: c.reason for c in checks_of(robustness=section).values() if c.id.startswith("robust")}
    assert reasons["robustness_row_order"] == "100 of 100 rows held."
    assert reasons["robustness_extremes"] == "50 of 100 values held."
    assert reasons["robustness_missing_column"] == "0 of 100 tables held."


def test_a_score_without_a_limit_is_measured_and_no_pass():
    """It read as a pass: "there is no limit to judge it by"."""
    labelled = Section[Accuracy].ok(Accuracy(rows=10, target="y", accuracy=0.1))
    found = checks_of(accuracy=labelled)["score"]
    assert (found.status, found.value, found.threshold) == ("measured", 0.1, None)
    assert found.reason == "0.1; no limit is set."


def test_a_behaviour_that_could_not_be_tried_keeps_its_reason():
    broken = Behaviour(name="extremes", title="Extremes", status="failed", reason="The process died.")
    none = Behaviour(name="unseen_category", title="Unseen", status="not_applicable", reason="No categories.")
    checks = checks_of(robustness=Section[Robustness].ok(Robustness(behaviours=(broken, none))))
    assert checks["robustness_extremes"].status == "error"
    assert "The process died." in checks["robustness_extremes"].reason
    assert checks["robustness_unseen_category"].status == "not_applicable"


def test_simulated_drift_without_a_gate_never_fails():
    checks = checks_of(drift=drifting(scenario(changed=1.0, prediction_psi=5.0)))
    assert checks["drift_changed_share"].status == "measured"
    assert checks["drift_changed_share"].value == 1.0
    assert checks["drift_changed_share"].reason == "100 %; no limit is set (Mean shift 0.5 sd, a)."
    assert checks["prediction_psi"].status == "measured"
    assert status_of(checks) == "passed"


@pytest.mark.parametrize(
    ("points", "status", "words"),
    [
        ([broken_at(0.4, (0.3, 0.48))], "fail", "a: the 95 % interval 0.3 sd to 0.48 sd is wholly nearer"),
        ([broken_at(-0.4, (-0.48, -0.3))], "fail", "0.3 sd to 0.48 sd is wholly nearer than the limit"),
        ([broken_at(0.4, (0.3, 0.6))], "warn", "reaches nearer than the limit, at least 0.5 sd"),
        ([broken_at(0.4, (0.3, None))], "warn", "0.3 sd to not known reaches nearer"),
        ([broken_at(0.7, (0.6, 0.9))], "pass", "a breaks first, at 0.7 sd; none nearer than 0.5 sd"),
        ([broken_at(0.6, (0.55, 0.7)), broken_at(0.7, (0.4, 0.9), "b")], "warn", "b: the 95 % interval"),
        ([broken_at(None, None)], "pass", "No feature breaks nearer than 0.5 sd"),
        ([broken_at(None, (0.4, None))], "warn", "0.4 sd to not known"),
        ([broken_at(None, None, searched_to=0.25)], "error", "Not searched that far: 1 of 1 features."),
        ([broken_at(0.4, (0.3, 0.4)), broken_at(None, None, "b", 0.25)], "fail", "wholly nearer"),
        ([], "error", "None was searched for."),
    ],
)
def test_the_nearest_breaking_point_is_judged_by_its_whole_interval(points, status, words):
    drift = Section[DriftAnalysis].ok(DriftAnalysis(scenarios=(), breaking_points=tuple(points)))
    check = checks_of(Gates(min_breaking_point=0.5), drift=drift)["drift_breaking_point"]
    assert check.status == status and words in check.reason
    assert (check.threshold, check.direction, check.unit, check.gate) == (0.5, "at_least", "sd", True)
    assert section_of(check) == "drift"


@pytest.mark.parametrize(
    ("points", "numbers", "status"),
    [
        ((broken_at(0.15, (0.1, 0.19)),), False, "warn"),
        ((broken_at(0.15, (0.1, 0.21)),), False, "pass"),  # too close to tell is no warning
        ((broken_at(0.15, (0.1, None)),), False, "pass"),
        ((broken_at(0.15, (0.1, 0.19)),), True, "pass"),
        ((broken_at(-0.03, (-0.04, -0.01)),), True, "warn"),
        ((broken_at(0.15, (0.1, 0.19)).model_copy(update={"assumed": True}),), False, "not_applicable"),
        ((broken_at(None, None),), False, "pass"),
        ((broken_at(None, None, searched_to=0),), False, "not_applicable"),
        ((broken_at(0.7, (0.6, 0.9)), broken_at(None, None, "b", 0)), False, "measured"),
        ((), False, "not_applicable"),
    ],
)
def test_the_nearest_breaking_point_warns_by_default_with_its_whole_interval(points, numbers, status):
    drift = drifting(scenario(), points=points, changed_tolerance=0.5 if numbers else None)
    found = checks_of(drift=drift)["drift_breaking_point"]
    assert (found.status, found.gate) == (status, False)
    assert status != "warn" or f"at least {0.05 if numbers else 0.2:g} sd" in found.reason


def test_a_server_may_set_no_limit_to_the_nearest_breaking_point():
    settings = Settings(_env_file=None, breaking_point_warn=0)
    drift = drifting(scenario(), points=(broken_at(0.01, (0.0, 0.02)),))
    parts = {"metrics": performance(), "accuracy": NO_SAMPLE, "robustness": behaviours(), "drift": drift,
             "explanation": explained(), "likeness": NO_SAMPLE}  # fmt: skip
    found = {c.id: c for c in judge(**parts, gates=Gates(), thresholds=settings, baseline=None)}
    assert (found["drift_breaking_point"].status, found["drift_breaking_point"].value) == ("measured", 0.01)


def test_a_gate_on_breaking_points_that_were_not_found_is_an_error():
    failed = Section[DriftAnalysis].failed("It broke.")
    assert checks_of(Gates(min_breaking_point=1), drift=failed)["drift_breaking_point"].status == "error"


def test_the_predictions_psi_is_told_beside_the_inputs_own():
    check = checks_of(drift=drifting(scenario(input_psi=0.4, prediction_psi=0.35)))["prediction_psi"]
    assert check.status == "measured"
    assert check.reason == "0.35 with every input shifted by 0.5 sd; the largest of an input is 0.4."


def test_the_mildest_shift_is_the_one_told():
    mild, strong = scenario(0.5, prediction_psi=0.01), scenario(2.0, prediction_psi=9.0)
    assert checks_of(drift=drifting(strong, mild))["prediction_psi"].value == 0.01


def test_an_explanation_that_does_not_add_up_warns():
    assert checks_of(explanation=explained(0.002))["explanation_additivity"].status == "warn"


@pytest.mark.parametrize(
    ("auc", "low", "status"),
    [(0.5, 0.42, "pass"), (0.82, 0.74, "pass"), (0.82, 0.76, "warn"), (1.0, 0.99, "warn")],
)
def test_rows_unlike_the_samples_warn_with_their_whole_interval_and_never_fail(auc, low, status):
    columns = (DomainColumn(column="age", auc_loss=0.2), DomainColumn(column="income", auc_loss=0.0))
    domain = DomainDrift(
        auc=auc, interval=(low, min(1.0, 2 * auc - low)), drifted=low > 0.5, rows_reference=80,
        rows_current=80, folds=3, columns=columns,
    )  # fmt: skip
    likeness = Section.ok(RowLikeness(domain=domain, columns=(), rows_sample=160))
    check = checks_of(likeness=likeness)["rows_likeness"]
    assert (check.status, check.value, check.threshold, check.gate) == (status, auc, 0.75, False)
    assert ("What gives them away: age." in check.reason) == (low > 0.5)
    assert section_of(check) == "likeness"


def test_a_comparison_with_the_sample_that_failed_warns():
    checks = checks_of(likeness=Section.failed("The sample's columns changed."))
    assert checks["rows_likeness"].status == "error" and status_of(checks) == "warned"


@pytest.mark.parametrize(("p95", "status"), [(15.0, "pass"), (15.1, "fail")])
def test_the_baselines_latency_is_a_ratio(p95, status):
    base = BaselineFigures(run_id="r1", p95_ms=10.0)
    assert checks_of(baseline=base, metrics=performance(p95))["baseline_p95"].status == status


@pytest.mark.parametrize(
    ("ends", "status"), [((0.9, 1.2), "pass"), ((1.2, 1.9), "warn"), ((1.6, 2.4), "fail")]
)
def test_a_p95_that_breaks_the_baselines_of_another_hour_is_judged_in_turn(ends, status):
    settled = GatedTiming(
        gate="baseline_p95_ratio", path="metrics.latency[1].p95_ms", batch_size=1, sittings=3, n=300,
        value=30.0, interval=(28.0, 32.0), baseline=20.0, ratio=sum(ends) / 2, ratio_interval=ends,
    )  # fmt: skip
    slow = performance(30.0)
    slow = slow.model_copy(update={"value": slow.value.model_copy(update={"gated": (settled,)})})
    check = checks_of(baseline=BaselineFigures(run_id="r1", p95_ms=10.0), metrics=slow)["baseline_p95"]
    assert (check.status, check.threshold, check.interval) == (status, 1.5, ends)
    assert "in turn with the baseline's model" in check.reason


@pytest.mark.parametrize(("score", "status"), [(0.95, "pass"), (0.885, "pass"), (0.87, "fail")])
def test_the_baselines_score_is_a_loss(score, status):
    base = BaselineFigures(run_id="r1", p95_ms=10.0, score=0.9)
    labelled = Section[Accuracy].ok(Accuracy(rows=10, target="y", accuracy=score))
    assert checks_of(baseline=base, accuracy=labelled)["baseline_score"].status == status


def test_a_baseline_that_cannot_be_compared_with_is_an_error():
    without_latency = checks_of(baseline=BaselineFigures(run_id="r1"))
    assert without_latency["baseline_p95"].status == "error"
    assert without_latency["baseline_score"].status == "not_applicable"
    assert status_of(without_latency) == "error"
    unlabelled = checks_of(baseline=BaselineFigures(run_id="r1", p95_ms=10.0, score=0.9))
    assert unlabelled["baseline_score"].status == "error"
    assert status_of(unlabelled) == "error"


def check(status, gate=False):
    return Check(id="x", title="X", status=status, gate=gate)


@pytest.mark.parametrize(
    ("checks", "errors", "expected"),
    [
        ((), False, "error"),
        ((check("pass"),), False, "passed"),
        ((check("pass"),), True, "warned"),
        ((check("pass"), check("warn")), False, "warned"),
        ((check("pass"), check("error")), False, "warned"),
        ((check("pass"), check("error", gate=True)), True, "error"),
        ((check("warn"), check("fail"), check("error", gate=True)), True, "failed"),
        ((check("not_applicable"),), False, "passed"),
    ],
)
def test_the_worst_check_decides_the_verdict(checks, errors, expected):
    assert verdict(checks, errors) == expected


def test_every_check_belongs_to_the_section_it_was_judged_from():
    base = BaselineFigures(run_id="r1", p95_ms=10.0, score=0.9)
    gates = Gates(min_throughput_rows_s=1, max_memory_mb=1)
    found = {c.id: section_of(c) for c in checks_of(gates, base).values()}
    assert found == {
        "load": "metrics",
        "latency_p95": "metrics",
        "error_rate": "metrics",
        "throughput": "metrics",
        "memory": "metrics",
        "baseline_p95": "metrics",
        "score": "accuracy",
        "baseline_score": "accuracy",
        "robustness_determinism": "robustness",
        "drift_changed_share": "drift",
        "drift_breaking_point": "drift",
        "prediction_psi": "drift",
        "explanation_additivity": "explanation",
        "rows_likeness": "likeness",
    }


def test_a_check_that_never_got_its_section_has_a_reason_a_person_can_read():
    for c in checks_of(robustness=Section[Robustness].failed("Out of time.")).values():
        assert c.reason.endswith(".")


def test_the_single_row_p95_is_that_of_batch_size_one():
    assert performance(12.5).value.single_row.p95_ms == 12.5
    assert performance(12.5, batch_size=10).value.single_row is None
    assert performance(12.5, batch_size=10).value.smallest_batch.batch_size == 10


def test_a_latency_that_was_not_timed_says_whose_doing_that_was():
    planned = checks_of(metrics=performance(batch_size=10))["latency_p95"]
    unanswered = checks_of(metrics=performance(latency=(), error_rate=1.0))["latency_p95"]
    assert (planned.status, unanswered.status) == ("not_applicable", "not_applicable")
    assert "plan leaves out" in planned.reason and "No row was answered" in unanswered.reason


def paired(ratio, low, high):
    value = PairedTiming(
        run_id="r1", batch_size=1, pairs=24, n=480, p50_ms=ratio, baseline_p50_ms=1.0, ratio=ratio,
        interval=(low, high),
    )  # fmt: skip
    return performance(against_baseline=Section[PairedTiming].ok(value))


@pytest.mark.parametrize(
    ("ratio", "low", "high", "status"),
    [
        (1.0, 0.97, 1.03, "pass"),
        (1.05, 0.9, 1.4, "pass"),
        (1.15, 0.95, 1.4, "warn"),
        (1.15, 1.1, 1.4, "warn"),
        (1.2, 1.11, 1.3, "fail"),
        (2.0, 1.9, 2.1, "fail"),
    ],
)
def test_a_model_timed_in_turn_fails_only_with_its_whole_interval(ratio, low, high, status):
    checks = checks_of(baseline=BaselineFigures(run_id="r1", p95_ms=1), metrics=paired(ratio, low, high))
    check = checks["latency_vs_baseline"]
    assert (check.status, check.value, check.threshold, check.direction) == (status, ratio, 1.1, "at_most")
    assert f"95 % interval {low:.3g}x to {high:.3g}x" in check.reason
    assert "at most 1.1x" in check.reason


def test_timing_in_turn_replaces_figures_of_another_hour():
    """p95 is ten times the earlier run's, which a busy machine does too: it is shown and not judged."""
    checks = checks_of(baseline=BaselineFigures(run_id="r1", p95_ms=1), metrics=paired(1.0, 0.98, 1.02))
    assert (checks["baseline_p95"].status, checks["baseline_p95"].value) == ("measured", 10)
    assert status_of(checks) == "passed"


def test_a_baseline_that_could_not_be_timed_is_judged_by_its_figures():
    why = Section[PairedTiming].not_applicable("The rows lack 1 of the model's columns: b.")
    metrics = performance(against_baseline=why)
    checks = checks_of(baseline=BaselineFigures(run_id="r1", p95_ms=1), metrics=metrics)
    assert checks["latency_vs_baseline"].status == "not_applicable"
    assert "columns: b" in checks["latency_vs_baseline"].reason
    assert checks["baseline_p95"].status == "fail"


def test_a_p95_from_few_calls_says_how_far_it_may_be_off():
    section = performance(10.0)
    row = section.value.latency[0].model_copy(update={"p95_interval": (9.0, None)})
    metrics = Section[Performance].ok(section.value.model_copy(update={"latency": (row,)}))
    check = checks_of(metrics=metrics)["latency_p95"]
    assert check.reason.endswith("Interval from 50 calls: 9 ms to not known.")
