"""Whether a scaler beside a model is its own: what a tree remembers tells how large its inputs were.

Promises: a scaler is called foreign on the model's own bounds alone, never on a guess. Leaves where scalers
stand to `bundles.assembly`.
"""

from collections.abc import Sequence
from typing import Any

from bundles.entries import Entry
from bundles.layout import Layout
from bundles.shapes import Shape
from mining.schema import mine
from records.schema import FieldSpec

__all__ = ["foreign_scalers"]

# As far from 0 as what a scaler gave lies, with room for outliers of the training data.
FARTHEST = {
    "StandardScaler": 20.0,
    "RobustScaler": 20.0,
    "PowerTransformer": 20.0,
    "MinMaxScaler": 3.0,
    "MaxAbsScaler": 3.0,
    "QuantileTransformer": 10.0,
}


def foreign_scalers(model: Any, chain: Sequence[tuple[Entry, Shape]], layout: Layout) -> list[Entry]:
    """Scalers right before the model that give half of their columns, or more, in sizes unlike its own."""
    last = [chain[-1][0]] if chain else layout.used
    scalers = [entry for entry in last if type(entry.value).__name__ in FARTHEST]
    mined = mine(model) if scalers else None  # which takes the longer the more trees there are
    if mined is None:
        return []
    fields = mined.schema.features
    if chain:
        return [entry for entry in scalers if _is_foreign(entry.value, fields)]
    by_name = dict(zip(layout.out, fields, strict=False))
    gives = {id(part.transformer): part.gives for part in layout.parts}
    return [
        entry
        for entry in scalers
        if _is_foreign(entry.value, [by_name[name] for name in gives[id(entry.value)]])
    ]


def _is_foreign(scaler: Any, fields: Sequence[FieldSpec]) -> bool:
    farthest = FARTHEST[type(scaler).__name__]
    told = [field for field in fields if field.origin == "model"]  # not by its name
    known = [f for f in told if isinstance(f.min, int | float) and isinstance(f.max, int | float)]
    beyond = [f for f in known if max(abs(float(f.min or 0)), abs(float(f.max or 0))) > farthest]
    return bool(known) and 2 * len(beyond) >= len(known)
