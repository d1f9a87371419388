"""The tiles of a run's page: the figures that decide, each with its difference to the baseline.

Promises: a difference is said and not praised; whether it is more than noise is for the checks to say.
"""

import streamlit as st

from records.metrics import SCORES, Accuracy
from records.run import RunReport
from views import components as ui

__all__ = ["render"]


def render(report: RunReport, baseline: RunReport | None) -> None:
    """The tiles; nothing where the model was never timed."""
    metrics, accuracy = report.metrics.value, report.accuracy.value
    if metrics is None:
        return
    before = baseline.metrics.value if baseline is not None else None
    with st.grid(5 if accuracy else 4, min_column_width=150, gap="small"):
        single = metrics.single_row or metrics.smallest_batch
        if single is not None:
            _tile(
                f"p95, {ui.count(single.batch_size, 'row')}", ui.milliseconds(single.p95_ms), single.p95_ms,
                same.p95_ms if before and (same := before.of_batch(single.batch_size)) else None,
                f"95th percentile of {single.n} timed calls after {single.warmup} warm-up calls",
            )  # fmt: skip
        _tile(
            "Rows a second", ui.number(metrics.throughput_rows_s), metrics.throughput_rows_s,
            before.throughput_rows_s if before else None,
            "Rows a second at the best batch size, at the median latency",
        )  # fmt: skip
        _tile(
            "Error rate", ui.share(metrics.error_rate), metrics.error_rate,
            before.error_rate if before else None, "Share of generated rows without a usable answer",
        )  # fmt: skip
        _tile(
            "Peak memory", ui.number(metrics.peak_memory_mb, "MB"), metrics.peak_memory_mb,
            before.peak_memory_mb if before else None, "Of the model's process",
        )  # fmt: skip
        if accuracy:
            key, value = _score(accuracy)
            earlier = baseline.accuracy.value.known.get(key) if baseline and baseline.accuracy.value else None
            _tile(
                SCORES[key], ui.number(value), value, earlier,
                f"On {ui.count(accuracy.rows, 'labelled row')} of the sample",
            )  # fmt: skip


def _tile(label: str, shown: str, value: float | None, before: float | None, text: str) -> None:
    st.metric(
        label, shown, _difference(value, before), delta_color="off", border=True, height="stretch", help=text,
        delta_arrow="off" if value == before else "auto",
    )  # fmt: skip


def _difference(value: float | None, before: float | None) -> str | None:
    """`+12.5 %` of what it was; where that was nothing, by how much."""
    if value is None or before is None:
        return None
    if value == before:
        return "the same"
    change = value - before
    amount = f"{abs(change / before) * 100:.3g}{ui.THIN}%" if before else f"{abs(change):.3g}"
    return f"{'+' if change > 0 else '-'}{amount}"


def _score(accuracy: Accuracy) -> tuple[str, float | None]:
    """The headline, else the first score there is: numbers that are all equal have no R2."""
    key, value = accuracy.headline
    return next(iter(accuracy.known.items()), (key, value)) if value is None else (key, value)
