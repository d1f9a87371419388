"""Fitted pipelines of scikit-learn's companions: category_encoders, imbalanced-learn, feature-engine.

Promises: every encoder, transformer and sampler of theirs that fits this table without being told more; what
is not installed is left out. Made for the list of allowed names (scripts/allow_list.py) and the tests.
"""

import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.support.model_corpus import Fitted

__all__ = ["COMPANIONS", "TABLE", "TARGET", "companions", "installed"]

COMPANIONS = {"category_encoders": "category-encoders", "imblearn": "imbalanced-learn",
              "feature_engine": "feature-engine"}  # fmt: skip
ROWS = 240
RNG = np.random.default_rng(11)
TABLE = pd.DataFrame(
    {
        "age": RNG.integers(18, 80, ROWS).astype(np.float64),
        "income": RNG.lognormal(10, 0.4, ROWS),
        "city": RNG.choice(["Bern", "Oslo", "Rome"], ROWS),
        "plan": RNG.choice(["free", "pro"], ROWS),
    }
)
TARGET = ((TABLE["age"] > 50) ^ (RNG.random(ROWS) < 0.2)).astype(int).to_numpy()
NUMBERS = ["age", "income"]
# Of feature-engine what works on one kind of column, with what it must be told.
ENGINE: dict[str, tuple[str, ...]] = {
    "encoding": ("OneHotEncoder", "CountFrequencyEncoder", "OrdinalEncoder", "MeanEncoder", "WoEEncoder",
                 "RareLabelEncoder", "DecisionTreeEncoder", "StringSimilarityEncoder"),
    "imputation": ("MeanMedianImputer", "ArbitraryNumberImputer", "EndTailImputer", "CategoricalImputer",
                   "AddMissingIndicator", "RandomSampleImputer", "DropMissingData"),
    "discretisation": ("EqualFrequencyDiscretiser", "EqualWidthDiscretiser", "DecisionTreeDiscretiser",
                       "GeometricWidthDiscretiser"),
    "outliers": ("Winsorizer", "OutlierTrimmer"),
    "transformation": ("LogTransformer", "LogCpTransformer", "ReciprocalTransformer", "PowerTransformer",
                       "BoxCoxTransformer", "YeoJohnsonTransformer", "ArcsinTransformer"),
    "scaling": ("MeanNormalizationScaler",),
    "selection": ("DropConstantFeatures", "DropDuplicateFeatures", "DropCorrelatedFeatures",
                  "SmartCorrelatedSelection", "DropHighPSIFeatures", "DropFeatures", "SelectByShuffling",
                  "SelectBySingleFeaturePerformance", "SelectByTargetMeanPerformance",
                  "RecursiveFeatureElimination", "RecursiveFeatureAddition"),
    "creation": ("CyclicalFeatures", "RelativeFeatures"),
    "wrappers": ("SklearnTransformerWrapper",),
    "preprocessing": ("MatchVariables", "MatchCategories"),
}  # fmt: skip
# MathFeatures is no part of it: it calls whatever method of a table its state names.
OPTIONS: dict[str, dict[str, Any]] = {
    "HashingEncoder": {"max_process": 1},
    "DecisionTreeEncoder": {"regression": False, "param_grid": {"max_depth": [1, 2]}},
    "DecisionTreeDiscretiser": {"regression": False, "param_grid": {"max_depth": [1, 2]}},
    "DropFeatures": {"features_to_drop": ["plan"]},
    "SelectByShuffling": {"estimator": LogisticRegression(), "cv": 2, "threshold": -1.0},
    "SelectBySingleFeaturePerformance": {"estimator": LogisticRegression(), "cv": 2, "threshold": 0.0},
    "SelectByTargetMeanPerformance": {"bins": 3, "cv": 2, "threshold": 0.0, "regression": False},
    "RecursiveFeatureElimination": {"estimator": LogisticRegression(), "cv": 2},
    "RecursiveFeatureAddition": {"estimator": LogisticRegression(), "cv": 2},
    "RelativeFeatures": {"variables": ["age"], "reference": ["income"], "func": ["div", "mul"]},
    "SklearnTransformerWrapper": {"transformer": StandardScaler(), "variables": ["age", "income"]},
    "MatchCategories": {"variables": ["city", "plan"], "ignore_format": True},
}
SHARES = TABLE[NUMBERS] / TABLE[NUMBERS].max()


def installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def companions() -> Iterator[Fitted]:
    """Every pipeline of the libraries that are installed; what does not fit the table is left out."""
    makers = {"category_encoders": _encoders, "imblearn": _balanced, "feature_engine": _engineered}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library, make in makers.items():
            if installed(library):
                yield from make()


def _encoders() -> Iterator[Fitted]:
    library = importlib.import_module("category_encoders")
    for name in library.__all__:
        encoder: Any = getattr(library, name)
        if not isinstance(encoder, type) or name in ("PolynomialWrapper", "NestedCVWrapper"):
            continue
        try:
            first: Any = encoder
            steps = (
                first(cols=["city", "plan"], **OPTIONS.get(name, {})),
                StandardScaler(),
                LogisticRegression(),
            )
            model = make_pipeline(*steps)
            yield Fitted(f"category_encoders {name}", model.fit(TABLE, TARGET), TABLE)
        except Exception:  # an encoder of other targets
            continue


def _balanced() -> Iterator[Fitted]:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    pipeline = importlib.import_module("imblearn.pipeline").Pipeline
    encode = ColumnTransformer(
        [("one-hot", OneHotEncoder(), ["city", "plan"]), ("scale", StandardScaler(), NUMBERS)]
    )
    for room in ("over_sampling", "under_sampling", "combine"):
        module = importlib.import_module(f"imblearn.{room}")
        for name in module.__all__:
            try:
                sampler = getattr(module, name)()
                steps = [("encode", encode), ("sample", sampler), ("model", LogisticRegression())]
                yield Fitted(f"imblearn {name}", pipeline(steps).fit(TABLE, TARGET), TABLE)
            except Exception:  # a sampler that must be told which columns are categories
                continue
    ensemble = importlib.import_module("imblearn.ensemble")
    for name in ensemble.__all__:
        model = getattr(ensemble, name)(n_estimators=5, random_state=0)
        yield Fitted(f"imblearn {name}", model.fit(TABLE[NUMBERS], TARGET), TABLE[NUMBERS])


def _engineered() -> Iterator[Fitted]:
    last = importlib.import_module("feature_engine.encoding").OrdinalEncoder
    for room, names in ENGINE.items():
        module = importlib.import_module(f"feature_engine.{room}")
        for name in names:
            one = getattr(module, name)
            first, then = one(**OPTIONS.get(name, {})), last(encoding_method="arbitrary")
            model = _first_that_fits([([first], TABLE), ([first, then], TABLE), ([first], SHARES)])
            if model is not None:
                yield Fitted(f"feature_engine {name}", *model)


def _first_that_fits(tries: list[tuple[list[Any], pd.DataFrame]]) -> tuple[Any, pd.DataFrame] | None:
    for steps, table in tries:
        try:
            return make_pipeline(*steps, StandardScaler(), LogisticRegression()).fit(table, TARGET), table
        except Exception:  # needs more than its defaults, or another table
            continue
    return None
