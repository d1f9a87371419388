"""Markdown for a comment: short, the broken gates first, and a link where one is known."""

from records.checks import Check
from reports.deciding import deciding
from reports.markdown import to_markdown
from tests.support.sample_reports import sample_report, stopped_report


def check(id: str, status: str, value: float, limit: float, **changes: object) -> Check:
    return Check.model_validate(
        {"id": id, "title": id, "status": status, "value": value, "threshold": limit, "unit": "ms", **changes}
    )


BROKEN = check(
    "gate:metrics.load_ms <= 2", "fail", 2.8, 2.0, gate=True, interval=(2.6, None), reason="Too slow."
)
OTHER = check("other", "fail", 9.0, 1.0)
WARNED = check("warned", "warn", 3.0, 2.0)
NEAR = check("near", "pass", 1.9, 2.0, gate=True)
FAR = check("far", "pass", 0.1, 2.0, gate=True)
UNGATED = check("ungated", "pass", 1.99, 2.0)


def test_broken_gates_decide_first_then_the_rest_and_of_those_that_hold_the_nearest() -> None:
    def decided(*checks: Check) -> list[str]:
        return [each.title for each in deciding(sample_report(checks=checks))]

    assert decided(FAR, WARNED, OTHER, BROKEN) == [BROKEN.id, "other", "warned"]
    assert decided(FAR, UNGATED, NEAR) == ["near", "far"]
    assert decided() == []


def test_a_deciding_figure_is_told_with_limit_and_interval() -> None:
    text = to_markdown(sample_report(status="failed", checks=(NEAR, BROKEN), errors=()))
    lines = text.splitlines()
    assert lines[0] == "## Failed: breast-cancer nightly"
    assert lines[4] == (
        "| Failed | gate:metrics.load\\_ms &lt;= 2 | **2.8 ms** | at most 2 ms | 2.6 ms to open |"
    )
    assert lines[5] == "| Passed | near | **1.9 ms** | at most 2 ms |  |"


def test_a_comment_stays_short_whatever_breaks() -> None:
    many = tuple(check(f"c{i}", "fail", 2.0, 1.0, reason="long " * 400) for i in range(500))
    text = to_markdown(sample_report(status="failed", checks=many))
    assert len(text) < 8_000
    assert "| 490 more | | |" in text


def test_the_link_is_there_where_it_is_known() -> None:
    link = "https://models.example/run?run=1"
    assert f"[The whole report](<{link}>)" in to_markdown(sample_report(), link)
    assert "](" not in to_markdown(sample_report())


def test_every_fold_is_closed_and_a_stopped_run_begins_with_its_cause() -> None:
    for report in (sample_report(), stopped_report()):
        text = to_markdown(report)
        assert text.count("<details>") == text.count("</details>") > 0
    lines = [line for line in to_markdown(stopped_report()).splitlines() if line]
    assert lines[1].startswith("- **not\\_a\\_model** in load: The file is plain text")
