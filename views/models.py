"""Models: a row a model, with its newest verdict and figures and where its p95 has been going.

Promises: a model is there as soon as a run names it. Leaves all of one model to its own page.
"""

from typing import get_args
from urllib.parse import quote

import pandas as pd
import streamlit as st

import services as holder
from errors import DashboardError
from registry import models
from store.run_rows import RunState
from views import components as ui

__all__ = ["render"]

SHOWN = 200


def render() -> None:
    """The page."""
    ui.page_title("Models")
    st.title("Models")
    services = holder.current()
    try:
        known = models.list_models(services)
        shown = known[:SHOWN]
        recent = models.recent_p95(services, [model.name for model in shown])
    except DashboardError as error:
        ui.problem(error)
        return
    if not known:
        with st.container(border=True, horizontal_alignment="center"):
            st.markdown("**No models yet**", text_alignment="center")
            st.caption("A model is here once a run belongs to it.", text_alignment="center")
            if st.button("Test a model", type="primary", icon=":material/science:"):
                ui.go_to("test")
        return
    rows = [model.latest for model in shown]
    picked = st.selectbox(
        "Open a model", [model.name for model in known], index=None, placeholder="Type a name", width=320
    )
    if picked:
        ui.go_to("model", {"name": picked})
    column = st.column_config
    table = pd.DataFrame(
        {
            "name": [ui.link_cell("model", f"name={quote(m.name, safe='')}", m.name) for m in shown],
            "status": [[ui.status_text(row.state)] for row in rows],
            "score": pd.Series([row.score for row in rows], dtype="float64"),
            "p95": pd.Series([row.p95_ms for row in rows], dtype="float64"),
            "trend": [list(recent.get(model.name, ())) for model in shown],
            "runs": [model.runs for model in shown],
            "versions": [model.versions for model in shown],
            "when": pd.Series([row.created_at for row in rows], dtype="datetime64[ns, UTC]"),
        }
    )
    st.dataframe(
        table, hide_index=True, alt="Models, the one that was run last first", placeholder=ui.NONE,
        height="content" if len(shown) <= 18 else 680,
        column_config={
            "name": ui.link_column("Model", 220),
            "status": ui.status_column("Last verdict", get_args(RunState)),
            "score": column.NumberColumn("Score", format="%.3g", help="Accuracy or R2 on real labels"),
            "p95": column.NumberColumn("p95, ms", format="%.3g", help="Of single-row calls"),
            "trend": column.LineChartColumn("p95 of the last 20 runs", width=160, y_min=0),
            "runs": column.NumberColumn("Runs", format="%d"),
            "versions": column.NumberColumn("Versions", format="%d", help="Different files, by SHA-256"),
            "when": column.DatetimeColumn("Last run", format="D MMM YYYY, HH:mm", timezone="UTC", width=140),
        },
    )  # fmt: skip
    more = f", the {SHOWN} that were run last shown" if len(known) > SHOWN else ""
    st.caption(f"{ui.count(len(known), 'model')}{more}. Times in UTC.")
