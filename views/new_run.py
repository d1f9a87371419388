"""Test a model: a file or an example, its schema, a few settings, and a run watched to its end.

Promises: an upload leaves memory at once, and a click on an example needs nothing else. Leaves what
is accepted to `runs` and the report to the Run page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import runs
import services as holder
from errors import DashboardError
from example_models import EXAMPLES
from lockdown import lock
from records.model import ModelInfo
from records.run import RunPlan
from records.sample import SampleFacts
from records.schema import Schema
from rows.fit import check_fits_model
from schema_utils import combine
from views import components as ui
from views import model_form, plan_form, sample_form, schema_table

__all__ = ["render", "start_example"]

DRAFT = "draft"
POLL_S = 0.5
TALLEST_EDITOR = 560
UNLOCKED = {
    False: "This machine cannot lock a model's process (Linux with Landlock and seccomp can), so models are "
    "refused. MODEL_POLICY=unsafe tests files that you trust all the same.",
    True: "This machine cannot lock a model's process: a file may do here whatever you may. "
    "Test only files that you trust.",
}
LOCKED = "The file is opened only in a locked process: no network, no writing, none of your files."


@dataclass
class Draft:
    """What was chosen so far in this browser tab; `version` renews the uploaders and the editor."""

    model: Any = None
    inspection_job: str | None = None
    inspection: Mapping[str, Any] | None = None
    refusal: Mapping[str, Any] | None = None
    sample: Any = None
    reading_job: str | None = None
    facts: SampleFacts | None = None
    target: str | None = None
    target_map: dict[str, str] = field(default_factory=dict)
    typed: Schema | None = None
    base: Schema | None = None
    base_of: tuple[Any, ...] = ()
    example_job: str | None = None
    contained: bool = False
    companions: list[Any] = field(default_factory=list)
    entry: str | None = None
    steps: tuple[str, ...] = ()
    version: int = 0
    notes: list[Mapping[str, Any]] = field(default_factory=list)


def render() -> None:
    """The page."""
    services, draft = holder.current(), _draft()
    ui.page_title("Test a model")
    st.title("Test a model")
    st.caption("How fast it is, what breaks it, how far its inputs can drift, and why it answers as it does.")
    if not ui.may("run"):
        st.info("Your token may read runs, not start them.", icon=":material/lock:")
        ui.link("runs", "See all runs", icon=":material/list:")
        return
    for note in draft.notes:
        ui.problem(note)
    draft.notes = []
    if draft.model is None and st.query_params.get("again"):
        _take_again(services, draft, st.query_params["again"])
    if draft.example_job:
        _prepare_example(services, draft)
    elif draft.model is None:
        _choose(services, draft)
    else:
        _configure(services, draft)


def _draft() -> Draft:
    if DRAFT not in st.session_state:
        st.session_state[DRAFT] = Draft()
    draft: Draft = st.session_state[DRAFT]
    return draft


def _start_over(keep: Draft) -> None:
    st.session_state[DRAFT] = Draft(version=keep.version + 1, notes=keep.notes)


def _choose(services: Any, draft: Draft) -> None:
    """Step 1: a file, or an example."""
    limit = services.settings.max_upload_mb
    with st.container(border=True):
        st.subheader("Upload a model")
        st.caption(
            f"Pickle, joblib, ONNX, skops, XGBoost, LightGBM, CatBoost, PyTorch, Keras, MLflow; up to "
            f"{limit:,} MB. Drop its scaler, encoders or vectorizer with it, and a CSV if you have one. No "
            "data is needed: rows are made from the model's own schema. "
            f"{LOCKED if lock.probe().full else ''}"
        )
        if not lock.probe().full:
            st.warning(UNLOCKED[services.settings.model_policy == "unsafe"], icon=":material/lock_open:")
        uploads = st.file_uploader(
            "Model file", type=model_form.MODEL_TYPES, key=f"model_{draft.version}", max_upload_size=limit,
            accept_multiple_files=True, label_visibility="collapsed",
        )  # fmt: skip
    if uploads:
        model_form.take(services, draft, uploads)
    st.subheader("Or try an example")
    st.caption("One click trains a small model here, tests it on its own sample, and shows a full report.")
    for column, example in zip(st.columns(len(EXAMPLES)), EXAMPLES, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{ui.plain(example.title)}**")
            st.caption(ui.plain(example.description))
            st.space("stretch")
            if st.button(
                "Try it", key=f"example_{example.name}", icon=":material/play_arrow:", width="stretch",
                help=f"Test the {example.title} example",
            ):  # fmt: skip
                _ask_example(services, draft, example.name)


def _ask_example(services: Any, draft: Draft, name: str) -> None:
    try:
        draft.example_job = runs.request_example(services, name)
    except DashboardError as error:
        draft.notes.append(ui.as_note(error))
    st.rerun()


def start_example(services: Any, name: str) -> None:
    """Begin with an example, from another page: this one then waits for it."""
    _start_over(_draft())
    draft = _draft()
    try:
        draft.example_job = runs.request_example(services, name)
    except DashboardError as error:
        draft.notes.append(ui.as_note(error))


def _take_again(services: Any, draft: Draft, run_id: str) -> None:
    """Begin with what an earlier run was given: its files, its label column, its schema and its settings."""
    try:
        given = runs.given_to(services, run_id)
        draft.model, draft.companions, draft.sample = given.model, list(given.companions), given.sample
        if given.sample is not None:
            draft.reading_job = runs.request_reading(services, given.sample)
        plan = given.plan
        draft.target, draft.target_map = given.target, dict(plan.target_map)
        draft.typed, draft.entry, draft.steps = given.schema_, plan.entry, plan.steps
        draft.contained = plan.policy == "contained"
        plan_form.fill_in(plan)
        model_form.ask_inspection(services, draft)
    except DashboardError as error:
        draft.notes.append(ui.as_note(error))
    del st.query_params["again"]
    st.rerun()


def _prepare_example(services: Any, draft: Draft) -> None:
    """Wait for the example's model, then submit its run; no other click is needed."""
    try:
        job = runs.get_job(services, draft.example_job or "")
        if job.state in ui.ACTIVE:
            _wait_for_job(services, job.id, "Preparing the example")
            return
        if job.state == "done" and job.result:
            made = job.result
            plan = RunPlan(name=f"Example: {made['title']}"[:200], tags=("example",))
            row = runs.submit(
                services, model=runs.Upload(**made["model"]), sample=runs.Upload(**made["sample"]),
                target=made["target"], plan=plan, source="dashboard",
            )  # fmt: skip
            _start_over(draft)
            ui.go_to("run", {"run": row.id})
        else:
            draft.notes.append(job.error or ui.unfinished("The example could not be prepared."))
    except DashboardError as error:
        draft.notes.append(ui.as_note(error))
    draft.example_job = None
    st.rerun()


@st.fragment(run_every=POLL_S)
def _wait_for_job(services: Any, job_id: str, label: str) -> None:
    job = runs.get_job(services, job_id)
    if job.state not in ui.ACTIVE:
        st.rerun()
    waiting = "waiting for a free worker" if job.state == "queued" else "working"
    with st.container(border=True):
        st.progress(min(max(job.progress, 0.0), 1.0), text=f"{label}: {waiting}")


def _configure(services: Any, draft: Draft) -> None:
    """Steps 1 to 3 for an uploaded model."""
    st.subheader("1. Model")
    model_form.card(services, draft, _start_over)
    if not model_form.inspected(services, draft, _wait_for_job):
        return
    assert draft.inspection is not None
    info = ModelInfo.model_validate(draft.inspection["model"])
    model_form.found(services, draft, info)
    for warning in draft.inspection.get("warnings", ()):
        st.warning(ui.said(warning), icon=":material/info:")
    sample_form.render(services, draft, info, _wait_for_job)
    st.subheader("2. Schema")
    schema, faults = _schema(draft, info)
    st.subheader("3. Run")
    plan, plan_faults = plan_form.render(
        services.settings, draft.model.name, labelled=draft.target is not None
    )
    for fault in plan_faults:
        st.error(ui.said(fault), icon=":material/error:")
    ready = not faults and plan is not None
    if faults:
        st.caption("The schema has to be mended before the run can start.")
    if st.button("Run tests", type="primary", icon=":material/play_arrow:", disabled=not ready):
        _submit(services, draft, schema, plan or RunPlan())


def _schema(draft: Draft, info: ModelInfo) -> tuple[Schema | None, list[str]]:
    """Step 2: the table; returns the schema to send (None: as found) and what is wrong."""
    base, fault = _base(draft, info)
    if fault:
        ui.problem(fault)
        if draft.facts is not None:
            return None, ["Change the sample, or remove it."]
    if base is None:
        st.info(
            "The model does not tell which inputs it takes. Add a row for each feature, or a sample above.",
            title="No schema was found", icon=":material/info:",
        )  # fmt: skip
        _numbered(draft, info)
    else:
        st.caption("Rows are generated from this table. Change what you know better; leave the rest.")
    table = schema_table.to_frame(base)
    edited = st.data_editor(
        table, key=f"schema_{draft.version}_{hash(draft.base_of)}", num_rows="dynamic", hide_index=True,
        column_config=schema_table.column_config(), disabled=["origin"], placeholder="",
        height=TALLEST_EDITOR if len(table) > 14 else "content",
        alt="Schema of the model's inputs, one row a feature",
    )  # fmt: skip
    if base is None and edited.empty:
        return None, ["The table is empty."]
    schema, faults = schema_table.to_schema(edited, base)
    if schema is not None:
        faults = _unfit(schema, info)
    for sentence in faults[:8]:
        st.error(ui.said(sentence), icon=":material/error:")
    if len(faults) > 8:
        st.caption(f"and {len(faults) - 8} more")
    unchanged = (
        schema is not None and draft.typed is None and base is not None and schema.features == base.features
    )
    if schema is not None and not unchanged:
        st.caption(":material/edit: This schema has changes of yours.")
    return (None if unchanged else schema), faults


def _unfit(schema: Schema, info: ModelInfo) -> list[str]:
    """Why the model does not take the table as it stands, such as for a row that was deleted."""
    try:
        check_fits_model(schema, info)
    except DashboardError as error:
        return [f"{error.message} {error.hint}"]
    return []


def _base(draft: Draft, info: ModelInfo) -> tuple[Schema | None, Mapping[str, Any] | None]:
    """What the editor starts from; worked out again only when the model, sample or label changes."""
    assert draft.inspection is not None
    key = (draft.model.sha256, draft.sample.sha256 if draft.facts else None, draft.target,
           len(draft.typed.features) if draft.typed else 0)  # fmt: skip
    sample, fault = sample_form.fitted(draft, info)
    if fault is not None or draft.base_of == key:
        return draft.base, fault
    mined = draft.inspection.get("schema")
    try:
        model = Schema.model_validate(mined) if mined else None
        draft.base = combine(None, sample, model) if sample or model else draft.typed
    except DashboardError as error:
        draft.base, fault = None, ui.as_note(error)
    draft.base_of = key
    return draft.base, fault


def _numbered(draft: Draft, info: ModelInfo) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        features = st.number_input(
            "Number of features", 1, 10_000, info.n_features or 4, key=f"features_{draft.version}", width=200
        )
        if st.button("Fill in numeric features", icon=":material/add:"):
            draft.typed = schema_table.numbered(int(features))
            st.rerun()


def _submit(services: Any, draft: Draft, schema: Schema | None, plan: RunPlan) -> None:
    if draft.target_map:
        plan = plan.model_copy(update={"target_map": draft.target_map})
    if draft.entry or draft.steps:
        plan = plan.model_copy(update={"entry": draft.entry, "steps": draft.steps})
    if draft.contained:
        plan = plan.model_copy(update={"policy": "contained"})
    try:
        row = runs.submit(
            services, model=draft.model, schema=schema, sample=draft.sample, target=draft.target, plan=plan,
            source="dashboard", facts=draft.facts, companions=draft.companions,
        )  # fmt: skip
    except DashboardError as error:
        ui.problem(error)
        return
    ui.go_to("run", {"run": row.id})
