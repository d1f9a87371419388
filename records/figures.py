"""Every number of a report, by its path: `metrics.latency[1].p95_ms`, `drift.breaking_points.min`.

Promises: a path means the same figure in every report and is checked without one (`check_path`). Lists are
addressed by what their entries are of (the batch size, the feature), never by position. Leaves judging to
`judging`, and the few figures that a page shows to `reports.figures`.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from records.base import Record, Section
from records.drift import BreakingPoint, ColumnDrift, DriftAnalysis, FalseAlarms, Scenario, SingleEffect
from records.explanation import Explanation, FeatureImportance
from records.likeness import RowLikeness
from records.metrics import Accuracy, ConcurrencyRow, LatencyRow, Performance
from records.model import ModelInfo
from records.robustness import Behaviour, Robustness

__all__ = ["PATH", "ReportFigure", "check_path", "figures", "nearest"]

PATH = r"[a-z_]\w*(?:\.[A-Za-z_]\w*|\[[^\[\]]{1,200}\])*"
"""How a path is written; what stands in brackets is taken as it is."""

Parts = Mapping[str, Any]
"""The report's sections by name, as `RunReport` has them."""
Ends = tuple[float | None, float | None]

_ROOTS: dict[str, Any] = {
    "metrics": Performance,
    "accuracy": Accuracy,
    "robustness": Robustness,
    "drift": DriftAnalysis,
    "explanation": Explanation,
    "likeness": RowLikeness,
    "model": ModelInfo,
    "timings": dict[str, float],
}
# What the entries of a list are told apart by, and the one figure of theirs that `.min` and `.max` are of.
_KEYS: dict[type[Record], tuple[Callable[[Any], str], str | None]] = {
    LatencyRow: (lambda row: str(row.batch_size), None),
    ConcurrencyRow: (lambda row: str(row.callers), None),
    Behaviour: (lambda one: str(one.name), "failing_share"),
    Scenario: (lambda one: f"{one.kind} {one.magnitude:g}", "changed_share"),
    BreakingPoint: (
        lambda one: one.feature if one.kind == "mean_shift" else f"{one.feature}, {one.kind}",
        "distance",
    ),
    FeatureImportance: (lambda one: str(one.feature), "mean_abs"),
    ColumnDrift: (lambda one: str(one.column), "psi"),
    SingleEffect: (lambda one: str(one.feature), "changed_share"),
    FalseAlarms: (lambda one: str(one.rows_current), None),
}
# What is worked out from a record's own fields.
_DERIVED: dict[type[Record], tuple[str, ...]] = {
    DriftAnalysis: ("largest_changed_share",),
    BreakingPoint: ("distance",),
}
_UNITS = {
    "_ms": "ms", "_mb": "MB", "rows_s": "rows/s", "per_s": "rows/s", "_s": "s", "_share": "share",
    "_rate": "share", "distance": "sd", "breaking_points.min": "sd", "breaking_points.max": "sd",
}  # fmt: skip
_EXTREMES: dict[str, Callable[..., float]] = {"min": min, "max": max}


class ReportFigure(NamedTuple):
    """A number of a report. interval: at 95 %, None where none was worked out; an open end is None."""

    path: str
    value: float | None
    interval: tuple[float | None, float | None] | None
    unit: str


def figures(parts: Parts) -> dict[str, ReportFigure]:
    """All figures of a report, in its own order; one that was not measured has the value None."""
    found: dict[str, ReportFigure] = {}
    for name in _ROOTS:
        if name in parts:
            for one in _walk(name, parts[name]):
                found.setdefault(one.path, one)
    return found


def check_path(path: str) -> None:
    """Raise ValueError for a path that no report can have, with the nearest ones that one can."""
    general = re.sub(r"\[[^\[\]]*\]", "[*]", path)
    known = _paths()
    if general in known or (general.startswith("timings.") and general.count(".") == 1):
        return
    near = ", ".join(difflib.get_close_matches(general, sorted(known), n=3, cutoff=0.5))
    raise ValueError(
        f"{path!r} is no figure of a report; "
        + (f"near it are {near}" if near else f"they begin with {', '.join(_ROOTS)}")
    )


def nearest(path: str, known: Mapping[str, Any]) -> str:
    """What there is in place of a path that a report lacks, in words."""
    list_of, bracket, _ = path.partition("[")
    of_list = [one for one in known if bracket and one.startswith(f"{list_of}[")]
    near = of_list[:5] or difflib.get_close_matches(path, list(known), n=5, cutoff=0.4)
    return ", ".join(near) if near else "nothing near it"


def _walk(path: str, value: Any) -> Iterator[ReportFigure]:
    if isinstance(value, Section):
        if value.value is not None:
            yield from _walk(path, value.value)
    elif isinstance(value, Record):
        yield from _of_record(path, value)
    elif isinstance(value, Mapping):
        for key, number in value.items():
            if _is_number(number):
                yield _read(f"{path}.{key}", number, None)
    elif isinstance(value, tuple) and value and (keyed := _KEYS.get(type(value[0]))) is not None:
        key_of, main = keyed
        for one in value:
            yield from _walk(f"{path}[{key_of(one)}]", one)
        if main is not None:
            yield from _extremes(path, value, main)


def _of_record(path: str, record: Record) -> Iterator[ReportFigure]:
    for name in (*type(record).model_fields, *_DERIVED.get(type(record), ())):
        value = getattr(record, name)
        if _is_figure(type(record), name) and (value is None or _is_number(value)):
            yield _read(f"{path}.{name}", value, _interval_of(record, name))
        else:
            yield from _walk(f"{path}.{name}", value)


def _extremes(path: str, entries: tuple[Any, ...], main: str) -> Iterator[ReportFigure]:
    known = [(getattr(one, main), _interval_of(one, main)) for one in entries]
    values = [(value, held) for value, held in known if value is not None]
    for name, extreme in _EXTREMES.items():
        if not values:
            yield _read(f"{path}.{name}", None, None)
            continue
        lows = [held[0] if held else value for value, held in values]
        highs = [held[1] if held else value for value, held in values]
        held = None
        if any(interval for _, interval in values):
            ends = (
                extreme(-_INFINITE if end is None else end for end in lows),
                extreme(_INFINITE if end is None else end for end in highs),
            )
            held = tuple(None if abs(end) == _INFINITE else end for end in ends)
        if len(values) < len(known) and name == "min":
            held = (0.0, held[1] if held else min(value for value, _ in values))  # the others are not known
        yield _read(f"{path}.{name}", extreme(value for value, _ in values), held)


def _interval_of(record: Any, name: str) -> Ends | None:
    held: Ends | None
    if name == "distance":
        held = record.reach
        return held
    if name == "rows_per_s" and record.p50_interval is not None:
        slow, fast = record.p50_interval[::-1]
        thousand = 1000.0 * record.batch_size
        return (thousand / slow if slow else None), (thousand / fast if fast else None)
    held = getattr(record, "interval" if name == "ratio" else f"{name.removesuffix('_ms')}_interval", None)
    return held


def _read(path: str, value: float | None, interval: Any) -> ReportFigure:
    unit = next((unit for end, unit in _UNITS.items() if path.endswith(end)), "")
    return ReportFigure(path, None if value is None else float(value), interval, unit)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@cache
def _is_figure(kind: type[Record], name: str) -> bool:
    if name in _DERIVED.get(kind, ()):
        return True
    kinds = set(_kinds(kind.model_fields[name].annotation))
    return bool(kinds & {int, float}) and not kinds & {str, bool}


@cache
def _paths() -> frozenset[str]:
    return frozenset(path for name, kind in _ROOTS.items() for path in _paths_of(name, kind))


def _paths_of(path: str, annotation: Any) -> Iterator[str]:
    for kind in _kinds(annotation):
        if not isinstance(kind, type) or not issubclass(kind, Record):
            continue
        if issubclass(kind, Section):
            yield from _paths_of(path, kind.model_fields["value"].annotation)
            continue
        for name in (*kind.model_fields, *_DERIVED.get(kind, ())):
            if _is_figure(kind, name):
                yield f"{path}.{name}"
                continue
            inner = kind.model_fields[name].annotation
            for entry, (_, main) in _KEYS.items():
                if entry in _kinds(inner):
                    yield from _paths_of(f"{path}.{name}[*]", entry)
                    yield from (f"{path}.{name}.{extreme}" for extreme in _EXTREMES if main)
            if get_origin(inner) is not tuple:
                yield from _paths_of(f"{path}.{name}", inner)


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that a field may hold; of a tuple of any length that of its entries."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    elif origin is tuple:
        arguments = get_args(annotation)
        if len(arguments) == 2 and arguments[1] is ... and arguments[0] in _KEYS:
            yield arguments[0]
    else:
        yield annotation


_INFINITE = float("inf")
