"""Schemas mined from fitted models agree with the data the models were fitted on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mining.schema import infer_from_model
from records.schema import FieldSpec
from schema_utils import check_complete
from synthetic_data import generate

ROWS = 600
RNG = np.random.default_rng(5)
NUMBERS = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, ROWS),
        "income": RNG.normal(3000, 800, ROWS),
        "rate": RNG.uniform(0.1, 0.2, ROWS),
    }
)
LABELS = ((NUMBERS["age"] > 50) ^ (NUMBERS["income"] > 3000) ^ (NUMBERS["rate"] > 0.15)).astype(int)
MIXED = NUMBERS.assign(colour=RNG.choice(["red", "green", "blue"], ROWS), size=RNG.choice(["S", "L"], ROWS))


def mined(estimator: Any, frame: Any = NUMBERS, labels: Any = LABELS) -> dict[str, FieldSpec]:
    schema = infer_from_model(estimator.fit(frame, labels))
    assert schema is not None
    assert all(field.origin == "model" for field in schema.features)
    check_complete(schema)
    generate(schema, 10, 0)
    return {field.name: field for field in schema.features}


def assert_like_the_data(fields: dict[str, FieldSpec], keys: str, tolerance: float) -> None:
    """Each figure is within `tolerance` standard deviations of the training data's."""
    for name in map(str, NUMBERS):
        column = NUMBERS[name]
        for key in keys.split():
            expected = column.std(ddof=0) if key == "std" else getattr(column, key)()
            found = getattr(fields[name], key)
            assert found == pytest.approx(expected, abs=tolerance * column.std() + 1e-9), (name, key)


@pytest.mark.parametrize(
    ("step", "keys", "tolerance"),
    [
        (StandardScaler(), "mean std", 0),
        (StandardScaler(with_mean=False), "mean std", 0),
        (MinMaxScaler(), "min max", 0),
        (RobustScaler(), "mean", 0.3),
        (QuantileTransformer(n_quantiles=200), "min max mean std", 0.02),
        (PowerTransformer(), "mean std", 0.3),
        (KBinsDiscretizer(quantile_method="averaged_inverted_cdf"), "min max", 0),
        (SplineTransformer(), "min max", 0),
        (PCA(), "mean std", 0.01),
        (FeatureUnion([("a", MaxAbsScaler()), ("b", StandardScaler())]), "mean std max", 1e-9),
        (make_pipeline(SimpleImputer(), StandardScaler()), "mean std", 0),
        (make_pipeline(FunctionTransformer(), StandardScaler()), "mean std", 0),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else None,
)
def test_a_transformer_in_front_tells_what_it_learnt(step: Any, keys: str, tolerance: float) -> None:
    fields = mined(make_pipeline(step, LogisticRegression(max_iter=5000)))
    assert list(fields) == list(NUMBERS)
    assert_like_the_data(fields, keys, tolerance)


@pytest.mark.parametrize(
    ("estimator", "keys", "tolerance"),
    [
        (RandomForestClassifier(20, random_state=0), "min max", 0.7),
        (RandomForestClassifier(20, random_state=0), "mean std", 0.6),
        (GradientBoostingClassifier(random_state=0), "min max mean", 0.7),
        (DecisionTreeClassifier(random_state=0), "mean", 0.7),
        (IsolationForest(random_state=0), "min max mean std", 0.8),
        (BaggingClassifier(DecisionTreeClassifier(), max_features=2, random_state=0), "min max", 0.8),
        (HistGradientBoostingClassifier(max_iter=10), "min max mean std", 0.7),
        (KNeighborsClassifier(), "min max mean std", 0),
        (SVC(), "mean std", 0.5),
        (GaussianNB(), "mean std", 0.01),
        (GaussianMixture(2, random_state=0), "mean std", 0.01),
        (KMeans(8, n_init=1, random_state=0), "mean", 0.6),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else None,
)
def test_an_estimator_tells_what_its_training_data_was_like(
    estimator: Any, keys: str, tolerance: float
) -> None:
    assert_like_the_data(mined(estimator), keys, tolerance)


@pytest.mark.parametrize(
    "outer",
    [
        GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [3, 5]}, cv=2),
        CalibratedClassifierCV(GaussianNB(), cv=2),
        VotingClassifier([("a", LogisticRegression(max_iter=5000)), ("b", GaussianNB())]),
        StackingClassifier([("a", GaussianNB())], cv=2),
        BaggingClassifier(GaussianNB(), random_state=0),
        RFE(GaussianNB(), n_features_to_select=3, importance_getter=lambda e: e.var_.sum(axis=0)),
        TransformedTargetRegressor(make_pipeline(StandardScaler(), LinearRegression())),
        make_pipeline("passthrough", make_pipeline(SelectKBest(k=3), GaussianNB())),
    ],
    ids=lambda value: type(value).__name__,
)
def test_estimators_inside_estimators_are_looked_into(outer: Any) -> None:
    assert_like_the_data(mined(outer), "mean std", 0.25)


def columns(numbers: Any, categories: Any, *, chosen: Any = ("colour", "size")) -> ColumnTransformer:
    return ColumnTransformer(
        [("n", numbers, list(NUMBERS)), ("c", categories, list(chosen))], remainder="drop"
    )


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()])
def test_a_column_transformer_is_walked_to_the_raw_columns(encoder: Any) -> None:
    model = make_pipeline(
        columns(make_pipeline(SimpleImputer(), StandardScaler()), encoder), LogisticRegression()
    )
    fields = mined(model, MIXED)
    assert list(fields) == list(MIXED)
    assert fields["colour"].categories == ("blue", "green", "red") and fields["size"].categories == ("L", "S")
    assert_like_the_data(fields, "mean std", 0)
    assert fields["age"].nullable and not fields["colour"].nullable


@pytest.mark.parametrize(
    "chosen",
    [
        [0, 1, 2],
        slice(0, 3),
        slice("age", "rate"),
        [True] * 3 + [False] * 2,
        make_column_selector(dtype_include="number"),
    ],
    ids=["positions", "slice of positions", "slice of names", "mask", "selector"],
)
def test_columns_may_be_chosen_in_any_way(chosen: Any) -> None:
    transformer = ColumnTransformer([("n", StandardScaler(), chosen), ("c", OneHotEncoder(), [3, -1])])
    fields = mined(make_pipeline(transformer, LogisticRegression()), MIXED)
    assert_like_the_data(fields, "mean std", 0)
    assert fields["size"].categories == ("L", "S")


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler()])
def test_what_is_behind_a_scaler_is_told_in_raw_units(scaler: Any) -> None:
    kept = mined(make_pipeline(scaler, StandardScaler(), KNeighborsClassifier()))
    for name, field in kept.items():
        assert field.quantiles is not None
        assert np.quantile(NUMBERS[name], 0.5, method="inverted_cdf") == pytest.approx(field.quantiles[50])
    assert kept["age"].type == "integer"
    grown = mined(make_pipeline(scaler, RandomForestClassifier(20, random_state=0)))
    assert_like_the_data(grown, "mean std", 0.7)


def test_thresholds_behind_a_scaler_are_not_taken_for_raw_values() -> None:
    field = mined(make_pipeline(PowerTransformer(), RandomForestClassifier(5, random_state=0)))["income"]
    assert field.min is None and field.max is None
    assert field.quantiles is not None  # those of the transformer
    assert field.quantiles[50] == pytest.approx(NUMBERS["income"].median(), rel=0.1)


def test_what_passes_through_a_column_transformer_keeps_its_thresholds() -> None:
    transformer = ColumnTransformer([("c", OneHotEncoder(), ["colour", "size"])], remainder="passthrough")
    fields = mined(make_pipeline(transformer, RandomForestClassifier(20, random_state=0)), MIXED)
    assert_like_the_data(fields, "min max", 0.7)
    assert fields["colour"].type == "category"


def test_missing_and_odd_categories_are_understood() -> None:
    frame = pd.DataFrame({"a": ["x", None, "y"] * 9, "b": [True, False, True] * 9, "c": [3, 1, 3] * 9})
    fields = mined(make_pipeline(OneHotEncoder(), LogisticRegression()), frame, [0, 1, 0] * 9)
    assert fields["a"].nullable and fields["a"].categories == ("x", "y")
    assert fields["b"].type == "boolean"
    assert fields["c"].categories == (1, 3)


def test_thresholds_halfway_between_integers_speak_of_integers() -> None:
    frame = pd.DataFrame(
        {"flag": RNG.integers(0, 2, 200), "stars": RNG.integers(1, 6, 200), "x": RNG.normal(size=200)}
    )
    labels = (frame["stars"] + frame["flag"] + frame["x"] > 3).astype(int)
    for estimator in (
        RandomForestClassifier(20, random_state=0),
        HistGradientBoostingClassifier(max_iter=10),
    ):
        fields = mined(estimator, frame, labels)
        assert [(f.type, f.min, f.max) for f in fields.values()][:2] == [("integer", 0, 1), ("integer", 1, 5)]
        assert fields["x"].type == "number"


def test_hist_gradient_boosting_tells_its_categories_and_takes_missing_values() -> None:
    frame = MIXED.astype({"colour": "category", "size": "category"})[
        ["age", "colour", "rate", "size", "income"]
    ]
    fields = mined(HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype"), frame)
    assert fields["colour"].categories == ("blue", "green", "red") and fields["size"].categories == ("L", "S")
    assert_like_the_data(fields, "min max mean std", 0.7)
    assert all(field.nullable for field in fields.values())


def test_xgboost_tells_thresholds_types_and_categories() -> None:
    xgboost = pytest.importorskip("xgboost")
    frame = MIXED.astype({"colour": "category", "size": "category"}).assign(flag=NUMBERS["rate"] > 0.15)
    model = xgboost.XGBClassifier(n_estimators=20, enable_categorical=True, n_jobs=1)
    fields = mined(model, frame)
    assert_like_the_data(fields, "mean", 0.8)
    for name in map(
        str, NUMBERS
    ):  # splits stop short of the tails: the middle nine tenths are inside the range
        low, high = NUMBERS[name].quantile([0.05, 0.95])
        assert fields[name].min <= low and fields[name].max >= high, name  # type: ignore[operator]
    assert fields["age"].type == "integer" and fields["flag"].type == "boolean"
    assert fields["colour"].categories == ("blue", "green", "red")
    assert all(field.nullable for field in fields.values())
    booster = infer_from_model(model.get_booster())
    assert booster is not None and booster.names == tuple(frame)
    assert list(mined(xgboost.XGBClassifier(n_estimators=2, n_jobs=1), NUMBERS.to_numpy())) == [
        "x0",
        "x1",
        "x2",
    ]


def test_lightgbm_tells_exact_ranges_and_categories() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    frame = MIXED.astype({"colour": "category", "size": "category"})
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1)
    fields = mined(model, frame)
    assert_like_the_data(fields, "min max", 0)
    assert_like_the_data(fields, "mean", 0.6)
    assert fields["colour"].categories == ("blue", "green", "red")
    assert all(field.nullable for field in fields.values())
    booster = infer_from_model(model.booster_)
    assert booster is not None and booster.names == tuple(frame)
    assert list(mined(lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1), NUMBERS.to_numpy())) == [
        "x0",
        "x1",
        "x2",
    ]


def test_a_model_without_names_has_x0_x1_and_so_on() -> None:
    assert list(mined(KNeighborsClassifier(), NUMBERS.to_numpy())) == ["x0", "x1", "x2"]


def test_a_linear_model_knows_names_only_and_says_so() -> None:
    frame = NUMBERS.rename(columns={"income": "a", "rate": "b"})
    schema = infer_from_model(LogisticRegression(max_iter=5000).fit(frame, LABELS))
    assert schema is not None and schema.unknown == ("a", "b")
    assert [field.origin for field in schema.features] == ["name", "model", "model"]
    known = infer_from_model(GaussianNB().fit(NUMBERS, LABELS))
    assert known is not None and known.unknown == ()


def test_what_knows_neither_names_nor_count_gives_no_schema() -> None:
    assert infer_from_model(object()) is None
    assert infer_from_model(Pipeline([("a", FunctionTransformer())])) is None


class Broken(GaussianNB):  # type: ignore[misc]
    """Its bins and rows cannot be read; its moments can."""

    @property
    def _bin_mapper(self) -> Any:
        raise RuntimeError("no bins")

    @property
    def _fit_X(self) -> Any:
        raise RuntimeError("no rows")


def test_a_part_that_cannot_be_read_loses_that_part_only() -> None:
    assert_like_the_data(mined(Broken()), "mean std", 0.01)


def test_an_estimator_that_contains_itself_ends() -> None:
    model = GaussianNB().fit(NUMBERS, LABELS)
    model.best_estimator_ = model
    schema = infer_from_model(model)
    assert schema is not None and schema.names == tuple(NUMBERS)


def test_rows_that_a_model_keeps_give_their_own_quantiles() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    schema = infer_from_model(KNeighborsRegressor().fit(X, y))
    assert schema is not None
    mined = generate(schema, 5_000, 0).frame
    distances = [ks_2samp(mined[name].astype(float), X[name]).statistic for name in X]
    assert np.median(distances) < 0.03
