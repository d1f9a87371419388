"""What is learnt of each raw feature while a fitted model is walked, whoever tells it.

Promises: the first to tell a fact wins, and only finite figures are told. Leaves finding them to
`mining.schema` and `mining.splits`.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rows.shapes import quantiles_of
from schema_utils import CATEGORIES_KEPT, MAX_WITH_QUANTILES

__all__ = [
    "Column",
    "Columns",
    "Facts",
    "Floats",
    "between_integers",
    "mine_categories",
    "tell_raw",
    "tell_spread",
]

Floats = npt.NDArray[np.float64]

FEW = 64  # distinct values up to which k + 0.5 midpoints speak of integers


class Column(NamedTuple):
    """Which raw feature a column of an inner step is; `raw` when its values are still the feature's own.

    undo: (factor, addend) that makes them so again where a scaler changed them. In any case they rise with
    the feature's (a category's: with its place in the list).
    """

    feature: int
    raw: bool
    undo: tuple[float, float] | None = None

    def own(self, values: Floats) -> Floats | None:
        """The column's values in the feature's own unit; None where the way back is not known."""
        if self.raw:
            return values
        if self.undo is None:
            return None
        factor, addend = self.undo
        found = values * factor + addend
        whole = np.rint(found)
        close = np.abs(found - whole) <= 1e-9 * (1 + np.abs(whole))
        return np.where(close, whole, found)  # a scaler's rounding makes no whole number a fraction


Columns = list[Column | None]


class Facts:
    """What was learnt of each raw feature; the first to tell a fact wins, a suggestion is the last resort."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.count = len(names)
        self._told: list[dict[str, Any]] = [{} for _ in names]
        self._suggested: list[dict[str, Any]] = [{} for _ in names]
        self.rows: Floats | None = None  # example rows x features; NaN in what is not known
        self.together: frozenset[str] = frozenset()  # prefixes of names that are no one-hot group

    def tell(self, column: Column | None, **facts: Any) -> None:
        if column is not None:
            for key, value in facts.items():
                self._told[column.feature].setdefault(key, value)

    def suggest(self, column: Column | None, **facts: Any) -> None:
        if column is not None:
            for key, value in facts.items():
                self._suggested[column.feature].setdefault(key, value)

    def tell_rows(self, columns: Columns, table: Floats) -> None:
        """Example rows of whatever unit: they are looked at for their order only."""
        if self.rows is None and self.count <= MAX_WITH_QUANTILES and len(table):
            self.rows = np.full((len(table), self.count), np.nan)
            for column, values in zip(columns, table.T, strict=True):
                if column is not None:
                    self.rows[:, column.feature] = values

    def of(self, index: int) -> dict[str, Any]:
        return {**self._suggested[index], **self._told[index]}


def tell_raw(facts: Facts, column: Column | None, **figures: Any) -> None:
    if column is not None and column.raw:
        numbers = {k: float(v) for k, v in figures.items() if v is not None and math.isfinite(v)}
        facts.tell(column, **numbers)


def tell_spread(
    facts: Facts, column: Column | None, values: Floats, *, whole: bool = False, midpoints: bool = False
) -> None:
    """Range, mean and std of values that stand for the training data."""
    own = None if column is None else column.own(values)
    values = values if own is None else own[np.isfinite(own)]
    if column is None or not len(values):
        return
    if own is None:
        _tell_weights(facts, column, values)
        return
    low, high = float(values.min()), float(values.max())
    if (midpoints and between_integers(values)) or (whole and np.all(values == np.rint(values))):
        facts.tell(column, type="integer")
        low, high = math.floor(low), math.ceil(high)
    column = Column(column.feature, True)  # the values are the feature's own by now
    tell_raw(facts, column, min=low, max=high, mean=float(values.mean()), std=float(values.std()))
    if whole and facts.count <= MAX_WITH_QUANTILES:
        facts.tell(column, quantiles=quantiles_of(values))


def _tell_weights(facts: Facts, column: Column, codes: Floats) -> None:
    """How often each category occurs, by an ordinal encoder's codes."""
    categories = facts.of(column.feature).get("categories") or ()
    whole = codes == np.rint(codes)
    if len(categories) and whole.all() and codes.min() >= 0 and codes.max() < len(categories):
        counts = np.bincount(codes.astype(np.int64), minlength=len(categories))
        facts.tell(column, weights=tuple((counts / counts.sum()).tolist()))


def between_integers(values: Floats) -> bool:
    """All multiples of 0.5, few, and half of them or more k + 0.5: midpoints of neighbouring integers."""
    distinct = np.unique(values)
    halves = np.abs(distinct % 1 - 0.5) < 1e-9
    multiples = np.abs(distinct * 2 - np.rint(distinct * 2)) < 1e-9
    return bool(len(distinct) <= FEW and multiples.all() and halves.mean() >= 0.5)


def _is_closed(step: Any) -> bool:
    kind = type(step).__name__
    return kind in ("OneHotEncoder", "OrdinalEncoder") and step.handle_unknown == "error"


def mine_categories(step: Any, columns: Columns, facts: Facts) -> None:
    """OneHotEncoder, OrdinalEncoder, TargetEncoder."""
    for column, values in zip(columns, step.categories_, strict=True):
        if column is None or not column.raw:
            continue
        plain = [value.item() if isinstance(value, np.generic) else value for value in values]
        present = [value for value in plain if value is not None and value == value]
        if len(present) < len(plain):
            facts.tell(column, nullable=True)
        if present and all(isinstance(value, bool) for value in present):
            facts.tell(column, type="boolean")
        elif present:
            kept = [v if isinstance(v, str | int | float) else str(v) for v in present[:CATEGORIES_KEPT]]
            facts.tell(column, type="category", categories=tuple(kept))
            # Infrequent ones are among the categories too; a list that was cut is no longer all.
            facts.tell(column, closed=_is_closed(step) and len(kept) == len(present))
