"""What is running, in a few lines of the sidebar, on every page.

Promises: nothing is drawn while nothing runs. Leaves a run's own progress to its page.
"""

import streamlit as st

import runs
import services as holder
from errors import DashboardError
from views import components as ui

__all__ = ["render"]

REFRESH_S = 3
SHOWN = 4


@st.fragment(run_every=REFRESH_S)
def render() -> None:
    """The lines; drawn again by themselves."""
    try:
        rows = runs.at_work(holder.current(), SHOWN + 1)
    except DashboardError:  # the page itself says what is wrong
        return
    if not rows:
        return
    st.caption("Running now" if any(row.state == "running" for row in rows) else "Waiting for a worker")
    for row in rows[:SHOWN]:
        done = f"{row.progress:.0%}" if row.state == "running" else "queued"
        ui.link(
            "run", f"{ui.plain(row.name, 28)}, {done}", icon=":material/progress_activity:",
            query={"run": row.id},
        )  # fmt: skip
    if len(rows) > SHOWN:
        ui.link("runs", "and more", icon=":material/more_horiz:", query={"status": "running,queued"})
