"""Holders of what classes that are gone had kept, until the model they belong to is built.

Promises: a holder keeps its state and does nothing. Leaves making today's objects of it to the family.
"""

from collections import UserList
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import check_array

__all__ = [
    "STAND_INS",
    "Checking",
    "Columns",
    "Held",
    "Imputer",
    "Inert",
    "Labels",
    "OldDict",
    "numpy_function",
]


CHECKED_BY = {"dtype", "ensure_all_finite", "estimator", "force_all_finite"}


class Checking:
    """scikit-learn's check of arrays with arguments bound: `functools.partial` for this function alone."""

    def __new__(cls, function: Any = check_array) -> "Checking":
        if function is not check_array:
            raise TypeError("arguments are bound to something else than scikit-learn's check of arrays")
        return object.__new__(cls)

    def __init__(self, _function: Any = check_array) -> None:
        self.named: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        """As `functools.partial` writes it. `force_all_finite` was renamed in 1.6. Else TypeError."""
        if isinstance(state, tuple):
            function, arguments, named, nothing = state
            if (function, arguments, nothing) != (check_array, (), None) or not set(named) <= CHECKED_BY:
                raise TypeError("more is bound than how an array is checked")
            new = {"force_all_finite": "ensure_all_finite"}
            self.named = {new.get(name, name): value for name, value in named.items()}
        else:
            self.named = state["named"]

    def __call__(self, x: Any) -> Any:
        return check_array(x, **self.named)


def numpy_function(module: Any, name: Any) -> Any:
    """One of numpy's own functions by its name (`_ufunc_reconstruct` of numpy before 1.20)."""
    found = getattr(np, name, None) if isinstance(name, str) and name.isidentifier() else None
    if module not in UFUNC_HOMES or not isinstance(found, np.ufunc):
        raise TypeError("the function is none of numpy's own")
    return found


class Imputer(SimpleImputer):  # type: ignore[misc]  # scikit-learn is not typed
    """What was `sklearn.preprocessing.Imputer` until 0.21: of columns it is SimpleImputer."""


class Inert:
    """Stands in for what no answer needs: takes any arguments and any state, and does nothing."""

    def __new__(cls, *_args: Any, **_named: Any) -> "Inert":
        return object.__new__(cls)

    def __init__(self, *_args: Any, **_named: Any) -> None: ...

    def __setstate__(self, _state: Any) -> None: ...


class Held:
    """The state of an object whose class is gone."""


class Labels(Held):
    """What stood between codes and labels in XGBoost 1.0 to 1.5 (`XGBoostLabelEncoder`)."""


class Columns(UserList[Any]):
    """scikit-learn 1.5's and 1.6's list of the columns that are left (`_RemainderColsList`)."""


class OldDict(dict[str, Any]):
    """scikit-learn 0.20's dict that warned of some of its keys (`DeprecationDict`)."""


UFUNC_HOMES = ("numpy", "numpy.core._multiarray_umath", "numpy.core.umath")

STAND_INS: dict[tuple[str, str], Any] = {
    ("functools", "partial"): Checking,
    ("numpy._core", "_ufunc_reconstruct"): numpy_function,
    ("sklearn.compose._column_transformer", "_RemainderColsList"): Columns,
    ("sklearn.utils.deprecation", "DeprecationDict"): OldDict,
    ("sklearn.preprocessing.imputation", "Imputer"): Imputer,
    ("xgboost.compat", "XGBoostLabelEncoder"): Labels,
} | {
    ("sklearn.ensemble.gradient_boosting", name): type(name, (Held,), {"__module__": __name__})
    for name in (
        "LogOddsEstimator", "ScaledLogOddsEstimator", "PriorProbabilityEstimator", "MeanEstimator",
        "QuantileEstimator", "ZeroEstimator",
    )
}  # fmt: skip
