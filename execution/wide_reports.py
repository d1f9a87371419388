"""A report of a model with very many features, held to what a page and a reader can take.

Promises: up to SHOWN features it is the report as it was; beyond, those that matter most are listed and the
others summed up, where parts sum to a whole, or counted in a note. Leaves the complete figures to the run's
files (`shap.parquet`, `thresholds.json`).
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from records.drift import BreakingPoint, ColumnDrift, Decomposition, DriftAnalysis, FalseAlarms, SingleEffect
from records.explanation import Explanation, FeatureShare, ShiftExplanation
from records.run import RunReport

__all__ = ["SHOWN", "bounded"]

SHOWN = 500  # of 10,000 features all would be 25 MB, which neither a page nor a diff can be made of

T = TypeVar("T")


def bounded(report: RunReport) -> RunReport:
    """The report with at most SHOWN features in each of its lists but the schema's and the model's own."""
    drift, explanation = report.drift.value, report.explanation.value
    update: dict[str, Any] = {}
    if drift is not None:
        update["drift"] = report.drift.model_copy(update={"value": _drift(drift)})
    if explanation is not None:
        update["explanation"] = report.explanation.model_copy(update={"value": _explanation(explanation)})
    return report.model_copy(update=update)


def _drift(drift: DriftAnalysis) -> DriftAnalysis:
    notes = list(drift.notes)
    points, columns = drift.breaking_points, drift.columns
    if len(points) > SHOWN:
        searched = tuple(point for point in points if not point.not_searched)
        if len(searched) > SHOWN:
            notes.append(_points_left(searched))
        points = searched[:SHOWN]
    if len(columns) > SHOWN:
        kept = sorted(range(len(columns)), key=lambda i: -(columns[i].psi or 0.0))[:SHOWN]
        notes.append(_columns_left(columns, kept))
        columns = tuple(columns[i] for i in sorted(kept))
    watched = {point.feature for point in points}
    return drift.model_copy(
        update={
            "scenarios": tuple(
                s.model_copy(update={"features": _names(s.features)}) for s in drift.scenarios
            ),
            "breaking_points": points,
            "decomposition": None if drift.decomposition is None else _parts(drift.decomposition),
            "columns": columns,
            "false_alarms": tuple(_alarms(alarms, watched) for alarms in drift.false_alarms),
            "notes": tuple(notes),
        }
    )


def _points_left(points: Sequence[BreakingPoint]) -> str:
    found = sum(point.magnitude is not None for point in points[SHOWN:])
    return (
        f"Listed are {SHOWN} of {len(points):,} features that were searched for breaking points, the nearest "
        f"first; of the others {found:,} have one. thresholds.json has all."
    )


def _columns_left(columns: Sequence[ColumnDrift], kept: Sequence[int]) -> str:
    listed = set(kept)
    others = [column for i, column in enumerate(columns) if i not in listed]
    drifted = sum(column.drifted is True for column in others)
    return (
        f"Listed are the {SHOWN} of {len(columns):,} columns with the largest PSI; of the others {drifted:,} "
        f"drifted, with a PSI of {max(column.psi or 0.0 for column in others):.3g} at most."
    )


def _alarms(alarms: FalseAlarms, watched: set[str]) -> FalseAlarms:
    if len(alarms.columns) <= SHOWN:
        return alarms
    return alarms.model_copy(update={"columns": tuple(c for c in alarms.columns if c.column in watched)})


def _parts(parts: Decomposition) -> Decomposition:
    """The sums of the decomposition are of all features, and stay."""
    shown, others = _split(parts.singles)
    if not others:
        return parts
    changes = [single.output_change for single in others if single.output_change is not None]
    rest = SingleEffect(
        feature=_others(len(others)),
        changed_share=sum(single.changed_share or 0.0 for single in others),
        output_change=sum(changes) if changes else None,
    )
    return parts.model_copy(update={"singles": (*shown, rest)})


def _explanation(found: Explanation) -> Explanation:
    shift = None if found.shift is None else _shift(found.shift)
    if len(found.features) <= SHOWN:
        return found.model_copy(update={"shift": shift})
    listed, others = _split(found.importance)
    place = {name: i for i, name in enumerate(found.features)}
    kept = sorted(place[item.feature] for item in listed)
    left = [place[item.feature] for item in others]
    values = np.asarray(found.shap_values, dtype=np.float64)
    # One more column, so that a row's values still sum to its output.
    values = np.concatenate((values[:, kept], values[:, left].sum(axis=1, keepdims=True)), axis=1)
    rest = sum(item.mean_abs for item in others)
    note = (
        f"Listed are the {SHOWN} most important of {len(found.features):,} features; the mean absolute "
        f"attributions of the others sum to {rest:.3g}. shap.parquet has all."
    )
    return found.model_copy(
        update={
            "features": (*(found.features[i] for i in kept), _others(len(left))),
            "importance": tuple(listed),
            "shap_values": tuple(
                tuple(cell if isinstance(cell, float) else tuple(cell) for cell in row)
                for row in values.tolist()
            ),
            "feature_values": tuple((*(row[i] for i in kept), None) for row in found.feature_values),
            "notes": (*found.notes, note),
            "shift": shift,
        }
    )


def _shift(shift: ShiftExplanation) -> ShiftExplanation:
    shown, others = _split(shift.features)
    if not others:
        return shift
    rest = FeatureShare(feature=_others(len(others)), change=sum(share.change for share in others))
    return shift.model_copy(update={"features": (*shown, rest)})


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    shown, others = _split(names)
    return (*shown, _others(len(others))) if others else names


def _split(items: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    return items[:SHOWN], items[SHOWN:]


def _others(count: int) -> str:
    return f"{count:,} others, summed"
