"""Small fitted models and hostile pickles, written where a test wants them.

Classes inside the pickles are built by `exec` while loading, so that the child needs no module of ours.
"""

import builtins
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

NUMBERS = ("height", "weight", "age")


def numbers(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(rows, 3)), columns=list(NUMBERS))


def mixed(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = numbers(rows, seed)
    frame["city"] = rng.choice(["Bern", "Oslo", "Rome"], rows)
    frame["member"] = rng.random(rows) < 0.5
    return frame


def positive(frame: pd.DataFrame) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    return (frame["height"] + frame["age"] > 0).to_numpy()


def logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    frame = numbers()
    return LogisticRegression().fit(frame, np.where(positive(frame), "yes", "no"))


def forest_pipeline() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = mixed()
    encode = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    forest = RandomForestClassifier(n_estimators=10, random_state=0)
    target = np.where(positive(frame), frame["city"].to_numpy(), "none")
    return Pipeline([("encode", encode), ("forest", forest)]).fit(frame, target)


def ridge() -> Any:
    from sklearn.linear_model import Ridge

    frame = numbers()
    return Ridge().fit(frame.to_numpy(), frame["height"] * 3 - frame["age"])


def xgboost_classifier() -> Any:
    from xgboost import XGBClassifier

    frame = numbers()
    return XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1).fit(frame, positive(frame).astype(int))


def xgboost_booster(objective: str = "binary:logistic") -> Any:
    import xgboost

    frame = numbers()
    classes = 3 if objective.startswith("multi:") else 2
    target = np.digitize(frame["height"], [-0.5, 0.5]) if classes == 3 else positive(frame).astype(int)
    params = {"objective": objective, "nthread": 1} | ({"num_class": 3} if classes == 3 else {})
    return xgboost.train(params, xgboost.DMatrix(frame, label=target), num_boost_round=5)


def lightgbm_classifier() -> Any:
    from lightgbm import LGBMClassifier

    frame = numbers()
    return LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1).fit(frame, positive(frame).astype(int))


def lightgbm_with_categories() -> Any:
    from lightgbm import LGBMClassifier

    frame = mixed().astype({"city": "category"})
    model = LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1, min_child_samples=5)
    return model.fit(frame, (frame["city"] == "Oslo").to_numpy().astype(int))


def save(model: Any, path: Path, **options: Any) -> Path:
    joblib.dump(model, path, **options)
    return path


class _Executes:
    """Unpickles to whatever the source leaves under the name `model`."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __reduce__(self) -> tuple[Any, ...]:
        code = f"(lambda scope: (exec({self.source!r}, scope), scope['model'])[1])({{}})"
        return builtins.eval, (code,)


def save_source(source: str, path: Path) -> Path:
    """A pickle that runs `source` on loading; it must define `model`."""
    path.write_bytes(pickle.dumps(_Executes(source)))
    return path


def save_predict(body: str, path: Path, extra: str = "") -> Path:
    """A pickle of an object whose `predict(self, x)` has the given body."""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    source = (
        f"import numpy as np, os, time, ctypes\nclass Model:\n    def predict(self, x):\n{lines}\n{extra}\n"
    )
    return save_source(source + "model = Model()\n", path)
