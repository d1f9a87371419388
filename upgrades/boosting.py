"""Gradient boosting, by single trees and by histograms: losses, start values, nodes.

Promises: a loss is made anew by the estimator itself; nothing of the old one is asked. Leaves trees to
`upgrades.trees`.
"""

from typing import Any

import numpy as np
from sklearn import ensemble

from upgrades.stand_ins import Held, Inert
from upgrades.steps import State, rename, step

__all__ = ["STEPS", "GradientBoostingClassifier"]

GB = "sklearn.ensemble._gb.BaseGradientBoosting"
GB_CLASSIFIER = "sklearn.ensemble._gb.GradientBoostingClassifier"
HIST = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.BaseHistGradientBoosting"
HIST_CLASSIFIER = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier"
EDGE = np.finfo(np.float32).eps
LOSSES = {
    "deviance": "log_loss", "ls": "squared_error", "lad": "absolute_error", "least_squares": "squared_error",
    "least_absolute_deviation": "absolute_error", "auto": "log_loss", "binary_crossentropy": "log_loss",
    "categorical_crossentropy": "log_loss",
}  # fmt: skip


@step(GB, HIST, before="1.3")
def losses_by_todays_names(_made: Any, state: State) -> None:
    """'ls' and 'lad' until 1.0, 'deviance' and the entropies until 1.1."""
    state["loss"] = LOSSES.get(state["loss"], state["loss"])


@step(GB, before="1.3")
def boosting_keeps_one_width(_made: Any, state: State) -> None:
    """`n_features_` is `n_features_in_`; what 0.20 kept for regressors and presorting went in 0.24."""
    rename(state, n_features_="n_features_in_")
    if state.get("criterion") == "mse":
        state["criterion"] = "squared_error"


@step(GB, before="1.4", needs="estimators_")
def rounds_have_several_trees(_made: Any, state: State) -> None:
    """`n_trees_per_iteration_` is new in 1.4: the second axis of `estimators_`."""
    state.setdefault("n_trees_per_iteration_", state["estimators_"].shape[1])


@step(GB, before="0.22")
def boosting_starts_from_a_dummy(made: Any, state: State) -> None:
    """0.20 began with estimators of its own (ensemble/gradient_boosting.py of 0.20)."""
    start = state.get("init_")
    if isinstance(start, Held):
        state["init_"] = _dummy(vars(start), type(start).__name__, state)


def _dummy(held: State, kind: str, state: State) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if kind == "ZeroEstimator":
        return "zero"
    if kind in ("MeanEstimator", "QuantileEstimator"):
        constant = float(held["mean" if kind == "MeanEstimator" else "quantile"])
        made = DummyRegressor(strategy="constant", constant=constant)
        return made.fit(np.zeros((1, 1)), [constant])
    if kind == "PriorProbabilityEstimator":
        shares = np.asarray(held["priors"], dtype=float)
    else:
        double = 2.0 if kind == "ScaledLogOddsEstimator" else 1.0
        share = 1.0 / (1.0 + np.exp(-double * float(held["prior"])))
        shares = np.array([1.0 - share, share])
    made = DummyClassifier(strategy="prior").fit(np.zeros((len(shares), 1)), np.arange(len(shares)))
    made.class_prior_ = shares
    made.n_features_in_ = state.get("n_features_in_", 1)
    return made


@step(GB, HIST, before="1.9")
def losses_are_made_anew(made: Any, state: State) -> None:
    """Python classes until 1.0 and 1.3, Cython's by the name `_loss` until 1.8."""
    state.pop("loss_", None)
    if "estimators_" not in state and "_predictors" not in state:
        return
    bare = object.__new__(type(made))  # of the class that has the state, and that nothing else holds
    vars(bare).update(state)
    state["_loss"] = type(made)._get_loss(bare, sample_weight=None)


class GradientBoostingClassifier(ensemble.GradientBoostingClassifier):  # type: ignore[misc]  # scikit-learn is not typed
    """Scores of three or more classes start from logarithms with no mean taken off; a tie is the first class.

    starts_from: "logarithms" of the first model's shares, or in 0.20 the "shares" themselves.
    """

    starts_from: str

    def _raw_predict_init(self, X: Any) -> Any:
        if self.n_classes_ == 2 or isinstance(self.init_, str):
            return super()._raw_predict_init(X)
        self._check_initialized()
        x = self.estimators_[0, 0]._validate_X_predict(X, check_input=True)
        shares = np.clip(self.init_.predict_proba(x), EDGE, 1 - EDGE)
        return np.log(shares) if self.starts_from == "logarithms" else shares

    def predict(self, X: Any) -> Any:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@step(GB_CLASSIFIER, before="1.4", needs="estimators_")
def scores_start_where_they_did(made: Any, state: State) -> None:
    """Since 1.4 a mean is taken off (_loss/link.py), and of two classes a score of 0 is the second's."""
    oldest = state["_sklearn_version"].startswith("0.20.")
    state["starts_from"] = "shares" if oldest else "logarithms"
    made.__class__ = GradientBoostingClassifier


@step(GB_CLASSIFIER, before="1.8")
def own_start_models_are_clipped_as_before(_made: Any, state: State) -> None:
    """Shares of an `init` of the user's own were cut at float32's epsilon, since 1.8 at float64's."""
    from sklearn.base import BaseEstimator, is_classifier
    from sklearn.dummy import DummyClassifier

    start = state.get("init_")
    own = isinstance(start, BaseEstimator) and is_classifier(start)
    if own and not isinstance(start, DummyClassifier):
        state["init_"] = ClippedStart(start)


class ClippedStart:
    """An `init` model whose shares stay away from 0 and 1 (`_init_raw_predictions` of 1.7)."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, x: Any) -> Any:
        return self.model.predict(x)

    def predict_proba(self, x: Any) -> Any:
        return np.clip(self.model.predict_proba(x), EDGE, 1 - EDGE)


# Histograms ---------------------------------------------------------------------------------------


@step(HIST, before="0.24", needs="_predictors")
def what_is_private_has_an_underscore(_made: Any, state: State) -> None:
    """0.22 and 0.23 called them `bin_mapper_` and so on; `early_stopping` was no parameter in 0.22."""
    rename(state, bin_mapper_="_bin_mapper", n_features_="_n_features", scorer_="_scorer")
    state.setdefault("early_stopping", False)
    state.setdefault("n_features_in_", state["_n_features"])


@step(HIST, before="1.4")
def categories_were_told_not_guessed(_made: Any, state: State) -> None:
    """Without a preprocessor, 1.4's, codes go straight to the bins; none are guessed."""
    state.setdefault("categorical_features", None)
    if "_predictors" not in state:
        return
    state.setdefault("is_categorical_", None)
    state.setdefault("_preprocessor", None)
    state.setdefault("_is_categorical_remapped", None)


@step(HIST, before="1.1", needs="_baseline_prediction")
def start_values_are_a_row(_made: Any, state: State) -> None:
    """A number or a column of classes until 1.0."""
    start = np.asarray(state["_baseline_prediction"], dtype=np.float64)
    state["_baseline_prediction"] = start.reshape((1, -1))


@step(HIST_CLASSIFIER, before="1.7", needs="classes_")
def classes_have_an_encoder(_made: Any, state: State) -> None:
    """`_label_encoder` is new in 1.7 (ensemble/_hist_gradient_boosting/gradient_boosting.py)."""
    from sklearn.preprocessing import LabelEncoder

    if "_label_encoder" not in state:
        encoder = LabelEncoder()
        encoder.classes_ = state["classes_"]
        state["_label_encoder"] = encoder


@step(HIST, before="1.9", needs="_predictors")
def fitting_tools_are_left_behind(_made: Any, state: State) -> None:
    """A scorer, and from 1.4 on the model's own bound method, were kept from early stopping."""
    state["_scorer"] = None
    for name in [name for name, value in state.items() if type(value) is Inert]:
        del state[name]


@step("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", before=None)
def nodes_know_categories(_made: Any, state: State) -> None:
    """0.24 renamed `threshold` and added categories; 1.3 widened `feature_idx`."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE, X_BITSET_INNER_DTYPE

    nodes = state["nodes"]
    if nodes.dtype == PREDICTOR_RECORD_DTYPE or nodes.dtype.names is None:
        return
    made = np.zeros(nodes.shape, dtype=PREDICTOR_RECORD_DTYPE)
    for name in nodes.dtype.names:
        made["num_threshold" if name == "threshold" else name] = nodes[name]
    state["nodes"] = made
    for name in ("binned_left_cat_bitsets", "raw_left_cat_bitsets"):
        state.setdefault(name, np.zeros((0, 8), dtype=X_BITSET_INNER_DTYPE))


@step("sklearn.ensemble._hist_gradient_boosting.binning._BinMapper", before="1.0", needs="bin_thresholds_")
def bins_know_categories(_made: Any, state: State) -> None:
    """0.24 added them, 1.0 the number of threads."""
    width = len(state["bin_thresholds_"])
    state.setdefault("is_categorical_", np.zeros(width, dtype=np.uint8))
    state.setdefault("is_categorical", None)
    state.setdefault("known_categories", None)
    state.setdefault("n_threads", None)


STEPS = (
    losses_by_todays_names,
    boosting_keeps_one_width,
    rounds_have_several_trees,
    boosting_starts_from_a_dummy,
    scores_start_where_they_did,
    own_start_models_are_clipped_as_before,
    what_is_private_has_an_underscore,
    categories_were_told_not_guessed,
    start_values_are_a_row,
    classes_have_an_encoder,
    fitting_tools_are_left_behind,
    nodes_know_categories,
    bins_know_categories,
    losses_are_made_anew,
)
