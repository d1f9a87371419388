"""Trees, and all that holds them: nodes, leaves, and what ensembles call their parts.

Leaves boosting to `upgrades.boosting`.
"""

from typing import Any

import numpy as np
from sklearn import ensemble

from upgrades.steps import State, rename, step

__all__ = ["STEPS", "IsolationForest"]

TREE = "sklearn.tree._classes.BaseDecisionTree"
CLASSIFIERS = ("sklearn.tree._classes.DecisionTreeClassifier", "sklearn.tree._classes.ExtraTreeClassifier")


@step("sklearn.tree._tree.Tree", before=None)
def nodes_know_where_blanks_go(_tree: Any, state: State) -> None:
    """1.3 added `missing_go_to_left` to a node (tree/_tree.pyx, NODE_DTYPE)."""
    from sklearn.tree._tree import NODE_DTYPE

    nodes = state.get("nodes")
    known = set(NODE_DTYPE.names) - {"missing_go_to_left"}
    if isinstance(nodes, np.ndarray) and set(nodes.dtype.names or ()) == known:
        state["nodes"] = _copied(nodes, NODE_DTYPE)


def _copied(nodes: Any, dtype: Any) -> Any:
    made = np.zeros(nodes.shape, dtype=dtype)
    for name in nodes.dtype.names:
        made[name] = nodes[name]
    return made


@step(*CLASSIFIERS, before="1.4")
def leaves_hold_shares_of_classes(_tree: Any, state: State) -> bool:
    """Counts up to 1.3, shares since (tree/_tree.pyx; issue 28921): the division predict_proba used to do."""
    from sklearn.tree._tree import Tree

    tree: Any = state.get("tree_")
    if type(tree) is not Tree or not tree.node_count:
        return False
    values = tree.value  # a view of the tree's own memory
    sums = values.sum(axis=2, keepdims=True)
    sums[sums == 0] = 1.0
    values /= sums
    return True


@step(TREE, "sklearn.ensemble._forest.BaseForest", "sklearn.ensemble._bagging.BaseBagging", before="1.0")
def width_is_n_features_in(_made: Any, state: State) -> None:
    """`n_features_` is `n_features_in_` since 0.23 (inside of ensembles 0.24), and went in 1.2."""
    rename(state, n_features_="n_features_in_")


@step(TREE, "sklearn.ensemble._forest.BaseForest", before="1.3")
def names_of_criteria(_made: Any, state: State) -> None:
    """'mse' and 'mae' were renamed in 1.0."""
    names = {"mse": "squared_error", "mae": "absolute_error"}
    if state.get("criterion") in names:
        state["criterion"] = names[state["criterion"]]


@step(
    "sklearn.ensemble._base.BaseEnsemble",
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.multioutput._BaseChain",
    "sklearn.semi_supervised._self_training.SelfTrainingClassifier",
    before="1.8",
)
def base_estimator_is_estimator(_made: Any, state: State) -> None:
    """Renamed in 1.2, chains in 1.7; 'deprecated' stood there in between."""
    if state.get("base_estimator") == "deprecated" or "estimator" in state:
        state.pop("base_estimator", None)
    rename(state, base_estimator="estimator", base_estimator_="estimator_", _base_estimator="_estimator")


@step("sklearn.calibration._CalibratedClassifier", before=None)
def calibrators_are_no_attributes_of_a_fit(_made: Any, state: State) -> None:
    """Underscores and `base_estimator` went in 0.24 and 1.2; it tells no release (calibration.py)."""
    if state.get("base_estimator") == "deprecated":
        del state["base_estimator"]
    state.pop("label_encoder_", None)
    rename(state, base_estimator="estimator", calibrators_="calibrators", classes_="classes")


@step("sklearn.calibration.CalibratedClassifierCV", before="0.24")
def calibration_is_of_an_ensemble(_made: Any, state: State) -> None:
    """`ensemble` is new in 0.24; before, it was always true."""
    state.setdefault("ensemble", True)


@step("sklearn.ensemble._stacking.StackingClassifier", before="1.2")
def stacking_names_its_label_encoder(_made: Any, state: State) -> None:
    """`_le` is `_label_encoder` since 1.2 (ensemble/_stacking.py)."""
    rename(state, _le="_label_encoder")


class IsolationForest(ensemble.IsolationForest):  # type: ignore[misc]  # scikit-learn is not typed
    """Calls outliers what scores below a cut of its own, as 0.20's did with `behaviour='old'`."""

    cut_: float

    def predict(self, X: Any) -> Any:
        scores = self.decision_function(X)
        return np.where(scores < self.cut_, -1, 1)


@step("sklearn.ensemble._iforest.IsolationForest", before="1.3", needs="estimators_")
def isolation_forests_keep_their_paths(forest: Any, state: State) -> None:
    """Tables of each tree's path lengths since 1.3, filled by the release's formula."""
    from sklearn.ensemble._iforest import _average_path_length

    oldest = state["_sklearn_version"].startswith("0.20.")
    _old_isolation(forest, state)
    formula = _path_length_of_0_20 if oldest else _average_path_length
    trees = [made.tree_ for made in state["estimators_"]]
    state["_average_path_length_per_tree"] = tuple(formula(tree.n_node_samples) for tree in trees)
    state["_decision_path_lengths"] = tuple(tree.compute_node_depths() for tree in trees)


def _path_length_of_0_20(samples: Any) -> Any:
    """1 for a leaf of one row, the general formula for two (ensemble/iforest.py of 0.20)."""
    n = np.maximum(samples, 2).astype(float)
    general = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(samples <= 1, 1.0, general)


def _old_isolation(forest: Any, state: State) -> None:
    """0.20 compared scores with a cut, not with 0 (`behaviour='old'`), and called the width `n_features_`."""
    cut = state.pop("threshold_", state.pop("_threshold_", None))
    if state.pop("behaviour", None) == "old" and cut is not None:
        state["cut_"] = float(cut)
        forest.__class__ = IsolationForest
    if state.get("contamination") == "legacy":
        state["contamination"] = 0.1
    state.pop("_contamination", None)


STEPS = (
    nodes_know_where_blanks_go,
    leaves_hold_shares_of_classes,
    width_is_n_features_in,
    names_of_criteria,
    base_estimator_is_estimator,
    calibrators_are_no_attributes_of_a_fit,
    calibration_is_of_an_ensemble,
    stacking_names_its_label_encoder,
    isolation_forests_keep_their_paths,
)
