"""category_encoders and imbalanced-learn of older releases, whose states tell no release.

Leaves feature-engine, whose older states are today's, and the scikit-learn inside of all three to the others.
"""

import inspect
from typing import Any

import numpy as np

from upgrades.ada_boost import AdaBoostClassifier
from upgrades.steps import State, step

__all__ = ["STEPS"]


@step("category_encoders.utils.BaseEncoder", before=None)
def encoders_have_what_came_later(made: Any, state: State) -> None:
    """Parameters of 2.9 to 2.11 have their defaults, by which small groups stay and nothing is joined."""
    if "min_group_lumping_" in state or "feature_names_in_" not in state:
        return
    for base in type(made).__mro__[:-1]:
        for one in inspect.signature(base).parameters.values():
            if one.default is not inspect.Parameter.empty:
                state.setdefault(one.name, one.default)
    encoded = {str(name) for name in state.get("cols") or ()}
    kinds = [np.dtype(object if str(name) in encoded else float) for name in state["feature_names_in_"]]
    state["min_group_lumping_"] = {}
    state.setdefault("feature_dtypes_in_", kinds)  # of rows that come as an array


class _Intercept:
    """A column of ones in front, which every contrast encoder gave until 2.8."""

    def _transform(self, X: Any) -> Any:
        found = super()._transform(X)  # type: ignore[misc]  # of the encoder that this is mixed into
        found.insert(0, "intercept", 1)
        return found


@step("category_encoders.base_contrast_encoder.BaseContrastEncoder", before=None)
def contrasts_have_their_intercept(made: Any, state: State) -> None:
    """The encoder's own names of what it gives tell whether a column of ones was among them."""
    names = state.get("feature_names_out_")
    if names is not None and len(names) and str(names[0]) == "intercept":
        _mix_in(made, _Intercept)


@step("imblearn.ensemble._weight_boosting.RUSBoostClassifier", before=None)
def undersampled_boosting_weighs_as_before(made: Any, state: State) -> None:
    """SAMME.R, its default before 0.13, by the arithmetic that scikit-learn 1.6 removed."""
    if state.get("algorithm") == "SAMME.R" and "estimators_" in state:
        _mix_in(made, AdaBoostClassifier)
        state["weighs_shares"] = False


def _mix_in(made: Any, what: type[Any]) -> None:
    """Whatever `what` does otherwise, in a class of the same name."""
    kind = type(made)
    made.__class__ = type(kind.__name__, (what, kind), {"__module__": kind.__module__})


STEPS = (
    encoders_have_what_came_later, contrasts_have_their_intercept, undersampled_boosting_weighs_as_before,
)  # fmt: skip
