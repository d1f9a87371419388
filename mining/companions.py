"""What the steps of scikit-learn's companions remember: category_encoders, feature-engine, imbalanced-learn.

Promises: by attributes and names alone, so that none of them need be installed. Leaves walking through a
pipeline to `mining.schema`.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from mining.facts import Column, Columns, Facts
from schema_utils import CATEGORIES_KEPT

__all__ = ["UNKNOWN_CATEGORY", "after_companion", "mine_companion"]

UNKNOWN_CATEGORY = "unknown"  # where a model takes text and keeps none of it
# Rooms of feature-engine whose steps leave the values of a column as they are.
UNCHANGED = {"imputation", "selection", "outliers", "preprocessing"}
COUNTED = {"CountEncoder", "CountFrequencyEncoder"}  # whose figures are how often a category occurred


def mine_companion(step: Any, columns: Columns, facts: Facts) -> None:
    """Categories of encoders, and which columns an imputer fills."""
    library, room = _place(step)
    if library not in ("category_encoders", "feature_engine"):
        return
    names = _names_in(step)
    by_name = dict(zip(names, columns, strict=False))
    found = _by_category_encoders(step) if library == "category_encoders" else _by_feature_engine(step, room)
    for name, (values, weights) in found.items():
        column = by_name.get(name)
        if column is not None and column.raw:
            _tell(facts, column, values, weights)
    if library == "category_encoders":
        for name in set(map(str, getattr(step, "cols", None) or ())) - set(found):
            facts.suggest(by_name.get(name), type="category", categories=(UNKNOWN_CATEGORY,))
    if room == "imputation":
        for name in map(str, getattr(step, "variables_", ())):
            facts.tell(by_name.get(name), nullable=True)


def after_companion(step: Any, columns: Columns) -> Columns | None:
    """The columns behind a step of theirs, by their names; None where the step is of no companion."""
    library, room = _place(step)
    if hasattr(step, "fit_resample") and library == "imblearn":
        return columns  # changes rows, and only while it is fitted
    if library not in ("category_encoders", "feature_engine"):
        return None
    by_name = dict(zip(_names_in(step), columns, strict=False))
    changed: set[str] = set()
    if room not in UNCHANGED:
        changed = {
            str(name) for name in getattr(step, "variables_", None) or getattr(step, "cols", None) or ()
        }
    after: Columns = []
    for name in map(str, step.get_feature_names_out()):
        column = by_name.get(name)
        after.append(Column(column.feature, False) if column is not None and name in changed else column)
    return after


def _place(step: Any) -> tuple[str, str]:
    """The library of a step's class, and the room in it."""
    parts = type(step).__module__.split(".")
    return parts[0], parts[1] if len(parts) > 1 else ""


def _names_in(step: Any) -> list[str]:
    return [str(name) for name in getattr(step, "feature_names_in_", ())]


Found = dict[str, tuple[list[Any], list[float] | None]]


def _by_category_encoders(step: Any) -> Found:
    """The keys of an encoder's tables; most keep an ordinal encoder that numbers the categories first."""
    found: Found = {}
    inner = getattr(step, "base_n_encoder", None) or next(iter(getattr(step, "encoder_list", ())), None)
    for holder in (step, inner):
        sources = (getattr(holder, "ordinal_encoder", None), holder)
        for source in sources[::-1] if type(step).__name__ in COUNTED else sources:
            mapping = getattr(source, "mapping", None)
            tables: dict[Any, Any] = {}
            if isinstance(mapping, Mapping):
                tables = dict(mapping)
            elif isinstance(mapping, list):
                tables = {one["col"]: one["mapping"] for one in mapping if isinstance(one, Mapping)}
            for name, table in tables.items():
                with suppress(Exception):
                    weights = None
                    if type(step).__name__ in COUNTED and source is step:
                        weights = [float(value) for value in table.tolist()]
                    found.setdefault(str(name), (list(table.index), weights))
    return found


def _by_feature_engine(step: Any, room: str) -> Found:
    if room == "preprocessing":  # MatchCategories
        return {str(name): (list(kept), None) for name, kept in getattr(step, "category_dict_", {}).items()}
    if room != "encoding":
        return {}
    found: Found = {}
    for name, table in dict(getattr(step, "encoder_dict_", {})).items():
        counted = isinstance(table, Mapping) and type(step).__name__ in COUNTED
        weights = [float(value) for value in table.values()] if counted else None
        found[str(name)] = (list(table), weights)
    return found


def _tell(facts: Facts, column: Column, values: list[Any], weights: list[float] | None) -> None:
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    kept = [i for i, v in enumerate(plain) if isinstance(v, str | int | float | bool) and v == v]
    if len(kept) < len(plain):
        facts.tell(column, nullable=True)
    # Some encoders add a number for what is missing or unknown to categories that are texts.
    if any(isinstance(plain[i], str) for i in kept):
        kept = [i for i in kept if isinstance(plain[i], str)]
    kept = kept[:CATEGORIES_KEPT]
    if not kept:
        return
    own = None if weights is None or len(weights) != len(plain) else [weights[i] for i in kept]
    good = own is not None and all(w >= 0 for w in own) and sum(own) > 0
    facts.tell(
        column,
        type="category",
        categories=tuple(plain[i] for i in kept),
        weights=tuple(own) if own is not None and good else None,
    )
