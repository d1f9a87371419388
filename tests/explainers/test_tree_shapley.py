"""Forests by quadrature equal shap.TreeExplainer and brute force, and add up to what the forest predicts."""

# mypy: allow-untyped-defs, allow-untyped-calls

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from explainers import tree_shapley
from explainers.tree_shapley import flatten, forest_shapley, supports

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
SIGNAL = X[:, 0] * 2 - X[:, 1] + X[:, 2] * X[:, 3]
TARGETS = {
    "number": SIGNAL,
    "two": (SIGNAL > 0).astype(int),
    "three": np.digitize(SIGNAL, [-1, 1]),
}


def explained(model, x, **options):
    """Values and bases, each output beside the others, as shap has them."""
    return forest_shapley(flatten(model), x, **options)


def by_shap(model, x):
    shap = pytest.importorskip("shap")
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    values = np.asarray(explainer.shap_values(x, check_additivity=False))
    return values.reshape(*x.shape, -1), np.ravel(explainer.expected_value)


def predicted(model, x):
    return model.predict_proba(x) if hasattr(model, "classes_") else model.predict(x)[:, None]


def assert_adds_up(model, x, values, base):
    np.testing.assert_allclose(values.sum(axis=1) + base, predicted(model, x), rtol=1e-10, atol=1e-10)


def assert_equals_shap(model, x):
    values, base = explained(model, x)
    expected, expected_base = by_shap(model, x)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(base, expected_base, rtol=0, atol=1e-9)
    assert_adds_up(model, x, values, base)


def brute_force(tree, x, value):
    """Shapley values of one row by all coalitions of the path-dependent value function, plain recursion."""

    def worth(known, node=0):
        left, right, f = tree.children_left[node], tree.children_right[node], tree.feature[node]
        if left == -1:
            return value[node]
        if f in known:
            goes = (
                tree.missing_go_to_left[node] if np.isnan(x[f]) else np.float32(x[f]) <= tree.threshold[node]
            )
            return worth(known, left if goes else right)
        cover = tree.weighted_n_node_samples
        return sum(cover[child] / cover[node] * worth(known, child) for child in (left, right))

    n, values = len(x), []
    for feature in range(n):
        others = [f for f in range(n) if f != feature]
        total = 0.0
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - 1 - size) / math.factorial(n)
            for known in itertools.combinations(others, size):
                total += weight * (worth({*known, feature}) - worth(known))
        values.append(total)
    return np.array(values)


@pytest.mark.parametrize("depth", [None, 1, 4], ids=["deep", "stumps", "depth 4"])
@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (RandomForestClassifier, "two"),
        (RandomForestClassifier, "three"),
        (RandomForestRegressor, "number"),
        (ExtraTreesClassifier, "two"),
        (ExtraTreesRegressor, "number"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_forests_equal_shap(kind, target, depth):
    model = kind(15, max_depth=depth, random_state=0).fit(X, TARGETS[target])
    assert_equals_shap(model, X[:40])


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (DecisionTreeClassifier(random_state=0), "three"),
        (DecisionTreeRegressor(random_state=0), "number"),
        (ExtraTreeRegressor(random_state=0), "number"),
        (DecisionTreeRegressor(max_leaf_nodes=20, random_state=0), "number"),  # nodes not in preorder
        (DecisionTreeRegressor(criterion="absolute_error", max_depth=4, random_state=0), "number"),
        (DecisionTreeClassifier(class_weight="balanced", max_depth=5, random_state=0), "three"),
    ],
    ids=["classifier", "regressor", "extra", "best first", "medians", "weighted"],
)
def test_single_trees_equal_shap(model, target):
    assert_equals_shap(model.fit(X, TARGETS[target]), X[:40])


def test_a_feature_that_repeats_on_the_path_replaces_its_factor():
    x = RNG.uniform(size=(200, 2))
    model = DecisionTreeRegressor(random_state=0).fit(x, np.sin(20 * x[:, 0]) + x[:, 1])
    assert model.get_depth() > 4
    assert_equals_shap(model, x[:50])
    for row in x[:5]:
        expected = brute_force(model.tree_, row, model.tree_.value[:, 0, 0])
        np.testing.assert_allclose(explained(model, row[None])[0][0, :, 0], expected, atol=1e-12)


def test_a_tree_of_one_leaf_gives_every_feature_nothing():
    model = DecisionTreeRegressor().fit(X, np.full(len(X), 7.0))
    values, base = explained(model, X[:3])
    assert values.shape == (3, 6, 1) and not values.any()
    assert base.tolist() == [7.0]
    forest = RandomForestClassifier(3).fit(X, np.ones(len(X)))
    values, base = explained(forest, X[:3])
    assert values.shape == (3, 6, 1) and not values.any()
    assert base.tolist() == [1.0]


def test_constant_columns_get_nothing():
    x = X.copy()
    x[:, [0, 4]] = 1.5
    model = RandomForestRegressor(10, random_state=0).fit(x, SIGNAL)
    assert_equals_shap(model, x[:20])
    assert not explained(model, x[:20])[0][:, [0, 4]].any()


@pytest.mark.parametrize("kind", [DecisionTreeRegressor, RandomForestRegressor, ExtraTreesRegressor])
def test_missing_values_go_where_the_tree_sends_them(kind):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 4))
    y = x[:, 0] + x[:, 1] * x[:, 2]
    x[rng.random(x.shape) < 0.2] = np.nan
    options = {} if kind is DecisionTreeRegressor else {"n_estimators": 3}
    model = kind(max_depth=6, random_state=0, **options).fit(x, y)
    rows = x[np.isnan(x).any(axis=1)][:12]
    values, base = explained(model, rows)
    assert_adds_up(model, rows, values, base)
    trees = [e.tree_ for e in getattr(model, "estimators_", [model])]
    for row, found in zip(rows, values[:, :, 0], strict=True):
        expected = np.mean([brute_force(t, row, t.value[:, 0, 0]) for t in trees], axis=0)
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_values_on_a_threshold_are_compared_as_scikit_learn_does():
    """float32(0.1) is above 0.1: comparing the float64 sends the row the other way."""
    x = np.array([[0.0], [np.float64(np.float32(0.1)) * 2]])
    model = DecisionTreeRegressor().fit(x, [0.0, 1.0])
    edge = np.nextafter(model.tree_.threshold[0], [0.0, 1.0])[:, None]
    values, base = explained(model, np.vstack([edge, model.tree_.threshold[:1, None]]))
    assert_adds_up(model, np.vstack([edge, model.tree_.threshold[:1, None]]), values, base)


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 100])
def test_threads_give_the_same_as_one(rows):
    model = RandomForestClassifier(10, random_state=0).fit(X, TARGETS["three"])
    one, _ = explained(model, X[:rows], threads=1)
    four, _ = explained(model, X[:rows], threads=4)
    np.testing.assert_array_equal(one, four)
    alone = np.concatenate([explained(model, row[None])[0] for row in X[: min(rows, 5)]])
    np.testing.assert_array_equal(one[:5], alone)


def in_fractions(tree, x, feature):
    """One feature's value by the integral's polynomial, multiplied out and integrated in exact fractions."""

    def below(node, ratios):
        if tree.children_left[node] == -1:
            product = [Fraction(1)]
            for f, (r, o) in ratios.items():
                if f != feature:
                    shifted = [Fraction(0), *product]
                    product = [r * a + (o - r) * b for a, b in zip([*product, 0], shifted, strict=True)]
            r, o = ratios.get(feature, (1, 1))
            integral = sum(c / (i + 1) for i, c in enumerate(product))
            return Fraction(tree.value[node, 0, 0]) * (o - r) * integral
        f, total = tree.feature[node], Fraction(0)
        goes = tree.children_left[node] if x[f] <= tree.threshold[node] else tree.children_right[node]
        for child in (tree.children_left[node], tree.children_right[node]):
            r, o = ratios.get(f, (Fraction(1), 1))
            r *= Fraction(tree.n_node_samples[child].item(), tree.n_node_samples[node].item())
            total += below(child, {**ratios, f: (r, o * (child == goes))})
        return total

    return float(below(0, {}))


def test_a_path_of_many_features_is_exact_where_shap_is_not():
    """A chain of splits, each on a feature of its own: shap 0.51 answers with numbers of 1e17 at 120."""
    x = np.eye(61)[:, :60]
    model = DecisionTreeRegressor(random_state=0).fit(x, np.arange(61.0) ** 2)
    assert model.get_depth() > 50
    values, base = explained(model, x)
    assert_adds_up(model, x, values, base)
    for row, feature in ((0, 0), (30, 30), (60, 10)):
        expected = in_fractions(model.tree_, x[row], feature)
        np.testing.assert_allclose(values[row, feature, 0], expected, rtol=1e-10)


def test_many_classes_are_carried_in_parts():
    y = np.arange(len(X)) % (2 * tree_shapley.MAX_OUTPUTS + 3)
    assert_equals_shap(RandomForestClassifier(3, random_state=0).fit(X, y), X[:10])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.integers(1, 4),
    rows=st.integers(2, 40),
    levels=st.integers(1, 6),
    classifies=st.booleans(),
)
def test_any_small_tree_equals_brute_force(seed, features, rows, levels, classifies):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, levels, size=(rows, features)).astype(float)
    y = rng.integers(0, 3, rows)
    model = (DecisionTreeClassifier if classifies else DecisionTreeRegressor)(random_state=0)
    model.fit(x, y, sample_weight=rng.integers(1, 4, rows))
    row = rng.integers(-1, levels + 1, size=features).astype(float)
    values, base = explained(model, row[None])
    assert_adds_up(model, row[None], values, base)
    for k in range(values.shape[2]):
        expected = brute_force(model.tree_, row, model.tree_.value[:, 0, k])
        np.testing.assert_allclose(values[0, :, k], expected, atol=1e-12)


def test_only_fitted_forests_of_one_output_are_supported():
    assert supports(RandomForestRegressor(2).fit(X, SIGNAL))
    assert not supports(RandomForestRegressor(2))
    assert not supports(RandomForestRegressor(2).fit(X, np.column_stack([SIGNAL, SIGNAL])))
    assert not supports(GradientBoostingClassifier(n_estimators=2).fit(X, TARGETS["two"]))


class Links:
    """Stands for a tree_ whose file was tampered with: scikit-learn does not check its links."""

    def __init__(self, tree, **changed):
        names = ("children_left", "children_right", "feature", "threshold", "weighted_n_node_samples")
        for name in (*names, "value", "node_count", "missing_go_to_left"):
            setattr(self, name, changed.get(name, getattr(tree, name)))


@pytest.mark.parametrize(
    "changed",
    [
        {"children_left": [0, -1, -1]},
        {"children_left": [1, -1, 1], "children_right": [2, -1, 2]},
        {"children_right": [99, -1, -1]},
        {"children_right": [-1, -1, -1]},
        {"children_left": [-1, -1, -1]},
        {"feature": [6, -2, -2]},
        {"feature": [-3, -2, -2]},
    ],
    ids=str,
)
def test_broken_links_are_refused_and_not_followed(changed):
    model = DecisionTreeRegressor(max_depth=1).fit(X, SIGNAL)

    class Stand:
        tree_ = Links(model.tree_, **changed)
        n_features_in_ = 6

    with pytest.raises(ValueError, match="do not form a tree"):
        flatten(Stand())


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="6 columns"):
        explained(DecisionTreeRegressor().fit(X, SIGNAL), X[:, :5])


def test_everything_is_compiled_by_the_warm_up():
    """A child may not be asked to compile: whatever the forest, the kernels keep their one signature."""
    tree_shapley.warm_up()
    kernels = [k for k in vars(tree_shapley).values() if hasattr(k, "nopython_signatures")]
    assert len(kernels) == 8
    before = [len(k.nopython_signatures) for k in kernels]
    explained(RandomForestClassifier(2).fit(X.astype(np.float32), TARGETS["three"]), X[:40].tolist())
    explained(ExtraTreesRegressor(2).fit(X, SIGNAL), np.asfortranarray(X), threads=2)
    model = DecisionTreeRegressor(max_depth=3).fit(X, SIGNAL)
    x = X.copy()
    x.setflags(write=False)
    explained(model, x)
    assert [len(k.nopython_signatures) for k in kernels] == before
