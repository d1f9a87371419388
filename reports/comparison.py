"""Several reports side by side, figure by figure.

Leaves finding them to `runs`.
"""

from collections.abc import Sequence
from typing import Literal

from records.base import Record
from records.figures import figures
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
    known = [figures(vars(report)) if report is not None else {} for report in reports]
    found = []
    for key, title, unit, direction, path in _COMPARED:
        values = tuple(of[path].value if path in of else None for of in known)
        found.append(
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
        rows=tuple(f for f in found if any(v is not None for v in f.values)),
    )


def _best(values: Sequence[float | None], direction: str) -> int | None:
    known = [(v, i) for i, v in enumerate(values) if v is not None]
    if len({v for v, _ in known}) < 2:
        return None
    best_value = (min if direction == "lower" else max)(v for v, _ in known)
    return next(i for v, i in known if v == best_value)


_COMPARED: tuple[tuple[str, str, str, Literal["lower", "higher"], str], ...] = (
    ("p95_ms_1", "p95 latency, 1 row", "ms", "lower", "metrics.latency[1].p95_ms"),
    ("p95_ms_100", "p95 latency, 100 rows", "ms", "lower", "metrics.latency[100].p95_ms"),
    ("p95_ms_1000", "p95 latency, 1,000 rows", "ms", "lower", "metrics.latency[1000].p95_ms"),
    ("throughput_rows_s", "Throughput", "rows/s", "higher", "metrics.throughput_rows_s"),
    ("error_rate", "Error rate", "", "lower", "metrics.error_rate"),
    ("load_ms", "Load time", "ms", "lower", "metrics.load_ms"),
    ("peak_memory_mb", "Peak memory", "MB", "lower", "metrics.peak_memory_mb"),
    ("model_bytes", "File size", "bytes", "lower", "model.bytes"),
    ("accuracy", "Accuracy", "", "higher", "accuracy.accuracy"),
    ("f1_macro", "F1, macro average", "", "higher", "accuracy.f1_macro"),
    ("roc_auc", "ROC AUC", "", "higher", "accuracy.roc_auc"),
    ("r2", "R2", "", "higher", "accuracy.r2"),
    ("mae", "Mean absolute error", "", "lower", "accuracy.mae"),
    ("changed_share", "Changed answers, worst drift", "", "lower", "drift.largest_changed_share"),
)
