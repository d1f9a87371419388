"""Overview: what needs somebody, what is running, and on an empty server what there is to get.

Promises: only a model's newest run counts; what was mended is no longer told. Leaves the rest to its page.
"""

from typing import Any

import streamlit as st

import services as holder
from errors import DashboardError
from example_models import EXAMPLES
from registry import models
from settings import PROJECT_ROOT
from views import components as ui
from views import new_run

__all__ = ["render"]

BAD = ("failed", "error")
MOST_SHOWN = 30
STILL = PROJECT_ROOT / "docs" / "images"


def render() -> None:
    """The page."""
    ui.page_title("Overview")
    st.title("Overview")
    services = holder.current()
    try:
        known = models.list_models(services)
    except DashboardError as error:
        ui.problem(error)
        return
    if not known:
        _empty(services)
        return
    latest = [model for model in known if model.latest.state not in (*ui.ACTIVE, "cancelled")]
    failed = [model for model in latest if model.latest.state in BAD]
    warned = [model for model in latest if model.latest.state == "warned"]
    st.caption(
        f"{ui.count(len(known), 'model')}: the newest run of {len(failed)} failed, of {len(warned)} warned, "
        f"of {len(latest) - len(failed) - len(warned)} passed."
    )
    _listed("Failed", failed, "No model's newest run failed.")
    if warned:
        _listed("Worth a look", warned, "")
    busy = [model for model in known if model.latest.state in ui.ACTIVE]
    if busy:
        _listed("Running", busy, "")
    with st.container(horizontal=True):
        if ui.may("run") and st.button("Test a model", type="primary", icon=":material/science:"):
            ui.go_to("test")
        if st.button("All models", icon=":material/deployed_code:"):
            ui.go_to("models")


def _listed(title: str, found: list[Any], otherwise: str) -> None:
    st.header(title)
    if not found:
        st.success(otherwise, icon=":material/check_circle:")
    for model in found[:MOST_SHOWN]:
        row = model.latest
        look = ui.STATUS[row.state]
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.badge(look.word, icon=look.icon, color=look.color)
            with st.container(gap=None, width="stretch"):
                st.markdown(f"**{ui.plain(model.name)}**")
                st.caption(f"{_why(row)} · {ui.when(row.finished_at or row.created_at)}")
            ui.link("run", "Open the report", icon=":material/fact_check:", query={"run": row.id})
            ui.link("model", "Model", icon=":material/deployed_code:", query={"name": model.name})
    if len(found) > MOST_SHOWN:
        ui.link("models", f"and {len(found) - MOST_SHOWN} more", icon=":material/more_horiz:")


def _why(row: Any) -> str:
    if row.state in ui.ACTIVE:
        return ui.STAGES.get(row.stage, row.stage)
    if row.state == "error":
        return ui.plain(row.error_message or "The run could not be done.")
    parts = [
        f"{ui.count(row.checks_failed, 'check')} failed" if row.checks_failed else "",
        f"{ui.count(row.checks_warned, 'check')} warned" if row.checks_warned else "",
    ]
    return ", ".join(part for part in parts if part) or ui.plain(row.name)


def _empty(services: Any) -> None:
    st.caption("Nothing was tested here yet. This is what a run gives you:")
    dark = st.context.theme.type == "dark"
    picture = STILL / ("report-dark.png" if dark else "report-light.png")
    if ui.may("run"):
        example = EXAMPLES[0]
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Get this report", type="primary", icon=":material/play_arrow:", key="first_report"):
                new_run.start_example(services, example.name)
                ui.go_to("test")
            if st.button("Test a model of yours", icon=":material/science:"):
                ui.go_to("test")
        st.caption(f"One click trains a small model here ({ui.plain(example.title)}) and tests it.")
    if picture.is_file():
        st.image(str(picture), alt="A report: verdict, key figures and checks of a model", width="stretch")
