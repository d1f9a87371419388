"""Linear and discriminant models, partial least squares and support vectors.

Promises: where today's predict_proba is another one, a class of our own holds the old arithmetic. Leaves
AdaBoost to `upgrades.ada_boost`.
"""

from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn import discriminant_analysis, linear_model

from upgrades.steps import State, rename, step

__all__ = [
    "STEPS",
    "LinearDiscriminantAnalysis",
    "LogisticRegression",
    "LogisticRegressionCV",
]


class _OldShares:
    """predict_proba one against the rest, or as the softmax of (-d, d); one by one, as `shares` says."""

    shares: str

    def predict_proba(self, X: Any) -> Any:
        scores = self.decision_function(X)  # type: ignore[attr-defined]
        if self.shares == "softmax of two":
            return softmax(np.column_stack([-scores, scores]), axis=1)
        each = expit(scores)
        sums = each.sum(axis=1, keepdims=True)
        each = np.where(sums == 0, 1.0, each)
        return each / each.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any) -> Any:
        return np.log(self.predict_proba(X))


class LogisticRegression(_OldShares, linear_model.LogisticRegression):  # type: ignore[misc]
    """With the probabilities that `multi_class` asked for."""


class LogisticRegressionCV(_OldShares, linear_model.LogisticRegressionCV):  # type: ignore[misc]
    """With the probabilities that `multi_class` asked for."""


class LinearDiscriminantAnalysis(_OldShares, discriminant_analysis.LinearDiscriminantAnalysis):  # type: ignore[misc]
    """With the probabilities of 0.20: one against the rest."""


@step("sklearn.linear_model._logistic.LogisticRegression", before="1.8")
def penalties_are_told_by_their_mix(_made: Any, state: State) -> None:
    """'l1' is an `l1_ratio` of 1 since 1.8: who selects by it asks for the number."""
    if state.get("l1_ratio") is None and "l1_ratios" not in state:
        state["l1_ratio"] = 1.0 if state.get("penalty") == "l1" else 0.0


@step("sklearn.linear_model._logistic.LogisticRegression", before="1.8")
def logistic_regression_answers_one_against_the_rest(made: Any, state: State) -> None:
    """`multi_class` decided until 1.7 (pull requests 28703, 31241); 'warn' and 'auto' as they then meant."""
    if "classes_" not in state:
        return
    asked, several = state.pop("multi_class", "auto"), len(state["classes_"]) > 2
    single = state.get("solver") in ("liblinear", "newton-cholesky", "warn")
    rest = asked in ("ovr", "warn") or (asked in ("auto", "deprecated") and (single or not several))
    if rest and several:
        state["shares"] = "one against the rest"
    elif not rest and not several:
        state["shares"] = "softmax of two"
    else:
        return
    of_cv = isinstance(made, linear_model.LogisticRegressionCV)
    made.__class__ = LogisticRegressionCV if of_cv else LogisticRegression


@step("sklearn.discriminant_analysis.LinearDiscriminantAnalysis", before="0.22")
def discriminants_answer_one_against_the_rest(made: Any, state: State) -> None:
    """Softmax since 0.22."""
    if len(state.get("classes_", ())) > 2:
        state["shares"] = "one against the rest"
        made.__class__ = LinearDiscriminantAnalysis


@step("sklearn.cross_decomposition._pls._PLS", before="1.5")
def coefficients_are_of_raw_columns(_made: Any, state: State) -> None:
    """(columns, targets) until 1.0, `_coef_` in 1.1 and 1.2; divided by the deviation since 1.5."""
    rename(state, x_mean_="_x_mean", x_std_="_x_std", y_mean_="_y_mean", y_std_="_y_std")
    if "_coef_" in state:
        state["coef_"] = state.pop("_coef_")
    elif "coef_" in state and not state["_sklearn_version"].startswith(("1.3", "1.4")):
        state["coef_"] = state["coef_"].T
    if "coef_" in state:
        state["coef_"] = state["coef_"] / state["_x_std"]
        state["intercept_"] = np.asarray(state["_y_mean"])
    state.setdefault("_predict_1d", False)


@step("sklearn.linear_model._bayes.BayesianRidge", "sklearn.linear_model._bayes.ARDRegression", before="1.9")
def deviations_of_bayesian_models_are_of_raw_columns(_made: Any, state: State) -> None:
    """Columns are centred since 1.9, and were scaled where `normalize` said so until 1.1 (`return_std`)."""
    scaled = state.pop("normalize", False) is True
    if "sigma_" not in state:
        return
    if not scaled:
        state["X_offset_"] = np.zeros_like(np.asarray(state["coef_"], dtype=float))
        return
    scale = np.asarray(state["X_scale_"], dtype=float)
    if scale.shape != state["sigma_"].shape[:1]:  # of ARD only the columns that it kept
        scale = scale[state["lambda_"] < state["threshold_lambda"]]
    state["sigma_"] = state["sigma_"] / np.outer(scale, scale)


# Support vectors ----------------------------------------------------------------------------------

SVM = "sklearn.svm._base.BaseLibSVM"


@step(SVM, before="0.23")
def support_vectors_keep_counts_in_private(made: Any, state: State) -> None:
    """`n_support_` until 0.20 and `probA_` until 0.22; regressors of 0.20 wrote memory never set."""
    rename(state, n_support_="_n_support", probA_="_probA", probB_="_probB")
    if "support_" in state and made._impl in ("epsilon_svr", "nu_svr", "one_class"):
        state["_n_support"] = np.full(2, len(state["support_"]), dtype=np.int32)


@step(SVM, before="1.9")
def support_vectors_know_whether_they_have_shares(made: Any, state: State) -> None:
    """`_effective_probability` is new in 1.9, `_num_iter` in 1.1 (svm/_base.py)."""
    classes = made._impl in ("c_svc", "nu_svc")
    state.setdefault("_effective_probability", bool(state.get("probability")) and classes)
    state.setdefault("_num_iter", 0)


# What fitting needs and answering does not ----------------------------------------------------------


@step("sklearn.linear_model._stochastic_gradient.BaseSGD", before="1.9")
def losses_of_gradient_descent_stay_behind(_made: Any, state: State) -> None:
    """`loss_function_` until 1.3; classes of losses moved in 1.6."""
    names = {"log": "log_loss", "squared_loss": "squared_error"}
    state["loss"] = names.get(state["loss"], state["loss"])
    state.pop("loss_function_", None)


@step("sklearn.linear_model._glm.glm._GeneralizedLinearRegressor", before="1.9", needs="coef_")
def links_are_made_anew(made: Any, state: State) -> None:
    """Families and links until 1.0, Cython's losses by the name `_loss` until 1.8."""
    state.pop("_family_instance", None)
    state.pop("_link_instance", None)
    bare = object.__new__(type(made))
    vars(bare).update(state)
    state["_base_loss"] = type(made)._get_loss(bare)


@step("sklearn.linear_model._ridge._RidgeClassifierMixin", before="1.8")
def ridge_classifiers_keep_their_classes(_made: Any, state: State) -> None:
    """A property of the label binarizer until 1.7 (linear_model/_ridge.py)."""
    binarizer = state.get("_label_binarizer")
    if binarizer is not None:
        state.setdefault("classes_", binarizer.classes_)


STEPS = (
    penalties_are_told_by_their_mix,
    logistic_regression_answers_one_against_the_rest,
    discriminants_answer_one_against_the_rest,
    coefficients_are_of_raw_columns,
    deviations_of_bayesian_models_are_of_raw_columns,
    support_vectors_keep_counts_in_private,
    support_vectors_know_whether_they_have_shares,
    losses_of_gradient_descent_stay_behind,
    links_are_made_anew,
    ridge_classifiers_keep_their_classes,
)
