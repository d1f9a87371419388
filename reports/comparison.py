"""Several reports side by side, figure by figure.

Leaves finding them to `runs`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from records.base import Record
from records.run import RunReport

__all__ = ["ComparedFigure", "Comparison", "compared"]


class ComparedFigure(Record):
    """One figure of several runs; `best` is the position of the best value, None where none is known."""

    key: str
    title: str
    unit: str
    direction: Literal["lower", "higher"]
    values: tuple[float | None, ...]
    best: int | None


class Comparison(Record):
    """Several runs side by side, in the order asked for."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    states: tuple[str, ...]
    rows: tuple[ComparedFigure, ...]


def compared(
    ids: Sequence[str], names: Sequence[str], states: Sequence[str], reports: Sequence[RunReport | None]
) -> Comparison:
    """The figures that at least one of the runs has; None for a run without a report."""
    figures = []
    for key, title, unit, direction, read in _COMPARED:
        values = tuple(None if report is None else read(report) for report in reports)
        figures.append(
            ComparedFigure(
                key=key,
                title=title,
                unit=unit,
                direction=direction,
                values=values,
                best=_best(values, direction),
            )
        )
    return Comparison(
        ids=tuple(ids),
        names=tuple(names),
        states=tuple(states),
        rows=tuple(f for f in figures if any(v is not None for v in f.values)),
    )


def _latency(report: RunReport, batch_size: int) -> float | None:
    row = report.metrics.value.of_batch(batch_size) if report.metrics.value else None
    return row.p95_ms if row else None


def _accuracy(report: RunReport, name: str) -> float | None:
    value: float | None = getattr(report.accuracy.value, name, None)
    return value


def _metric(report: RunReport, name: str) -> float | None:
    value: float | None = getattr(report.metrics.value, name, None)
    return value


def _worst_changed_share(report: RunReport) -> float | None:
    return report.drift.value.largest_changed_share if report.drift.value else None


def _best(values: Sequence[float | None], direction: str) -> int | None:
    known = [(v, i) for i, v in enumerate(values) if v is not None]
    if len({v for v, _ in known}) < 2:
        return None
    best_value = (min if direction == "lower" else max)(v for v, _ in known)
    return next(i for v, i in known if v == best_value)


_Reader = Callable[[RunReport], float | None]
_COMPARED: tuple[tuple[str, str, str, Literal["lower", "higher"], _Reader], ...] = (
    ("p95_ms_1", "p95 latency, 1 row", "ms", "lower", lambda r: _latency(r, 1)),
    ("p95_ms_100", "p95 latency, 100 rows", "ms", "lower", lambda r: _latency(r, 100)),
    ("p95_ms_1000", "p95 latency, 1,000 rows", "ms", "lower", lambda r: _latency(r, 1000)),
    ("throughput_rows_s", "Throughput", "rows/s", "higher", lambda r: _metric(r, "throughput_rows_s")),
    ("error_rate", "Error rate", "", "lower", lambda r: _metric(r, "error_rate")),
    ("load_ms", "Load time", "ms", "lower", lambda r: _metric(r, "load_ms")),
    ("peak_memory_mb", "Peak memory", "MB", "lower", lambda r: _metric(r, "peak_memory_mb")),
    ("model_bytes", "File size", "bytes", "lower", lambda r: float(r.model.bytes)),
    ("accuracy", "Accuracy", "", "higher", lambda r: _accuracy(r, "accuracy")),
    ("f1_macro", "F1, macro average", "", "higher", lambda r: _accuracy(r, "f1_macro")),
    ("roc_auc", "ROC AUC", "", "higher", lambda r: _accuracy(r, "roc_auc")),
    ("r2", "R2", "", "higher", lambda r: _accuracy(r, "r2")),
    ("mae", "Mean absolute error", "", "lower", lambda r: _accuracy(r, "mae")),
    ("changed_share", "Changed answers, worst drift", "", "lower", _worst_changed_share),
)
