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
    mined = mine(model)
    if mined is None:
        return []
    fields = mined.schema.features
    found = []
    if chain and _is_foreign(chain[-1][0].value, fields):
        found.append(chain[-1][0])
    if not chain:
        by_name = dict(zip(layout.out, fields, strict=False))
        for entry in layout.used:
            part = next((one for one in layout.parts if one.transformer is entry.value), None)
            if part is not None and _is_foreign(entry.value, [by_name[name] for name in part.gives]):
                found.append(entry)
    return found


def _is_foreign(transformer: Any, fields: Sequence[FieldSpec]) -> bool:
    farthest = FARTHEST.get(type(transformer).__name__)
    told = [field for field in fields if field.origin == "model"]  # not by its name
    known = [f for f in told if isinstance(f.min, int | float) and isinstance(f.max, int | float)]
    if farthest is None or not known:
        return False
    beyond = [f for f in known if max(abs(float(f.min or 0)), abs(float(f.max or 0))) > farthest]
    return 2 * len(beyond) >= len(known)
