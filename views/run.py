"""Run: one run's verdict, checks, figures and downloads, at `?run=ID`.

Promises: the verdict and what broke come first; a part that could not be measured says why. Leaves
figures to `views.charts` and exported files to `reports.exports`.
"""

from typing import Any

import streamlit as st

import runs
import services as holder
from errors import DashboardError, NotFound
from records.checks import Check
from records.metrics import SCORES, Accuracy
from records.run import RunReport
from reports.findings import kind_of, merged, other_warnings, parts_of
from views import components as ui
from views import run_tabs

__all__ = ["render"]

ORDER = {"fail": 0, "error": 1, "warn": 2, "pass": 3, "measured": 4, "not_applicable": 5}
BANNERS = {
    "passed": st.success,
    "warned": st.warning,
    "failed": st.error,
    "error": st.error,
    "cancelled": st.info,
}
LONG = 10


def render() -> None:
    """The page."""
    services, run_id = holder.current(), (st.query_params.get("run") or "").strip()
    row = None
    try:
        row = runs.get_run(services, run_id) if run_id else None
    except NotFound:
        pass
    except DashboardError as error:
        ui.problem(error)
        return
    if row is None:
        _unknown(bool(run_id))
        return
    if row.state in ui.ACTIVE:
        st.title(ui.plain(row.name))
        st.caption(f"{ui.plain(row.model_name)} · {ui.size(row.model_bytes)}")
        ui.progress(services, row.id)
        return
    report = _report(row.id, row.finished_at, services)
    if report is None:
        _without_report(row)
    else:
        _finished(services, report)


@st.cache_resource(max_entries=16, show_spinner=False)
def _report(run_id: str, finished_at: Any, _services: Any) -> RunReport | None:
    """Parsed once: a finished report never changes, and it is frozen, so sessions may share it."""
    return runs.get_report(_services, run_id)


def _unknown(asked: bool) -> None:
    st.title("Run")
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.markdown("**This run is not here**" if asked else "**No run is open**", text_alignment="center")
        st.caption(
            "It may have been deleted, or the link is incomplete." if asked
            else "Open one from the list of runs, or by a link with its id.",
            text_alignment="center",
        )  # fmt: skip
        if st.button("See all runs", type="primary", icon=":material/list:"):
            ui.go_to("runs")
        st.space("small")


def _without_report(row: Any) -> None:
    st.title(ui.plain(row.name))
    st.caption(f"{ui.plain(row.model_name)} · {ui.when(row.created_at)}")
    if row.state == "cancelled":
        st.info("It was stopped before it had a report.", title="Cancelled", icon=":material/block:")
    else:
        message = row.error_message or "No report was stored."
        st.error(ui.said(message), title="The run could not be done", icon=":material/error:")
    ui.link("test", "Test a model", icon=":material/science:")


def _finished(services: Any, report: RunReport) -> None:
    st.title(ui.plain(report.name))
    model = report.model
    st.caption(f"{ui.plain(model.name)} · {ui.plain(kind_of(model))} · {ui.when(report.finished_at)}")
    for sentence in parts_of(model):
        st.caption(ui.plain(sentence))
    _verdict(report)
    _key_figures(report)
    if report.status == "failed":  # what went wrong on the way is likely why a gate broke
        _errors(report)
    _checks(report)
    for warning in other_warnings(report):
        st.warning(ui.said(warning), icon=":material/info:")
    if report.sample is not None and report.sample.told:
        things = ui.count(len(report.sample.told), "thing")
        st.caption(f"The sample was not taken as it is: {things} to know, under Data.")
    if report.status != "failed":
        _errors(report)
    run_tabs.render(services, report)


def _verdict(report: RunReport) -> None:
    look = ui.STATUS[report.status]
    BANNERS[report.status](_why(report), title=look.word, icon=look.icon.replace("progress_activity", "info"))


def _why(report: RunReport) -> str:
    """One sentence under the verdict."""
    failed = [check for check in report.checks if check.status == "fail"]
    warned = [check for check in report.checks if check.status == "warn"]
    judged = [check for check in report.checks if check.status not in ("measured", "not_applicable")]
    if report.status == "failed" and failed:
        return f"{ui.count(len(failed), 'gate')} broke: {ui.said(failed[0].sentence)}"
    if report.status == "warned" and warned:
        return f"No gate broke; {ui.count(len(warned), 'check')} worth a look: {ui.said(warned[0].sentence)}"
    if report.status == "passed":
        return f"All {ui.count(len(judged), 'check')} passed." if len(judged) > 1 else "The check passed."
    if report.status == "cancelled":
        return "The run was stopped; what was measured until then is below."
    first = report.errors[0] if report.errors else None
    if first is None:
        return "The run could not be judged." if report.status == "error" else "See the checks below."
    return ui.said(first.message) + (f" {ui.said(first.hint)}" if first.hint else "")


def amount(value: float | None, unit: str) -> str:
    """A check's figure in its unit."""
    if unit == "ms":
        return ui.milliseconds(value)
    return ui.share(value) if unit in ("share", "%") else ui.number(value, unit)


def _key_figures(report: RunReport) -> None:
    metrics = report.metrics.value
    if metrics is None:
        return
    single = metrics.single_row or metrics.smallest_batch
    with st.grid(5 if report.accuracy.value else 4, min_column_width=150, gap="small"):
        if single is not None:
            rows = ui.count(single.batch_size, "row")
            st.metric(
                f"p95, {rows}", ui.milliseconds(single.p95_ms), border=True, height="stretch",
                help=f"95th percentile of {single.n} timed calls after {single.warmup} warm-up calls",
            )  # fmt: skip
        st.metric(
            "Rows a second", ui.number(metrics.throughput_rows_s), border=True, height="stretch",
            help="Rows a second at the best batch size, at the median latency",
        )  # fmt: skip
        st.metric(
            "Error rate", ui.share(metrics.error_rate), border=True, height="stretch",
            help="Share of generated rows without a usable answer",
        )  # fmt: skip
        st.metric("Peak memory", ui.number(metrics.peak_memory_mb, "MB"), border=True, height="stretch")
        if report.accuracy.value:
            key, value = _score(report.accuracy.value)
            st.metric(
                SCORES[key], ui.number(value), border=True, height="stretch",
                help=f"On {ui.count(report.accuracy.value.rows, 'labelled row')} of the sample",
            )  # fmt: skip


def _score(accuracy: Accuracy) -> tuple[str, float | None]:
    """The headline, else the first score there is: numbers that are all equal have no R2."""
    key, value = accuracy.headline
    return next(iter(accuracy.known.items()), (key, value)) if value is None else (key, value)


def _checks(report: RunReport) -> None:
    if not report.checks:
        return
    st.subheader("Checks")
    ranked = sorted(merged(report.checks), key=lambda found: ORDER[found.status])
    alone = [found.checks[0] if len(found.checks) == 1 else None for found in ranked]
    st.dataframe(
        {
            "Result": [[ui.status_text(found.status)] for found in ranked],
            "Check": [found.title for found in ranked],
            "Measured": [amount(check.value, check.unit) if check else ui.NONE for check in alone],
            "Limit": [_limit_cell(check) if check else ui.NONE for check in alone],
            "Reason": [found.reason for found in ranked],
        },
        hide_index=True, height="content" if len(ranked) <= LONG else 388,
        column_config={
            "Result": ui.status_column("Result", tuple(ORDER)),
            "Measured": st.column_config.TextColumn(alignment="right", width="small"),
            "Limit": st.column_config.TextColumn(width="small"),
            "Reason": st.column_config.TextColumn(width="large"),
        },
        alt="Checks with their measured value and limit, failures first",
    )  # fmt: skip


def _limit_cell(check: Check) -> str:
    if check.threshold is None:
        return ui.NONE
    return f"{'≤' if check.direction == 'at_most' else '≥'} {ui.threshold(check.threshold, check.unit)}"


def _errors(report: RunReport) -> None:
    told = 1 if report.status == "error" else 0  # the first is the verdict's own sentence
    if len(report.errors) <= told:
        return
    left = len(report.errors) - told
    with st.expander(f"What could not be done ({left})", icon=":material/report:"):
        for error in report.errors[told:]:
            st.markdown(f"**{ui.STAGES.get(error.stage, error.stage)}**: {ui.said(error.message)}")
            if error.hint:
                st.caption(ui.said(error.hint))
