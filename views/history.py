"""Runs: every run from every door, sorted, filtered and searched by the server, as it happens.

Promises: a selection always means the runs that were seen when it was made, and the address says what is
listed. Leaves what a run is to `runs`, its details to the Run page, and what is done to it to `run_actions`.
"""

from collections.abc import Sequence
from typing import Any, get_args

import pandas as pd
import streamlit as st

import runs
import services as holder
from errors import DashboardError
from store.run_lists import SORTS, RunQuery, Sort
from store.run_rows import RunState
from views import components as ui
from views import run_actions

__all__ = ["frame", "render", "shown_columns"]

REFRESH_S = 2
SHOWN = 100
FROZEN = "runs_frozen"  # rows on screen while something is selected: the selection is positional
TABLE = "runs_table_version"
ADDRESS = "runs_address"  # as this page wrote it last
CURSORS = "runs_cursors"  # of the pages before this one
STATES: tuple[RunState, ...] = get_args(RunState)
SOURCES = {"api": "API", "dashboard": "Dashboard", "client": "Client"}
KEYS = {"q": "runs_text", "status": "runs_states", "source": "runs_source", "sort": "runs_sort"}
ORDERS: dict[Sort, str] = {
    "-created": "Newest first", "created": "Oldest first",
    "status": "What needs a look first", "-status": "What needs a look last",
    "name": "Name, A to Z", "-name": "Name, Z to A", "model": "Model, A to Z", "-model": "Model, Z to A",
    "-p95": "Slowest p95 first", "p95": "Fastest p95 first",
    "-throughput": "Highest throughput first", "throughput": "Lowest throughput first",
    "-error_rate": "Highest error rate first", "error_rate": "Lowest error rate first",
    "-score": "Best score first", "score": "Worst score first",
    "-changed_share": "Most changed answers first", "changed_share": "Fewest changed answers first",
}  # fmt: skip


def render() -> None:
    """The page; `?q=`, `status=`, `source=` and `sort=` say what is listed."""
    ui.page_title("Runs")
    st.title("Runs")
    run_actions.said()
    _from_address()
    _filters()
    _to_address()
    _table()


def _from_address() -> None:
    """What a link asks for goes before what this tab listed last."""
    asked = dict(st.query_params)
    if not asked or asked == st.session_state.get(ADDRESS):
        return
    states = [part for part in asked.get("status", "").split(",") if part in STATES]
    st.session_state["runs_text"] = asked.get("q", "")
    st.session_state["runs_states"] = states
    st.session_state["runs_source"] = asked["source"] if asked.get("source") in SOURCES else None
    st.session_state["runs_sort"] = asked["sort"] if asked.get("sort") in SORTS else "-created"
    _clear_selection()


def _to_address() -> None:
    query = _query()
    said = {"q": query.q, "status": ",".join(query.states), "source": query.source,
            "sort": query.sort if query.sort != "-created" else None}  # fmt: skip
    address = {name: value for name, value in said.items() if value}
    st.session_state[ADDRESS] = address
    if dict(st.query_params) != address:
        st.query_params.from_dict(address)


def _filters() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Search", key="runs_text", persist_state="session", on_change=_clear_selection, width=240,
            placeholder="Run, model, file or tag", icon=":material/search:", max_chars=200,
        )  # fmt: skip
        st.multiselect(
            "Status", STATES, format_func=ui.status_text, key="runs_states", persist_state="session",
            placeholder="Any status", on_change=_clear_selection, width=260,
        )  # fmt: skip
        st.selectbox(
            "Source", list(SOURCES), index=None, format_func=SOURCES.get, key="runs_source",
            persist_state="session", placeholder="Any source", on_change=_clear_selection, width=150,
        )  # fmt: skip
        st.selectbox(
            "Sort by", list(ORDERS), format_func=ORDERS.get, key="runs_sort", persist_state="session",
            on_change=_clear_selection, width=260,
        )  # fmt: skip


def _query(cursor: str | None = None) -> RunQuery:
    state = st.session_state
    return RunQuery(
        limit=SHOWN, cursor=cursor, states=tuple(state.get("runs_states") or ()),
        source=state.get("runs_source"), q=(state.get("runs_text") or "").strip() or None,
        sort=state.get("runs_sort") or "-created",
    )  # fmt: skip


@st.fragment(run_every=REFRESH_S)
def _table() -> None:
    services = holder.current()
    cursors: list[str] = st.session_state.setdefault(CURSORS, [])
    try:
        page = runs.list_runs(services, _query(cursors[-1] if cursors else None))
    except DashboardError as error:
        ui.problem(error)
        return
    rows, frozen = list(page.rows), st.session_state.get(FROZEN)
    if not rows and not frozen:
        _empty()
        return
    shown = frozen or rows
    bar = st.container(horizontal=True, vertical_alignment="center")
    version = st.session_state.setdefault(TABLE, 0)
    event = st.dataframe(
        frame(shown), key=f"runs_table_{version}", on_select="rerun", selection_mode="multi-row",
        hide_index=True, column_config=shown_columns(), alt=f"Runs, {ORDERS[_query().sort].lower()}",
        height="content" if len(shown) <= 18 else 680, placeholder=ui.NONE,
    )  # fmt: skip
    selected = [shown[i] for i in event.selection.rows if i < len(shown)]
    if bool(selected) != bool(frozen):  # freeze what was on screen, or thaw, before the next refresh
        st.session_state[FROZEN] = shown if selected else None
    with bar:
        run_actions.bar(services, selected, _clear_selection)
    _note(shown, rows, page.total, len(cursors), bool(selected))
    _pages(cursors, page.next_cursor)


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


def _note(shown: Sequence[Any], fresh: Sequence[Any], total: int, pages: int, selected: bool) -> None:
    if not selected:
        first = pages * SHOWN + 1
        place = f", {first:,} to {first + len(shown) - 1:,} shown" if total > len(shown) else ""
        st.caption(f"{ui.count(total, 'run')}{place}. Times in UTC. New runs appear by themselves.")
        return
    known = {row.id for row in shown}
    newer = sum(row.id not in known for row in fresh)
    news = f", {ui.count(newer, 'newer run')} waiting" if newer else ""
    st.caption(f":material/pause: The table is paused while rows are selected{news}.")


def _pages(cursors: list[str], following: str | None) -> None:
    if not cursors and following is None:
        return
    with st.container(horizontal=True):
        if st.button("Previous", icon=":material/chevron_left:", disabled=not cursors):
            _clear_selection(cursors[:-1])
            st.rerun()
        if st.button("Next", icon=":material/chevron_right:", disabled=following is None):
            _clear_selection([*cursors, str(following)])
            st.rerun()


def frame(rows: Sequence[Any]) -> pd.DataFrame:
    """The rows as a table: numbers as numbers and times as times, so that they sort as such."""
    return pd.DataFrame(
        {
            "status": [[ui.status_text(row.state)] for row in rows],
            "name": [ui.link_cell("run", f"run={row.id}", row.name) for row in rows],
            "when": pd.Series([row.created_at for row in rows], dtype="datetime64[ns, UTC]"),
            "model": [row.model or row.model_name for row in rows],
            "p95": _numbers(row.p95_ms for row in rows),
            "throughput": _numbers(row.throughput_rows_s for row in rows),
            "errors": _numbers(_percent(row.error_rate) for row in rows),
            "score": _numbers(row.score for row in rows),
            "changed": _numbers(_percent(row.changed_share) for row in rows),
            "tags": [", ".join(row.tags) for row in rows],
            "source": [SOURCES.get(row.source, row.source) for row in rows],
        }
    )


def _numbers(values: Any) -> "pd.Series[float]":
    return pd.Series(list(values), dtype="float64")


def _percent(value: float | None) -> float | None:
    return None if value is None else value * 100


def shown_columns() -> dict[str, Any]:
    """How the columns of `frame` are drawn."""
    column, text = st.column_config, st.column_config.TextColumn
    return {
        "status": ui.status_column("Status", STATES),
        "name": ui.link_column("Name", 230),
        "when": column.DatetimeColumn("When", format="D MMM YYYY, HH:mm", timezone="UTC", width=150),
        "model": text("Model", width=150),
        "p95": column.NumberColumn(
            "p95, ms", format="%.3g", help="95th percentile of the latency of single-row calls"
        ),
        "throughput": column.NumberColumn("Throughput, rows/s", format="%.3g"),
        "errors": column.NumberColumn(
            "Error rate, %", format="%.3g", help="Share of rows without a usable answer"
        ),
        "score": column.NumberColumn("Score", format="%.3g", help="Accuracy or R2 on real labels"),
        "changed": column.NumberColumn(
            "Changed, %", format="%.3g", help="Largest share of answers changed by a drift scenario"
        ),
        "tags": text("Tags"),
        "source": text("Source"),
    }


def _clear_selection(cursors: Sequence[str] = ()) -> None:
    st.session_state[FROZEN] = None
    st.session_state[CURSORS] = list(cursors)
    st.session_state[TABLE] = st.session_state.get(TABLE, 0) + 1


def _clear_filters() -> None:
    st.session_state["runs_states"] = []
    st.session_state["runs_source"] = None
    st.session_state["runs_text"] = ""
    _clear_selection()
