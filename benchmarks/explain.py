"""Seconds to explain: forests grown deep against shap.TreeExplainer, the other families against the bare
call of their fastest correct library, and how far the values differ.

    python -m benchmarks.explain
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import shap
import xgboost
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from explainability import explain
from explainers import tree_shapley
from model_utils import adapt
from records.explanation import ExplainPlan

ROWS, FEATURES, TREES, TRAINING, ROUNDS = 200, 20, 100, 2_000, 5
FAMILY_ROWS, FAMILY_S = 1_000, 1.0


def classes(k: int) -> Any:
    return make_classification(TRAINING, FEATURES, n_informative=10, n_classes=k, flip_y=0.1, random_state=0)


FORESTS: dict[str, tuple[Any, Any]] = {
    "classifier": (RandomForestClassifier(TREES, random_state=0), classes(2)),
    "3 classes": (RandomForestClassifier(TREES, random_state=0), classes(3)),
    "regressor": (
        RandomForestRegressor(TREES, random_state=0),
        make_regression(TRAINING, FEATURES, noise=10, random_state=0),
    ),
    "extra trees": (ExtraTreesClassifier(TREES, random_state=0), classes(2)),
}


def main() -> None:
    started = time.perf_counter()
    tree_shapley.warm_up()
    print(f"compiled in {time.perf_counter() - started:.1f} s")
    print(f"{'':12} {'shap':>8} {'ours':>8} {'1 thread':>8} {'ratio':>7} {'difference':>10}")
    for name, (forest, (x, y)) in FORESTS.items():
        forest.fit(x, y)
        rows = x[:ROWS]
        started = time.perf_counter()
        theirs = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent").shap_values(
            rows, check_additivity=False
        )
        their_s = time.perf_counter() - started
        ours, our_s = timed(forest, rows, None)
        _, one_s = timed(forest, rows, 1)
        apart = np.abs(ours - np.asarray(theirs).reshape(ours.shape)).max()
        apart /= np.abs(ours).max()
        print(f"{name:12} {their_s:8.3f} {our_s:8.3f} {one_s:8.3f} {their_s / our_s:6.1f}x {apart:10.1e}")
    print()
    compare_families()


def table(values: Any) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"feature {i}" for i in range(FEATURES)])


def families() -> dict[str, tuple[Any, Callable[[Any, Any], Any]]]:
    """Each model, and the bare call that explains its rows."""

    def by_trees(model: Any, rows: Any) -> Any:
        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
        return explainer.shap_values(rows, check_additivity=False)

    x, y = classes(2)
    frame, behind = table(x[:FAMILY_ROWS]), table(x[:100])
    return {
        "XGBoost": (
            xgboost.XGBClassifier(n_estimators=TREES, n_jobs=1).fit(x, y),
            lambda m, rows: m.get_booster().predict(xgboost.DMatrix(rows), pred_contribs=True)[:, :-1],
        ),
        "LightGBM": (
            LGBMClassifier(n_estimators=TREES, n_jobs=1, verbose=-1).fit(x, y),
            lambda m, rows: m.predict(rows, pred_contrib=True)[:, :-1],
        ),
        "gradient boosting": (GradientBoostingRegressor(random_state=0).fit(x, y), by_trees),
        "hist gradient boosting": (HistGradientBoostingClassifier(random_state=0).fit(x, y), by_trees),
        "scaler + linear": (
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(table(x), y),
            lambda m, rows: shap.LinearExplainer(m[-1], m[:-1].transform(behind)).shap_values(
                m[:-1].transform(frame)  # a table, as it was fitted
            ),
        ),
        "linear, called": (
            LogisticRegression(max_iter=500).fit(x, y),
            lambda m, rows: shap.LinearExplainer(m, x[:100])(rows).values,
        ),
        "linear, one product": (
            LogisticRegression(max_iter=500).fit(x, y),
            lambda m, rows: shap.LinearExplainer(m, x[:100]).shap_values(rows),
        ),
    }


def compare_families() -> None:
    print(f"{FAMILY_ROWS} rows{'':14} {'library':>8} {'ours':>8} {'ratio':>7} {'difference':>10}")
    x, _ = classes(2)
    rows, background = x[:FAMILY_ROWS], x[:100]
    frame, behind = table(rows), table(background)
    for name, (model, bare) in families().items():
        adapter = adapt(model)
        plan = ExplainPlan(rows=FAMILY_ROWS, budget_s=600)
        theirs: list[float] = []
        ours: list[float] = []
        until = time.perf_counter() + FAMILY_S
        while len(ours) < 2 * ROUNDS or time.perf_counter() < until:  # in turn: busy moments meet both
            started = time.perf_counter()
            expected = bare(model, rows)
            theirs.append(time.perf_counter() - started)
            started = time.perf_counter()
            found = explain(adapter, frame, behind, plan, 0)
            ours.append(time.perf_counter() - started)
        values = found.values[:, :, -1]
        apart = np.abs(values - np.asarray(expected).reshape(values.shape)).max() / np.abs(values).max()
        ratio = min(ours) / min(theirs)
        print(f"{name:24} {min(theirs):8.4f} {min(ours):8.4f} {ratio:6.2f}x {apart:10.1e}")


def timed(forest: Any, rows: Any, threads: int | None) -> tuple[Any, float]:
    """The fastest of a few rounds, flattening included."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        values, _ = tree_shapley.forest_shapley(tree_shapley.flatten(forest), rows, threads=threads)
        seconds.append(time.perf_counter() - started)
    return values, min(seconds)


if __name__ == "__main__":
    main()
