"""The model of a new run: its file and those beside it, read behind the lock, and which part is tested.

Promises: uploads go to disk at once; files dropped together are sorted by what they are, and what was made of
them is said before the run. Leaves the sample to its own form and the run to `views.new_run`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

import runs
from errors import DashboardError
from lockdown import lock
from records.model import FORMATS, MAX_FILES, ModelInfo
from reports.findings import parts_of
from views import components as ui

__all__ = ["MODEL_TYPES", "ask_inspection", "card", "found", "inspected", "take"]

SAMPLE_TYPES = ("csv", "parquet")
MODEL_TYPES = [
    "pkl", "pickle", "joblib", "sav", "json", "zip", "tar", "gz",
    *sorted({s[1:] for one in FORMATS for s in one.suffixes} - {"json"}), *SAMPLE_TYPES,
]  # fmt: skip
COMPANION = re.compile(
    r"scal|encod|vector|tfidf|tf_idf|column|feature|label|imput|preproc|pca|transform|le_|ohe|mapping|classes",
    re.IGNORECASE,
)
TASKS = {"classification": "Classification", "regression": "Regression"}
Wait = Callable[[Any, str, str], None]
"""Shows a job at work: (services, its id, words)."""


def take(services: Any, draft: Any, uploads: Sequence[Any]) -> None:
    """To disk at once; the uploader's new key lets go of its copies in memory."""
    draft.version += 1
    try:
        stored = [runs.store_upload(services, upload, upload.name) for upload in uploads]
        tables = [one for one in stored if one.name.lower().endswith(SAMPLE_TYPES)]
        files = [one for one in stored if one not in tables]
        if draft.model is None:
            files.sort(key=lambda one: bool(COMPANION.search(one.name)))
        else:
            files = [draft.model, *draft.companions, *files]
        if files:
            runs.check_names(files)
            draft.model, draft.companions = files[0], files[1:MAX_FILES]
            _say_left_out(draft, files[MAX_FILES:], f"A run has {MAX_FILES} files at most, with its model.")
            draft.contained, draft.entry, draft.steps = False, None, ()
            ask_inspection(services, draft)
        if tables:
            draft.reading_job = runs.request_reading(services, tables[0])
            draft.sample = tables[0]
            _say_left_out(draft, tables[1:], "A run has one table as its sample.")
        if tables and not files:
            note = "The table is kept as the sample: upload the model's file, too."
            draft.notes.append({"title": "No model yet", "message": note, "hint": ""})
    except DashboardError as error:
        draft.notes.append(ui.as_note(error))
    st.rerun()


def _say_left_out(draft: Any, files: Sequence[Any], why: str) -> None:
    """What was dropped and is not taken: nothing of it vanishes without a word."""
    if files:
        names = ", ".join(one.name for one in files[:10])
        draft.notes.append({"title": "Not taken", "message": f"{names}: not taken.", "hint": why})


def ask_inspection(services: Any, draft: Any) -> None:
    """A refusal is kept with the draft, which then offers to try again."""
    try:
        draft.inspection_job = runs.request_inspection(
            services, draft.model, contained=draft.contained, companions=draft.companions,
            entry=draft.entry, steps=draft.steps,
        )  # fmt: skip
        draft.refusal = draft.inspection = None
    except DashboardError as error:
        draft.refusal = ui.as_note(error)


def card(services: Any, draft: Any, start_over: Callable[[Any], None]) -> None:
    """The files that were chosen, and a place for more of them."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(gap="xsmall", width="stretch"):
                st.markdown(f"**{ui.plain(draft.model.name)}**")
                st.caption(f"{ui.size(draft.model.bytes)} · SHA-256 {draft.model.sha256[:12]}…")
            if st.button("Choose another", icon=":material/swap_horiz:"):
                start_over(draft)
                st.rerun()
        for one in draft.companions:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{ui.plain(one.name)}, {ui.size(one.bytes)}", width="stretch")
                if st.button(
                    "Remove", key=f"remove_{draft.version}_{one.name}", icon=":material/close:",
                    help=f"Remove {one.name}",
                ):  # fmt: skip
                    draft.companions = [other for other in draft.companions if other is not one]
                    draft.steps = ()
                    ask_inspection(services, draft)
                    st.rerun()
        if len(draft.companions) < MAX_FILES - 1:
            _more(services, draft)


def _more(services: Any, draft: Any) -> None:
    alone = (draft.refusal or {}).get("code") == "no_predict"  # then it is the model that is missing
    with st.expander("Add files that belong to it", icon=":material/join:", expanded=alone):
        st.caption(
            "The model, and what it was fitted behind (scaler, encoders, vectorizer, list of columns), are "
            "asked together, as one pipeline. The order is found by their shapes and names."
        )
        uploads = st.file_uploader(
            "Preprocessors", type=[kind for kind in MODEL_TYPES if kind not in SAMPLE_TYPES],
            key=f"beside_{draft.version}", accept_multiple_files=True, label_visibility="collapsed",
            max_upload_size=services.settings.max_upload_mb,
        )  # fmt: skip
        if uploads:
            take(services, draft, uploads)


def inspected(services: Any, draft: Any, wait: Wait) -> bool:
    """Whether the model was read; until then what is going on, or why it cannot be."""
    if draft.inspection is not None:
        return True
    if draft.refusal is None:
        try:
            job = runs.get_job(services, draft.inspection_job or "")
        except DashboardError as error:
            draft.refusal = ui.as_note(error)
        else:
            if job.state in ui.ACTIVE:
                wait(services, job.id, "Reading the model")
                return False
            if job.state == "done" and job.result:
                draft.inspection = job.result
                _reorder(draft)
                return True
            draft.refusal = job.error or ui.unfinished("The model could not be read.")
    ui.problem(draft.refusal)
    if (entry := _offer_choice(draft)) is not None:
        draft.entry = entry
    elif _offer_contained(services, draft):
        draft.contained = True
    elif not st.button("Read it again", icon=":material/refresh:"):
        return False
    ask_inspection(services, draft)
    st.rerun()


def _reorder(draft: Any) -> None:
    """The file that turned out to hold the model in the model's place."""
    sha256 = draft.inspection["model"]["sha256"]
    files = [draft.model, *draft.companions]
    model = next((one for one in files if one.sha256 == sha256), draft.model)
    draft.model, draft.companions = model, [one for one in files if one is not model]


def _offer_choice(draft: Any) -> str | None:
    """Which of several models is to be tested."""
    choices = (draft.refusal or {}).get("choices") or []
    if not choices:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Which one is to be tested?", choices, key=f"entry_{draft.version}", width=320)
        return str(chosen) if st.button("Test this one", type="primary") else None


def _offer_contained(services: Any, draft: Any) -> bool:
    """A second try for a file that the scan refuses: confirmed, and only where the lock holds it."""
    settings = services.settings
    strict = settings.model_policy == "strict" and settings.contained_on_request
    refused = (draft.refusal or {}).get("code") in ("model_refused", "version_mismatch")
    if draft.contained or not (strict and refused and lock.probe().full):
        return False
    with st.expander("Test it all the same", icon=":material/lock:"):
        st.markdown(
            "The file is then loaded without the scan, held by the lock alone: its process has no network, "
            "cannot write, and reads none of your files. Its code runs, and its answers may be made up."
        )
        sure = st.checkbox("I know where this file comes from", key=f"sure_{draft.version}")
        return st.button("Load it under the lock", disabled=not sure, icon=":material/lock_open:") and sure


def found(services: Any, draft: Any, info: ModelInfo) -> None:
    """What the model is, what it is made of, and in which order its steps are asked."""
    versions = ", ".join(f"{name} {version}" for name, version in info.saved_with.items())
    features = info.n_features if info.n_features is not None else len(info.features) or None
    facts = [
        ("Estimator", info.estimator),
        ("Framework", info.framework),
        ("Task", TASKS.get(info.task, info.task.capitalize())),
        ("Features", ui.NONE if features is None else f"{features:,}"),
        ("Saved with", versions or "not recorded"),
    ]
    with st.container(horizontal=True, gap="large"):
        for label, value in facts:
            with st.container(gap=None, width="content"):
                st.caption(label)
                st.markdown(f"**{ui.plain(value)}**")
    if told := parts_of(info):
        st.info("  \n".join(map(ui.said, told)), icon=":material/join:")
    _order(services, draft, info)


def _order(services: Any, draft: Any, info: ModelInfo) -> None:
    """The order of whole-table preprocessors, where there are several to be put in one."""
    steps = [part.entry for part in info.parts if part.role == "preprocessor"]
    if len(steps) < 2:
        return
    with st.expander("Another order", icon=":material/swap_vert:"):
        chosen = st.multiselect(
            "Preprocessors in their order", steps, default=steps, key=f"steps_{draft.version}",
            help="Take them out, and choose them again in the order that they are to be asked in.",
        )  # fmt: skip
        if st.button("Ask in this order", disabled=chosen == steps):
            draft.steps = tuple(chosen)
            ask_inspection(services, draft)
            st.rerun()
