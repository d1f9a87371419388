"""Attributions sum to the model's output for every family, and equal those of shap or of brute force."""

# mypy: allow-untyped-defs, allow-untyped-calls
# mypy: disable-error-code="arg-type, union-attr, operator, var-annotated"

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import (
    compose,
    decomposition,
    ensemble,
    linear_model,
    neighbors,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.impute import SimpleImputer

from errors import BadAnswer, InvalidPlan
from estimators.answers import MAX_OUTPUTS, Attributions
from explainability import additivity_error, explain, summarise
from explainers.shapley import shapley_values
from model_utils import adapt
from records.explanation import ExplainPlan

PLAN = ExplainPlan(rows=30, budget_s=20)


@dataclass(frozen=True)
class Stand:
    """Stands for model_utils.Adapter: what explain() asks of it."""

    estimator: Any
    task: str
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    answers: tuple[str, ...] | None = None

    def prepare(self, frame):
        return frame

    def predict(self, x):
        return self.estimator.predict(x)

    def scores(self, x):
        return self.estimator.predict_proba(x) if hasattr(self.estimator, "predict_proba") else None


def stand(estimator, x, y):
    estimator.fit(x, y)
    if not hasattr(estimator, "classes_"):
        return Stand(estimator, "regression", tuple(x.columns))
    return Stand(estimator, "classification", tuple(x.columns), tuple(map(str, estimator.classes_)))


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))


@pytest.fixture(scope="module")
def targets(table):
    signal = table["a"] * 2 - table["b"] + table["c"] * table["d"]
    return {
        "regression": signal,
        "binary": (signal > 0).map({True: "yes", False: "no"}),
        "multiclass": pd.cut(signal, [-np.inf, -1, 1, np.inf], labels=["low", "mid", "high"]).astype(str),
    }


def xgb(kind, **options):
    xgboost = pytest.importorskip("xgboost")
    return getattr(xgboost, kind)(n_estimators=20, max_depth=3, n_jobs=1, **options)


def lgbm(kind, **options):
    lightgbm = pytest.importorskip("lightgbm")
    return getattr(lightgbm, kind)(n_estimators=20, verbose=-1, n_jobs=1, **options)


FAMILIES = {
    "forest": (ensemble.RandomForestClassifier(20, random_state=0), "quadrature tree SHAP", "probability"),
    "extra trees": (ensemble.ExtraTreesClassifier(20, random_state=0), "quadrature tree SHAP", "probability"),
    "tree": (tree.DecisionTreeClassifier(max_depth=4), "quadrature tree SHAP", "probability"),
    "hist": (ensemble.HistGradientBoostingClassifier(max_iter=20), "tree SHAP", "margin"),
    "logistic": (linear_model.LogisticRegression(), "linear", "margin"),
    "sgd": (linear_model.SGDClassifier(random_state=0), "linear", "margin"),
    "linear svc": (svm.LinearSVC(), "linear", "margin"),
    "ridge classifier": (linear_model.RidgeClassifier(), "linear", "margin"),
    "gaussian svc": (svm.SVC(), "Shapley", "margin"),
    "neighbours": (neighbors.KNeighborsClassifier(), "Shapley", "probability"),
}


@pytest.mark.parametrize("target", ["binary", "multiclass"])
@pytest.mark.parametrize("family", FAMILIES)
def test_classifiers_are_explained_by_their_family_and_add_up(family, target, table, targets):
    estimator, explainer, output = FAMILIES[family]
    found = explain(stand(estimator, table, targets[target]), table, table, PLAN, seed=0)
    assert found.explainer.startswith(explainer)
    assert found.output == output
    assert found.outputs == (("yes",) if target == "binary" else ("high", "low", "mid"))
    assert found.values.shape == (30, 4, len(found.outputs))
    assert additivity_error(found) < 1e-9


@pytest.mark.parametrize(
    ("estimator", "explainer"),
    [
        (ensemble.RandomForestRegressor(20, random_state=0), "quadrature tree SHAP"),
        (ensemble.GradientBoostingRegressor(n_estimators=20), "tree SHAP"),
        (ensemble.HistGradientBoostingRegressor(max_iter=20), "tree SHAP"),
        (linear_model.LinearRegression(), "linear"),
        (linear_model.Lasso(0.01), "linear"),
        (neighbors.KNeighborsRegressor(), "Shapley"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_regressors_explain_the_prediction_itself(estimator, explainer, table, targets):
    found = explain(stand(estimator, table, targets["regression"]), table, table, PLAN, seed=0)
    assert found.explainer.startswith(explainer)
    assert found.output == "prediction"
    expected = estimator.predict(table.iloc[:30])
    np.testing.assert_allclose(found.explained[:, 0], expected)
    np.testing.assert_allclose(found.values.sum(axis=1)[:, 0] + found.base[0], expected, rtol=1e-6)


def test_gradient_boosting_with_two_classes_is_a_tree_and_with_three_is_sampled(table, targets):
    estimator = ensemble.GradientBoostingClassifier(n_estimators=10)
    two = explain(stand(estimator, table, targets["binary"]), table, table, PLAN, seed=0)
    assert (two.explainer, two.output) == ("tree SHAP, path-dependent", "margin")
    assert additivity_error(two) < 1e-9
    three = explain(stand(estimator, table, targets["multiclass"]), table, table, PLAN, seed=0)
    assert (three.method, three.output) == ("permutation", "probability")


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("target", ["binary", "multiclass", "regression"])
def test_boosters_use_their_own_contributions(library, target, table, targets):
    kind = "Regressor" if target == "regression" else "Classifier"
    estimator = xgb(f"XGB{kind}") if library == "xgboost" else lgbm(f"LGBM{kind}")
    y = targets[target] if target == "regression" else targets[target].astype("category").cat.codes
    adapter = stand(estimator, table, y)
    if target == "regression":
        adapter = Stand(estimator, "regression", tuple(table.columns))
    found = explain(adapter, table, table, PLAN, seed=0)
    assert found.explainer.endswith("contributions")
    assert found.output == ("prediction" if target == "regression" else "margin")
    assert found.values.shape[2] == (3 if target == "multiclass" else 1)
    assert additivity_error(found) < 1e-5  # XGBoost computes in float32
    if target == "regression":
        np.testing.assert_allclose(found.explained[:, 0], estimator.predict(table.iloc[:30]), rtol=1e-5)


def test_a_raw_xgboost_booster_is_explained_like_its_wrapper(table, targets):
    xgboost = pytest.importorskip("xgboost")
    wrapper = xgb("XGBRegressor").fit(table, targets["regression"])

    class Matrices(Stand):
        def prepare(self, frame):
            return xgboost.DMatrix(frame)

    booster = Matrices(wrapper.get_booster(), "regression", tuple(table.columns))
    plain = Stand(wrapper, "regression", tuple(table.columns))
    found = explain(booster, table, table, PLAN, seed=0)
    np.testing.assert_array_equal(found.values, explain(plain, table, table, PLAN, seed=0).values)


def test_early_stopping_is_honoured(table, targets):
    estimator = xgb("XGBRegressor", early_stopping_rounds=1, learning_rate=1.0)
    estimator.fit(table, targets["regression"], eval_set=[(table, -targets["regression"])], verbose=False)
    found = explain(Stand(estimator, "regression"), table, table, PLAN, seed=0)
    np.testing.assert_allclose(found.explained[:, 0], estimator.predict(table.iloc[:30]), rtol=1e-5)


def test_forest_values_equal_those_of_shap(table, targets):
    shap = pytest.importorskip("shap")
    estimator = ensemble.RandomForestClassifier(10, random_state=0)
    found = explain(stand(estimator, table, targets["binary"]), table, table, PLAN, seed=0)
    oracle = shap.TreeExplainer(estimator).shap_values(table.iloc[:30])
    np.testing.assert_allclose(found.values[:, :, 0], oracle[:, :, 1], atol=1e-12)


def test_linear_values_equal_those_of_shap(table, targets):
    shap = pytest.importorskip("shap")
    estimator = linear_model.LogisticRegression()
    found = explain(stand(estimator, table, targets["multiclass"]), table, table, PLAN, seed=0)
    masker = shap.maskers.Independent(table, max_samples=len(table))
    oracle = shap.LinearExplainer(estimator, masker).shap_values(table.iloc[:30])
    np.testing.assert_allclose(found.values, oracle, atol=1e-9)


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "size": rng.normal(5, 2, 300),
            "colour": rng.choice(["red", "green", "blue"], 300),
            "grade": rng.choice(["low", "high"], 300),
            "age": rng.integers(1, 90, 300).astype(float),
        }
    )
    y = frame["size"] + 3 * (frame["colour"] == "red") - 2 * (frame["grade"] == "low") + 0.01 * frame["age"]
    return frame, y


def columns(**options):
    return compose.ColumnTransformer(
        [
            ("codes", preprocessing.OrdinalEncoder(), ["grade"]),
            ("hot", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["colour"]),
            ("scaled", pipeline.make_pipeline(SimpleImputer(), preprocessing.StandardScaler()), ["age"]),
        ],
        remainder="passthrough",
        **options,
    )


@pytest.mark.parametrize(
    "final",
    [linear_model.Ridge(0.001), ensemble.RandomForestRegressor(10, random_state=0)],
    ids=["ridge", "forest"],
)
@pytest.mark.parametrize("sparse", [0.0, 1.0], ids=["dense", "sparse"])
def test_a_pipeline_is_explained_by_its_raw_columns(final, sparse, mixed):
    frame, y = mixed
    adapter = stand(pipeline.make_pipeline(columns(sparse_threshold=sparse), final), frame, y)
    found = explain(adapter, frame, frame, PLAN, seed=0)
    assert found.method == "shap"
    assert found.features == ("size", "colour", "grade", "age")
    assert additivity_error(found) < 1e-9
    by_feature = dict(zip(found.features, found.values[:, :, 0].T, strict=True))
    red = frame["colour"].iloc[:30] == "red"
    assert by_feature["colour"][red].min() > by_feature["colour"][~red].max() + 0.5
    low = frame["grade"].iloc[:30] == "low"
    assert by_feature["grade"][low].max() < by_feature["grade"][~low].min() - 0.5
    assert np.corrcoef(by_feature["size"], frame["size"].iloc[:30])[0, 1] > 0.9


def test_a_linear_pipeline_agrees_with_exact_enumeration_of_the_whole_pipeline(mixed):
    """A sum over columns has one Shapley value, whichever way it is computed."""
    frame, y = mixed
    adapter = stand(pipeline.make_pipeline(columns(), linear_model.Ridge()), frame, y)
    background = frame.iloc[:8]
    fast = explain(adapter, frame, background, PLAN, seed=0)
    slow = explain(adapter, frame, background, PLAN.model_copy(update={"method": "permutation"}), seed=0)
    assert slow.explainer == "Shapley values, all coalitions"
    np.testing.assert_allclose(fast.values, slow.values, atol=1e-9)
    np.testing.assert_allclose(fast.base, slow.base)


@pytest.mark.parametrize(
    "mixing", [decomposition.PCA(2), preprocessing.PolynomialFeatures(2), preprocessing.Normalizer()]
)
def test_a_pipeline_that_mixes_columns_is_sampled_instead(mixing, table, targets):
    adapter = stand(pipeline.make_pipeline(mixing, linear_model.Ridge()), table, targets["regression"])
    found = explain(adapter, table, table, PLAN, seed=0)
    assert found.method == "permutation"
    assert additivity_error(found) < 1e-9


def test_a_hist_gradient_booster_with_category_splits_is_not_given_to_tree_shap(table, targets):
    coded = table.assign(d=(table["d"] > 0).astype(float) + (table["d"] > 1))
    estimator = ensemble.HistGradientBoostingRegressor(max_iter=10, categorical_features=["d"])
    found = explain(stand(estimator, coded, targets["regression"]), coded, coded, PLAN, seed=0)
    assert found.method == "permutation"


def test_values_that_miss_the_output_are_replaced_and_said_so(table, targets):
    """A log link: the trees sum to the logarithm of the prediction."""
    estimator = ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=10)
    found = explain(stand(estimator, table, targets["regression"].abs()), table, table, PLAN, seed=0)
    assert found.method == "permutation"
    assert any("missed the model's output" in note for note in found.notes)


def brute_force(function, row, background):
    """The definition: every coalition, every feature, plain loops."""
    names = list(row.index)

    def worth(coalition):
        mixed = background.copy()
        for name in coalition:
            mixed[name] = row[name]
        return function(mixed)[:, 0].mean()

    values = []
    for name in names:
        others = [n for n in names if n != name]
        total = 0.0
        for size in range(len(names)):
            weight = math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(names))
            for coalition in itertools.combinations(others, size):
                total += weight * (worth([*coalition, name]) - worth(coalition))
        values.append(total)
    return values


def interacting(frame):
    colour = (frame["colour"] == "red").to_numpy(dtype=float)
    size, age = frame["size"].to_numpy(), frame["age"].to_numpy()
    return (size * (1 + colour * (1 + np.sin(age))) + 2 * (frame["grade"] == "low").to_numpy())[:, None]


def test_few_features_are_enumerated_exactly(mixed):
    frame, _ = mixed
    background = frame.iloc[100:108]
    found = shapley_values(interacting, frame.iloc[:5], background, budget_s=30, seed=1)
    assert found.exact
    for i in range(5):
        np.testing.assert_allclose(
            found.values[i, :, 0], brute_force(interacting, frame.iloc[i], background), atol=1e-9
        )


def test_sampled_values_are_within_their_error_of_the_exact_ones(mixed, monkeypatch):
    frame, _ = mixed
    background = frame.iloc[100:108]
    exact = shapley_values(interacting, frame.iloc[:40], background, budget_s=30, seed=1)
    monkeypatch.setattr("explainers.shapley.EXACT_FEATURES", 0)
    sampled = shapley_values(interacting, frame.iloc[:40], background, budget_s=30, seed=1)
    assert not sampled.exact
    np.testing.assert_allclose(sampled.base, exact.base)
    np.testing.assert_allclose(sampled.values.sum(axis=1) + sampled.base, sampled.explained, atol=1e-9)
    rms = np.sqrt(((sampled.values - exact.values) ** 2).mean(axis=(0, 2)))
    interact = sampled.std_error > 1e-9  # a feature that only adds has no sampling error
    assert interact.sum() >= 3
    ratio = rms[interact] / sampled.std_error[interact]
    assert (ratio > 0.6).all() and (ratio < 1.6).all(), ratio
    np.testing.assert_allclose(rms[~interact], 0, atol=1e-9)


def test_the_same_seed_gives_the_same_values(table, monkeypatch):
    monkeypatch.setattr("explainers.shapley.EXACT_FEATURES", 0)

    def function(frame):
        return frame.to_numpy().prod(axis=1)[:, None]

    first, second, other = (
        shapley_values(function, table.iloc[:5], table, budget_s=30, seed=s).values for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_budget_too_small_cuts_rows_and_background_but_keeps_the_sum_exact(table, monkeypatch):
    monkeypatch.setattr("explainers.shapley.EXACT_FEATURES", 0)

    def function(frame):
        return frame.to_numpy().prod(axis=1)[:, None]

    found = shapley_values(function, table.iloc[:100], table, budget_s=1e-6, seed=0)
    assert len(found.values) == 1
    assert "The time budget allowed 1 of 100 rows." in found.notes
    assert "The time budget allowed 2 background rows." in found.notes
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base, found.explained, atol=1e-12)


def test_too_many_features_for_permutation_are_refused_before_memory_is_taken():
    wide = pd.DataFrame(np.zeros((2, 2001)))
    with pytest.raises(InvalidPlan, match="2,001 features"):
        shapley_values(lambda f: f.to_numpy()[:, :1], wide, wide, budget_s=1, seed=0)


def test_many_classes_are_cut_to_a_readable_number():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    adapter = stand(ensemble.RandomForestClassifier(3, random_state=0), frame, pd.Series(np.arange(300) % 30))
    found = explain(adapter, frame, frame, PLAN, seed=0)
    assert found.values.shape[2] == len(found.outputs) == MAX_OUTPUTS
    assert additivity_error(found) < 1e-9
    assert any("20 of 30 outputs" in note for note in found.notes)


def test_several_outputs_leave_room_for_fewer_rows(table, monkeypatch):
    from sklearn.cluster import KMeans

    monkeypatch.setattr("explainability.MAX_ATTRIBUTIONS", 200)
    adapter = Stand(KMeans(4, n_init=1, random_state=0).fit(table), "clustering", tuple(table.columns))
    found = explain(adapter, table, table, PLAN, seed=0)
    n, f, k = found.values.shape
    assert k == 4 and n * f * k <= 200 < (n + 1) * f * k
    assert found.explained.shape == (n, k) and additivity_error(found) < 1e-9
    assert any("each has several outputs" in note for note in found.notes)


def test_clusters_are_explained_by_which_one_is_chosen(table):
    from sklearn.cluster import KMeans

    adapter = Stand(KMeans(3, n_init=1, random_state=0).fit(table), "clustering", tuple(table.columns))
    found = explain(adapter, table, table, PLAN, seed=0)
    assert found.outputs == ("0", "1", "2")
    np.testing.assert_allclose(found.explained.sum(axis=1), 1)


def test_shipped_examples_are_explained_through_the_real_adapter():
    """The category of the diabetes example is one raw column again after its one-hot step."""
    import io

    import joblib

    from example_models import build
    from model_utils import adapt

    for name, explainer in (("breast-cancer", "linear"), ("wine", "quadrature"), ("diabetes", "tree SHAP")):
        files = build(name)
        sample = pd.read_csv(io.BytesIO(files.sample_csv)).drop(columns=files.target)
        found = explain(adapt(joblib.load(io.BytesIO(files.model))), sample, sample, PLAN, seed=0)
        assert found.explainer.startswith(explainer)
        assert found.features == tuple(sample.columns)
        section = summarise(found, sample)
        assert section.additivity_error < 1e-9
        assert section.rows == 30


def attributions(**changes):
    values = np.array([[[1.0], [-3.0]], [[2.0], [0.0]]])
    base = np.array([0.5])
    fields = {
        "method": "permutation",
        "explainer": "test",
        "output": "prediction",
        "outputs": ("prediction",),
        "features": ("b", "a"),
        "values": values,
        "base": base,
        "explained": values.sum(axis=1) + base,
        "std_error": np.array([0.2, 0.4]),
    }
    return Attributions(**{**fields, **changes})


def test_the_summary_sorts_by_importance_and_reads_cells_in_the_features_order():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
    found = summarise(attributions(), frame)
    assert [(i.feature, i.mean_abs) for i in found.importance] == [("b", 1.5), ("a", 1.5)]
    assert found.importance[0].std_error == pytest.approx(0.2 / np.sqrt(2))
    assert found.sampling_error == pytest.approx(0.6 / 3)
    assert found.feature_values == (("x", 1.0), (None, 2.0))
    assert found.shap_values == ((1.0, -3.0), (2.0, 0.0))
    assert found.additivity_error == 0


def test_cells_become_plain_values():
    frame = pd.DataFrame(
        {
            "a": pd.to_datetime(["2024-05-01", None]),
            "b": pd.Categorical(["x", None]),
        }
    )
    assert summarise(attributions(), frame).feature_values == (("x", "2024-05-01T00:00:00"), (None, None))
    flags = pd.DataFrame({"a": [True, False], "b": [np.inf, 2]})
    assert summarise(attributions(), flags).feature_values == ((None, True), (2.0, False))


@pytest.mark.parametrize(
    "changes",
    [
        {"features": ("b", "forged")},
        {"base": np.zeros(2)},
        {"explained": np.zeros((1, 1))},
        {"values": np.full((2, 2, 1), np.nan)},
        {"std_error": np.zeros(3)},
        {"outputs": ("one", "two")},
    ],
)
def test_an_answer_that_does_not_fit_the_question_is_refused(changes):
    with pytest.raises(BadAnswer):
        summarise(attributions(**changes), pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}))


def test_the_additivity_error_is_relative_to_the_output():
    found = attributions(explained=attributions().explained + np.array([[0.0], [0.25]]))
    assert additivity_error(found) == pytest.approx(0.25 / 2.75)


def test_of_several_outputs_the_first_is_explained() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import ClassifierChain, MultiOutputClassifier

    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])
    first = np.digitize(rows["a"], [-0.5, 0.5])
    targets = np.column_stack([first, rows["b"] > 0])
    for model in (MultiOutputClassifier(LogisticRegression()), ClassifierChain(LogisticRegression())):
        found = explain(adapt(model.fit(rows, targets)), rows, rows, ExplainPlan(rows=20), 0)
        importance = np.abs(found.values).mean(axis=(0, 2))
        assert importance.argmax() == 0 and found.outputs == ("0", "1", "2")
        assert additivity_error(found) < 1e-9
