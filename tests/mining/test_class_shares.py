"""Training shares read out of fitted classifiers, against the labels that they were fitted on."""

import numpy as np
import pytest
from sklearn import discriminant_analysis, dummy, ensemble, naive_bayes, neighbors, svm, tree
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from mining.class_shares import class_shares

RNG = np.random.default_rng(0)
ROWS = np.abs(RNG.normal(size=(400, 3)))
TWO = np.where(RNG.random(400) < 0.2, "rare", "often")
THREE = RNG.choice(["a", "b", "c"], 400, p=[0.1, 0.3, 0.6])


def shares(target: np.ndarray) -> np.ndarray:
    return np.unique(target, return_counts=True)[1] / len(target)


@pytest.mark.parametrize("target", [TWO, THREE])
@pytest.mark.parametrize(
    ("model", "tolerance"),
    [
        (naive_bayes.GaussianNB(), 1e-9),
        (naive_bayes.MultinomialNB(), 1e-9),
        (discriminant_analysis.LinearDiscriminantAnalysis(), 1e-9),
        (dummy.DummyClassifier(), 1e-9),
        (tree.DecisionTreeClassifier(max_depth=2), 1e-9),
        (ensemble.RandomForestClassifier(50, random_state=0), 0.02),  # each tree saw a sample of the rows
        (ensemble.GradientBoostingClassifier(n_estimators=2), 1e-9),
        (ensemble.HistGradientBoostingClassifier(max_iter=2), 1e-6),
        (neighbors.KNeighborsClassifier(), 1e-9),
        (make_pipeline(StandardScaler(), naive_bayes.GaussianNB()), 1e-9),
        (GridSearchCV(tree.DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2), 1e-9),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_shares_are_those_of_the_training_labels(
    model: object, tolerance: float, target: np.ndarray
) -> None:
    found = class_shares(model.fit(ROWS, target))  # type: ignore[attr-defined]
    assert found is not None
    np.testing.assert_allclose(found, shares(target), atol=tolerance)


def test_a_booster_of_two_classes_tells_its_base_score() -> None:
    codes = (TWO == "rare").astype(int)
    found = class_shares(XGBClassifier(n_estimators=2, n_jobs=1).fit(ROWS, codes))
    assert found == pytest.approx((1 - codes.mean(), codes.mean()), abs=1e-6)


def test_what_was_weighted_or_not_kept_is_not_told() -> None:
    assert class_shares(tree.DecisionTreeClassifier(class_weight="balanced").fit(ROWS, TWO)) is None
    assert class_shares(svm.SVC().fit(ROWS, TWO)) is None
    assert class_shares(LogisticRegression().fit(ROWS, TWO)) is None
    assert class_shares(tree.DecisionTreeRegressor().fit(ROWS, ROWS[:, 0])) is None
    assert class_shares(tree.DecisionTreeClassifier().fit(ROWS, np.column_stack([TWO, THREE]))) is None
    assert class_shares(None) is None


def test_an_object_that_contains_itself_ends() -> None:
    class Loop:
        pass

    loop = Loop()
    loop.best_estimator_ = loop  # type: ignore[attr-defined]
    assert class_shares(loop) is None
