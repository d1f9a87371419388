"""The sample of a new run: uploaded, read behind the lock, matched with the model, its label chosen.

Promises: what a run would make of the sample is said before it starts. Leaves deciding that to
`rows.preview`, and the schema's table to `views.new_run`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

import runs
from errors import DashboardError, InvalidInput
from records.model import ModelInfo
from records.sample import SampleFacts
from records.schema import Schema
from rows.preview import labels_of, match_facts
from views import components as ui

__all__ = ["fitted", "render"]

SAMPLE_TYPES = ["csv", "parquet"]
MOST_LABELS = 12  # that are asked for one by one


def render(services: Any, draft: Any, info: ModelInfo, wait: Callable[[Any, str, str], None]) -> None:
    """An optional sample: better rows, and real scores where it has the label. wait: shows a job at work."""
    with st.expander(
        "Add a sample of real data (optional)", expanded=draft.sample is not None, icon=":material/table:"
    ):
        st.caption(
            "CSV or Parquet. Its columns refine the schema; with a label column the answers are scored."
        )
        if draft.sample is None:
            upload = st.file_uploader(
                "Sample file", type=SAMPLE_TYPES, key=f"sample_{draft.version}", label_visibility="collapsed"
            )
            if upload is not None:
                _take(services, draft, upload)
            return
        facts = _facts(services, draft, info)
        rows = f", {ui.count(facts.rows, 'row')}" if facts else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{ui.plain(draft.sample.name)}**, {ui.size(draft.sample.bytes)}{rows}", width="stretch"
            )
            if st.button("Remove", icon=":material/close:"):
                _forget(draft)
                st.rerun()
        if facts is None:
            wait(services, draft.reading_job or "", "Reading the sample")
            return
        if facts.cut_at is not None:
            st.caption(f"It holds more: the first {ui.count(facts.cut_at, 'row')} are used.")
        shown = facts.columns[: len(facts.head[0])]
        st.dataframe(
            pd.DataFrame(list(facts.head), columns=pd.Index(shown)), hide_index=True,
            alt="First rows of the sample",
        )  # fmt: skip
        if len(shown) < len(facts.columns):
            st.caption(f"The first {len(shown)} of {len(facts.columns):,} columns are shown.")
        draft.target = st.selectbox(
            "Label column", facts.columns,
            index=facts.columns.index(draft.target) if draft.target in facts.columns else None,
            placeholder="None: the sample has no label", key=f"target_{draft.version}",
        )  # fmt: skip
        _labels(draft, facts, info)


def fitted(draft: Any, info: ModelInfo) -> tuple[Schema | None, Mapping[str, Any] | None]:
    """What the sample shows of the model's features; and what is wrong, where it is not the model's table."""
    if draft.facts is None:
        return None, None
    mined = draft.inspection.get("schema")
    try:
        model = Schema.model_validate(mined) if mined else None
        found, shown = match_facts(draft.facts, info, model, draft.target)
    except InvalidInput as error:
        whole = draft.facts.schema_without(draft.target)
        if info.features or whole is None:
            return None, ui.as_note(error)
        # Which of its columns are meant is then chosen in the table.
        st.info(
            ui.said(f"{error.message} Delete the rows that are no columns of the model."),
            title="Which columns?", icon=":material/info:",
        )  # fmt: skip
        return whole, None
    if not found.taken and not found.encoded:
        st.caption("The sample is a table of features: the run uses it as the schema.")
    parts = [("Left out", found.left_out), ("Generated, for the sample lacks them", found.missing)]
    parts += [("Encoded by their names", tuple(each.column for each in found.encoded))]
    parts += [("Read as numbers", found.numbers)]
    for title, names in parts:
        if names:
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""
            st.caption(f"{title}: {', '.join(ui.plain(name) for name in names[:10])}{more}.")
    return shown, None


def _labels(draft: Any, facts: SampleFacts, info: ModelInfo) -> None:
    """How labels in other words are read, and a choice where that is not certain."""
    draft.target_map = {}
    found = labels_of(facts, info, draft.target)
    if found is None:
        return
    if found.pairs:
        pairs = ", ".join(
            f"{ui.plain(value)} as {ui.plain(name)}" for value, name in found.pairs[:MOST_LABELS]
        )
        st.caption(f"Labels are read as the model's classes: {pairs}.")
    if not found.unknown or len(found.unknown) > MOST_LABELS:
        return
    left = "the model's own answers decide" if found.how == "undecided" else "it counts as wrong"
    st.caption(f"Labels that are no class of the model. Choose what each stands for; left open, {left}.")
    with st.grid(4, min_column_width=170, gap="small"):
        for value in found.unknown:
            chosen = st.selectbox(
                ui.plain(value), info.classes, index=None, placeholder="Left open",
                key=f"label_{draft.version}_{draft.target}_{value}",
            )  # fmt: skip
            if chosen is not None:
                draft.target_map[value] = chosen


def _take(services: Any, draft: Any, upload: Any) -> None:
    """To disk at once, as a model; it is read by the worker, behind the lock."""
    draft.version += 1
    try:
        sample = runs.store_upload(services, upload, upload.name)
        draft.reading_job = runs.request_reading(services, sample)
        draft.sample = sample
    except DashboardError as error:
        draft.notes.append(ui.as_note(error))
    st.rerun()


def _facts(services: Any, draft: Any, info: ModelInfo) -> SampleFacts | None:
    """What the sample holds; None while it is read. One that cannot be used is taken away and said."""
    if draft.facts is not None:
        return draft.facts
    try:
        job = runs.get_job(services, draft.reading_job or "")
        if job.state in ui.ACTIVE:
            return None
        draft.facts = runs.facts_of(job)
    except DashboardError as error:
        draft.notes.append(ui.as_note(error))
    if draft.facts is None:
        draft.notes = draft.notes or [ui.unfinished("The sample could not be read.")]
        _forget(draft)
        st.rerun()
    try:
        found, _ = match_facts(draft.facts, info, _mined(draft), None)
        draft.target = found.target
    except InvalidInput:
        draft.target = None
    return draft.facts


def _mined(draft: Any) -> Schema | None:
    mined = draft.inspection.get("schema")
    return Schema.model_validate(mined) if mined else None


def _forget(draft: Any) -> None:
    draft.sample, draft.reading_job, draft.facts, draft.target = None, None, None, None
    draft.target_map = {}
    draft.version += 1
