"""Options and steps of older scikit-learn that scripts/more_old_models.py found wanting, as fixtures.

Run `python -m scripts.old_options ENVIRONMENTS` (environments as for scripts/old_models.py). Writes FILE: one
archive of all releases, for the models are alike. This file is run by every one of those interpreters.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

try:
    from scripts import old_models
except ImportError:  # in an old interpreter, beside this file
    import old_models  # type: ignore[import-not-found, no-redef]

__all__ = ["FILE", "asked", "main", "models", "read"]

FILE = old_models.FOLDER / "options.tar.xz"
TARGETS = {
    "one against one": 2, "outliers in a radius": 2, "density": None, "categories": 3,
    "chain of three classes": "two outputs", "several labels by ridge": "labels",
    "outliers, whole numbers": None,
    "boosting of even shares": "even",
    "canonical correlation": "number", "threshold chosen": 2, "gaps drawn": 2, "gaps drawn, scaled": 2,
    "several labels by neighbours, whole numbers": "labels",
}  # fmt: skip


def table(kind: str) -> Any:
    """The rows of scripts/old_models.py; with gaps, whole (many are alike), sparse, as the kind asks for."""
    if kind.startswith("text"):
        return old_models.texts()
    x = old_models.rows()[0].copy()
    if "whole" in kind:
        x = np.minimum(np.rint(np.abs(x)), 2 if "one-hot" in kind else 9)
    if "sparse" in kind:
        from scipy.sparse import csr_matrix

        return csr_matrix(x)
    if "even" in kind:
        return np.zeros_like(x)
    if "gaps" in kind:
        x[::7, 1] = np.nan
    if kind == "categories":
        x[:, 4] = np.abs(x[:, 4] * 100).astype(int) % 4
    return x


def asked(kind: str) -> Any:
    """The twenty rows that no model was fitted on."""
    return table(kind)[old_models.TRAINED :]


def models() -> Any:
    """(kind, a function that makes the unfitted model) one by one."""
    from sklearn import impute, multiclass, neighbors, tree
    from sklearn import preprocessing as pre
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.feature_selection import SelectFromModel
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    def last() -> Any:
        return LogisticRegression(solver="lbfgs")

    def small() -> Any:
        return tree.DecisionTreeClassifier(max_depth=3, random_state=0)

    yield "one against one", lambda: multiclass.OneVsOneClassifier(small())
    yield "one against one, three classes", lambda: multiclass.OneVsOneClassifier(last())
    yield "outliers in a radius", lambda: neighbors.RadiusNeighborsClassifier(1.5, outlier_label=0)
    yield "density", lambda: neighbors.KernelDensity(bandwidth=0.7)
    yield "text without idf", lambda: make_pipeline(TfidfVectorizer(use_idf=False), last())
    yield "gaps filled by Imputer", lambda: make_pipeline(pre.Imputer(strategy="median"), last())
    yield (
        "gaps marked",
        lambda: make_pipeline(
            make_union(impute.SimpleImputer(), impute.MissingIndicator(features="all")), last()
        ),
    )
    chosen = SelectFromModel(LogisticRegression(solver="liblinear", penalty="l1"))
    yield "columns chosen by l1", lambda: make_pipeline(chosen, last())
    yield "function", lambda: make_pipeline(pre.FunctionTransformer(np.tanh, validate=False), last())
    yield "splines", lambda: make_pipeline(pre.SplineTransformer(n_knots=3), last())
    yield "gaps filled in turn", lambda: make_pipeline(_in_turn(), last())
    yield (
        "categories",
        lambda: _hist()(max_iter=3, max_leaf_nodes=5, categorical_features=[4], random_state=0),
    )
    yield from _of_other_arithmetic()


def _of_other_arithmetic() -> Any:
    """What today's classes answer otherwise than the release, each by another cause."""
    from sklearn import (
        cross_decomposition,
        decomposition,
        ensemble,
        impute,
        linear_model,
        multioutput,
        neighbors,
        tree,
    )
    from sklearn import preprocessing as pre
    from sklearn.pipeline import make_pipeline

    def last() -> Any:
        return linear_model.LogisticRegression(solver="lbfgs")

    def few(kind: Any, **more: Any) -> Any:
        return kind(n_neighbors=5, algorithm="brute", **more)

    small = tree.DecisionTreeClassifier(max_depth=2, random_state=0)
    yield "chain of three classes", lambda: multioutput.ClassifierChain(small)
    yield "several labels by ridge", lambda: linear_model.RidgeClassifierCV()
    yield "boosting of even shares", lambda: ensemble.GradientBoostingClassifier(n_estimators=2)
    yield "neighbours of whole numbers", lambda: few(neighbors.KNeighborsClassifier)
    yield "neighbours, sparse", lambda: few(neighbors.KNeighborsClassifier)
    yield "neighbours, sparse whole numbers", lambda: few(neighbors.KNeighborsClassifier)
    yield (
        "neighbours, sparse whole numbers, Manhattan",
        lambda: few(neighbors.KNeighborsClassifier, metric="manhattan"),
    )
    yield "several labels by neighbours, whole numbers", lambda: few(neighbors.KNeighborsRegressor)
    yield "outliers, whole numbers", lambda: few(neighbors.LocalOutlierFactor, novelty=True)
    yield (
        "distances, whole numbers",
        lambda: make_pipeline(few(neighbors.KNeighborsTransformer), linear_model.Ridge()),
    )
    yield "gaps filled by neighbours, whole", lambda: make_pipeline(impute.KNNImputer(n_neighbors=5), last())
    yield "whole numbers one-hot", lambda: make_pipeline(pre.OneHotEncoder(), last())
    yield (
        "whole numbers, some one-hot",
        lambda: make_pipeline(pre.OneHotEncoder(categorical_features=[0, 3], sparse=False), last()),
    )
    yield "components scaled by the table", lambda: make_pipeline(_components(decomposition), last())
    yield "canonical correlation", lambda: cross_decomposition.CCA(n_components=1)
    yield "gaps drawn", lambda: make_pipeline(_in_turn(sample_posterior=True), last())
    yield (
        "gaps drawn, scaled",
        lambda: make_pipeline(
            _in_turn(estimator=linear_model.BayesianRidge(normalize=True), sample_posterior=True), last()
        ),
    )
    yield "threshold chosen", lambda: _threshold_chosen(last())


def _components(decomposition: Any) -> Any:
    return decomposition.MiniBatchSparsePCA(2, random_state=0)


def _threshold_chosen(model: Any) -> Any:
    from sklearn.model_selection import TunedThresholdClassifierCV

    return TunedThresholdClassifierCV(model, cv=2)


def _in_turn(**more: Any) -> Any:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(max_iter=2, random_state=0, **more)


def _hist() -> Any:
    from sklearn import ensemble

    if not hasattr(ensemble, "HistGradientBoostingClassifier"):
        from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
    return ensemble.HistGradientBoostingClassifier


def answers(model: Any, given: Any) -> dict[str, Any]:
    found = old_models.answers(model, given)
    if not found:
        found["score_samples"] = model.score_samples(given).tolist()
    return found


def read() -> tuple[dict[tuple[str, str], bytes], dict[tuple[str, str], Any]]:
    """The models, as files, and their own answers, by release and kind."""
    return old_models.unpacked(FILE)


def make() -> None:
    """In the release's own environment: fit, save, load again, answer; printed as JSON."""
    x, two, three, number = old_models.rows()
    targets = {
        2: two, 3: three, None: None, "two outputs": np.column_stack([three, two]), "number": number,
        "labels": np.column_stack([two, x[:, 3] > 0, x[:, 4] > 0]).astype(int),
        "even": np.arange(len(two)) % 2,
    }  # fmt: skip
    made, unmade = {}, {}
    for kind, build in models():
        if "whole" in kind and "one-hot" not in kind and int(np.__version__.split(".")[0]) > 1:
            continue  # of equally near rows NumPy 2 takes others on other processors
        try:
            y = targets[TARGETS.get(kind, 3)]
            x = table(kind)[: old_models.TRAINED]
            data = pickle.dumps(build().fit(x, *([] if y is None else [y[: old_models.TRAINED]])))
            made[kind] = [base64.b64encode(data).decode(), answers(pickle.loads(data), asked(kind))]
        except Exception as error:
            unmade[kind] = f"{type(error).__name__}: {str(error)[:100]}"
    print(len(made), unmade, file=sys.stderr)
    print(json.dumps(made))


def main() -> int:
    old_models.gather(Path(sys.argv[1]), old_models.RELEASES, __file__, FILE)
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "--make":
        make()
    else:
        sys.exit(main())
