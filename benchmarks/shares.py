"""Do generated 0/1 and whole-number columns hold their values as often as the real ones do?

    python -m benchmarks.shares [--each]

Tables like Titanic's, a telephone company's and a heart clinic's (`tests/support/raw_tables.py`), models as
people fit them, rows generated from the model alone (three seeds). For each model: the largest difference,
over all columns with at most twelve whole values, of how often a value occurs in real and in generated rows;
in brackets how many columns are off by more than 0.05; the share of rows with two columns of a one-hot group
at 1; constant columns.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from mining import particles
from mining.schema import mine
from synthetic_data import generate
from tests.support.raw_tables import TABLES

ROWS, SEEDS, FEW, ALLOWED = 2_000, 3, 12, 0.05
MODELS: dict[str, Callable[[], Any]] = {
    "XGBoost": lambda: XGBClassifier(n_jobs=1),
    "XGBoost, 300 trees": lambda: XGBClassifier(n_estimators=300, max_depth=4, learning_rate=0.1, n_jobs=1),
    "XGBoost, 50 shallow": lambda: XGBClassifier(n_estimators=50, max_depth=2, n_jobs=1),
    "XGBoost, exact": lambda: XGBClassifier(tree_method="exact", n_jobs=1),
    "XGBoost, sampled": lambda: XGBClassifier(subsample=0.8, colsample_bytree=0.8, n_jobs=1),
    "LightGBM": lambda: LGBMClassifier(verbose=-1, n_jobs=1),
    "LightGBM, 300 trees": lambda: LGBMClassifier(n_estimators=300, num_leaves=15, verbose=-1, n_jobs=1),
    "forest": lambda: RandomForestClassifier(100, random_state=0),
    "forest, depth 5": lambda: RandomForestClassifier(100, max_depth=5, random_state=0),
    "forest, balanced": lambda: RandomForestClassifier(100, class_weight="balanced", random_state=0),
    "extra trees": lambda: ExtraTreesClassifier(100, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(random_state=0),
    "hist boosting": lambda: HistGradientBoostingClassifier(max_iter=50),
    "CatBoost": lambda: CatBoostClassifier(200, verbose=False, thread_count=1, allow_writing_files=False),
    "scaler + logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000)),
    "logistic": lambda: LogisticRegression(max_iter=5_000),
}


class Off(NamedTuple):
    """largest: difference of a value's share, over columns and seeds; column: where. beyond: columns above
    ALLOWED.

    doubled: rows with two of a group; constant: columns of one value.
    """

    largest: float
    column: str
    beyond: int
    doubled: float
    constant: int
    each: dict[str, float]

    def __str__(self) -> str:
        odd = f", {self.doubled:.2f} doubled" if self.doubled else ""
        odd += f", {self.constant} constant" if self.constant else ""
        return f"{self.largest:.2f} ({self.beyond}{odd})"


def main(each: bool) -> None:
    warnings.simplefilter("ignore")
    particles.warm_up()
    print(f"{'':<22}" + "".join(f"{name:>34}" for name in TABLES))
    for name, make in MODELS.items():
        cells, told = [], []
        for table in TABLES.values():
            real, labels = table()
            found = off(make().fit(real, labels), real)
            cells.append(str(found))
            told.append({k: round(v, 2) for k, v in found.each.items() if v > ALLOWED})
        print(f"{name:<22}" + "".join(f"{cell:>34}" for cell in cells), flush=True)
        if each:
            print("   ", told)


def off(model: Any, real: pd.DataFrame) -> Off:
    """How far rows out of a model alone are from the rows it was fitted on."""
    found = mine(model)
    if found is None:
        raise ValueError("The model tells nothing of its inputs.")
    tables = [generate(found.schema, ROWS, seed, found.joint).frame for seed in range(SEEDS)]
    for made in tables:
        made.columns = real.columns  # LightGBM writes spaces as underscores
    few = [name for name in real if (real[name] % 1 == 0).all() and real[name].nunique() <= FEW]
    each = {str(name): max(difference(real[name], made[name]) for made in tables) for name in few}
    worst = max(each, key=lambda name: each[name])
    return Off(
        each[worst],
        worst,
        sum(value > ALLOWED for value in each.values()),
        max(doubled(made) for made in tables),
        sum(tables[0][name].nunique() < 2 for name in real if real[name].nunique() > 1),
        each,
    )


def difference(real: "pd.Series[Any]", made: "pd.Series[Any]") -> float:
    """The largest difference of a value's share."""
    shares = [column.astype(float).value_counts(normalize=True) for column in (real, made)]
    return float(shares[0].sub(shares[1], fill_value=0).abs().max())


def doubled(made: pd.DataFrame) -> float:
    """Share of rows in which two columns of one one-hot group are 1."""
    groups: dict[str, list[str]] = {}
    for name in map(str, made):
        if "_" in name:
            groups.setdefault(name.split("_")[0], []).append(name)
    sums = [(made[members].astype(float) > 0.5).sum(axis=1) for members in groups.values()]
    return float((pd.concat(sums, axis=1).max(axis=1) > 1).mean()) if sums else 0.0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--each", action="store_true", help="name the columns that are off")
    main(parser.parse_args().each)
