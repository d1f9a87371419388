"""The performance tab of a run: how fast the model answers, and how right on real labels.

Promises: every latency says how many calls it rests on and how far it may be off. Leaves figures to
`views.charts` and verdicts to `views.run`.
"""

from typing import Any

import streamlit as st

from records.base import Section
from records.metrics import Interval, PairedTiming, Performance
from records.run import RunReport
from views import charts
from views import components as ui

__all__ = ["render"]


def render(services: Any, report: RunReport) -> None:
    """Latency, callers at the same time, the baseline timed in turn, and memory."""
    metrics = ui.section_value(report.metrics, "Performance")
    if metrics is not None:
        _latency(metrics, report)


def _latency(metrics: Performance, report: RunReport) -> None:
    if metrics.latency:
        calls = sorted({row.n for row in metrics.latency})
        n = f"n = {calls[0]}" if len(calls) == 1 else f"n = {calls[0]} to {calls[-1]}"
        warm = max(row.warmup for row in metrics.latency)
        note = f"{n} timed calls a batch size after up to {ui.count(warm, 'warm-up call')}"
        left, right = st.columns(2)
        with left:
            ui.chart(
                "Latency by batch size, p50, p95 and p99",
                charts.latency(metrics.latency, report.plan.gates.p95_ms),
                note=f"{note}; bars are 95 % intervals", key="latency",
                alt=f"Latency in milliseconds by batch size; {note}",
            )  # fmt: skip
        with right:
            ui.chart(
                "Throughput by batch size, at the median latency", charts.throughput(metrics.latency),
                note=f"{note}; logarithmic scale", key="throughput",
                alt=f"Rows per second by batch size; {note}",
            )  # fmt: skip
        _latency_table(metrics)
    _costs(metrics)
    if metrics.concurrency:
        _callers(metrics)
    if metrics.against_baseline is not None:
        _baseline(metrics.against_baseline, report)


def _latency_table(metrics: Performance) -> None:
    shown = metrics.latency
    st.dataframe(
        {
            "Rows in a batch": [f"{row.batch_size:,}" for row in shown],
            "n": [row.n for row in shown],
            "Warm-up": [f"{row.warmup}{', not steady' if row.stable is False else ''}" for row in shown],
            "Throughput": [ui.number(row.rows_per_s, "rows/s") for row in shown],
            "Mean": [ui.milliseconds(row.mean_ms) for row in shown],
            **{
                title: [_bounded(getattr(row, f"{key}_ms"), getattr(row, f"{key}_interval")) for row in shown]
                for title, key in (("p50", "p50"), ("p90", "p90"), ("p95", "p95"), ("p99", "p99"))
            },
            "Preparing": [ui.milliseconds(row.prepare_ms) for row in shown],
            "Checking": [ui.milliseconds(row.validation_ms) for row in shown],
        },
        hide_index=True, height="content", alt="Latency percentiles with intervals, throughput, preparation",
    )  # fmt: skip
    st.caption(
        "In brackets the 95 % interval of the percentile; an open end needs more calls (73 for p95, 368 for "
        "p99: set latency.calls). Preparing turns a table into what the model takes, and is not part of the "
        "call. Checking is the model's own look at its input by itself; the call contains one."
    )


def _bounded(value: float, interval: Interval | None) -> str:
    if interval is None:
        return ui.milliseconds(value)
    in_ms = value == 0 or 0.1 <= value < 1000  # then the ends need no unit of their own
    low, high = (ui.number(end) if in_ms else ui.milliseconds(end) for end in interval)
    return f"{ui.milliseconds(value)} ({low} to {high})"


def _costs(metrics: Performance) -> None:
    cut = " The time budget ended before all planned calls were made." if metrics.cut_short else ""
    threads = f", {ui.count(metrics.threads, 'thread')}" if metrics.threads else ""
    memory = ""
    if metrics.load_memory_mb is not None and metrics.predict_memory_mb is not None:
        peak, load, predict = (
            ui.number(value, "MB")
            for value in (metrics.peak_memory_mb, metrics.load_memory_mb, metrics.predict_memory_mb)
        )
        memory = f" Memory peaked at {peak}: loading added {load}, predicting {predict}."
    st.caption(
        f"Loading took {ui.milliseconds(metrics.load_ms)}, the first call "
        f"{ui.milliseconds(metrics.first_call_ms)}.{memory} Calls of {ui.plain(metrics.method)}, measured in "
        f"the model's own process, garbage collection off{threads}.{cut}"
    )


def _callers(metrics: Performance) -> None:
    st.subheader("Callers at the same time")
    rows = metrics.concurrency
    batch = ui.count(rows[0].batch_size, "row")
    note = f"Each caller is a process with its own copy of the model; batches of {batch}"
    left, right = st.columns(2)
    with left:
        ui.chart(
            "Latency by number of callers, p50 and p95", charts.callers(rows), note=note, key="callers",
            alt=f"Latency in milliseconds by number of callers. {note}",
        )  # fmt: skip
    with right:
        st.dataframe(
            {
                "Callers": [row.callers for row in rows],
                "n": [row.n for row in rows],
                "All together": [ui.number(row.rows_per_s, "rows/s") for row in rows],
                "p50": [_bounded(row.p50_ms, row.p50_interval) for row in rows],
                "p95": [_bounded(row.p95_ms, row.p95_interval) for row in rows],
            },
            hide_index=True, height="content", alt="Latency and throughput by number of callers",
        )  # fmt: skip


def _baseline(section: Section[PairedTiming], report: RunReport) -> None:
    st.subheader("Against the baseline's model")
    paired = ui.section_value(section, "Timing in turn")
    if paired is None:
        return
    low, high = (ui.number(end) for end in paired.interval)
    st.markdown(
        f"A call takes **{ui.number(paired.ratio)} times** as long as the baseline's (95 % interval {low} to "
        f"{high}; the limit is {ui.number(report.plan.gates.baseline_latency_ratio)})."
    )
    st.caption(
        f"p50 {ui.milliseconds(paired.p50_ms)} against {ui.milliseconds(paired.baseline_p50_ms)}, "
        f"{paired.pairs} pairs of blocks in turn, n = {paired.n}, batches of "
        f"{ui.count(paired.batch_size, 'row')}. Baseline run {ui.plain(paired.run_id)}."
    )
