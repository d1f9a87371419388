"""Model: the hub of one model, at `?name=NAME`: versions, runs, trend, baseline, gates and notes.

Promises: gates are drawn into the trend that they judge. Leaves what is kept of a model to `registry.models`.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from pydantic import ValidationError

import runs
import services as holder
from errors import DashboardError, NotFound
from records.gates import Gates
from registry import models
from store.run_lists import RunQuery
from store.run_rows import WITH_FIGURES
from views import charts, history
from views import components as ui

__all__ = ["render"]

SHOWN = 100
FIGURES = {
    "p95_ms": ("p95 latency", "p95 of single-row calls (ms)", 1.0, "p95_ms"),
    "score": ("Score", "Score on real labels", 1.0, "min_score"),
    "throughput_rows_s": ("Throughput", "Throughput (rows/s)", 1.0, "min_throughput_rows_s"),
    "error_rate": ("Error rate", "Rows without an answer (%)", 100.0, "error_rate"),
    "changed_share": ("Changed answers", "Largest share changed by drift (%)", 100.0, "max_changed_share"),
}
"""A run's column: its title, the axis, what it is multiplied by, and the gate that judges it."""


def render() -> None:
    """The page."""
    services, name = holder.current(), (st.query_params.get("name") or "").strip()
    try:
        model = models.get_model(services, name)
        page = runs.list_runs(services, RunQuery(limit=SHOWN, of_model=name))
    except NotFound:
        _unknown(bool(name))
        return
    except DashboardError as error:
        ui.problem(error)
        return
    ui.page_title(model.name, "Model")
    st.title(ui.plain(model.name))
    st.caption(
        f"{ui.count(model.runs, 'run')} of {ui.count(model.versions, 'version')} · "
        f"last run {ui.when(model.latest.created_at)}"
    )
    look = ui.STATUS[model.latest.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(look.word, icon=look.icon, color=look.color)
        ui.link("run", "Newest report", icon=":material/fact_check:", query={"run": model.latest.id})
        if model.pinned_run_id:
            ui.link("run", "Pinned baseline", icon=":material/push_pin:", query={"run": model.pinned_run_id})
            if ui.may("run") and st.button("Unpin", type="tertiary"):
                _change(lambda: models.pin(services, None, name))
        else:
            st.caption("No baseline is pinned; `latest` means the newest run that passed or warned.")
    finished = [row for row in page.rows if row.state in WITH_FIGURES]
    _trend(model, finished[::-1])
    _runs(page)
    _versions(services, page.rows, finished)
    _gates(services, model)
    _notes(services, model)


def _unknown(asked: bool) -> None:
    ui.page_title("Model")
    st.title("Model")
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown(
            "**This model is not here**" if asked else "**No model is open**", text_alignment="center"
        )
        st.caption("A model is here while a run belongs to it.", text_alignment="center")
        if st.button("See all models", type="primary", icon=":material/deployed_code:"):
            ui.go_to("models")


def _trend(model: Any, rows: Sequence[Any]) -> None:
    st.header("Trend")
    if not rows:
        st.info("Once a run has finished, its figures stand here.", icon=":material/info:")
        return
    known = [key for key in FIGURES if any(getattr(row, key) is not None for row in rows)]
    if not known:
        st.info("The finished runs have no figures.", icon=":material/info:")
        return
    chosen = st.segmented_control(
        "Figure", known, default=known[0], required=True, format_func=lambda key: FIGURES[key][0],
        label_visibility="collapsed", key="model_figure",
    )  # fmt: skip
    title, axis, scale, gate = FIGURES[chosen or known[0]]
    limit = getattr(model.gates, gate) if model.gates is not None else None
    values = [getattr(row, chosen or known[0]) for row in rows]
    scaled = [None if value is None else value * scale for value in values]
    lines = [] if limit is None else [(limit * scale, f"gate {limit * scale:g}")]
    pinned = next((i for i, row in enumerate(rows) if row.id == model.pinned_run_id), None)
    if pinned is not None and scaled[pinned] is not None:
        lines.append((scaled[pinned], "pinned baseline"))
    here = [
        (row.created_at, value, row.model_sha256[:8], row.name)
        for row, value in zip(rows, scaled, strict=True)
    ]
    note = f"The newest {len(rows)} finished runs, one point a run, one color a version of the file."
    ui.chart(
        title, charts.trend(here, axis, lines), key="model_trend", note=note,
        alt=f"{title} of the newest {len(rows)} runs of {model.name}",
    )  # fmt: skip


def _runs(page: Any) -> None:
    st.header("Runs")
    st.dataframe(
        history.frame(page.rows[:20]), hide_index=True,
        column_config=history.shown_columns() | {"model": None},
        alt="The model's newest runs", placeholder=ui.NONE, height="content",
    )  # fmt: skip
    if page.total > 20:
        ui.link(
            "runs", f"All {ui.count(page.total, 'run')}", icon=":material/list:",
            query={"q": page.rows[0].model},
        )  # fmt: skip


def _versions(services: Any, rows: Sequence[Any], finished: Sequence[Any]) -> None:
    st.header("Versions and files")
    versions: dict[str, list[Any]] = {}
    for row in rows:
        versions.setdefault(row.model_sha256, []).append(row)
    newest, oldest = [of[0] for of in versions.values()], [of[-1] for of in versions.values()]
    st.dataframe(
        pd.DataFrame(
            {
                "Version": [row.model_sha256[:12] for row in newest],
                "File": [row.model_name for row in newest],
                "Size": [ui.size(row.model_bytes) for row in newest],
                "Estimator": [row.estimator or ui.NONE for row in newest],
                "Runs": [len(of) for of in versions.values()],
                "Last verdict": [[ui.status_text(row.state)] for row in newest],
                "First run": pd.Series([row.created_at for row in oldest], dtype="datetime64[ns, UTC]"),
                "Last run": pd.Series([row.created_at for row in newest], dtype="datetime64[ns, UTC]"),
            }
        ),
        hide_index=True, height="content", alt="The model's versions, the newest first",
        column_config={
            "Version": st.column_config.TextColumn(help="The first digits of the file's SHA-256"),
            "Last verdict": ui.status_column("Last verdict", history.STATES),
            **{name: st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone="UTC")
               for name in ("First run", "Last run")},
        },
    )  # fmt: skip
    if finished:
        st.download_button(
            "Thresholds of the newest report", data=lambda: _thresholds(services, finished[0].id),
            file_name=f"{finished[0].model}.thresholds.json", mime="application/json", on_click="ignore",
            icon=":material/download:", help="Where each feature's drift begins to change the answers",
        )  # fmt: skip


def _thresholds(services: Any, run_id: str) -> str:
    from reports import exports  # the writers are needed by this button only

    report = runs.get_report(services, run_id)
    return "{}" if report is None else exports.thresholds_json(report)


def _gates(services: Any, model: Any) -> None:
    st.header("Gates")
    st.caption("Limits for every run of this model; what a run's own config says goes before.")
    kept = model.gates or Gates()
    allowed = ui.may("run")
    with st.form("model_gates"):
        with st.grid(3, min_column_width=170, gap="small"):
            p95 = st.number_input("p95, single row (ms)", 0.001, None, kept.p95_ms, placeholder="No limit")
            errors = st.number_input(
                "Error rate (%)", 0.0, 100.0, None if kept.error_rate is None else kept.error_rate * 100,
                placeholder="No limit",
            )  # fmt: skip
            score = st.number_input("Smallest score", None, 1.0, kept.min_score, placeholder="No limit")
        written = st.text_area(
            "Expressions, one a line", "\n".join(kept.expressions),
            placeholder="metrics.latency[1].p95_ms <= 50\naccuracy.roc_auc >= baseline - 0.01",
        )  # fmt: skip
        strict = st.toggle("A timing that is too close to tell fails", kept.strict)
        with st.container(horizontal=True):
            save = st.form_submit_button("Keep these gates", type="primary", disabled=not allowed)
            forget = st.form_submit_button("Forget them", disabled=not allowed or model.gates is None)
    if forget:
        _change(lambda: models.keep_gates(services, model.name, None))
    if save:
        values = {"p95_ms": p95, "error_rate": None if errors is None else errors / 100, "min_score": score}
        expressions = tuple(line.strip() for line in written.splitlines() if line.strip())
        # What this form does not show stays as it was kept.
        stays = {
            name: getattr(kept, name) for name in kept.model_fields_set - {*values, "expressions", "strict"}
        }
        mine = {name: value for name, value in values.items() if value is not None}
        try:
            gates = Gates(**stays, **mine, expressions=expressions, **({"strict": True} if strict else {}))
        except ValidationError as error:
            for one in error.errors():
                st.error(ui.said(one["msg"].removeprefix("Value error, ")), icon=":material/error:")
            return
        _change(lambda: models.keep_gates(services, model.name, gates))


def _notes(services: Any, model: Any) -> None:
    st.header("Notes")
    with st.form("model_notes", border=False):
        notes = st.text_area("Notes", model.notes, max_chars=10_000, label_visibility="collapsed")
        if st.form_submit_button("Save notes", disabled=not ui.may("run")):
            _change(lambda: models.keep_notes(services, model.name, notes))


def _change(change: Any) -> None:
    try:
        change()
    except DashboardError as error:
        ui.problem(error)
    else:
        st.rerun()
