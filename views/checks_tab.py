"""The Checks tab: every figure against its limit, failures first.

Promises: checks that one cause left unjudged stand in one row. Leaves judging to `checks`.
"""

from typing import Any

import streamlit as st

from records.checks import Check
from records.run import RunReport
from reports.findings import merged
from views import components as ui

__all__ = ["ORDER", "render"]

ORDER = {"fail": 0, "error": 1, "warn": 2, "pass": 3, "measured": 4, "not_applicable": 5}
LONG = 14


def render(services: Any, report: RunReport) -> None:
    """The table."""
    if not report.checks:
        st.info("Nothing was judged.", icon=":material/info:")
        return
    ranked = sorted(merged(report.checks), key=lambda found: ORDER[found.status])
    alone = [found.checks[0] if len(found.checks) == 1 else None for found in ranked]
    st.dataframe(
        {
            "Result": [[ui.status_text(found.status)] for found in ranked],
            "Check": [found.title for found in ranked],
            "Measured": [_amount(check.value, check.unit) if check else ui.NONE for check in alone],
            "Limit": [_limit_cell(check) if check else ui.NONE for check in alone],
            "Reason": [found.reason for found in ranked],
        },
        hide_index=True, height="content" if len(ranked) <= LONG else 528,
        column_config={
            "Result": ui.status_column("Result", [state for state in ORDER if state in ui.STATUS]),
            "Measured": st.column_config.TextColumn(alignment="right", width="small"),
            "Limit": st.column_config.TextColumn(width="small"),
            "Reason": st.column_config.TextColumn(width="large"),
        },
        alt="Checks with their measured value and limit, failures first",
    )  # fmt: skip


def _amount(value: float | None, unit: str) -> str:
    if unit == "ms":
        return ui.milliseconds(value)
    return ui.share(value) if unit in ("share", "%") else ui.number(value, unit)


def _limit_cell(check: Check) -> str:
    if check.threshold is None:
        return ui.NONE
    return f"{'≤' if check.direction == 'at_most' else '≥'} {ui.threshold(check.threshold, check.unit)}"
