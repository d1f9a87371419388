"""How like the real training rows are those generated from the model file alone?

    python -m benchmarks.mined_rows

For each of scikit-learn's bundled data sets and six families: the median over features of the
Kolmogorov-Smirnov distance between mined and real rows, and the largest difference of a class's share
between what is predicted on mined and on real rows. Last, the seconds that reading the models took.
"""

import time
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from mining import particles
from mining.schema import Mined, mine
from synthetic_data import generate

ROWS = 2_000
DATA = {
    "breast cancer": load_breast_cancer,
    "wine": load_wine,
    "iris": load_iris,
    "diabetes": load_diabetes,
    "digits": load_digits,
}
CLASSIFIERS = {
    "forest": lambda: RandomForestClassifier(100, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(random_state=0),
    "hist boosting": lambda: HistGradientBoostingClassifier(max_iter=30),
    "scaler + linear": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    "k-neighbours": KNeighborsClassifier,
    "SVM": SVC,
}
REGRESSORS = {
    "forest": lambda: RandomForestRegressor(100, random_state=0),
    "boosting": lambda: GradientBoostingRegressor(random_state=0),
    "hist boosting": lambda: HistGradientBoostingRegressor(max_iter=30),
    "scaler + linear": lambda: make_pipeline(StandardScaler(), Ridge()),
    "k-neighbours": KNeighborsRegressor,
    "SVM": SVR,
}


def main() -> None:
    particles.warm_up()  # compiled once, in the zygote
    took: dict[str, list[float]] = {family: [] for family in CLASSIFIERS}
    print(f"{'':<15}" + "".join(f"{name:>17}" for name in CLASSIFIERS))
    for name, load in DATA.items():
        real, target = load(return_X_y=True, as_frame=True)
        is_classes = len(np.unique(target)) < 20
        cells = []
        for family in CLASSIFIERS:
            model = (CLASSIFIERS if is_classes else REGRESSORS)[family]().fit(real, target)
            started = time.perf_counter()
            found = mine(model)
            took[family].append(time.perf_counter() - started)
            distance, share = compared(found, model, real, is_classes)
            cells.append(f"{distance:.2f}" + (f" ({share:.2f})" if share is not None else ""))
        print(f"{name:<15}" + "".join(f"{cell:>17}" for cell in cells))
    longest = "".join(f"{max(seconds):>17.2f}" for seconds in took.values())
    print(f"{'longest, s':<15}{longest}")
    print("median KS distance (largest difference of a class's share)")


def compared(
    found: Mined | None, model: Any, real: pd.DataFrame, is_classes: bool
) -> tuple[float, float | None]:
    """(median KS over features, largest difference of a class's share)."""
    if found is None:
        return 1.0, None
    mined = generate(found.schema, ROWS, 0, found.joint).frame
    distances = [ks_2samp(mined[column].astype(float), real[column]).statistic for column in real]
    if not is_classes:
        return float(np.median(distances)), None
    shares = [
        pd.Series(model.predict(rows[real.columns])).value_counts(normalize=True) for rows in (mined, real)
    ]
    return float(np.median(distances)), float(shares[0].sub(shares[1], fill_value=0).abs().max())


if __name__ == "__main__":
    main()
