"""The schema as an editable table, and the edited table as a schema again.

Promises: a row that cannot be used is named with its column, and a row left alone keeps its origin.
Leaves what is consistent to `schema_utils` and drawing to the page.
"""

from collections.abc import Mapping
from typing import Any, get_args

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from errors import InvalidSchema
from records.schema import Distribution, FeatureType, FieldSpec, Schema
from records.texts import plain_value
from schema_utils import parse_schema

__all__ = ["COLUMNS", "column_config", "numbered", "to_frame", "to_schema"]

COLUMNS = ("name", "type", "distribution", "min", "max", "mean", "std", "categories", "missing", "origin")
NUMBERS = ("mean", "std", "missing")
WORDS = {"missing": "missing_share"}


def to_frame(schema: Schema | None) -> pd.DataFrame:
    """One row a feature, in the columns' own types; empty without a schema."""
    fields = schema.features if schema else ()
    data: dict[str, pd.Series] = {}
    for column in COLUMNS:
        values = [_shown(field, column) for field in fields]
        data[column] = pd.Series(values, dtype="float64" if column in NUMBERS else "object")
    return pd.DataFrame(data)


def numbered(features: int) -> Schema:
    """A start for a model that tells only how many numbers it takes."""
    return Schema(features=tuple(FieldSpec(name=f"feature_{i + 1}") for i in range(features)))


def to_schema(table: pd.DataFrame, base: Schema | None) -> tuple[Schema | None, list[str]]:
    """The schema that the table describes, or what is wrong with it, a sentence a row."""
    known = {field.name: field for field in base.features} if base else {}
    fields, faults = [], []
    for place, row in enumerate(table.to_dict("records"), start=1):
        if all(_blank(row.get(column)) for column in COLUMNS if column != "origin"):
            continue
        try:
            fields.append(_field(row, known))
        except ValueError as error:
            name = str(row.get("name") or "").strip()
            faults.append(f"Row {place}{f', {name}' if name else ''}: {_said(error)}")
    if faults:
        return None, faults
    if not fields:
        return None, ["The table is empty. Add a row for each feature that the model takes."]
    try:
        document = {"features": [field.model_dump(mode="json") for field in fields]}
        # What was deleted from the table is not filled in again.
        deleted = set(known) - {field.name for field in fields}
        return parse_schema(document | {"complete": bool(deleted)}), []
    except InvalidSchema as error:
        return None, [f"{error.message} {error.hint}".strip()]


def column_config() -> dict[str, Any]:
    """Typed columns with what each means."""
    column = st.column_config
    return {
        "name": column.TextColumn("Name", required=True, pinned=True, max_chars=200),
        "type": column.SelectboxColumn("Type", options=list(get_args(FeatureType)), default="number"),
        "distribution": column.SelectboxColumn(
            "Distribution", options=list(get_args(Distribution)), default="auto", help="For numbers"
        ),
        "min": column.TextColumn("Min", help="A number; for a datetime, a date such as 2026-01-31"),
        "max": column.TextColumn("Max", help="A number; for a datetime, a date such as 2026-12-31"),
        "mean": column.NumberColumn("Mean", format="%.4g"),
        "std": column.NumberColumn("Std", min_value=0.0, format="%.4g", help="Standard deviation"),
        "categories": column.TextColumn(
            "Categories", width="medium", help="Comma-separated; of a text its words"
        ),
        "missing": column.NumberColumn(
            "Missing share",
            min_value=0.0,
            max_value=0.99,
            format="%.3g",
            help="Share of missing values, 0 to 1",
        ),
        "origin": column.TextColumn("From", disabled=True, help="Model, sample, name, or you"),
    }


def _shown(field: FieldSpec, column: str) -> Any:
    if column == "categories":
        return ", ".join(str(c) for c in field.categories) if field.categories else None
    if column in ("min", "max"):
        value = getattr(field, column)
        return None if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    value = getattr(field, WORDS.get(column, column))
    return float("nan") if value is None and column in NUMBERS else value


def _field(row: Mapping[str, Any], known: Mapping[str, FieldSpec]) -> FieldSpec:
    """A row as a field; the same object as before where nothing was typed over."""
    name = "" if _blank(row.get("name")) else str(row["name"]).strip()
    if not name:
        raise ValueError("the name is missing.")
    base = known.get(name)
    typed = [c for c in COLUMNS if c != "origin" and _differs(row.get(c), base, c)]
    if base is not None and not typed:
        return base
    values = base.model_dump() if base else {"name": name}
    if set(typed) - {"missing"}:
        values["quantiles"] = None  # they would outvote what was typed
    for column in typed:
        values[WORDS.get(column, column)] = _read(row.get(column), column, row)
    if "categories" in typed or (values.get("type") or "") not in ("category", "boolean", "text"):
        values["weights"] = None
    if values.get("missing_share"):
        values["nullable"] = True
    return FieldSpec(**(values | {"origin": "user"}))


def _differs(value: Any, base: FieldSpec | None, column: str) -> bool:
    if base is None:
        return not _blank(value)
    shown = _shown(base, column)
    if _blank(value) or _blank(shown):
        return _blank(value) != _blank(shown)
    return bool(value != shown)


def _read(value: Any, column: str, row: Mapping[str, Any]) -> Any:
    if _blank(value):
        return {"type": "number", "distribution": "auto", "missing": 0.0}.get(column)
    if column in ("min", "max"):
        if row.get("type") == "datetime":
            return str(value).strip()
        try:
            return float(str(value).replace(" ", ""))
        except ValueError:
            raise ValueError(f"{column} is {str(value)[:40]!r}, which is not a number.") from None
    if column == "categories":
        read = str.strip if row.get("type") == "text" else plain_value  # the words of a text are words
        return tuple(read(part) for part in str(value).split(",") if part.strip())
    return float(value) if column in NUMBERS else str(value).strip()


def _blank(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value) or value == ""


def _said(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ", ".join(str(part) for part in first["loc"])
        return f"{where}: {first['msg'].removeprefix('Value error, ')}."
    return str(error)
