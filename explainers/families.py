"""Attributions by model family: the libraries' own, tree SHAP, closed form, and permutation for the rest.

Runs in the child, beside the model. Promises: one column of attributions per raw feature, whatever a
pipeline made of it. Leaves choosing a fallback and summing up to `explainability`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from estimators.answers import Attributions, Estimator, FloatArray
from estimators.columns import of_sklearn
from explainers.column_trace import Owner, unwrap
from explainers.integrated_gradients import integrated_gradients
from records.model import Task

__all__ = ["explain_by_family", "explained_output"]


FIRST_SLICE = 4  # rows that tell what a row costs before the rest is asked for

BOOSTED = frozenset(
    f"{kind}{suffix}"
    for kind in ("GradientBoosting", "HistGradientBoosting")
    for suffix in ("Classifier", "Regressor")
)
LINEAR = frozenset((
    "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV",
    "Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVC",
    "LinearSVR", "LogisticRegression", "LogisticRegressionCV", "OrthogonalMatchingPursuit",
    "PassiveAggressiveClassifier", "PassiveAggressiveRegressor", "Perceptron", "Ridge", "RidgeCV",
    "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "SGDRegressor", "TheilSenRegressor",
))  # fmt: skip


@dataclass(frozen=True)
class _Raw:
    """Attributions of the final estimator on the columns that it sees."""

    values: FloatArray
    base: FloatArray
    explained: FloatArray
    output: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Family:
    """Explainer: (final estimator, rows, background, task, budget in seconds) -> attributions or None.

    method: what the report calls it.
    """

    title: str
    fits: Callable[[Any], bool]
    explainer: Callable[[Any, Any, Any, Task, float], _Raw | None]
    method: str = "shap"


def explain_by_family(
    adapter: Estimator, frame: pd.DataFrame, background: pd.DataFrame, budget_s: float
) -> Attributions | None:
    """Attributions by the explainer of the model's family; None when none is known to be right for it.

    None is also the answer for a pipeline whose steps mix columns (PCA, polynomial features).
    """
    x, x_background = adapter.prepare(frame), adapter.prepare(background)
    unwrapped = unwrap(adapter.estimator, x, x_background, frame.shape[1])
    if unwrapped is None:
        return None
    final = unwrapped.final
    family = next((f for f in FAMILIES if f.fits(final)), None)
    if family is None:
        return None
    raw = family.explainer(final, unwrapped.x, unwrapped.background, adapter.task, budget_s)
    if raw is None or raw.values.shape[1] != len(unwrapped.owner):
        return None
    return Attributions(
        method=family.method,
        explainer=family.title,
        output=raw.output,
        outputs=_output_names(adapter.labels, raw.values.shape[2], raw.output),
        features=tuple(map(str, frame.columns)),
        values=_by_owner(raw.values, unwrapped.owner, frame.shape[1]),
        base=raw.base,
        explained=raw.explained,
        std_error=None,
        notes=raw.notes,
    )


def _by_owner(values: FloatArray, owner: Owner, columns: int) -> FloatArray:
    """(n, columns, k): the values of a raw column are those of all that it became, summed."""
    if len(owner) == columns and (owner == np.arange(columns)).all():
        return values
    summed = np.zeros((len(values), columns, values.shape[2]))
    for column, own in enumerate(owner):
        summed[:, own] += values[:, column]
    return summed


def explained_output(
    adapter: Estimator, probe: pd.DataFrame
) -> tuple[str, tuple[str, ...], Callable[[pd.DataFrame], FloatArray]]:
    """What permutation explains: (output, outputs, function from a frame to (n, k) numbers).

    Probabilities where the model offers them (one output, the positive class, for two classes), else
    its margins, else which class it chose; numbers for regression.
    """
    x = adapter.prepare(probe)
    estimator = adapter.estimator
    output: str
    call: Callable[[Any], Any]
    if adapter.task == "classification" and _answers(adapter.scores, x, len(probe)):
        output, call = "probability", adapter.scores
    elif adapter.task in ("classification", "outlier") and _answers(
        getattr(estimator, "decision_function", None), x, len(probe)
    ):
        output, call = "margin", estimator.decision_function
    elif adapter.task in ("classification", "clustering"):
        known = adapter.answers or adapter.labels
        chosen = np.asarray(known if known else np.unique(_text(adapter.predict(x))))
        output = "class chosen (1) or not (0)"

        def call(x: Any) -> Any:
            return _text(adapter.predict(x))[:, None] == chosen

        if adapter.labels is None:
            return output, tuple(map(str, chosen)), lambda frame: _matrix(call(adapter.prepare(frame)))
    else:
        output, call = "prediction", adapter.predict

    def function(frame: pd.DataFrame) -> FloatArray:
        return _positive(_matrix(call(adapter.prepare(frame))), adapter.labels)

    k = function(probe).shape[1]
    return output, _output_names(adapter.labels, k, output), function


def _xgboost(estimator: Any, x: Any, background: Any, task: Task, budget_s: float) -> _Raw | None:
    import xgboost

    if isinstance(estimator, xgboost.Booster):
        booster, missing, rounds = estimator, np.nan, (0, 0)
    else:
        booster, missing = estimator.get_booster(), estimator.missing
        best = booster.attr("best_iteration")  # the wrapper stops there when it predicts
        rounds = (0, int(best) + 1) if best is not None else (0, 0)
    if isinstance(x, xgboost.DMatrix):
        matrix = x
    else:
        names = None if isinstance(x, pd.DataFrame) else booster.feature_names
        matrix = xgboost.DMatrix(x, missing=missing, feature_names=names, enable_categorical=True)
    answer = booster.predict(matrix, pred_contribs=True, strict_shape=True, iteration_range=rounds)
    margin = booster.predict(matrix, output_margin=True, strict_shape=True, iteration_range=rounds)
    output = "margin"
    if task == "regression":
        plain = booster.predict(matrix, strict_shape=True, iteration_range=rounds)
        output = "prediction" if np.array_equal(plain, margin) else "margin"
    return _from_contributions(np.asarray(answer, dtype=np.float64), margin, output)


def _lightgbm(estimator: Any, x: Any, background: Any, task: Task, budget_s: float) -> _Raw | None:
    answer = estimator.predict(x, pred_contrib=True)
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    margin = _matrix(estimator.predict(x, raw_score=True))
    output = "margin"
    if task == "regression":
        output = "prediction" if np.allclose(_matrix(estimator.predict(x)), margin) else "margin"
    n, k = margin.shape
    return _from_contributions(np.asarray(answer, dtype=np.float64).reshape(n, k, -1), margin, output)


def _catboost(estimator: Any, x: Any, background: Any, task: Task, budget_s: float) -> _Raw | None:
    """CatBoost's own: exact for its symmetric trees, and the only one that knows its categories."""
    import catboost

    pool = catboost.Pool(x, cat_features=list(estimator.get_cat_feature_indices()))
    answer = np.asarray(estimator.get_feature_importance(pool, type="ShapValues"), dtype=np.float64)
    margin = _matrix(estimator.predict(pool, prediction_type="RawFormulaVal"))
    return _from_contributions(
        answer[:, None, :] if answer.ndim == 2 else answer,
        margin,
        "prediction" if task == "regression" else "margin",
    )


def _gradients(estimator: Any, x: Any, background: Any, task: Task, budget_s: float) -> _Raw | None:
    """Integrated gradients of a network's own outputs, from the mean of the background."""
    rows, baseline = np.asarray(x, dtype=np.float64), np.asarray(background, dtype=np.float64).mean(axis=0)
    values, base, explained = integrated_gradients(estimator.gradients, rows, baseline, budget_s)
    within = ((explained >= 0) & (explained <= 1)).all()
    output = "prediction" if task != "classification" else "probability" if within else "score"
    if task == "classification" and explained.shape[1] == 2:
        values, base, explained = values[:, :, 1:], base[1:], explained[:, 1:]
    return _Raw(values, base, explained, output)


def _from_contributions(answer: FloatArray, margin: Any, output: str) -> _Raw:
    """Both libraries answer (n, k, f + 1), the last column being the base value of every row."""
    return _Raw(
        values=np.ascontiguousarray(answer[:, :, :-1].transpose(0, 2, 1)),
        base=answer[:, :, -1].mean(axis=0),
        explained=np.asarray(margin, dtype=np.float64).reshape(len(answer), -1),
        output=output,
    )


def _trees(estimator: Any, x: Any, background: Any, task: Task, budget_s: float) -> _Raw | None:
    """shap.TreeExplainer, path-dependent; None for what it gets wrong (found by comparing outputs)."""
    name = type(estimator).__name__
    categorical = getattr(estimator, "is_categorical_", None)
    classes = getattr(estimator, "classes_", ())
    if categorical is not None and np.any(categorical):
        return None  # it reads a categorical split's bit set as a threshold
    if name == "GradientBoostingClassifier" and len(classes) > 2:
        return None  # not supported by it
    import shap

    explainer = shap.TreeExplainer(estimator, feature_perturbation="tree_path_dependent")

    def explained(rows: FloatArray) -> FloatArray:
        answer = np.asarray(explainer.shap_values(rows, check_additivity=False))
        return answer.reshape(*answer.shape[:2], -1)

    values, notes = _within_budget(explained, np.asarray(x, dtype=np.float64), budget_s)
    base = np.atleast_1d(np.asarray(explainer.expected_value, dtype=np.float64)).ravel()
    return _beside_output(estimator, x, values, base, notes)


def _forest(estimator: Any, x: Any, background: Any, task: Task, budget_s: float) -> _Raw | None:
    """Trees and forests of scikit-learn, by quadrature: path-dependent as well, an order faster."""
    from explainers import tree_shapley

    forest = tree_shapley.flatten(estimator)
    values, notes = _within_budget(
        lambda rows: tree_shapley.forest_shapley(forest, rows)[0],
        np.asarray(x, dtype=np.float64),
        budget_s,
        block=tree_shapley.LANES,
    )
    return _beside_output(estimator, x, values, forest.base, notes)


def _within_budget(
    explain: Callable[[FloatArray], FloatArray], table: FloatArray, budget_s: float, block: int = 1
) -> tuple[FloatArray, tuple[str, ...]]:
    """Values of the first rows, as many as the seconds allow, and a note when those are not all.

    block: rows that cost as much together as one of them alone.
    """
    parts: list[FloatArray] = []
    started = time.perf_counter()
    done, size = 0, max(FIRST_SLICE, block)
    while done < len(table):
        parts.append(explain(table[done : done + size]))
        done += len(parts[-1])
        spent = time.perf_counter() - started
        if spent >= budget_s:
            break
        size = max(1, int((budget_s - spent) * done / spent / block)) * block
    notes = () if done >= len(table) else (f"The time budget allowed {done} of {len(table)} rows.",)
    return np.concatenate(parts), notes


def _beside_output(
    estimator: Any, x: Any, values: FloatArray, base: FloatArray, notes: tuple[str, ...]
) -> _Raw:
    """Tree values beside what they explain; two classes are one output."""
    name, classes = type(estimator).__name__, getattr(estimator, "classes_", ())
    head = x[: len(values)] if not isinstance(x, pd.DataFrame) else x.iloc[: len(values)]
    if not len(classes):
        output, explained = "prediction", _matrix(estimator.predict(head))
    elif "Boosting" in name:
        output, explained = "margin", _matrix(estimator.decision_function(head))
    else:
        output, explained = "probability", _matrix(estimator.predict_proba(head))
    if len(classes) == 2 and values.shape[2] == 2:
        values, base = values[:, :, 1:], base[-1:]
    if len(classes) == 2:
        explained = explained[:, -1:]
    return _Raw(values, base, explained, output, notes)


def _linear(estimator: Any, x: Any, background: Any, task: Task, budget_s: float) -> _Raw | None:
    """(x - mean of the background) * coefficient: exact for independent features (shap's LinearExplainer)."""
    coef = estimator.coef_
    coef = coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef, dtype=np.float64)
    coef = coef.reshape(-1, coef.shape[-1])  # (k, f)
    intercept = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64).ravel(), len(coef))
    table = np.asarray(x, dtype=np.float64)
    mean = np.asarray(background, dtype=np.float64).mean(axis=0)
    classifies = hasattr(estimator, "classes_")
    return _Raw(
        values=(table - mean)[:, :, None] * coef.T[None],
        base=coef @ mean + intercept,
        explained=_matrix(estimator.decision_function(x) if classifies else estimator.predict(x)),
        output="margin" if classifies else "prediction",
    )


def _is_forest(estimator: Any) -> bool:
    from explainers import tree_shapley  # here, for it brings numba, which the worker never needs

    return tree_shapley.supports(estimator)


def _of_library(library: str) -> Callable[[Any], bool]:
    return lambda estimator: any(c.__module__.split(".")[0] == library for c in type(estimator).__mro__)


def _of_sklearn(names: frozenset[str]) -> Callable[[Any], bool]:
    def fits(estimator: Any) -> bool:
        return type(estimator).__name__ in names and of_sklearn(type(estimator))

    return fits


def _has_gradients(estimator: Any) -> bool:
    return callable(getattr(estimator, "gradients", None))


FAMILIES = (
    _Family("XGBoost contributions", _of_library("xgboost"), _xgboost),
    _Family("LightGBM contributions", _of_library("lightgbm"), _lightgbm),
    _Family("CatBoost contributions", _of_library("catboost"), _catboost),
    _Family("integrated gradients", _has_gradients, _gradients, "integrated gradients"),
    _Family("tree SHAP, path-dependent", _of_sklearn(BOOSTED), _trees),
    _Family("linear, closed form", _of_sklearn(LINEAR), _linear),
    _Family("quadrature tree SHAP, path-dependent", _is_forest, _forest),
)
"""Which explainer fits which final estimator; the first that fits is used."""


def _answers(method: Callable[[Any], Any] | None, x: Any, rows: int) -> bool:
    """Whether a method is there and works: a chain over several classes has scores that raise."""
    try:
        answer = None if method is None else method(x)
        return answer is not None and len(_matrix(answer)) == rows
    except Exception:
        return False


def _matrix(answer: Any) -> FloatArray:
    array = np.asarray(answer, dtype=np.float64)
    return array.reshape(len(array), -1)


def _text(answer: Any) -> npt.NDArray[Any]:
    """Answers as text (n,); of several outputs the first, as everywhere."""
    array = np.asarray(answer)
    return np.asarray([str(a) for a in (array if array.ndim == 1 else array.reshape(len(array), -1)[:, 0])])


def _positive(answers: FloatArray, labels: tuple[str, ...] | None) -> FloatArray:
    """Two classes are one output: the second column says it all."""
    two = labels is not None and len(labels) == 2 and answers.shape[1] == 2
    return answers[:, 1:] if two else answers


def _output_names(labels: tuple[str, ...] | None, k: int, output: str) -> tuple[str, ...]:
    if labels is not None and k == 1 and len(labels) == 2:
        return (labels[1],)
    if labels is not None and len(labels) == k:
        return labels
    return (output,) if k == 1 else tuple(f"output {i}" for i in range(k))
