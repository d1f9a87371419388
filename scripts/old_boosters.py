"""Old releases of XGBoost, LightGBM and CatBoost as oracles: small models, and what they answered there.

Run `python -m scripts.old_boosters ENVIRONMENTS`: a folder with an environment for each of RELEASES, named
`xgboost-0.90` and so on, with a scikit-learn, NumPy and pandas of that year. Writes FILE.
This file is run by every one of those interpreters, from 3.7 on, and imports nothing of the project there.
"""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["FILE", "RELEASES", "answers", "asked", "main", "models", "read", "same"]

FILE = Path(__file__).resolve().parents[1] / "tests" / "old_models" / "boosters.tar.xz"
RELEASES = (
    "xgboost-0.90", "xgboost-1.0.2", "xgboost-1.3.3", "xgboost-1.5.2", "xgboost-1.6.2", "xgboost-1.7.6",
    "xgboost-2.0.3", "xgboost-2.1.4", "lightgbm-2.3.1", "lightgbm-3.3.5", "lightgbm-4.3.0",
    "catboost-0.26.1", "catboost-1.1.1",
)  # fmt: skip
TRAINED, ASKED = 80, 20  # rows


def rows() -> Any:
    """(numbers with gaps, two classes, three classes, a number); the same in every numpy."""
    random = np.random.RandomState(7)
    x = np.round(random.normal(size=(TRAINED + ASKED, 5)), 2)
    score = x[:, 0] + x[:, 1] * x[:, 2] + np.round(random.normal(size=len(x)) / 3, 2)
    x[::9, 1] = np.nan
    return x, (score > 0).astype(int), np.digitize(score, [-0.6, 0.5]), np.round(score, 2)


def table(kind: str) -> Any:
    """What a kind of model is given: an array, or a table with names and a column of categories."""
    x = rows()[0]
    if "named" not in kind and "table" not in kind:
        return x
    import pandas as pd

    frame = pd.DataFrame(x, columns=list("abcde"))
    if "categories" in kind:
        frame["kind"] = pd.Categorical(np.array(["bad", "good", "odd"])[rows()[2]])
    return frame


def asked(kind: str) -> Any:
    """The twenty rows that no model was fitted on."""
    return table(kind)[TRAINED:]


def models(library: str) -> Any:
    """(kind, a function that fits the model on a table and targets) one by one."""
    _, two, three, number = (part[:TRAINED] for part in rows())
    if library == "xgboost":
        yield from _xgboost(two, three, number)
    elif library == "lightgbm":
        yield from _lightgbm(two, three, number)
    else:
        yield from _catboost(two, three, number)


def _xgboost(two: Any, three: Any, number: Any) -> Any:
    import xgboost as xgb

    small = {"n_estimators": 4, "max_depth": 2, "n_jobs": 1}
    yield "classifier", lambda x: xgb.XGBClassifier(**small).fit(x, two)
    yield "classifier, three classes, named", lambda x: xgb.XGBClassifier(**small).fit(x, three)
    yield "regressor", lambda x: xgb.XGBRegressor(**small).fit(x, number)
    yield (
        "regressor, counts",
        lambda x: xgb.XGBRegressor(objective="count:poisson", base_score=0.7, **small).fit(x, three),
    )
    yield (
        "classifier, dart",
        lambda x: xgb.XGBClassifier(booster="dart", rate_drop=0.3, **small).fit(x, two),
    )
    yield (
        "regressor, linear",
        lambda x: xgb.XGBRegressor(booster="gblinear", n_estimators=4, n_jobs=1).fit(
            np.nan_to_num(x), number
        ),
    )
    yield (
        "classifier, random forest",
        lambda x: xgb.XGBRFClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(x, two),
    )
    yield (
        "classifier, stopped early",
        lambda x: xgb.train(
            {"objective": "binary:logistic", "max_depth": 2, "nthread": 1},
            xgb.DMatrix(x, two), 6, evals=[(xgb.DMatrix(x, two), "all")], early_stopping_rounds=2,
            verbose_eval=False,
        ),
    )  # fmt: skip
    yield (
        "booster, named",
        lambda x: xgb.train({"max_depth": 2, "nthread": 1}, xgb.DMatrix(x, number), 4),
    )

    def piped(x: Any) -> Any:
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline

        return make_pipeline(SimpleImputer(), xgb.XGBClassifier(**small)).fit(x, two)

    yield "pipeline", piped


def _lightgbm(two: Any, three: Any, number: Any) -> Any:
    import lightgbm as lgb

    small = {"n_estimators": 3, "num_leaves": 4, "n_jobs": 1, "min_child_samples": 5}
    yield "classifier", lambda x: lgb.LGBMClassifier(**small).fit(x, two)
    yield "classifier, three classes, named", lambda x: lgb.LGBMClassifier(**small).fit(x, three)
    yield "regressor, categories, table", lambda x: lgb.LGBMRegressor(**small).fit(x, number)
    yield (
        "classifier, dart",
        lambda x: lgb.LGBMClassifier(boosting_type="dart", **small).fit(x, two),
    )
    yield (
        "booster, named",
        lambda x: lgb.train({"num_leaves": 4, "verbose": -1, "num_threads": 1}, lgb.Dataset(x, number), 3),
    )


def _catboost(two: Any, three: Any, number: Any) -> Any:
    import catboost as cb

    small = {"iterations": 3, "depth": 2, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    yield "classifier", lambda x: cb.CatBoostClassifier(**small).fit(x, two)
    yield "classifier, three classes, named", lambda x: cb.CatBoostClassifier(**small).fit(x, three)
    yield "regressor", lambda x: cb.CatBoostRegressor(**small).fit(x, number)


def answers(model: Any, given: Any) -> dict[str, Any]:
    """What each answering method gives for the rows, as lists."""
    found = {}
    for name in ("predict", "predict_proba"):
        try:
            method = getattr(model, name)
        except AttributeError:
            continue
        if type(model).__name__ == "Booster" and type(model).__module__.startswith("xgboost"):
            import xgboost

            answer = method(xgboost.DMatrix(given))
        else:
            answer = method(given)
        found[name] = np.asarray(answer).tolist()
    return found


def read() -> tuple[dict[tuple[str, str], bytes], dict[tuple[str, str], Any]]:
    """The models, as files, and their own answers, by release and kind."""
    with tarfile.open(FILE) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    told = json.loads(files.pop("answers.json"))

    def key(name: str) -> tuple[str, str]:
        release, _, kind = name.partition("/")
        return release, kind

    return (
        {key(name[: -len(".pkl")]): data for name, data in files.items()},
        {key(name): answer for name, answer in told.items()},
    )


def same(got: Any, want: Any) -> bool:
    """Whether labels are alike and values to 1e-6 of each, as single precision allows."""
    a, b = np.asarray(got), np.asarray(want)
    if a.shape != b.shape:
        return False
    return bool(np.allclose(a, b, rtol=1e-6, atol=1e-7)) if b.dtype.kind == "f" else bool((a == b).all())


def make(release: str) -> None:
    """In the release's own environment: fit, save, load again, answer; printed as JSON."""
    library = release.partition("-")[0]
    assert __import__(library).__version__ == release.partition("-")[2]
    made, unmade = {}, {}
    for kind, fit in models(library):
        try:
            data = pickle.dumps(fit(table(kind)[:TRAINED]))
            answer = answers(pickle.loads(data), asked(kind))
            made[kind] = [base64.b64encode(data).decode(), answer]
        except Exception as error:
            unmade[kind] = f"{type(error).__name__}: {str(error)[:200]}"
    print(release, len(made), unmade, file=sys.stderr)
    print(json.dumps(made))


def main() -> int:
    from scripts import old_models

    folder, contents, told = Path(sys.argv[1]), {}, {}
    for release in RELEASES:
        python = str(folder / release / "bin" / "python")
        done = subprocess.run(
            [python, "-W", "ignore", __file__, "--make", release], check=True, stdout=subprocess.PIPE
        )
        for kind, (data, answer) in json.loads(done.stdout.splitlines()[-1]).items():
            contents[f"{release}/{kind}.pkl"] = base64.b64decode(data)
            told[f"{release}/{kind}"] = answer
    contents["answers.json"] = json.dumps(told).encode()
    old_models.pack(FILE, contents)
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "--make":
        make(sys.argv[2])
    else:
        sys.exit(main())
