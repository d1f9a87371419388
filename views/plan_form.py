"""A run's settings as a form: rows, seed, effort and gates.

Promises: every setting has a default, so that all of it may be ignored. Leaves limits that are not
set to the server's settings.
"""

import streamlit as st
from pydantic import ValidationError

from records.drift import DriftPlan
from records.explanation import ExplainPlan
from records.gates import Gates
from records.metrics import LatencyPlan
from records.run import RunPlan
from settings import Settings

__all__ = ["fill_in", "render"]

CALLERS = [1, 2, 4, 8]


def fill_in(plan: RunPlan) -> None:
    """Let the form, once it is drawn, show the settings of an earlier run."""
    errors = plan.gates.error_rate
    st.session_state.update(
        plan_name=plan.name or "", plan_rows=plan.rows, plan_seed=plan.seed, plan_calls=plan.latency.calls,
        plan_explain=plan.explain.rows, plan_callers=[n for n in plan.latency.concurrency if n in CALLERS],
        plan_classifier=plan.drift.domain_auc, plan_p95=plan.gates.p95_ms,
        plan_errors=None if errors is None else errors * 100, plan_score=plan.gates.min_score,
    )  # fmt: skip


def render(server: Settings, model_name: str, *, labelled: bool) -> tuple[RunPlan | None, list[str]]:
    """The form; returns the plan, or what is wrong with it. `labelled`: there are labels to score against."""
    defaults = RunPlan()
    with st.expander("Settings", icon=":material/tune:"):
        name = st.text_input("Name of the run", placeholder=model_name, max_chars=200, key="plan_name")
        with st.grid(4, min_column_width=170, gap="small"):
            rows = st.number_input(
                "Rows to generate", 1, 1_000_000, defaults.rows, 500, key="plan_rows", persist_state="session"
            )
            seed = st.number_input(
                "Seed", 0, 2**32 - 1, defaults.seed, key="plan_seed", persist_state="session",
                help="The same seed makes the same rows",
            )  # fmt: skip
            calls = st.number_input(
                "Timed calls a batch size", 3, 10_000, defaults.latency.calls, key="plan_calls",
                persist_state="session",
            )  # fmt: skip
            explained = st.number_input(
                "Rows to explain",
                1,
                10_000,
                defaults.explain.rows,
                key="plan_explain",
                persist_state="session",
            )
        callers = st.multiselect(
            "Callers at the same time", CALLERS, key="plan_callers", persist_state="session",
            placeholder="One caller only",
            help="So many processes, each with its own copy of the model, call at once",
        )  # fmt: skip
        classifier = st.toggle(
            "Let a classifier look at each simulated shift", key="plan_classifier", persist_state="session",
            help="Shows shifts of the whole table that no single column shows; takes half a second longer",
        )  # fmt: skip
        st.markdown("**Gates**: limits that fail the run")
        with st.grid(3, min_column_width=170, gap="small"):
            p95 = st.number_input(
                "p95 latency, single row (ms)", 0.001, None, None, key="plan_p95", persist_state="session",
                placeholder=f"{server.p95_fail_ms:g}",
            )  # fmt: skip
            errors = st.number_input(
                "Error rate (%)", 0.0, 100.0, None, key="plan_errors", persist_state="session",
                placeholder=f"{server.error_rate_fail * 100:g}",
            )  # fmt: skip
            score = st.number_input(
                "Smallest score", None, 1.0, None, key="plan_score", persist_state="session",
                placeholder="No limit", disabled=not labelled,
                help="Accuracy or R2; needs a sample with a label column",
            )  # fmt: skip
            flips = st.number_input(
                "Flip rate under any simulated shift (%)", 0.0, 100.0, None, key="plan_flips",
                persist_state="session", placeholder="No limit",
                help="Share of answers that change, in the worst of the simulated shifts",
            )  # fmt: skip
            breaking = st.number_input(
                "Nearest breaking point (sd)", 0.001, 4.0, None, key="plan_breaking", persist_state="session",
                placeholder=f"warns below {server.breaking_point_warn:g}",
                help="How far every feature must be able to move, in standard deviations",
            )  # fmt: skip
    try:
        return RunPlan(
            name=name.strip() or None, rows=int(rows or defaults.rows), seed=int(seed or 0),
            latency=LatencyPlan(
                calls=int(calls or defaults.latency.calls), concurrency=tuple(sorted(callers))
            ),
            drift=DriftPlan(domain_auc=bool(classifier)),
            explain=ExplainPlan(rows=int(explained or defaults.explain.rows)),
            gates=Gates(
                p95_ms=p95, error_rate=None if errors is None else errors / 100,
                min_score=score if labelled else None,
                max_changed_share=None if flips is None else flips / 100, min_breaking_point=breaking,
            ),
        ), []  # fmt: skip
    except ValidationError as error:
        return None, [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}." for e in error.errors()]
