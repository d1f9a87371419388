"""Exports hold the report's figures, no row of data, and no name that does anything but be read."""

# mypy: allow-untyped-defs, allow-untyped-calls
# mypy: disable-error-code="arg-type, union-attr, operator, var-annotated"

import csv
import io
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from records.base import Section
from records.checks import Check
from records.drift import (
    BreakingPoint,
    ColumnDrift,
    Decomposition,
    Distances,
    DriftAnalysis,
    Scenario,
    SingleEffect,
)
from records.explanation import Explanation, FeatureImportance
from records.metrics import Accuracy, LatencyRow, Performance
from records.model import ModelInfo
from records.robustness import Behaviour, Property, Robustness
from records.run import Environment, RunError, RunPlan, RunReport
from reports.exports import metrics_csv, thresholds_json, to_html
from reports.junit import to_junit
from reports.markdown import to_markdown
from tests.support.sample_reports import sample_report, stopped_report

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil.example","x")',
    "[x](javascript:alert(1))",
    "a|b\n# c",
    "\x00\x1b\ufffe\ud800bad",
    "'\"><svg onload=alert(1)>",
)
CELL = "raw-cell-value"


def full_report(name="nightly", feature="age", **changes):
    row = LatencyRow(
        batch_size=1, n=50, warmup=3, mean_ms=2.0, p50_ms=1.5, p90_ms=2.5, p95_ms=3.25, p99_ms=4.0,
        rows_per_s=666.7,
    )  # fmt: skip
    shift = Scenario(
        kind="mean_shift", features=(feature,), magnitude=0.5, input=Distances(psi=0.2, column=feature),
        prediction=Distances(psi=0.1), changed_share=0.123, reason=None,
    )  # fmt: skip
    behaviour = Behaviour(
        name="row_order", title="Row order", status="ok", failing_share=0.02, rows=200, example=CELL,
        advice="Sort it.",
    )  # fmt: skip
    fields = {
        "id": "run1",
        "name": name,
        "created_at": datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
        "finished_at": datetime(2025, 1, 2, 3, 4, 9, tzinfo=UTC),
        "status": "failed",
        "model": ModelInfo(
            name=name,
            sha256="ab" * 32,
            bytes=1234,
            framework="scikit-learn",
            estimator="Ridge",
            saved_with={"scikit-learn": "1.9.1"},
        ),
        "plan": RunPlan(),
        "metrics": Section.ok(
            Performance(
                load_ms=120,
                first_call_ms=5,
                latency=(row,),
                throughput_rows_s=12345.0,
                error_rate=0.0,
                peak_memory_mb=210.0,
            )
        ),
        "accuracy": Section.ok(
            Accuracy(
                rows=40, target=feature, accuracy=0.9, labels=(feature, "n"), confusion=((20, 2), (2, 16))
            )
        ),
        "robustness": Section.ok(Robustness(behaviours=(behaviour,))),
        "drift": Section.ok(
            DriftAnalysis(
                scenarios=(shift,),
                breaking_points=(
                    BreakingPoint(
                        feature=feature,
                        kind="mean_shift",
                        magnitude=0.7,
                        psi=0.4,
                        interval=(0.6, 0.8),
                        searched_to=5.0,
                    ),
                    BreakingPoint(
                        feature="b",
                        kind="mean_shift",
                        magnitude=None,
                        psi=None,
                        interval=None,
                        searched_to=5.0,
                    ),
                ),
                columns=(
                    ColumnDrift(
                        column=feature,
                        kind="numeric",
                        psi=0.3,
                        ks=0.2,
                        test="ks",
                        statistic=0.2,
                        p_adjusted=0.0125,
                        threshold=0.05,
                        direction="at_most",
                        drifted=True,
                    ),
                ),
                columns_scenario="mean shift",
                notes=("A note.",),
            )
        ),
        "explanation": Section.ok(
            Explanation(
                method="shap",
                explainer="linear",
                output="margin",
                outputs=("yes",),
                rows=1,
                features=(feature,),
                importance=(FeatureImportance(feature=feature, mean_abs=0.5, std_error=0.1),),
                base_values=(0.1,),
                shap_values=((0.77123,),),
                feature_values=((CELL,),),
                additivity_error=0.0,
            )
        ),
        "checks": (
            Check(
                id="latency_p95",
                title="p95 latency",
                status="fail",
                value=3.25,
                threshold=2.0,
                unit="ms",
                reason="p95 latency is 3.25 ms; it breaks the limit, at most 2 ms.",
            ),
            Check(id="score", title="Score", status="error", reason="No labels."),
            Check(
                id="robustness_row_order", title="Row order", status="warn", value=0.02, reason="2 % failed."
            ),
            Check(id="prediction_psi", title="PSI", status="not_applicable", reason="No shift."),
            Check(id="explanation_additivity", title="Additivity", status="pass", value=0.0, reason="Fine."),
        ),
        "errors": (RunError(code="child_died", stage="drift", message="It died.", hint="Look."),),
        "warnings": ("Careful.",),
        "timings": {"load": 1.5},
        "environment": Environment(
            python="3.12",
            platform="Linux",
            machine="x86_64",
            cores=2,
            libraries={"numpy": "2"},
            isolation=("rlimits",),
        ),
    }
    return RunReport(**{**fields, **changes})


def bare_report():
    nothing = Section.failed("The process died.")
    return full_report(
        status="error", metrics=nothing, accuracy=Section.not_applicable("No labels."), robustness=nothing,
        drift=nothing, explanation=nothing, checks=(), errors=(), warnings=(),
    )  # fmt: skip


class Page(HTMLParser):
    """Reads a page as a browser would: which tags with which attributes, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_states_verdict_then_checks_then_sections():
    text = Page(to_html(full_report())).text
    order = [
        "Failed nightly",
        "it breaks the limit",
        "Performance Measured",
        "Robustness Behaviour Held",
        "Drift Flip rate",
        "Explainability Mean",
        "Model and environment",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    for figure in ("3.25", "12,345 rows/s", "12.3 %", "210 MB", "none up to 5 sd", "0.5 ± 0.1", "numpy 2"):
        assert figure in text


def test_the_page_needs_no_network_and_runs_nothing():
    page = Page(to_html(full_report()))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "a", "form", "base"}
    assert not any(
        k.startswith("on") or k in ("src", "href", "style") for _, attrs in page.tags for k in attrs
    )
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("name", HOSTILE[:4] + HOSTILE[5:])
def test_a_hostile_name_is_text_in_the_page(name):
    harmless, hostile = Page(to_html(full_report())), Page(to_html(full_report(name, name)))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
    assert " ".join(name.split()) in hostile.text


def test_no_export_holds_a_row_of_data():
    report = full_report()
    for export in (to_html, to_junit, to_markdown, metrics_csv):
        text = export(report)
        assert CELL not in text
        assert "0.77123" not in text


def test_the_page_says_which_test_judged_a_column_but_for_reports_from_before_that():
    report = full_report()
    assert "yes KS, adjusted p 0.0125 (drift: at most 0.05)" in Page(to_html(report)).text
    drift = report.drift.value
    unjudged = (ColumnDrift(column="x", kind="numeric", psi=0.3),)
    section = Section.ok(drift.model_copy(update={"columns": unjudged}))
    text = Page(to_html(report.model_copy(update={"drift": section}))).text
    assert "largest PSI first" in text and "Judged by" not in text


@pytest.mark.parametrize("export", [to_html, to_junit, to_markdown, metrics_csv])
def test_a_run_that_broke_down_still_exports(export):
    assert "run1" in export(bare_report()) or "nightly" in export(bare_report())


def test_after_an_error_junit_has_one_error_the_cause_and_it_comes_first():
    root = ET.fromstring(to_junit(stopped_report()))
    cases = list(root.iter("testcase"))
    assert [root.get(k) for k in ("tests", "errors", "skipped")] == [
        str(len(cases)),
        "1",
        str(len(cases) - 1),
    ]
    assert "plain text" in cases[0].find("error").get("message")
    assert "The run ended before this part." in cases[1].find("skipped").get("message")


def test_a_check_that_nothing_else_explains_stays_an_error_in_junit():
    labels = Check(id="score", title="Score", status="error", reason="No labels.", gate=True)
    root = ET.fromstring(to_junit(stopped_report(checks=(labels,), accuracy=Section.not_applicable("None."))))
    assert root.get("errors") == "2"


def test_after_an_error_markdown_is_the_cause_and_one_line():
    report = stopped_report()
    lines = [line for line in to_markdown(report).splitlines() if line]
    assert lines[0] == "## Could not be judged: notes.pkl"
    assert lines[1].startswith("- **not\\_a\\_model** in load: The file is plain text")
    assert lines[2].startswith("notes.pkl (not opened). Checks: 0 passed")
    assert "| 9 checks | error | They could not be judged: The run ended before this part. |" in lines
    assert sum(line.startswith("|") for line in lines) == 3


def test_after_an_error_the_page_says_the_cause_then_once_that_the_rest_is_missing():
    text = Page(to_html(stopped_report())).text
    assert text.index("plain text") < text.index("9 checks They could not be judged")
    assert text.count("The run ended before this part.") == 1
    assert "unknown" not in text


@pytest.mark.parametrize("export", [to_html, to_junit, to_markdown, metrics_csv])
def test_every_export_can_be_written_as_utf_8(export):
    name = "\x00\x1b\ud800bad"
    assert "bad" in export(full_report().model_copy(update={"name": name})).encode().decode()


def test_the_page_says_why_a_section_is_missing():
    text = Page(to_html(bare_report())).text
    assert "Could not be done. The process died." in text
    assert "Does not apply. No labels." in text


def test_junit_has_a_suite_a_section_and_a_case_a_check():
    root = ET.fromstring(to_junit(full_report()))
    suites = {s.get("name"): s for s in root}
    assert list(suites) == ["Run", "Performance", "Accuracy", "Robustness", "Drift", "Explainability"]
    assert {k: root.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "1",
        "errors": "2",
        "skipped": "1",
    }
    failure = suites["Performance"].find("testcase/failure")
    assert failure.get("message").endswith("[value 3.25 ms, limit at most 2 ms]")
    assert suites["Robustness"].find("testcase/system-out").text.startswith("Warning: ")
    assert "It died. Look." in suites["Run"].find("testcase/error").text


@pytest.mark.parametrize("name", HOSTILE)
def test_junit_stays_well_formed_whatever_the_names(name):
    checks = (Check(id="load", title=name, status="fail", reason=name, value=1.0, threshold=0.5),)
    xml = to_junit(full_report(checks=checks).model_copy(update={"name": name}))
    root = ET.fromstring(xml.encode())
    assert len(list(root.iter("testcase"))) == 2
    assert not list(root.iter("img"))


def test_markdown_lists_what_is_not_right_and_the_key_figures():
    text = to_markdown(full_report())
    assert text.startswith("## Failed: nightly\n")
    assert "| p95 latency | fail | p95 latency is 3.25 ms; it breaks the limit, at most 2 ms. |" in text
    assert "| Throughput | 12,345 rows/s |" in text
    assert "Additivity" not in text


@pytest.mark.parametrize("name", HOSTILE[:4] + HOSTILE[5:])
def test_a_hostile_name_is_text_in_markdown(name):
    text = to_markdown(full_report(name, name))
    assert "<img" not in text and "<svg" not in text and "](javascript:" not in text
    assert len(text.splitlines()) == len(to_markdown(full_report()).splitlines())
    assert "a|b" not in text


def test_the_csv_has_one_figure_a_row_and_numbers_stay_numbers():
    drop = Check(id="baseline_score", title="Loss", status="pass", value=-0.01)
    rows = list(csv.reader(io.StringIO(metrics_csv(full_report(checks=(drop,))))))
    assert rows[0] == ["section", "key", "value"]
    assert all(len(row) == 3 for row in rows)
    figures = {(section, key): value for section, key, value in rows[1:]}
    assert figures["metrics", "latency.batch_1.p95_ms"] == "3.25"
    assert figures["drift", "scenario_0.mean_shift_0.5.changed_share"] == "0.123"
    assert figures["explanation", "importance.age"] == "0.5"
    assert figures["checks", "baseline_score.value"] == "-0.01"


@pytest.mark.parametrize("name", ["=HYPERLINK()", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1"])
def test_a_formula_becomes_text_in_the_csv(name):
    rows = list(csv.reader(io.StringIO(metrics_csv(full_report(name)))))
    assert ["run", "name", f"'{name}"] in rows


def taken_apart(report):
    """The full report with the figures that newer runs have."""
    drift = report.drift.value
    point = drift.breaking_points[0].model_copy(
        update={
            "magnitude": -0.7, "interval": (None, -0.6), "direction": "down", "shift": -2.1, "rows": 256,
            "psi_interval": (0.31, None), "by": "score", "limit": 0.05, "monotone": True,
        }
    )  # fmt: skip
    parts = Decomposition(
        kind="mean_shift", magnitude=1.0, rows=200,
        singles=(SingleEffect(feature="age", changed_share=0.2, output_change=0.04),
                 SingleEffect(feature="b", changed_share=0.1, output_change=-0.01)),
        joint_changed_share=0.25, single_changed_sum=0.3, changed_remainder=-0.05,
        output="yes", joint_output_change=0.02, single_output_sum=0.03, output_remainder=-0.01,
    )  # fmt: skip
    points = (point, *drift.breaking_points[1:])
    drift = drift.model_copy(update={"breaking_points": points, "decomposition": parts})
    return report.model_copy(update={"drift": Section.ok(drift)})


def test_breaking_points_name_direction_interval_unit_and_psi():
    report = taken_apart(full_report())
    text = Page(to_html(report)).text
    assert "0.7 sd down (95 % interval 0.6 to open) -2.1 0.4 0.31" in text
    assert "| Nearest breaking point | age, 0.7 sd down (95 % interval 0.6 to open) |" in to_markdown(report)
    # Intervals of older reports are not 95 %.
    assert "0.7 sd up 0.4 b none up to 5 sd" in Page(to_html(full_report())).text
    assert "| Nearest breaking point | age, 0.7 sd up |" in to_markdown(full_report())


def test_a_joint_shift_taken_apart_is_in_the_page_and_the_csv():
    report = taken_apart(full_report())
    text = Page(to_html(report)).text
    assert "Mean shift 1 sd taken apart" in text
    assert "age 20 % b 10 % All together 25 %" in text
    assert "The mean probability of yes moves by 0.02 together, by 0.03 in sum." in text
    figures = {tuple(row[:2]): row[2] for row in csv.reader(io.StringIO(metrics_csv(report)))}
    assert figures["drift", "decomposition.mean_shift_1.age.changed_share"] == "0.2"
    assert figures["drift", "decomposition.mean_shift_1.output_remainder"] == "-0.01"
    assert figures["drift", "breaking_point.age.mean_shift"] == "-0.7"
    assert figures["drift", "breaking_point.age.mean_shift.near"] == "0.6"
    assert figures["drift", "breaking_point.age.mean_shift.far"] == ""


@pytest.mark.parametrize(
    ("kind", "words"),
    [("noise", "Noise 0.5 sd"), ("quantile_shift", "Shift growing with rank 0.5 sd"),
     ("correlated_shift", "Shift along the main axis 0.5 sd"),
     ("segment_swap", "Swap between segments 50 %")],
)  # fmt: skip
def test_every_kind_of_shift_has_its_unit(kind, words):
    report = full_report()
    drift = report.drift.value
    scenario = drift.scenarios[0].model_copy(update={"kind": kind})
    section = Section.ok(drift.model_copy(update={"scenarios": (scenario,)}))
    assert words in Page(to_html(report.model_copy(update={"drift": section}))).text


def test_thresholds_are_the_breaking_points_of_the_report():
    found = json.loads(thresholds_json(taken_apart(full_report())))
    assert (found["model_sha256"], found["changed_limit"], found["confidence"]) == ("ab" * 32, 0.1, 0.95)
    assert [t["feature"] for t in found["thresholds"]] == ["age"]
    assert found["steady"] == [{"feature": "b", "searched_to_std": 5.0}]
    skipped = Section.not_applicable("Not asked for.")
    assert json.loads(thresholds_json(full_report(drift=skipped)))["thresholds"] == []


def test_how_far_the_rows_look_like_the_samples_is_in_every_export():
    report = sample_report()
    text = Page(to_html(report)).text
    assert "They are told from the sample's in part: AUC 0.683 (95 % interval 0.621 to 0.745)" in text
    assert "What gives them away: mean radius, mean texture." in text
    assert "142 rows made after one half of the sample" in text
    assert "KS, adjusted p 0.97 (drift: at most 0.05)" in text
    assert "| Generated rows told from the sample's | AUC 0.683 (0.621 to 0.745) |" in to_markdown(report)
    figures = {(s, k): v for s, k, v in csv.reader(io.StringIO(metrics_csv(report)))}
    assert [figures["likeness", key] for key in ("status", "auc", "low", "high", "rows_made")] == [
        "ok", "0.683", "0.621", "0.745", "142",
    ]  # fmt: skip


def test_what_a_classifier_sees_of_each_shift_is_in_every_export():
    report = sample_report()
    text = Page(to_html(report)).text
    assert "8 features 0.0213 0.0108 2.1 % 0 % 0.641 0.611 to 0.671 whole table only" in text
    assert "| Shifts that no single column shows | Missing values 10 %, 8 features |" in to_markdown(report)
    figures = {(s, k): v for s, k, v in csv.reader(io.StringIO(metrics_csv(report)))}
    assert figures["drift", "scenario_3.missing_values_0.1.domain_auc"] == "0.641"
    assert ("drift", "scenario_4.unseen_category_0.1.domain_auc") not in figures
    assert "AUC, whole table" not in Page(to_html(full_report())).text


def test_how_often_the_thresholds_cry_wolf_is_in_every_export():
    report = sample_report()
    text = Page(to_html(report)).text
    assert "0.61 sd up (95 % interval 0.55 to 0.67) 0.207 0.34 0.238 100 rows" in text
    assert "reached by chance in 94 % of batches of 50 rows, 73 % of batches of 100 rows" in text
    assert "| Batch size with at most 5 % false alarms | over 500 rows |" in to_markdown(report)
    figures = {(s, k): v for s, k, v in csv.reader(io.StringIO(metrics_csv(report)))}
    assert figures["drift", "false_alarms.200.any"] == "0.28"
    assert figures["drift", "false_alarms.100.worst radius"] == "0.04"
    found = json.loads(thresholds_json(report))
    assert [t["batch_rows"] for t in found["thresholds"]] == [None, 100, 50, 50]
    assert "In batches of" not in Page(to_html(taken_apart(full_report()))).text


def test_a_run_without_a_sample_says_that_its_rows_were_not_compared():
    reason = "No sample came with the run to compare the rows with."
    report = sample_report(likeness=Section.not_applicable(reason))
    assert f"Does not apply. {reason}" in Page(to_html(report)).text
    assert "told from the sample" not in to_markdown(report)


def test_a_long_list_of_features_shows_the_largest_only():
    importance = tuple(FeatureImportance(feature=f"f{i:03}", mean_abs=100.0 - i) for i in range(60))
    explanation = full_report().explanation.value.model_copy(update={"importance": importance})
    text = Page(to_html(full_report(explanation=Section.ok(explanation)))).text
    assert "f019" in text and "f020" not in text
    assert "The 20 largest of 60 features." in text


def test_bars_of_shares_are_drawn_against_the_whole_and_others_against_the_longest():
    bars = [
        attrs["width"] for tag, attrs in Page(to_html(full_report())).tags if attrs.get("class") == "fill"
    ]
    assert bars == ["100.0", "12.3", "100.0"]


def test_intervals_callers_and_the_baseline_are_in_the_figures_and_on_the_page():
    report = sample_report()
    figures = {(s, k): v for s, k, v in csv.reader(io.StringIO(metrics_csv(report)))}
    measured = report.metrics.value
    paired = measured.against_baseline.value
    assert float(figures["metrics", "latency.batch_1.p50_low_ms"]) == pytest.approx(2.31 * 0.98)
    assert figures["metrics", "latency.batch_1.p95_high_ms"] == ""
    assert float(figures["metrics", "concurrency.4.rows_per_s"]) == measured.concurrency[2].rows_per_s
    assert float(figures["metrics", "against_baseline.ratio"]) == paired.ratio
    page = to_html(report)
    assert "Callers at the same time" in page and "1.02 times as long" in page
    assert "2.26 to 2.38" in page and "2.56 to open" in page
    assert "| Time a call, relative to the baseline | 1.02x (0.991 to 1.06) |" in to_markdown(report)


def test_what_is_measured_is_skipped_by_junit_and_counted_by_itself():
    """It read as a pass, or as what does not apply, where nothing had judged it."""
    measured = Check(
        id="score", title="Accuracy", status="measured", value=0.4, reason="0.4; no limit is set."
    )
    report = full_report(checks=(measured,))
    root = ET.fromstring(to_junit(report))
    (case,) = [c for c in root.iter("testcase") if c.get("name") == "Accuracy"]
    assert case.find("skipped").get("message") == "Accuracy: 0.4; no limit is set. [value 0.4]"
    assert case.find("failure") is None and case.find("error") is None and case.find("system-out") is None
    text = Page(to_html(report)).text
    assert "0 passed, 0 warned, 0 failed, 0 could not be judged, 1 measured without a limit" in text
    assert "Measured Accuracy Accuracy 0.4; no limit is set." in text
    assert "0 could not be judged, 1 measured without a limit." in to_markdown(report)


def test_properties_have_a_place_of_their_own_in_page_and_markdown():
    trait = "Needs complete rows: a missing value is refused."
    found = Behaviour(
        name="missing_values", title="Missing", status="ok", failing_share=0.25, rows=200, trait=trait,
        serious=False, advice="Put an imputer before it.",
    )  # fmt: skip
    told = Property(name="missing_values", sentence=trait, advice="Put an imputer before it.")
    report = full_report(robustness=Section.ok(Robustness(behaviours=(found,), properties=(told,))))
    text = Page(to_html(report)).text
    assert f"Properties of the model: what callers have to know {trait} Put an imputer before it." in text
    assert "Missing 150 of 200 rows held Needs complete rows" in text
    assert f"<summary>Properties of the model</summary>\n\n- {trait}\n" in to_markdown(report)


def test_a_graded_measure_stands_beside_the_share_that_saturates():
    drift = full_report().drift.value
    moved = tuple(s.model_copy(update={"mean_move": 1.25, "changed_share": 1.0}) for s in drift.scenarios)
    numbers = drift.model_copy(update={"scenarios": moved, "changed_tolerance": 0.5})
    text = Page(to_html(full_report(drift=Section.ok(numbers)))).text
    assert "Changed answers Mean move, sd No answer" in text and "100 % 1.25 0 %" in text
    assert "Mean move, sd" not in Page(to_html(full_report())).text
