"""Classifiers of several outputs at once, with what older releases answered for them.

Leaves the models inside to their own families.
"""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn import linear_model, multioutput
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils.validation import check_array, check_is_fitted

from upgrades.steps import State, step

__all__ = ["STEPS", "ClassifierChain", "RidgeClassifierCV"]


class ClassifierChain(multioutput.ClassifierChain):  # type: ignore[misc]  # scikit-learn is not typed
    """Of outputs with three or more classes, the probability of the second class."""

    def predict_proba(self, X: Any) -> Any:
        check_is_fitted(self)
        x = check_array(X, accept_sparse=True)
        stack = sparse.hstack if sparse.issparse(x) else np.hstack
        labels, shares = (np.zeros((x.shape[0], len(self.estimators_))) for _ in range(2))
        for i, model in enumerate(self.estimators_):
            wider = stack((x, labels[:, :i]))
            shares[:, i] = model.predict_proba(wider)[:, 1]
            labels[:, i] = model.predict(wider)
        return shares[:, np.argsort(self.order_)]


@step("sklearn.multioutput.ClassifierChain", before="1.5", needs="estimators_")
def chains_answer_the_share_of_the_second_class(made: Any, state: State) -> None:
    """Since 1.5 outputs of more than two classes have no probabilities (multioutput.py)."""
    several = any(len(getattr(model, "classes_", ())) > 2 for model in state["estimators_"])
    if several and all(hasattr(model, "predict_proba") for model in state["estimators_"]):
        made.__class__ = ClassifierChain


class RidgeClassifierCV(linear_model.RidgeClassifierCV):  # type: ignore[misc]
    """Of several labels, the one with the highest score."""

    def predict(self, X: Any) -> Any:
        return LinearClassifierMixin.predict(self, X)


@step("sklearn.linear_model._ridge.RidgeClassifierCV", before="1.0", needs="_label_binarizer")
def one_label_of_several_is_answered(made: Any, state: State) -> None:
    """Since 1.0 each label is answered (linear_model/_ridge.py)."""
    if state["_label_binarizer"].y_type_.startswith("multilabel"):
        made.__class__ = RidgeClassifierCV


STEPS = (chains_answer_the_share_of_the_second_class, one_label_of_several_is_answered)
