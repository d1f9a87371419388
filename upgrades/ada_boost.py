"""AdaBoost's classifier as it answered before 1.6: SAMME.R, and the votes that SAMME counted before 1.3.

scikit-learn 1.6 removed SAMME.R (pull request 29997); no state gives it back, so a class of our own holds its
arithmetic.
"""

from typing import Any

import numpy as np
from sklearn import ensemble
from sklearn.utils.validation import check_is_fitted

from upgrades.steps import State, release_of, step

__all__ = ["STEPS", "AdaBoostClassifier"]


class AdaBoostClassifier(ensemble.AdaBoostClassifier):  # type: ignore[misc]  # scikit-learn is not typed
    """Answers as the release that saved it did: scikit-learn 1.5's `decision_function`, and older ones'."""

    algorithm: str
    weighs_shares: bool  # 0.20's predict_proba of SAMME

    def decision_function(self, X: Any) -> Any:
        """Sum of (K - 1) (log p - mean log p) over models (Zhu et al. 2009, algorithm 4), or of votes."""
        check_is_fitted(self)
        x = self._check_X(X)
        if self.n_classes_ == 1:
            return np.zeros((len(x), 1))
        if self.algorithm == "SAMME.R":
            scores = sum(self._log_shares(model.predict_proba(x)) for model in self.estimators_)
        else:
            classes = self.classes_[:, np.newaxis]
            weighted = zip(self.estimators_, self.estimator_weights_, strict=False)
            scores = sum((model.predict(x) == classes).T * weight for model, weight in weighted)
        scores = scores / self.estimator_weights_.sum()
        if self.n_classes_ == 2:
            scores[:, 0] *= -1
            return scores.sum(axis=1)
        return scores

    def predict_proba(self, X: Any) -> Any:
        if self.algorithm == "SAMME.R" or not self.weighs_shares or self.n_classes_ == 1:
            return super().predict_proba(X)
        x = self._check_X(X)
        weighted = zip(self.estimators_, self.estimator_weights_, strict=False)
        mean = sum(model.predict_proba(x) * weight for model, weight in weighted)
        raised = np.exp(mean / self.estimator_weights_.sum() / (self.n_classes_ - 1))
        return raised / raised.sum(axis=1, keepdims=True)

    def _log_shares(self, shares: Any) -> Any:
        logs = np.log(np.clip(shares, np.finfo(shares.dtype).eps, None))
        return (self.n_classes_ - 1) * (logs - logs.mean(axis=1, keepdims=True))


@step("sklearn.ensemble._weight_boosting.AdaBoostClassifier", before="1.6")
def ada_boost_weighs_as_before(made: Any, state: State) -> None:
    """SAMME.R was the default until 1.5; a wrong vote of SAMME counts -1/(K - 1) since 1.3."""
    algorithm, release = state.get("algorithm"), release_of(state["_sklearn_version"]) or (0, 0)
    if algorithm == "SAMME.R" or (algorithm == "SAMME" and release < (1, 3)):
        made.__class__ = AdaBoostClassifier
        state["weighs_shares"] = release < (0, 21)
    else:
        state.pop("algorithm", None)


STEPS = (ada_boost_weighs_as_before,)
