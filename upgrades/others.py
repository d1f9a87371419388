"""Neighbours, naive Bayes, processes, clusters, and the width of whatever was learnt before 0.24.

Leaves everything with a family of its own to that.
"""

from typing import Any

import numpy as np
from sklearn import neighbors

from upgrades.steps import State, rename, step

__all__ = ["STEPS", "NearestCentroid"]

# Where a model's width stands that kept no `n_features_in_` (new in 0.23): the last axis of the first found.
WIDE = (
    "coef_", "cluster_centers_", "theta_", "feature_log_prob_", "_fit_X", "centroids_", "means_", "X_train_",
    "statistics_", "components_", "scale_", "scores_", "X_fit_", "n_bins_", "quantiles_",
    "support_vectors_", "lambdas_",
)  # fmt: skip
INSIDE = ("estimators_", "calibrated_classifiers_")


@step("sklearn.metrics._dist_metrics.MinkowskiDistance64", before=None)
def distances_have_no_weights(_metric: Any, state: Any) -> Any:
    """One zero stood for no weights until 1.0; 1.1 multiplies by what stands there."""
    if type(state) is tuple and len(state) == 3 and np.array_equal(state[1], [0.0]):
        return (state[0], np.zeros(0), state[2])
    return state


@step("sklearn.neighbors._base.NeighborsBase", before="0.22")
def neighbours_count_their_rows(_made: Any, state: State) -> None:
    """`n_samples_fit_` is new in 0.22 (neighbors/_base.py)."""
    if state.get("_fit_X") is not None:
        state.setdefault("n_samples_fit_", state["_fit_X"].shape[0])


@step("sklearn.neighbors._classification.RadiusNeighborsClassifier", before="0.22", needs="classes_")
def outliers_have_a_label(_made: Any, state: State) -> None:
    """`outlier_label_` is new in 0.22."""
    label = state.get("outlier_label")
    state.setdefault("outlier_label_", None if label is None else [label])


class NearestCentroid(neighbors.NearestCentroid):  # type: ignore[misc]  # scikit-learn is not typed
    """Without the probabilities of 1.6, which need deviations that older ones did not keep."""

    @property
    def decision_function(self) -> Any:
        raise AttributeError("scikit-learn before 1.6 gave no scores of centroids")

    predict_proba = predict_log_proba = decision_function


@step("sklearn.neighbors._nearest_centroid.NearestCentroid", before="1.6")
def centroids_have_even_priors(made: Any, state: State) -> None:
    """`priors` and probabilities are new in 1.6; uniform is what was computed before."""
    if "classes_" in state:
        count = len(state["classes_"])
        state.setdefault("class_prior_", np.full(count, 1.0 / count))
        made.__class__ = NearestCentroid


@step("sklearn.neighbors._kde.KernelDensity", before="1.2", needs="tree_")
def densities_know_their_bandwidth(_made: Any, state: State) -> None:
    """`bandwidth_` is new in 1.2: by a rule's name until then there was none."""
    state.setdefault("bandwidth_", state["bandwidth"])


@step("sklearn.naive_bayes.GaussianNB", before="1.0")
def variances_are_called_so(_made: Any, state: State) -> None:
    """`sigma_` is `var_` since 1.0."""
    rename(state, sigma_="var_")


@step("sklearn.naive_bayes._BaseDiscreteNB", before="1.2")
def naive_bayes_keeps_no_coefficients(_made: Any, state: State) -> None:
    """0.20's names of the same (naive_bayes.py)."""
    rename(state, n_features_="n_features_in_")


@step("sklearn.gaussian_process._gpr.GaussianProcessRegressor", before="0.24")
def processes_scale_their_targets(_made: Any, state: State) -> None:
    """Scaled by a deviation since 0.23: by one before."""
    if "y_train_" in state:
        state.setdefault("_y_train_mean", np.zeros(1))
        state.setdefault("_y_train_std", np.ones(1))
        state.pop("_K_inv", None)


@step("sklearn.cluster._kmeans._BaseKMeans", before="1.3")
def clusters_name_threads_and_algorithm(_made: Any, state: State) -> None:
    """`_n_threads` is new in 0.23; 'auto' and 'full' are 'lloyd' since 1.1."""
    state.setdefault("_n_threads", 1)
    if state.get("algorithm") in ("auto", "full"):
        state["algorithm"] = "lloyd"
    for name in ("precompute_distances", "n_jobs"):
        state.pop(name, None)


@step("sklearn.dummy.DummyClassifier", before="0.22")
def dummies_know_their_strategy(_made: Any, state: State) -> None:
    """`_strategy` is new in 0.22 (dummy.py)."""
    state.setdefault("_strategy", state["strategy"])


@step("sklearn.model_selection._search.BaseSearchCV", before="1.8")
def searches_leave_their_scorers_behind(_made: Any, state: State) -> None:
    """Scorers were functions and three classes until 1.3; no answer asks for them. `iid` went in 0.24."""
    for name in ("iid", "fit_params", "_metadata_request"):
        state.pop(name, None)
    if "cv_results_" in state:
        state["cv_results_"] = dict(state["cv_results_"])


@step("sklearn.feature_selection._rfe.RFE", before="0.24")
def eliminations_have_a_width(_made: Any, state: State) -> None:
    """Here `n_features_` counts what was selected; the width is that of the mask."""
    if "support_" in state:
        state.setdefault("n_features_in_", len(state["support_"]))


@step("sklearn.base.BaseEstimator", before="1.1")
def width_is_that_of_what_was_learnt(_made: Any, state: State) -> None:
    """`n_features_in_` is new in 0.23, in some classes 0.24 or 1.0."""
    if "n_features_in_" in state:
        return
    if (width := _width(state)) is not None:
        state["n_features_in_"] = width


def _width(state: State) -> int | None:
    shape = state.get("shape_fit_")
    if type(shape) is tuple and len(shape) == 2:
        return int(shape[1])
    weights = state.get("coefs_")
    if type(weights) is list and weights and isinstance(weights[0], np.ndarray):
        return int(weights[0].shape[0])
    if type(state.get("categories_")) is list:
        return len(state["categories_"])
    for name in WIDE:
        value = state.get(name)
        if isinstance(value, np.ndarray) and value.ndim:
            return int(value.shape[-1])
    for name in INSIDE:
        value = state.get(name)
        if type(value) is list and value:
            inner = vars(value[0]) if hasattr(value[0], "__dict__") else {}
            found = inner.get("n_features_in_", getattr(inner.get("estimator"), "n_features_in_", None))
            return int(found) if isinstance(found, int | np.integer) else None
    return None


STEPS = (
    distances_have_no_weights,
    neighbours_count_their_rows,
    outliers_have_a_label,
    centroids_have_even_priors,
    densities_know_their_bandwidth,
    variances_are_called_so,
    naive_bayes_keeps_no_coefficients,
    processes_scale_their_targets,
    clusters_name_threads_and_algorithm,
    dummies_know_their_strategy,
    searches_leave_their_scorers_behind,
    eliminations_have_a_width,
    width_is_that_of_what_was_learnt,
)
