"""What an estimator of any library tells of itself: family, task, column names, classes, categories.

Promises: an attribute that is missing or raises reads as not known. Leaves loading to `estimators.loading`
and calling the estimator to `model_utils`.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from errors import NoPredict
from estimators.columns import of_sklearn
from estimators.networks import Network
from records.model import Task
from records.schema import MAX_NAME

__all__ = [
    "answering_method",
    "attribute",
    "catboost_categories",
    "check_fitted",
    "feature_count",
    "feature_names",
    "framework_of",
    "input_check",
    "integer",
    "label_text",
    "labels_of",
    "lightgbm_categories",
    "notes_of",
    "real_names",
    "scores_decide",
    "starts_with_columns",
    "task_of",
    "xgboost_categories",
]

MAX_LABELS = 10_000
METHODS = ("predict", "predict_proba", "decision_function", "score_samples")
LIBRARIES = {  # by the package of a class or of one that it derives from; the first that fits
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "sklearn": "scikit-learn",
}


def label_text(value: Any) -> str:
    """A class as text: 1 and 1.0 are both "1", so that labels read from a CSV compare equal."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return str(plain)[:MAX_NAME]


def check_fitted(estimator: Any) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not of_sklearn(type(estimator)):
        return  # a class of the user's own may keep its state as it likes
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise NoPredict(
            f"The {type(estimator).__name__} was saved before it was fitted.", hint="Fit it, then save it."
        ) from None
    except Exception:
        return


def input_check(estimator: Any) -> Callable[[Any], Any] | None:
    """scikit-learn's check of an input (types, shape, finite numbers) as the estimator itself makes it.

    None for other libraries, and where the first step of a pipeline takes the table as it comes.
    """
    from sklearn.utils.validation import validate_data

    steps = attribute(estimator, "steps")
    first = steps[0][1] if isinstance(steps, list) and steps else estimator
    checks = of_sklearn(type(first)) and hasattr(first, "n_features_in_")
    if not checks or hasattr(first, "transformers_"):
        return None

    def check(x: Any) -> Any:
        return validate_data(first, x, reset=False, accept_sparse=True, ensure_all_finite="allow-nan")

    return check


def scores_decide(estimator: Any) -> bool:
    """Whether the estimator's predict is the most probable class of its predict_proba, the first of several.

    So it is defined in scikit-learn's forests, bagging and calibration and in LightGBM's classifier, alone
    or at the end of a pipeline. A class that overrides either method, or an objective of the user's own,
    makes it False.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
    from sklearn.pipeline import Pipeline

    steps = attribute(estimator, "steps")
    if type(estimator) is Pipeline and isinstance(steps, list) and steps:
        return _own(estimator, Pipeline) and scores_decide(steps[-1][1])
    if framework_of(estimator) == "lightgbm":
        from lightgbm import LGBMClassifier

        return _own(estimator, LGBMClassifier) and not callable(attribute(estimator, "objective_"))
    defined = any(
        _own(estimator, c) for c in (RandomForestClassifier, BaggingClassifier, CalibratedClassifierCV)
    )
    return defined and attribute(estimator, "n_outputs_") in (None, 1)


def _own(estimator: Any, of: type) -> bool:
    """Whether the estimator's two answering methods are those that the class `of` has."""
    names = ("predict", "predict_proba")
    return all(
        inspect.getattr_static(estimator, name, None) is inspect.getattr_static(of, name) for name in names
    )


def framework_of(estimator: Any) -> str:
    modules = [getattr(base, "__module__", "") or "" for base in type(estimator).__mro__]
    if isinstance(estimator, Network):
        return str(estimator.framework)
    for library, name in LIBRARIES.items():
        if any(module.partition(".")[0] == library for module in modules):
            return name
    return "python"


def task_of(estimator: Any) -> Task:
    from sklearn import base

    tests: tuple[tuple[Any, Task], ...] = (
        (base.is_classifier, "classification"),
        (base.is_regressor, "regression"),
        (base.is_outlier_detector, "outlier"),
        (base.is_clusterer, "clustering"),
    )
    for test, task in tests:
        try:
            if test(estimator):
                return task
        except Exception:  # no tags: not scikit-learn's
            break
    declared = {"classifier": "classification", "regressor": "regression", "outlier_detector": "outlier"}
    kind = declared.get(str(attribute(estimator, "_estimator_type")))
    if kind is None and (attribute(estimator, "classes_") is not None or hasattr(estimator, "predict_proba")):
        kind = "classification"
    return kind or "unknown"  # type: ignore[return-value]


def attribute(estimator: Any, name: str) -> Any:
    """An attribute that may be a property which raises."""
    try:
        return getattr(estimator, name, None)
    except Exception:
        return None


def integer(value: Any) -> int | None:
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def feature_names(estimator: Any) -> tuple[str, ...]:
    """Column names as fitted; names that a library made up (Column_0, 0) count as none."""
    for name in ("feature_names_in_", "feature_names_"):
        names = attribute(estimator, name)
        if names is not None and len(names):
            return real_names(names)
    return ()


def feature_count(estimator: Any) -> int | None:
    """How many columns it was fitted on; CatBoost loaded from a file says 0, and names them all the same."""
    count = integer(attribute(estimator, "n_features_in_"))
    if not count and framework_of(estimator) == "catboost":
        count = len(attribute(estimator, "feature_names_") or ()) or None
    return count


def real_names(names: Any) -> tuple[str, ...]:
    found = tuple(str(name) for name in names)
    made_up = all(name in (f"Column_{i}", f"f{i}", str(i)) for i, name in enumerate(found))
    return () if made_up else found


def labels_of(estimator: Any, task: Task) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The classes as text, and a note when only the first of several outputs is tested."""
    if task == "outlier":
        return ("-1", "1"), ()
    if task == "clustering":
        centres = attribute(estimator, "cluster_centers_")
        count = len(centres) if centres is not None else integer(attribute(estimator, "n_clusters"))
        return (tuple(str(i) for i in range(count)) if count else None), ()
    classes = attribute(estimator, "classes_") if task == "classification" else None
    note = "The model gives several answers a row; the first is tested."
    if isinstance(classes, list) and classes and isinstance(classes[0], np.ndarray):
        return tuple(label_text(value) for value in classes[0]), (note,)
    several = any((integer(attribute(estimator, a)) or 1) > 1 for a in ("n_outputs_", "n_targets_"))
    if classes is None or len(classes) > MAX_LABELS:
        return None, (note,) if several else ()
    return tuple(label_text(value) for value in classes), ()


def starts_with_columns(estimator: Any) -> bool:
    """Whether the first step picks columns by name or position, so that it needs a DataFrame."""
    inner = attribute(estimator, "best_estimator_") or estimator
    steps = attribute(inner, "steps")
    first = steps[0][1] if isinstance(steps, list) and steps else inner
    return type(first).__name__ in ("ColumnTransformer", "ColumnSteps")


def xgboost_categories(estimator: Any) -> dict[str, None]:
    """Columns that were categories; since 3.1 the booster stores their values and recodes them itself."""
    if framework_of(estimator) != "xgboost":
        return {}
    try:
        booster = estimator if type(estimator).__name__ == "Booster" else estimator.get_booster()
        return {
            n: None for n, t in zip(booster.feature_names, booster.feature_types, strict=True) if t == "c"
        }
    except Exception:  # fitted without names or types
        return {}


def lightgbm_categories(booster: Any) -> dict[str, tuple[Any, ...]]:
    """Category columns and their values: the model's text marks them with a list in place of a range."""
    values = attribute(booster, "pandas_categorical")
    if not values:
        return {}
    text = booster.model_to_string(num_iteration=1)
    found = re.search(r"^feature_infos=(.*)$", text, re.MULTILINE)
    infos = found[1].split(" ") if found else []
    names = [n for n, i in zip(booster.feature_name(), infos, strict=False) if i[:1] not in ("[", "n")]
    return {n: tuple(v) for n, v in zip(names, values, strict=False)} if len(names) == len(values) else {}


def answering_method(estimator: Any) -> str | None:
    """The method that is tested: predict, or what stands in for it; None where nothing answers new rows."""
    return next((name for name in METHODS if callable(attribute(estimator, name))), None)


def notes_of(estimator: Any) -> tuple[str, ...]:
    """What must be said of the model itself: how a network is read, what CatBoost forgot."""
    method = answering_method(estimator)
    notes = attribute(estimator, "notes") if framework_of(estimator) in ("onnx", "pytorch", "keras") else ()
    found = [str(note) for note in notes] if isinstance(notes, tuple) else []
    if method not in ("predict", None):
        found.append(
            f"{type(estimator).__name__} has no predict: what {method} answers is tested in its place."
        )
    for name in catboost_categories(estimator)[:1]:
        found.append(
            f"CatBoost keeps no values of category columns ({name!r} and others): the rows hold a value it "
            "never saw. Send a sample, or list the categories in the schema."
        )
    return tuple(found)


def catboost_categories(estimator: Any) -> tuple[str, ...]:
    """Names of a CatBoost model's category columns, whose values it keeps as hashes only."""
    if framework_of(estimator) != "catboost":
        return ()
    try:
        names = list(estimator.feature_names_)
        return tuple(str(names[i]) for i in estimator.get_cat_feature_indices())
    except Exception:
        return ()
