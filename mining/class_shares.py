"""How often each class occurred in a classifier's training data, where the fitted model still knows it.

Promises: shares that sum to 1 in the order of `classes_`, or None; weighted classes are not passed off as
shares. Runs in the locked child.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["class_shares"]

CONSTANT = 0.5  # XGBoost's base score before 2.0
MAX_DEPTH = 12  # of estimators inside of estimators; a crafted object may contain itself


def class_shares(estimator: Any, depth: int = 0) -> tuple[float, ...] | None:
    """Training shares of the classes: priors, roots of trees, kept labels, a booster's first guess.

    Pipelines and searches are asked for the estimator that answers. None for several outputs, for
    `class_weight`, and where nothing was kept.
    """
    if depth > MAX_DEPTH:
        return None
    with suppress(Exception):
        for inner in (getattr(estimator, "best_estimator_", None), _last_step(estimator)):
            if inner is not None:
                return class_shares(inner, depth + 1)
        count = len(estimator.classes_)
        if isinstance(estimator.classes_, list) or getattr(estimator, "class_weight", None) is not None:
            return None
        for read in _READERS:
            with suppress(Exception):
                found = np.asarray(read(estimator), dtype=np.float64).ravel()
                if (
                    len(found) == count
                    and np.isfinite(found).all()
                    and (found >= 0).all()
                    and found.sum() > 0
                ):
                    return tuple((found / found.sum()).tolist())
    return None


def _last_step(estimator: Any) -> Any:
    steps = getattr(estimator, "steps", None)
    return steps[-1][1] if steps else None


def _of_trees(estimator: Any) -> npt.NDArray[np.float64]:
    """The mean over the trees' roots, whose values are shares of the rows that each was grown on."""
    members = [estimator] if hasattr(estimator, "tree_") else list(estimator.estimators_)
    roots = [member.tree_.value[0, 0] / member.tree_.value[0, 0].sum() for member in members]
    return np.asarray(np.mean(roots, axis=0), dtype=np.float64)


def _of_kept_labels(estimator: Any) -> npt.NDArray[np.int64]:
    labels = estimator._y if hasattr(estimator, "_y") else estimator.base_estimator_.y_train_
    codes = (
        labels
        if np.issubdtype(np.asarray(labels).dtype, np.integer)
        else np.searchsorted(estimator.classes_, labels)
    )
    return np.bincount(np.asarray(codes).ravel(), minlength=len(estimator.classes_))


def _of_first_guess(estimator: Any) -> npt.NDArray[np.float64]:
    """Histogram boosting starts at the log-odds of the shares."""
    start = np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel()
    odds = np.exp(start) if len(start) > 1 else np.array([1.0, np.exp(start[0])])
    return np.asarray(odds, dtype=np.float64)


def _of_xgboost(estimator: Any) -> tuple[float, float]:
    """Of two classes the base score is the second's share, where it was taken from the data.

    Before 2.0 it was not, but 0.5 for all; that release cannot be told once the model is loaded.
    """
    learner = json.loads(estimator.get_booster().save_config())["learner"]
    if learner["learner_model_param"].get("boost_from_average") != "1":
        raise ValueError
    if learner["learner_train_param"]["objective"] != "binary:logistic":
        raise ValueError
    share = float(learner["learner_model_param"]["base_score"].strip("[]"))
    if share == CONSTANT:
        raise ValueError
    return 1 - share, share


_READERS: tuple[Callable[[Any], Any], ...] = (
    lambda estimator: estimator.class_prior_,
    lambda estimator: estimator.priors_,
    lambda estimator: np.exp(estimator.class_log_prior_),
    lambda estimator: estimator.init_.class_prior_,
    _of_first_guess,
    _of_kept_labels,
    _of_xgboost,
    _of_trees,
)
