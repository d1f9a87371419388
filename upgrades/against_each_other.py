"""Classifiers that compare classes two by two, with the scores and answers of older releases.

scikit-learn 0.22 made a score independent of the table's other rows (utils/multiclass.py), and 1.1 moved the
place from which a score of two classes counts; classes of our own hold what was before.
"""

from typing import Any

import numpy as np
from sklearn import multiclass, svm

from upgrades.steps import State, release_of, step

__all__ = ["STEPS", "SVC", "NuSVC", "OneVsOneClassifier"]


def scores_of_votes(classes: Any, confidences: Any, count: int) -> Any:
    """Votes (n, count), and as a share below one half the summed confidences, scaled by the table's largest.

    classes, confidences: (n, pairs), of 0.20's `_ovr_decision_function` (utils/multiclass.py).
    """
    votes = np.zeros((len(classes), count))
    sums = np.zeros((len(classes), count))
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    for k, (i, j) in enumerate(pairs):
        sums[:, i] -= confidences[:, k]
        sums[:, j] += confidences[:, k]
        votes[classes[:, k] == 0, i] += 1
        votes[classes[:, k] == 1, j] += 1
    most, least = sums.max(), sums.min()
    if most == least:
        return votes
    return votes + sums * ((0.5 - np.finfo(sums.dtype).eps) / max(abs(most), abs(least)))


class _OldScores:
    """decision_function as of 0.20."""

    def decision_function(self, X: Any) -> Any:
        pairs = self._decision_function(X)  # type: ignore[attr-defined]
        count = len(self.classes_)  # type: ignore[attr-defined]
        if self.decision_function_shape == "ovr" and count > 2:  # type: ignore[attr-defined]
            return scores_of_votes(pairs < 0, -pairs, count)
        return pairs


class SVC(_OldScores, svm.SVC):  # type: ignore[misc]  # scikit-learn is not typed
    """With the scores of 0.20."""


class NuSVC(_OldScores, svm.NuSVC):  # type: ignore[misc]
    """With the scores of 0.20."""


class OneVsOneClassifier(multiclass.OneVsOneClassifier):  # type: ignore[misc]
    """Of two classes the second wherever its score is above 0, as until 1.0; with 0.20's scores."""

    scaled_by_table: bool

    def decision_function(self, X: Any) -> Any:
        if not self.scaled_by_table:
            return super().decision_function(X)
        parts = self.pairwise_indices_
        tables = [X] * len(self.estimators_) if parts is None else [X[:, part] for part in parts]
        pairs = list(zip(self.estimators_, tables, strict=True))
        classes = np.column_stack([model.predict(x) for model, x in pairs])
        sure = np.column_stack([multiclass._predict_binary(model, x) for model, x in pairs])
        scores = scores_of_votes(classes, sure, len(self.classes_))
        return scores[:, 1] if self.n_classes_ == 2 else scores

    def predict(self, X: Any) -> Any:
        scores = self.decision_function(X)
        if self.n_classes_ == 2:
            return self.classes_[(scores > 0).astype(int)]
        return self.classes_[scores.argmax(axis=1)]


@step("sklearn.svm._classes.SVC", "sklearn.svm._classes.NuSVC", before="0.22", needs="classes_")
def scores_are_scaled_by_the_table(made: Any, state: State) -> None:
    """Since 0.22 by each row alone."""
    if len(state["classes_"]) > 2 and state.get("decision_function_shape", "ovr") == "ovr":
        made.__class__ = NuSVC if isinstance(made, svm.NuSVC) else SVC


@step("sklearn.multiclass.OneVsOneClassifier", before="1.1", needs="estimators_")
def two_classes_are_parted_at_zero(made: Any, state: State) -> None:
    """Of models with probabilities at one half since 1.1 (multiclass.py); scores as for SVC."""
    state["scaled_by_table"] = (release_of(state["_sklearn_version"]) or (0, 0)) < (0, 22)
    state.setdefault("pairwise_indices_", None)
    made.__class__ = OneVsOneClassifier


STEPS = (scores_are_scaled_by_the_table, two_classes_are_parted_at_zero)
