"""Tables that a service meets sooner or later: values at and past the edges, wrong types, other columns.

Promises: each table is made of generated rows with one thing changed, and says what. Leaves asking the
model and judging its answers to `behaviours`, and shifts of whole columns to `drift_shifts`.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from schema_utils import FieldSpec, Schema

__all__ = ["HardKind", "HardTable", "hard_table", "hard_tables"]

HardKind = Literal[
    "minimum",
    "maximum",
    "just below",
    "just above",
    "zero",
    "missing",
    "infinite",
    "wrong type",
    "unseen category",
    "long text",
    "missing column",
    "extra column",
    "reordered columns",
    "one row",
    "no rows",
]
LONG = 100_000  # characters
TEXT = "not a number"
EXTRA = "extra column"


@dataclass(frozen=True)
class HardTable:
    """frame: with a fresh index. features: which one was changed in each row; empty for whole tables."""

    kind: HardKind
    frame: pd.DataFrame
    features: tuple[str, ...] = ()


def hard_tables(frame: pd.DataFrame, schema: Schema) -> tuple[HardTable, ...]:
    """Every kind that applies to the schema's features, out of rows that were generated from it."""
    found = (hard_table(kind, frame, schema) for kind in get_args(HardKind))
    return tuple(table for table in found if table is not None)


def hard_table(kind: HardKind, frame: pd.DataFrame, schema: Schema) -> HardTable | None:
    """One kind; None where no feature has such a value (no category can be infinite).

    Changed values: the first row once for every feature that the kind applies to, with that value
    replaced. The ends are the schema's, and the rows' own where it has none. Whole tables: the same rows
    without their first column, with one more, with the columns reversed, only the first, or none.
    """
    rows = frame.reset_index(drop=True)
    if kind == "missing column":
        return HardTable(kind, rows.iloc[:, 1:]) if rows.shape[1] > 1 else None
    if kind == "extra column":
        return HardTable(kind, rows.assign(**{_new_name(rows): 1.0}))
    if kind == "reordered columns":
        return HardTable(kind, rows.iloc[:, ::-1]) if rows.shape[1] > 1 else None
    if kind == "one row":
        return HardTable(kind, rows.head(1))
    if kind == "no rows":
        return HardTable(kind, rows.head(0))
    fields = [field for field in schema.features if field.name in rows.columns]
    found = [(f.name, value) for f in fields for value in _values(kind, f, rows[f.name])]
    if not found or rows.empty:
        return None
    table = rows.iloc[np.zeros(len(found), dtype=np.intp)].reset_index(drop=True)
    columns = {}
    for name in table.columns:
        changed = {i: value for i, (feature, value) in enumerate(found) if feature == name}
        columns[name] = _replaced(table[name], changed) if changed else table[name]
    return HardTable(kind, pd.DataFrame(columns), tuple(name for name, _ in found))


def _values(kind: HardKind, field: FieldSpec, column: "pd.Series[Any]") -> tuple[Any, ...]:
    """The values of a kind for one feature; () where it has none."""
    is_number = field.type in ("number", "integer")
    if kind == "missing":
        return (pd.NaT if field.type == "datetime" else np.nan,)
    if kind == "infinite":
        return (math.inf, -math.inf) if field.type == "number" else ()
    if kind == "wrong type":
        return (TEXT,) if is_number else ()
    if kind == "zero":
        return (0,) if is_number else ()
    if field.type == "category":
        if kind == "unseen category" and field.categories:
            from synthetic_data import boundary_values  # SciPy, which the web process never loads

            return boundary_values(field)[-1:]
        texts = any(isinstance(value, str) for value in field.categories or ())
        return ("x" * LONG,) if kind == "long text" and texts else ()
    if not is_number or kind not in ("minimum", "maximum", "just below", "just above"):
        return ()
    low, high = (
        float(end) if bound is None else float(bound)
        for bound, end in ((field.min, column.min()), (field.max, column.max()))
    )
    if not (math.isfinite(low) and math.isfinite(high)):
        return ()
    step = 1.0 if field.type == "integer" else max((high - low) / 1000, math.ulp(max(abs(low), abs(high))))
    value = {"minimum": low, "maximum": high, "just below": low - step, "just above": high + step}[kind]
    return (int(value) if field.type == "integer" else value,)


def _replaced(column: "pd.Series[Any]", changed: dict[int, Any]) -> "pd.Series[Any]":
    """The column with some values replaced; of its own type where that can hold them."""
    values = column.astype(object)
    for row, value in changed.items():
        values.iloc[row] = value
    if all(_is_missing(value) for value in changed.values()) and column.dtype.kind in "iu":
        return values.astype(np.float64)
    try:
        again = values.astype(column.dtype)
    except (TypeError, ValueError, OverflowError):
        return values
    kept = all(
        (_is_missing(value) and _is_missing(again.iloc[row])) or again.iloc[row] == value
        for row, value in changed.items()
    )
    return again if kept else values


def _is_missing(value: Any) -> bool:
    return bool(pd.isna(value))


def _new_name(rows: pd.DataFrame) -> str:
    name = EXTRA
    while name in rows.columns:
        name += " 2"
    return name
