"""Applies every step that an object's class and release ask for, as its state arrives.

Promises: what was saved by the release installed here stays as it is; a state is copied before it is changed.
Leaves names to `scan.renamed`, and the reading to `estimators.unpickler`.
"""

import inspect
from functools import cache
from typing import Any

import numpy as np
import sklearn

from errors import VersionMismatch
from upgrades import (
    ada_boost,
    against_each_other,
    boosters,
    boosting,
    columns,
    companions,
    linear,
    others,
    several_outputs,
    ties,
    transformers,
    trees,
)
from upgrades.stand_ins import Imputer
from upgrades.steps import Release, State, Step, Upgrade, release_of

__all__ = ["OLDEST", "STEPS", "TODAY", "upgraded"]

OLDEST: Release = (0, 20)
FIRST_WITH_NUMPY_2: Release = (1, 4)
TODAY = release_of(sklearn.__version__) or (0, 0)
STEPS: tuple[Step, ...] = (
    *trees.STEPS, *boosting.STEPS, *columns.STEPS, *linear.STEPS, *ada_boost.STEPS, *others.STEPS,
    *boosters.STEPS, *against_each_other.STEPS, *several_outputs.STEPS, *transformers.STEPS, *ties.STEPS,
    *companions.STEPS,
)  # fmt: skip
VERSION = "_sklearn_version"


def upgraded(made: Any, state: Any, told: Upgrade) -> Any:
    """The state that today's class of `made` needs; what was done is written into `told`.

    May change what is inside of a state (a tree's leaves) and the class of `made` (where today's answers
    otherwise). Raises VersionMismatch for a release that is too old.
    """
    kind: Any = type(made)
    steps = _steps_of(kind)
    known = kind.__module__.startswith("sklearn.") or kind is Imputer
    of_estimator = type(state) is dict and VERSION in state and known
    if not of_estimator:
        steps = tuple(step for step in steps if step.before is None)
        if kind.__module__ == "xgboost.core" and (saved := boosters.release_in(state)) is not None:
            told.boosters.setdefault(saved)
        return _changed(made, state, steps, told) if steps else state
    release = release_of(state[VERSION])
    if release is None or release > TODAY:
        return state
    if release < OLDEST:
        raise VersionMismatch(
            f"The model was saved with scikit-learn {state[VERSION][:20]}; only 0.20 and newer "
            "can be brought forward.",
            hint=f"Fit it again with scikit-learn {sklearn.__version__} and save it again.",
        )
    if release == TODAY:
        return state
    told.releases.setdefault(state[VERSION])
    told.classes.setdefault(kind.__name__)
    numpy_1 = release < FIRST_WITH_NUMPY_2 or told.numpy == 1
    if not numpy_1 and _may_tie(kind, state):
        told.apart.setdefault(kind.__name__, "ties")
    needed = [s for s in steps if s.before is None or release < s.before]
    state = _changed(made, state, tuple(s for s in needed if numpy_1 or not s.of_numpy_1), told)
    state |= {name: value for name, value in _defaults(kind).items() if name not in state}
    # Its own warning says that the version is another one; this state is of the version here by now.
    if type(made).__module__.startswith("sklearn."):
        state[VERSION] = sklearn.__version__
    else:
        del state[VERSION]
    return state


def _may_tie(kind: Any, state: State) -> bool:
    """Whether NumPy's `argpartition` chooses among equally near rows: its code for each processor differs."""
    if kind.__name__ == "KNNImputer":
        return "_fit_X" in state
    fitted = state.get("_fit_X")
    if not kind.__module__.startswith("sklearn.neighbors.") or state.get("_fit_method") != "brute":
        return False
    return not isinstance(fitted, np.ndarray) or fitted.dtype.kind != "f"


def _changed(made: Any, state: Any, steps: tuple[Step, ...], told: Upgrade) -> Any:
    if type(state) is not dict:  # a compiled object's tuple: the step gives another
        for step in steps:
            before, state = state, step.change(made, state)
            if state is not before:
                told.steps.setdefault(step.name)
        return state
    state = dict(state)
    for step in steps:
        if step.needs is not None and step.needs not in state:
            continue  # not fitted: what a search or an ensemble makes copies of
        before, kind = dict(state), type(made)
        inside = step.change(made, state)
        same = before.keys() == state.keys() and all(state[name] is before[name] for name in state)
        if inside or not same or type(made) is not kind:
            told.steps.setdefault(step.name)
    return state


@cache
def _steps_of(kind: Any) -> tuple[Step, ...]:
    names = {f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__}
    return tuple(step for step in STEPS if not names.isdisjoint(step.of))


@cache
def _defaults(kind: Any) -> State:
    """A class's parameters that have a default: one that came later meant as much as its default."""
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
