"""Run: one run's verdict, checks, figures and downloads, at `?run=ID`.

Promises: the verdict and what broke come first; a part that could not be measured says why. Leaves
figures to `views.charts` and exported files to `reports.exports`.
"""

from typing import Any

import streamlit as st

import runs
import services as holder
from errors import DashboardError, NotFound
from records.checks import section_of
from records.run import RunReport
from registry import models
from reports.findings import kind_of, merged, other_warnings, parts_of
from views import components as ui
from views import run_actions, run_tabs, run_tiles
from views.checks_tab import ORDER

__all__ = ["render"]

BANNERS = {
    "passed": st.success,
    "warned": st.warning,
    "failed": st.error,
    "error": st.error,
    "cancelled": st.info,
}
MOST_REASONS = 5


def render() -> None:
    """The page."""
    run_tabs.follow_old_address()
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
    ui.page_title(row.name, "Run")
    run_actions.said()
    if row.state in ui.ACTIVE:
        _head(services, row, None)
        st.caption(f"{ui.plain(row.model_name)} · {ui.size(row.model_bytes)}")
        ui.progress(services, row.id)
        st.caption("You may leave this page or close it: the run goes on, and this stays its address.")
        return
    report = _report(row.id, row.revision, services)
    _head(services, row, report)
    if report is None:
        _without_report(row)
    else:
        _finished(services, row, report)


def _head(services: Any, row: Any, report: RunReport | None) -> None:
    """The name, and all that can be done with the run."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(ui.plain(row.name), width="stretch")
        if report is not None:
            with st.popover("Downloads", icon=":material/download:"):
                run_tabs.downloads(report)
        run_actions.menu(services, row)


@st.cache_resource(max_entries=16, show_spinner=False)
def _report(run_id: str, revision: int, _services: Any) -> RunReport | None:
    """Parsed once a revision: only names change once a run is over, and sessions share a frozen report."""
    return runs.get_report(_services, run_id)


def _unknown(asked: bool) -> None:
    ui.page_title("Run")
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
    st.caption(f"{ui.plain(row.model_name)} · {ui.when(row.created_at)}")
    if row.state == "cancelled":
        st.info("It was stopped before it had a report.", title="Cancelled", icon=":material/block:")
    else:
        message = row.error_message or "No report was stored."
        st.error(ui.said(message), title="The run could not be done", icon=":material/error:")
    ui.link("test", "Test a model", icon=":material/science:")


def _finished(services: Any, row: Any, report: RunReport) -> None:
    model = report.model
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"{ui.plain(model.name)} · {ui.plain(kind_of(model))} · {ui.when(report.finished_at)}"
            f"{' · ' + ', '.join(map(ui.plain, row.tags)) if row.tags else ''}"
        )
        ui.link("model", ui.plain(row.model or model.name), icon=":material/deployed_code:",
                query={"name": row.model})  # fmt: skip
    for sentence in parts_of(model):
        st.caption(ui.plain(sentence))
    if row.notes:
        st.caption(f":material/sticky_note_2: {ui.said(row.notes)}")
    _verdict(report)
    if _is_empty(report):
        _errors(report)
        _file(report)
        return
    _reasons(report)
    baseline, against = _baseline(services, row)
    run_tiles.render(report, baseline)
    if against is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("Differences are to")
            ui.link("run", ui.plain(against.name), icon=":material/push_pin:", query={"run": against.id})
    for warning in other_warnings(report):
        st.warning(ui.said(warning), icon=":material/info:")
    if report.sample is not None and report.sample.told:
        things = ui.count(len(report.sample.told), "thing")
        st.caption(f"The sample was not taken as it is: {things} to know, under Data.")
    _errors(report)
    run_tabs.render(services, report)


def _is_empty(report: RunReport) -> bool:
    """Whether nothing at all was measured: then a message stands where the tabs would be empty."""
    parts = (report.metrics, report.accuracy, report.robustness, report.drift, report.explanation)
    return report.status in ("error", "cancelled") and all(part.value is None for part in parts)


def _file(report: RunReport) -> None:
    st.header("What is known of the file")
    st.table(run_tabs.model_facts(report), border="horizontal", alt="Facts about the model's file")
    with st.container(horizontal=True):
        ui.link("test", "Test a model", icon=":material/science:")
        ui.link("runs", "See all runs", icon=":material/list:")


def _reasons(report: RunReport) -> None:
    """What broke and what warned, each a link to where it is shown."""
    serious = [found for found in merged(report.checks) if found.status in ("fail", "error", "warn")]
    serious.sort(key=lambda found: ORDER[found.status])
    if not serious:
        return
    with st.container(horizontal=True, gap="small"):
        for found in serious[:MOST_REASONS]:
            look = ui.STATUS[found.status]
            tab = run_tabs.TAB_OF.get(section_of(found.checks[0]), "Checks")
            ui.link("run", ui.plain(found.title, 60), icon=look.icon, query={"run": report.id, "tab": tab})
        if len(serious) > MOST_REASONS:
            more = f"and {len(serious) - MOST_REASONS} more"
            ui.link("run", more, icon=":material/more_horiz:", query={"run": report.id, "tab": "Checks"})


def _baseline(services: Any, row: Any) -> tuple[RunReport | None, Any]:
    """The run that this one is held against: the baseline it was given, else what is pinned for its model."""
    try:
        against = row.baseline_id or models.pinned(services, row.model)
        if against is None or against == row.id:
            return None, None
        other = runs.get_run(services, against)
        return _report(other.id, other.revision, services), other
    except DashboardError:  # it was deleted: then there is nothing to be held against
        return None, None


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
