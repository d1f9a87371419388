"""What is done to runs, from the list and from a run's own page: edit, pin, run again, cancel, delete, undo.

Promises: what is deleted is named first, and can be had back for a minute. Leaves deciding what may be done
to `runs`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st
from pydantic import ValidationError

import runs
import services as holder
from errors import DashboardError
from registry import models
from registry.discarded import KEPT_S, discard, restore
from runs import RunChange
from views import components as ui

__all__ = ["bar", "delete", "menu", "said"]

GONE = "runs_gone"  # what was deleted a moment ago: (when, [(id, name)])
REFUSED = "runs_refused"
AGAIN, CHANGED, PIN, EDIT, DELETE = (
    ":material/replay: Run again", ":material/tune: Run again with other settings",
    ":material/push_pin: Use as baseline", ":material/edit: Name, tags and notes",
    ":red[:material/delete: Delete]",
)  # fmt: skip
Done = Callable[[], None]


def said() -> None:
    """What could not be done, and what was deleted a moment ago, with the way back."""
    for error in st.session_state.pop(REFUSED, ()):
        ui.problem(error)
    when, gone = st.session_state.get(GONE, (None, ()))
    if when is None or (datetime.now(UTC) - when).total_seconds() > KEPT_S:
        return
    name = ui.plain(gone[0][1]) if len(gone) == 1 else ui.count(len(gone), "run")
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(f"Deleted: {name}. For a minute it can be undone.", width="stretch")
        st.button("Undo", icon=":material/undo:", key="runs_undo", on_click=_undo)


def bar(services: Any, selected: Sequence[Any], done: Done) -> None:
    """The actions on what is selected; always there, so that nothing moves when something is."""
    ids, one = [row.id for row in selected], len(selected) == 1
    if st.button("Open", icon=":material/open_in_new:", type="primary", disabled=not one):
        ui.go_to("run", {"run": ids[0]})
    if st.button("Compare", icon=":material/compare_arrows:", disabled=not 2 <= len(ids) <= 10):
        ui.go_to("compare", {"runs": ",".join(ids)})
    if ui.may("run"):
        options = [AGAIN, CHANGED, PIN, EDIT]
        chosen = st.menu_button("More", options, disabled=not one, key="runs_more")
        if chosen and one:
            _do(services, chosen, selected[0], done)
        busy = [row.id for row in selected if row.state in ui.ACTIVE]
        if busy and st.button("Cancel", icon=":material/close:"):
            _cancel(services, busy, done)
    asked = ui.may("admin") and st.button(
        ":red[Delete]", icon=":material/delete:", disabled=not selected, key="runs_delete"
    )
    if asked:
        _confirm_delete(list(selected), done)
    if selected and st.button("Clear selection", type="tertiary"):
        done()
        st.rerun()
    if not selected:
        st.caption("Select a run to act on it, two or more to compare.")


def menu(services: Any, row: Any) -> None:
    """The actions on one run, as a menu of its page."""
    options = [AGAIN, CHANGED, PIN, EDIT] if ui.may("run") else []
    if ui.may("admin"):
        options.append(DELETE)
    if options:
        chosen = st.menu_button("Actions", options, key="run_menu", icon=":material/more_horiz:")
        if chosen:
            _do(services, chosen, row, lambda: None)


def _do(services: Any, what: str, row: Any, done: Done) -> None:
    try:
        if what == AGAIN:
            again = runs.run_again(services, row.id)
            done()
            ui.go_to("run", {"run": again.id})
        if what == CHANGED:
            ui.go_to("test", {"again": row.id})
        if what == PIN:
            kept = models.pin(services, row.id)
            st.toast(f"Baseline of {ui.plain(kept.name)}: this run", icon=":material/push_pin:")
    except DashboardError as error:
        ui.problem(error)
    if what == EDIT:
        _edit(row, done)
    if what == DELETE:
        _confirm_delete([row], lambda: None, leave=True)


@st.dialog("Name, tags and notes", icon=":material/edit:")
def _edit(row: Any, done: Done) -> None:
    name = st.text_input("Name", row.name, max_chars=200, key=f"edit_name_{row.id}")
    tags = st.multiselect(
        "Tags", list(row.tags), default=list(row.tags), accept_new_options=True, max_selections=20,
        key=f"edit_tags_{row.id}", placeholder="Type a tag and press Enter",
    )  # fmt: skip
    notes = st.text_area("Notes", row.notes, max_chars=10_000, key=f"edit_notes_{row.id}")
    if st.button("Save", type="primary", key="edit_saved"):
        try:
            change = RunChange(name=name.strip(), tags=tuple(tags), notes=notes)
            runs.edit_run(holder.current(), row.id, change, row.revision)
        except ValidationError as error:
            st.error(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}.", icon=":material/error:")
            return
        except DashboardError as error:
            ui.problem(error)
            return
        done()
        st.rerun()


def _cancel(services: Any, ids: Sequence[str], done: Done) -> None:
    for run_id in ids:
        try:
            runs.cancel_run(services, run_id)
        except DashboardError as error:
            ui.problem(error)
            return
    done()
    st.rerun()


@st.dialog("Delete runs", icon=":material/delete:")
def _confirm_delete(doomed: Sequence[Any], done: Done, leave: bool = False) -> None:
    st.error(
        f"{ui.count(len(doomed), 'run')}, reports and files included. For a minute it can be undone.",
        icon=":material/delete:",
    )
    lines = [
        f"- **{ui.plain(row.name)}**, {ui.when(row.created_at)}, id {ui.plain(row.id)}" for row in doomed[:10]
    ]
    st.markdown("\n".join(lines))
    if len(doomed) > 10:
        st.caption(f"and {len(doomed) - 10} more")
    with st.container(horizontal=True):
        gone = st.button(
            ":red[Delete]", icon=":material/delete:", key="runs_delete_confirmed", on_click=delete,
            args=([(row.id, row.name) for row in doomed], done),
        )  # fmt: skip
        if gone and leave:
            ui.go_to("runs")
        if gone or st.button("Keep", type="primary", key="runs_delete_kept"):
            st.rerun()


def delete(doomed: Sequence[tuple[str, str]], done: Done) -> None:
    """What cannot be deleted is said on the page once the dialog has closed."""
    refused, gone = [], []
    if not ui.may("admin"):
        return
    for run_id, name in doomed:
        try:
            discard(holder.current(), run_id)
            gone.append((run_id, name))
        except DashboardError as error:
            refused.append(error)
    st.session_state[REFUSED] = refused
    if gone:
        st.session_state[GONE] = (datetime.now(UTC), gone)
    done()


def _undo() -> None:
    _, gone = st.session_state.pop(GONE, (None, ()))
    refused = []
    for run_id, _ in gone:
        try:
            restore(holder.current(), run_id)
        except DashboardError as error:
            refused.append(error)
    st.session_state[REFUSED] = refused
