"""JUnit: each check in its section's suite, with figure, limit, interval and seconds."""

import xml.etree.ElementTree as ET

import pytest

from records.checks import Check, section_of
from records.run import RunPlan
from reports.junit import SUITES, to_junit
from tests.support.sample_reports import sample_report

GATE = Check(
    id="gate:drift.breaking_points.min >= 0.5", title="drift.breaking_points.min >= 0.5", status="fail",
    value=0.44, threshold=0.5, direction="at_least", unit="sd", interval=(0.38, 0.49), gate=True,
    reason="It breaks.",
)  # fmt: skip
MEASURED = Check(id="score", title="Accuracy", status="measured", value=0.956, reason="No limit.")
TIMINGS = {"load": 1.0, "rows": 0.5, "latency": 2.5, "drift": 0.75, "judge": 0.25}


def root_of(**changes: object) -> ET.Element:
    return ET.fromstring(to_junit(sample_report(timings=TIMINGS, **changes)))


def test_a_gates_case_is_in_the_section_that_it_names_and_tells_figure_limit_and_interval() -> None:
    root = root_of(checks=(GATE, MEASURED), errors=())
    case = root.find("testsuite[@name='Drift']/testcase")
    assert case is not None and case.attrib["classname"] == "breast_cancer_gbm.drift"
    failure = case.find("failure")
    assert failure is not None and failure.attrib["message"].endswith(
        "It breaks. [value 0.44 sd, limit at least 0.5 sd, interval 0.38 sd to 0.49 sd]"
    )


def test_what_no_limit_judges_is_skipped_and_no_pass() -> None:
    root = root_of(checks=(GATE, MEASURED), errors=())
    case = root.find("testsuite[@name='Accuracy']/testcase")
    assert case is not None and case.find("skipped") is not None
    assert (root.attrib["skipped"], root.attrib["failures"]) == ("1", "1")


def test_the_class_begins_with_the_models_name_which_has_no_dots_of_its_own() -> None:
    root = root_of(checks=(GATE,), errors=(), plan=RunPlan(model="churn v1.2"))
    assert {case.attrib["classname"] for case in root.iter("testcase")} == {"churn v1_2.drift"}


def test_the_cases_of_a_suite_share_its_seconds() -> None:
    root = root_of()
    assert root.attrib["time"] == "5.000"
    seconds = {suite.attrib["name"]: float(suite.attrib["time"]) for suite in root}
    assert (seconds["Performance"], seconds["Accuracy"]) == (3.5, 0.0)
    for suite in root:
        cases = [float(case.attrib["time"]) for case in suite]
        assert sum(cases) == pytest.approx(float(suite.attrib["time"]), abs=1e-3)


def test_no_check_gets_lost() -> None:
    report = sample_report()
    titles = {title for _, title, _ in SUITES}
    told = [(s.attrib["name"], c.attrib["name"]) for s in root_of() for c in s if s.attrib["name"] in titles]
    names = {section: title for section, title, _ in SUITES}
    assert sorted(told) == sorted((names[section_of(c)], c.title) for c in report.checks)
