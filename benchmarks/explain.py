"""Seconds to explain forests grown deep: shap.TreeExplainer against ours, and how far they differ.

python benchmarks/explain.py
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import shap
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tree_shapley  # noqa: E402

ROWS, FEATURES, TREES, TRAINING, ROUNDS = 200, 20, 100, 2_000, 5


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
