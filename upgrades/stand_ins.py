"""Holders of what classes that are gone had kept, until the model they belong to is built.

Promises: a holder keeps its state and does nothing. Leaves making today's objects of it to the family.
"""

from collections import UserList
from typing import Any

__all__ = ["STAND_INS", "Columns", "Held", "Inert", "OldDict"]


class Inert:
    """Stands in for what no answer needs: takes any arguments and any state, and does nothing."""

    def __new__(cls, *_args: Any, **_named: Any) -> "Inert":
        return object.__new__(cls)

    def __init__(self, *_args: Any, **_named: Any) -> None: ...

    def __setstate__(self, _state: Any) -> None: ...


class Held:
    """The state of an object whose class is gone."""


class Columns(UserList[Any]):
    """scikit-learn 1.5's and 1.6's list of the columns that are left (`_RemainderColsList`)."""


class OldDict(dict[str, Any]):
    """scikit-learn 0.20's dict that warned of some of its keys (`DeprecationDict`)."""


STAND_INS: dict[tuple[str, str], type] = {
    ("sklearn.compose._column_transformer", "_RemainderColsList"): Columns,
    ("sklearn.utils.deprecation", "DeprecationDict"): OldDict,
} | {
    ("sklearn.ensemble.gradient_boosting", name): type(name, (Held,), {"__module__": __name__})
    for name in (
        "LogOddsEstimator", "ScaledLogOddsEstimator", "PriorProbabilityEstimator", "MeanEstimator",
        "QuantileEstimator", "ZeroEstimator",
    )
}  # fmt: skip
