"""The tabs of a run's page: checks, accuracy, drift, robustness, explanation, performance, data; downloads.

Promises: only the open tab is drawn, and its name is in the address. Leaves the verdict to `views.run`,
most tabs to modules of their own and figures to `views.charts`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

import runs
from errors import DashboardError
from records.likeness import finding
from records.model import ModelInfo, ScanReport
from records.robustness import Behaviour
from records.run import RunReport
from reports import words
from views import accuracy_tab, checks_tab, drift_tab, explanation_tab, performance_tab
from views import components as ui

__all__ = ["TABS", "TAB_OF", "downloads", "follow_old_address", "model_facts", "render"]

TABS = ("Checks", "Accuracy", "Drift", "Robustness", "Explain", "Performance", "Data")
TAB_OF = {"metrics": "Performance", "accuracy": "Accuracy", "drift": "Drift", "robustness": "Robustness",
          "explanation": "Explain", "likeness": "Data"}  # fmt: skip
"""The tab that shows a section of the report."""
OLD = {"Explainability": "Explain", "Downloads": "Data"}  # as addresses named them before
# Streamlit has no tabs that stay in sight: below its own header, of 3.75 rem, on the page's own ground.
STICKY = """<style>.st-key-tab [role="tablist"] {position: sticky; top: 3.75rem; z-index: 90;
background: %s;}
.st-key-tab, .st-key-tab > div {overflow: visible;}</style>"""
SAMPLE_ROWS, SAMPLE_COLUMNS = 50, 200


def follow_old_address() -> None:
    """Open the tab that an address of before means by a name that no tab has any more."""
    asked = st.query_params.get("tab", "")
    if asked in OLD:  # the tabs read the address as it was when the run began, so it begins anew
        st.query_params["tab"] = st.session_state["tab"] = OLD[asked]


@st.fragment
def render(services: Any, report: RunReport) -> None:
    """The tabs; opening one reruns only this part of the page."""
    drawn = (checks_tab.render, accuracy_tab.render, drift_tab.render, _robustness, explanation_tab.render,
             performance_tab.render, _data)  # fmt: skip
    st.html(STICKY % _ground())
    tabs = st.tabs(TABS, key="tab", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, drawn, strict=True):
        if tab.open:
            with tab:
                draw(services, report)


def _ground() -> str:
    """The page's background in either theme; the browser's own where none is set."""
    colors = [st.get_option(f"theme.{theme}.backgroundColor") for theme in ("light", "dark")]
    return f"light-dark({colors[0]}, {colors[1]})" if all(colors) else "Canvas"


def _robustness(services: Any, report: RunReport) -> None:
    robustness = ui.section_value(report.robustness, "Robustness")
    if robustness is None:
        return
    if robustness.properties:
        st.subheader("Properties of the model")
        st.caption("What callers have to know; nothing that has to be mended.")
        for told in robustness.properties:
            advice = f" {ui.said(told.advice)}" if told.advice else ""
            st.markdown(f"- **{ui.said(told.sentence)}**{advice}")
        st.subheader("Behaviour")
    ranked = sorted(robustness.behaviours, key=lambda b: list(BEHAVIOURS).index(_kept(b)))
    for behaviour in ranked:
        kept = _kept(behaviour)
        word, status = BEHAVIOURS[kept]
        look = ui.STATUS["warn" if kept == "breaks" and not behaviour.serious else status]
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{ui.plain(behaviour.title)}**", width="stretch")
                st.badge(word, icon=look.icon, color=look.color)
            if behaviour.status == "ok" and behaviour.failing_share is not None:
                st.caption(words.held(behaviour))
            if behaviour.reason:
                st.caption(ui.said(behaviour.reason))
            if behaviour.example:
                st.markdown(f"Example: {ui.plain(behaviour.example)}")
            if behaviour.advice and kept == "breaks":
                st.markdown(f":material/lightbulb: {ui.said(behaviour.advice)}")


# What a behaviour came to: a word, and the status whose look it has; what needs a look comes first.
BEHAVIOURS = {
    "failed": ("Not judged", "error"),
    "breaks": ("Breaks", "fail"),
    "property": ("Property", "measured"),
    "holds": ("Holds", "pass"),
    "not_applicable": ("Not applicable", "not_applicable"),
}


def _kept(behaviour: Behaviour) -> str:
    if behaviour.status != "ok":
        return behaviour.status
    if not behaviour.failing_share:
        return "holds"
    return "property" if behaviour.trait else "breaks"


def _data(services: Any, report: RunReport) -> None:
    if report.sample is not None and report.sample.told:
        st.subheader("Sample")
        st.markdown("\n".join(f"- {ui.said(sentence)}" for sentence in report.sample.told))
    st.subheader("Schema")
    if report.schema_ is None:
        st.info("The run ended before a schema was known.", icon=":material/info:")
    else:
        fields = report.schema_.features
        st.dataframe(
            {
                "Feature": [f.name for f in fields],
                "Type": [f.type for f in fields],
                "From": [f.origin for f in fields],
                "Distribution": [f.distribution for f in fields],
                **{
                    title: [_cell(getattr(f, title.lower())) for f in fields]
                    for title in ("Min", "Max", "Mean", "Std")
                },
                "Categories": [", ".join(str(c) for c in f.categories or ()) for f in fields],
                "Missing": [ui.share(f.missing_share) for f in fields],
            },
            hide_index=True, column_config={"Feature": st.column_config.TextColumn(pinned=True)},
            alt="Features of the schema with where each was learnt from",
        )  # fmt: skip
    _generated_rows(services, report)
    left, right = st.columns(2)
    with left:
        st.subheader("Model")
        st.table(model_facts(report), border="horizontal", alt="Facts about the model")
    with right:
        st.subheader("Environment")
        st.table(_environment_facts(report), border="horizontal", alt="Where the run took place")
    with st.expander("Plan of the run", icon=":material/tune:"):
        st.json(report.plan.model_dump(mode="json"))


def _generated_rows(services: Any, report: RunReport) -> None:
    st.subheader("Generated rows")
    if report.rows_from:
        st.caption(ui.said(report.rows_from))
    _likeness(report)
    try:
        frame = _first_rows(runs.artifact(services, report.id, "rows.parquet"))
    except (DashboardError, OSError):
        st.caption("The generated rows of this run were not kept.")
        return
    st.caption(f"The first {len(frame)} of {ui.count(report.plan.rows, 'row')}, seed {report.plan.seed}")
    if frame.shape[1] == SAMPLE_COLUMNS:
        st.caption(f"Of more columns than {SAMPLE_COLUMNS} the first are shown.")
    st.dataframe(frame, hide_index=True, alt="The first generated rows")


def _first_rows(path: Path) -> pd.DataFrame:
    """No more is read: a run may have a million rows, and this process serves everybody."""
    from pyarrow import parquet  # once a page shows rows, not at the start

    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names[:SAMPLE_COLUMNS]
        return next(file.iter_batches(SAMPLE_ROWS, columns=names, use_threads=False)).to_pandas()


def _likeness(report: RunReport) -> None:
    """Beside the rows: how far what was measured on them holds for real ones."""
    if report.likeness.value is None:
        if report.likeness.status == "failed":
            ui.section_value(report.likeness, "How far they look like the sample's")
        else:
            st.caption(f"Not compared with real rows. {ui.said(report.likeness.reason or '')}")
        return
    found = report.likeness.value
    domain = found.domain
    st.markdown(ui.said(finding(domain)))
    st.caption(
        f"{ui.count(domain.rows_current, 'row')} made after one half of the sample, told by gradient "
        f"boosting from {ui.count(domain.rows_reference, 'row')} of the other half. Latency, robustness, "
        "drift and explanations rest on generated rows and hold for real ones as far as both look alike."
    )
    if found.left_out:
        st.caption(f"{ui.count(found.left_out, 'column')} of this wide table were not compared.")
    with st.expander("Generated against sample, column by column", icon=":material/compare_arrows:"):
        drift_tab.column_table(found.columns, alt="Generated rows against the sample, largest PSI first")


def model_facts(report: RunReport) -> dict[str, str]:
    """What is known of the model's file, by the words beside it."""
    model = report.model
    saved = ", ".join(f"{name} {version}" for name, version in model.saved_with.items())
    facts = {
        "File": model.name if model.format == "unknown" else f"{model.name}, {model.format}",
        "Size": ui.size(model.bytes),
        "SHA-256": model.sha256[:16] + "…",
        "Estimator": f"{model.estimator}, {model.framework}",
        "Task": model.task,
        "Features": str(model.n_features if model.n_features is not None else ui.NONE),
        "Classes": ", ".join(_classes(model)) or ui.NONE,
        "Saved with": saved or "not recorded in the file",
        **(
            {"Brought forward by": ", ".join(model.upgrades) or "nothing had to change"}
            if model.upgraded_from
            else {}
        ),
        **(
            {"Files beside it": ", ".join(f"{one.name}, {one.format}" for one in model.companions)}
            if model.companions
            else {}
        ),
        "Libraries named": ", ".join(model.scan.libraries) or ui.NONE,
        "Scan": _scan_facts(model.scan),
    }
    return {key: ui.plain(value) for key, value in facts.items()}


def _classes(model: ModelInfo) -> list[str]:
    """The first classes, each with its share of the training data where the model kept it."""
    shares = model.class_shares
    return [
        c if shares is None else f"{c} ({shares[i]:.0%} of training)"
        for i, c in enumerate(model.classes[:12])
    ]


def _scan_facts(scan: ScanReport) -> str:
    if scan.ok is None:
        return "not followed to its end"
    names = ui.count(scan.globals_count, "name")
    refused = [f"{r.module}.{r.name}" for r in scan.refused]
    if scan.ok and not scan.globals_count:
        return "a format that cannot name code"
    if scan.ok:
        return f"{names}, all on the list of allowed ones"
    return "; ".join([f"{names}, {scan.refused_count} not on the list", *refused[:5], *scan.findings[:5]])


def _environment_facts(report: RunReport) -> dict[str, str]:
    where = report.environment
    facts = {
        "Python": where.python,
        "Platform": where.platform,
        "Machine": f"{where.machine}, {ui.count(where.cores, 'core')}",
        "Libraries": ", ".join(f"{name} {version}" for name, version in where.libraries.items()),
        "Held by": ", ".join(where.isolation) or ui.NONE,
        "Stages": ", ".join(f"{stage} {ui.number(s, 's')}" for stage, s in report.timings.items()),
    }
    return {key: ui.plain(value) for key, value in facts.items()}


def downloads(report: RunReport) -> None:
    """A button for each file that can be had of the report; written when it is clicked."""
    from reports import exports, junit, markdown  # the writers are needed by this menu only

    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in report.name)[:60] or report.id
    offered = (
        ("Report, JSON", "The whole report as the API answers it", "json", "application/json",
         lambda: report.model_dump_json(indent=2)),
        ("Figures, CSV", "Every measured figure, one a line", "csv", "text/csv",
         lambda: exports.metrics_csv(report)),
        ("Report, HTML", "One file that opens without a network", "html", "text/html",
         lambda: exports.to_html(report)),
        *_thresholds(report),
        ("Checks, JUnit XML", "For the test view of a CI system", "xml", "application/xml",
         lambda: junit.to_junit(report)),
        ("Summary, Markdown", "For a pull request or a wiki", "md", "text/markdown",
         lambda: markdown.to_markdown(report)),
    )  # fmt: skip
    for title, text, ending, mime, make in offered:
        st.download_button(
            title, data=make, file_name=f"{stem}.{ending}", mime=mime, help=text, on_click="ignore",
            icon=":material/download:", key=f"download_{ending}", width="stretch",
        )  # fmt: skip


def _thresholds(report: RunReport) -> tuple[tuple[str, str, str, str, Callable[[], str]], ...]:
    """Offered where breaking points were searched."""
    if report.drift.value is None or not report.drift.value.breaking_points:
        return ()
    from reports import exports

    return (
        ("Monitoring thresholds, JSON", "The breaking points, to set up a monitor for this model",
         "thresholds.json", "application/json", lambda: exports.thresholds_json(report)),
    )  # fmt: skip


def _cell(value: object) -> str:
    if value is None:
        return ui.NONE
    return ui.number(value) if isinstance(value, (int, float)) else str(value)
