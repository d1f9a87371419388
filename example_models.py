"""Models that the dashboard ships, so that a first report needs no file: trained when asked for.

Promises real data (scikit-learn's bundled sets), the same model every time, and a sample that the
model has not seen. Leaves storing the files to the caller.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from errors import NotFound
from records.model import Task

__all__ = ["EXAMPLES", "Example", "ExampleFiles", "build"]

SEED = 0


@dataclass(frozen=True)
class Example:
    """One shipped model, as a page or the API lists it."""

    name: str
    title: str
    description: str
    task: Task
    target: str


@dataclass(frozen=True)
class ExampleFiles:
    """model: a joblib file. sample_csv: the held-out half with the label column `target`."""

    model: bytes
    sample_csv: bytes
    target: str


EXAMPLES = (
    Example(
        "breast-cancer",
        "Breast cancer, logistic regression",
        "Tells benign from malignant tumours by 30 measurements of cell nuclei (569 patients, Wisconsin).",
        "classification",
        "diagnosis",
    ),
    Example(
        "wine",
        "Wine, random forest",
        "Tells three cultivars apart by 13 chemical measurements (178 wines from one Italian region).",
        "classification",
        "cultivar",
    ),
    Example(
        "diabetes",
        "Diabetes, gradient boosting with a category",
        "Predicts the progress of diabetes after a year from age, sex, body and blood (442 patients).",
        "regression",
        "progression",
    ),
)


def build(name: str) -> ExampleFiles:
    """Train one example (about a second) and return its files; NotFound for an unknown name.

    Imports scikit-learn: call it in the worker.
    """
    if name not in _RECIPES:
        known = ", ".join(example.name for example in EXAMPLES)
        raise NotFound(f"There is no example {name[:80]!r}.", hint=f"The examples are {known}.")
    import joblib
    from sklearn.model_selection import train_test_split

    target = next(example.target for example in EXAMPLES if example.name == name)
    recipe = _RECIPES[name]()
    halves = train_test_split(
        recipe.x, recipe.y, test_size=0.5, random_state=SEED, stratify=recipe.y if recipe.stratify else None
    )
    x_train, x_held_out, y_train, y_held_out = halves
    recipe.estimator.fit(x_train, y_train)
    model = io.BytesIO()
    joblib.dump(recipe.estimator, model, compress=3)
    sample = x_held_out.assign(**{target: y_held_out}).to_csv(index=False)
    return ExampleFiles(model.getvalue(), sample.encode(), target)


class _Recipe(NamedTuple):
    estimator: Any
    x: pd.DataFrame
    y: "pd.Series[Any]"
    stratify: bool


def _breast_cancer() -> _Recipe:
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load_breast_cancer(as_frame=True)
    y = data.target.map(dict(enumerate(map(str, data.target_names))))
    return _Recipe(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), data.data, y, True)


def _wine() -> _Recipe:
    from sklearn.datasets import load_wine
    from sklearn.ensemble import RandomForestClassifier

    data = load_wine(as_frame=True)
    y = data.target.map(lambda code: f"cultivar {code + 1}")
    x = data.data.rename(columns={"od280/od315_of_diluted_wines": "diluted_wines_od280_od315"})
    return _Recipe(RandomForestClassifier(n_estimators=100, random_state=SEED), x, y, True)


def _diabetes() -> _Recipe:
    """Raw units, and the sex spelt out: the set has 1 and 2, of unstated meaning, kept as group names."""
    from sklearn.compose import make_column_transformer
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    data = load_diabetes(as_frame=True, scaled=False)
    x = data.data.assign(sex=data.data["sex"].map({1.0: "group 1", 2.0: "group 2"}).astype(object))
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["sex"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    estimator = make_pipeline(
        encoder,
        GradientBoostingRegressor(n_estimators=80, max_depth=2, subsample=0.8, random_state=SEED),
    )
    return _Recipe(estimator, x, data.target, False)


_RECIPES: dict[str, Callable[[], _Recipe]] = {
    "breast-cancer": _breast_cancer,
    "wine": _wine,
    "diabetes": _diabetes,
}
