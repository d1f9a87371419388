"""Runs: every run from every door, newest first, as it happens.

Promises: a selection always means the runs that were seen when it was made. Leaves what a run is to
`runs` and its details to the Run page.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

import runs
import services as holder
from errors import DashboardError
from store.run_lists import RunQuery
from views import components as ui

__all__ = ["render"]

REFRESH_S = 2
SHOWN = 100
FROZEN = "runs_frozen"  # rows on screen while something is selected: the selection is positional
TABLE = "runs_table_version"
DELETING = "runs_deleting"
REFUSED = "runs_refused"
STATES = ("queued", "running", "passed", "warned", "failed", "error", "cancelled")
SOURCES = {"api": "API", "dashboard": "Dashboard", "client": "Client"}


def render() -> None:
    """The page."""
    st.title("Runs")
    st.caption("Runs that arrive by API or from CI appear here without a reload.")
    for error in st.session_state.pop(REFUSED, ()):
        ui.problem(error)
    _filters()
    _table()
    doomed = st.session_state.pop(DELETING, None)
    if doomed:
        _confirm_delete(doomed)


def _filters() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.multiselect(
            "Status", STATES, format_func=ui.status_text, key="runs_states", persist_state="session",
            placeholder="Any status", on_change=_clear_selection, width=280,
        )  # fmt: skip
        st.selectbox(
            "Source", list(SOURCES), index=None, format_func=SOURCES.get, key="runs_source",
            persist_state="session", placeholder="Any source", on_change=_clear_selection, width=180,
        )  # fmt: skip
        st.text_input(
            "Model or run name contains", key="runs_text", persist_state="session",
            on_change=_clear_selection, width=260,
        )  # fmt: skip


@st.fragment(run_every=REFRESH_S)
def _table() -> None:
    services = holder.current()
    try:
        rows, total = _listed(services)
    except DashboardError as error:
        ui.problem(error)
        return
    frozen = st.session_state.get(FROZEN)
    if not rows and not frozen:
        _empty()
        return
    shown = frozen or rows
    version = st.session_state.setdefault(TABLE, 0)
    event = st.dataframe(
        _frame(shown), key=f"runs_table_{version}", on_select="rerun", selection_mode="multi-row",
        hide_index=True, column_config=_columns(), alt="Runs, newest first", height="content",
    )  # fmt: skip
    selected = [shown[i] for i in event.selection.rows if i < len(shown)]
    if bool(selected) != bool(frozen):  # freeze what was on screen, or thaw, before the next refresh
        st.session_state[FROZEN] = shown if selected else None
    _note(shown, rows, total, bool(selected))
    _actions(services, selected)


def _listed(services: Any) -> tuple[list[Any], int]:
    states = tuple(st.session_state.get("runs_states") or ())
    source = st.session_state.get("runs_source")
    text = (st.session_state.get("runs_text") or "").strip()
    page = runs.list_runs(services, RunQuery(limit=SHOWN, states=states, source=source, model=text or None))
    return list(page.rows), page.total


def _empty() -> None:
    filtered = any(st.session_state.get(k) for k in ("runs_states", "runs_source", "runs_text"))
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        if filtered:
            st.markdown("**No run matches these filters**", text_alignment="center")
            if st.button("Clear filters", icon=":material/filter_alt_off:", on_click=_clear_filters):
                st.rerun()
        else:
            st.markdown("**No runs yet**", text_alignment="center")
            st.caption(
                "Every test of a model is kept here, from this page, the API and CI.", text_alignment="center"
            )
            if st.button("Test a model", type="primary", icon=":material/science:"):
                ui.go_to("test")
        st.space("small")


def _note(shown: Sequence[Any], fresh: Sequence[Any], total: int, selected: bool) -> None:
    if not selected:
        more = f", the newest {len(shown)} shown" if total > len(shown) else ""
        st.caption(f"{ui.count(total, 'run')}{more}. Select one to open it, two or more to compare.")
        return
    known = {row.id for row in shown}
    newer = sum(row.id not in known for row in fresh)
    news = f", {ui.count(newer, 'newer run')} waiting" if newer else ""
    st.caption(f":material/pause: The table is paused while rows are selected{news}.")


def _actions(services: Any, selected: Sequence[Any]) -> None:
    if not selected:
        return
    ids = [row.id for row in selected]
    with st.container(horizontal=True):
        if st.button("Open", icon=":material/open_in_new:", type="primary", disabled=len(ids) != 1):
            ui.go_to("run", {"run": ids[0]})
        if st.button("Compare", icon=":material/compare_arrows:", disabled=len(ids) < 2):
            ui.go_to("compare", {"runs": ",".join(ids)})
        busy = [row.id for row in selected if row.state in ui.ACTIVE]
        if busy and ui.may("run") and st.button("Cancel", icon=":material/close:"):
            _cancel(services, busy)
        if ui.may("admin") and st.button("Delete", icon=":material/delete:"):
            st.session_state[DELETING] = [(row.id, row.name) for row in selected]
            st.rerun()
        if st.button("Clear selection", type="tertiary"):
            _clear_selection()
            st.rerun()


def _cancel(services: Any, ids: Sequence[str]) -> None:
    for run_id in ids:
        try:
            runs.cancel_run(services, run_id)
        except DashboardError as error:
            ui.problem(error)
            return
    _clear_selection()
    st.rerun()


@st.dialog("Delete runs", icon=":material/delete:")
def _confirm_delete(doomed: Sequence[tuple[str, str]]) -> None:
    st.markdown(f"{ui.count(len(doomed), 'run')}, reports and files included, will be gone for good:")
    st.markdown("\n".join(f"- {ui.plain(name)}" for _, name in doomed[:10]))
    if len(doomed) > 10:
        st.caption(f"and {len(doomed) - 10} more")
    with st.container(horizontal=True):
        if st.button(
            "Delete", type="primary", icon=":material/delete:", key="runs_delete_confirmed",
            on_click=_delete, args=([run_id for run_id, _ in doomed],),
        ):  # fmt: skip
            st.rerun()
        if st.button("Keep", key="runs_delete_kept"):
            st.rerun()


def _delete(ids: Sequence[str]) -> None:
    """What cannot be deleted is said on the page once the dialog has closed."""
    refused = []
    if not ui.may("admin"):
        return
    for run_id in ids:
        try:
            runs.delete_run(holder.current(), run_id)
        except DashboardError as error:
            refused.append(error)
    st.session_state[REFUSED] = refused
    _clear_selection()


def _frame(rows: Sequence[Any]) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "status": [[ui.status_text(row.state)] for row in rows],
            "name": [row.name for row in rows],
            "when": [ui.when(row.created_at) for row in rows],
            "model": [row.model_name for row in rows],
            "framework": [row.framework or ui.NONE for row in rows],
            "p95": [ui.milliseconds(row.p95_ms) for row in rows],
            "throughput": [ui.number(row.throughput_rows_s, "rows/s") for row in rows],
            "errors": [ui.share(row.error_rate) for row in rows],
            "score": [ui.number(row.score) for row in rows],
            "changed": [ui.share(row.changed_share) for row in rows],
            "source": [SOURCES.get(row.source, row.source) for row in rows],
        }
    )
    if any(row.state == "running" for row in rows):
        done = [row.progress if row.state == "running" else None for row in rows]
        table.insert(1, "progress", pd.Series(done, dtype="float64"))
    return table


def _columns() -> dict[str, Any]:
    text = st.column_config.TextColumn
    return {
        "status": ui.status_column("Status", STATES),
        "progress": st.column_config.ProgressColumn("Progress", format="percent", width=110),
        "name": text("Name", width=230),
        "model": text("Model", width=160),
        "framework": text("Framework"),
        "p95": text(
            "p95, 1 row", help="95th percentile of the latency of single-row calls", alignment="right"
        ),
        "throughput": text("Throughput", alignment="right"),
        "errors": text("Error rate", help="Share of rows without a usable answer", alignment="right"),
        "score": text("Score", help="Accuracy or R2 on real labels", alignment="right"),
        "changed": text(
            "Changed share", help="Largest share of answers changed by a drift scenario", alignment="right"
        ),
        "source": text("Source"),
        "when": text("When", width=190),
    }


def _clear_selection() -> None:
    st.session_state[FROZEN] = None
    st.session_state[TABLE] = st.session_state.get(TABLE, 0) + 1


def _clear_filters() -> None:
    st.session_state["runs_states"] = []
    st.session_state["runs_source"] = None
    st.session_state["runs_text"] = ""
