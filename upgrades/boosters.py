"""XGBoost's, LightGBM's and their wrappers' pickles of older releases, in the form that today's read.

Promises: a model's numbers go through the library's own reader of its open format. Their states tell no
release: each step looks for what is missing. Leaves XGBoost's old bytes to `upgrades.xgboost_bytes`.
"""

import inspect
import json
import re
from typing import Any

import numpy as np
import xgboost

from errors import VersionMismatch
from upgrades.steps import State, step
from upgrades.xgboost_bytes import OFFSET, Unreadable, as_json

__all__ = ["STEPS", "XGBClassifier", "release_in"]

PARAMETERS = tuple(n for n in inspect.signature(xgboost.XGBModel).parameters if n != "kwargs")
VERSION = re.compile(rb"version\[(?:#L.{7}\x03|#i\x03|)i(.)i(.)i(.)", re.DOTALL)
UBJSON = b"{L"  # how today's state begins: an object, and the length of its first key


@step("xgboost.core.Booster", before=None)
def trees_are_written_in_open_json(_made: Any, state: State) -> None:
    """A process's memory until 1.2, JSON's text until 1.5, UBJSON since 1.6 (learner.cc); names beside it."""
    raw: Any = state.get("handle")
    if release_in(state) is None:
        return
    try:
        model = as_json(bytes(raw))
        _name(model["learner"], state.pop("feature_names", None), state.pop("feature_types", None))
        booster = xgboost.Booster()
        booster.load_model(bytearray(json.dumps(model).encode()))
    except (Unreadable, xgboost.core.XGBoostError) as error:
        why = str(error).strip().partition("\n")[0][:200]
        raise VersionMismatch(
            f"The XGBoost model in the file is of a release that cannot be brought forward: {why}.",
            hint="Where it was saved, save it again as booster.save_model('model.json') and send that file.",
        ) from None
    state["handle"] = booster.__getstate__()["handle"]


@step("xgboost.core.Booster", before=None)
def settings_of_another_release_are_left(_made: Any, state: State) -> None:
    """Today's warns in C++'s words of the settings that a release since 1.6 wrote beside its model."""
    raw: Any = state.get("handle")
    found = VERSION.search(raw) if isinstance(raw, bytes | bytearray) and raw[:2] == UBJSON else None
    if found is None or ".".join(str(part[0]) for part in found.groups()) == xgboost.__version__:
        return
    booster = xgboost.Booster()
    with xgboost.config_context(verbosity=0):
        booster.__setstate__({"handle": bytearray(raw)})
        state["handle"] = booster.__getstate__()["handle"]


def release_in(state: State) -> str | None:
    """The release of a Booster's state that today's does not read; None for one that it does."""
    raw = state.get("handle")
    if not isinstance(raw, bytes | bytearray) or raw[:2] == UBJSON:
        return None
    found = re.search(rb'"version":\[(\d+),(\d+),(\d+)\]', raw)
    if found is not None:
        return b".".join(found.groups()).decode()
    return "1.0" if raw.startswith(OFFSET) else "0.90"


def _name(learner: Any, names: Any, types: Any) -> None:
    """Columns' names, which stood beside the model until 1.3; those that XGBoost made up are none."""
    if type(names) is list and names != [f"f{i}" for i in range(len(names))]:
        learner["feature_names"] = [str(name) for name in names]
    if type(types) is list and learner["feature_names"]:
        learner["feature_types"] = [str(kind) for kind in types]


@step("xgboost.sklearn.XGBModel", before=None)
def parameters_have_their_defaults(_made: Any, state: State) -> None:
    """Each release added some; one that is not there was None."""
    if state.get("missing") is None:
        state["missing"] = np.nan  # so 0.90 meant it
    for name in PARAMETERS:
        state.setdefault(name, None)


class XGBClassifier(xgboost.XGBClassifier):  # type: ignore[misc]
    """Answers with the labels that it was fitted on, as until 1.5; later ones take whole numbers alone."""

    @property
    def classes_(self) -> Any:
        return vars(self)["classes_"]

    def predict(self, X: Any, **options: Any) -> Any:
        codes = super().predict(X, **options)
        return codes if options.get("output_margin") else self.classes_[np.asarray(codes, dtype=int)]


@step("xgboost.sklearn.XGBClassifier", before=None)
def labels_are_told_by_their_words(made: Any, state: State) -> None:
    """An encoder stood between codes and labels until 1.5 (`XGBoostLabelEncoder`)."""
    encoder = state.pop("_le", None)
    labels = getattr(encoder, "classes_", state.get("classes_"))
    if not isinstance(labels, np.ndarray):
        return
    state["n_classes_"] = len(labels)
    if not np.array_equal(labels, np.arange(len(labels))):
        state["classes_"] = labels
        made.__class__ = XGBClassifier


@step("lightgbm.sklearn.LGBMModel", before=None)
def what_was_none_is_a_number(_made: Any, state: State) -> None:
    """`fitted_` is new in 3.0; counts that were not known are -1 since 4.0 (lightgbm/sklearn.py)."""
    if state.get("_Booster") is not None:
        state.setdefault("fitted_", True)
        state.setdefault("_n_features_in", state.get("_n_features"))
    for name in ("_n_classes", "_best_iteration"):
        if state.get(name) is None:
            state[name] = -1


STEPS = (
    trees_are_written_in_open_json,
    settings_of_another_release_are_left,
    parameters_have_their_defaults,
    labels_are_told_by_their_words,
    what_was_none_is_a_number,
)
