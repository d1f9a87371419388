"""Compare: the same figures of two or more runs side by side, and which run is best at each.

Promises: best and worse are said in words, never by color alone. Leaves what counts as better to
`runs.compare_runs`.
"""

from typing import Any

import pandas as pd
import streamlit as st

import runs
import services as holder
from errors import DashboardError
from store.run_lists import RunQuery
from store.run_rows import WITH_FIGURES
from views import charts
from views import components as ui

__all__ = ["render"]

OFFERED = 100
SHARES = ("error_rate", "changed_share")
FIGURE_WIDTH = 210  # px: on a phone a figure and one run beside it


def render() -> None:
    """The page; `?runs=a,b` names the runs."""
    services = holder.current()
    st.title("Compare runs")
    ids = _picked(services)
    if len(ids) < 2:
        return
    try:
        comparison = runs.compare_runs(services, ids)
    except DashboardError as error:
        ui.problem(error)
        ui.link("runs", "Pick other runs", icon=":material/list:")
        return
    names = _distinct(comparison.names, comparison.ids)
    st.caption("Differences are against the first run. ↓ means that lower is better, ↑ that higher is.")
    st.dataframe(
        _frame(comparison, names), hide_index=True, height="content",
        column_config={"Figure": st.column_config.TextColumn("Figure", width=FIGURE_WIDTH)},
        alt="Figures of the compared runs side by side",
    )  # fmt: skip
    _charts(comparison, names)
    with st.container(horizontal=True):
        for run_id, name in zip(comparison.ids, names, strict=True):
            ui.link("run", f"Open {ui.plain(name)}", icon=":material/open_in_new:", query={"run": run_id})


def _picked(services: Any) -> list[str]:
    asked = [part for part in (st.query_params.get("runs") or "").split(",") if part]
    page = runs.list_runs(services, RunQuery(limit=OFFERED, states=WITH_FIGURES))
    labels = {row.id: f"{row.name}, {ui.when(row.created_at)}" for row in page.rows}
    for missing in asked:
        labels.setdefault(missing, missing)
    if len(labels) < 2:
        with st.container(border=True, horizontal_alignment="center"):
            st.markdown("**Two finished runs are needed**", text_alignment="center")
            st.caption("Their figures will stand here side by side.", text_alignment="center")
            if st.button("Test a model", type="primary", icon=":material/science:"):
                ui.go_to("test")
        return []
    chosen = st.multiselect(
        "Runs", list(labels), default=asked, format_func=labels.get, key=f"compare_{','.join(asked)}",
        placeholder="Choose two or more runs", max_selections=8,
    )  # fmt: skip
    if len(chosen) < 2:
        st.caption("Choose two or more runs; the first is the one the others are measured against.")
    return list(chosen)


def _frame(comparison: Any, names: list[str]) -> pd.DataFrame:
    columns: dict[str, list[str]] = {"Figure": [_title(figure) for figure in comparison.rows]}
    for place, name in enumerate(names):
        columns[name] = [_cell(figure, place) for figure in comparison.rows]
    return pd.DataFrame(columns)


def _title(figure: Any) -> str:
    return f"{figure.title} {'↓' if figure.direction == 'lower' else '↑'}"


def _cell(figure: Any, place: int) -> str:
    """`2.31 ms, best` for the best run, `2.80 ms (+21.2 %, worse)` for another."""
    value, first = figure.values[place], figure.values[0]
    if value is None:
        return ui.NONE
    text = _amount(value, figure)
    notes = []
    if place and first is not None:
        notes.append(_difference(value, first, figure.direction))
    if figure.best == place:
        notes.append("best")
    return f"{text}  ({', '.join(notes)})" if notes else text


def _difference(value: float, first: float, direction: str) -> str:
    if value == first:
        return "same"
    better = (value < first) == (direction == "lower")
    sign = "+" if value > first else "\N{MINUS SIGN}"
    change = abs(value - first)
    amount = ui.share(change / abs(first)) if first else ui.number(change)
    return f"{sign}{amount}, {'better' if better else 'worse'}"


def _amount(value: float, figure: Any) -> str:
    if figure.unit == "ms":
        return ui.milliseconds(value)
    if figure.unit == "bytes":
        return ui.size(value)
    return ui.share(value) if figure.key in SHARES else ui.number(value, figure.unit)


def _charts(comparison: Any, names: list[str]) -> None:
    figures = {figure.key: figure for figure in comparison.rows}
    left, right = st.columns(2)
    for column, key, title, axis, percent in (
        (left, "p95_ms_1", "Single-row p95 latency", "p95 (ms a call)", False),
        (right, "changed_share", "Largest share of changed answers under drift", "Changed answers (%)", True),
    ):
        figure = figures.get(key)
        if figure is None or all(value is None for value in figure.values):
            continue
        values = dict(zip(names, figure.values, strict=True))
        with column:
            ui.chart(
                title, charts.compared(values, axis, percent), key=f"compare_{figure.key}",
                note="95th percentile; n and warm-up are on each run's page." if not percent else
                "Over the simulated scenarios; lower means steadier.",
                alt=f"{title} of {len(names)} runs",
            )  # fmt: skip


def _distinct(names: tuple[str, ...], ids: tuple[str, ...]) -> list[str]:
    """Two runs of one name are told apart by the end of their ids."""
    return [
        name if list(names).count(name) == 1 else f"{name} ({run_id[-4:]})"
        for name, run_id in zip(names, ids, strict=True)
    ]
