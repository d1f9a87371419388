"""Files of every format and age that people send, among them those that hold no model at all.

XGBoost of seven releases, LightGBM, CatBoost, ONNX, skops, Keras, MLflow, and scikit-learn from 0.19 on.
"""

from __future__ import annotations

import io
import json
import pickle
import sys
import tarfile
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import skops.io
import xgboost
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scripts import people_fixtures
from scripts.people_files import Case, File, Post, own_class, zipped
from scripts.people_projects import (
    COLUMNS,
    ENCODE,
    FOREST,
    csv,
    dummies,
    joblibbed,
    pickled,
    project,
)
from scripts.people_tables import table

__all__ = ["cases"]


def cases() -> Iterator[Case]:
    made = people_fixtures.read()
    truth = json.loads(made["truth.json"])
    yield from _older(made, truth)
    yield from _networks(made, truth)
    yield from _libraries()
    yield from _mlflow()


def saved(save: Any, name: str) -> File:
    """What `save(path)` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        save(str(path))
        return File(name, path.read_bytes())


def tarred(files: dict[str, bytes], name: str) -> File:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return File(name, buffer.getvalue())


def _churn_table() -> tuple[Any, Any]:
    """What `people_fixtures` fits on: churn with a column for each word but the first."""
    data = table("telco").drop(columns="customerID")
    data["TotalCharges"] = pd.to_numeric(data["TotalCharges"], errors="coerce").fillna(0)
    y = (data.pop("Churn") == "Yes").astype(int)
    return dummies(data, drop_first=True).astype(float), y


def _older(made: dict[str, bytes], truth: dict[str, float]) -> Iterator[Case]:
    heart, diabetes = csv(table("heart"), "heart.csv"), csv(table("diabetes"), "diabetes.csv")
    fraud, churn = csv(table("fraud"), "creditcard.csv"), csv(table("telco"), "churn.csv")
    x, y = _churn_table()
    ready = csv(x.assign(Churn=y), "churn_clean.csv")

    def one(kind: str, name: str, file: str, called: str, sample: File, target: str, **more: Any) -> Case:
        return project(name, File(called, made[file]), sample, target, truth[file], kind=kind, **more)

    old, boosted = "older scikit-learn", "XGBoost"
    again = File("model.pkl", made["iris-0.19-saved-again.pkl"])
    iris, columns = csv(table("iris"), "Iris.csv"), list(table("heart").columns[1:-1])
    yield one(old, "0.19, iris", "iris-0.19.pkl", "model.pkl", iris, "Species",
        uses=table("iris").columns[1:5]).then(r"0\.19", model=again)  # fmt: skip
    yield one(old, "0.22, heart, forest", "heart-0.22.pkl", "heart.pkl", heart, "target", uses=columns)
    scaler = File("scaler.pkl", made["diabetes-0.24-scaler.pkl"])
    yield one(
        old,
        "0.24, diabetes, SVM and scaler",
        "diabetes-0.24.pkl",
        "model.pkl",
        diabetes,
        "Outcome",
        beside=(scaler,),
    )
    data = table("cars")
    cars = dummies(data.drop(columns=["Car_Name", "Selling_Price"]), drop_first=True).astype(float)
    cars = csv(cars.assign(Selling_Price=data["Selling_Price"]), "car_encoded.csv")
    yield one(old, "1.0, car prices, forest", "cars-1.0.pkl", "model.pkl", csv(data, "car data.csv"),
        "Selling_Price").then(ENCODE, sample=cars).then(COLUMNS, sample=cars)  # fmt: skip
    yield one(
        old,
        "1.2, laptop prices, pipeline",
        "laptops-1.2.pkl",
        "pipe.pkl",
        csv(table("laptops"), "df.csv"),
        "Price",
    )
    yield one(
        old, "1.3, crops, forest", "crops-1.3.pkl", "crop.pkl", csv(table("crops"), "crops.csv"), "label"
    )
    yield one(
        old,
        "1.6, spam, pipeline",
        "sms-1.6.pkl",
        "spam.pkl",
        csv(table("sms"), "spam.csv", encoding="latin-1"),
        "v1",
    )
    yield one(boosted, "0.90, pickle, arrays", "diabetes-xgboost-0.90.pkl", "pima.pickle.dat", diabetes,
        "Outcome").then(r"xgboost.*0\.90|save_model", model=File("model.json",
        made["diabetes-xgboost-1.0.json"]))  # fmt: skip
    json_again = File("model.json", made["diabetes-xgboost-1.0.json"])
    yield one(boosted, "1.0, the binary format of save_model", "diabetes-xgboost-1.0.model", "xgb.model",
        diabetes, "Outcome").then(r"save_model|json", model=json_again)  # fmt: skip
    yield one(boosted, "1.0, JSON", "diabetes-xgboost-1.0.json", "xgb.json", diabetes, "Outcome")
    yield one(boosted, "1.3, pickle, get_dummies", "churn-xgboost-1.3.pkl", "churn.pkl", churn,
        "Churn").then(ENCODE, sample=ready).then(COLUMNS, sample=ready)  # fmt: skip
    yield one(boosted, "1.5, JSON", "fraud-xgboost-1.5.json", "model.json", fraud, "Class")
    yield one(boosted, "1.7, UBJSON", "heart-xgboost-1.7.ubj", "model.ubj", heart, "target", uses=columns)
    yield one(boosted, "1.7, pickle", "heart-xgboost-1.7.pkl", "xgb_model.pkl", heart, "target", uses=columns)
    yield one(boosted, "2.0, JSON", "fraud-xgboost-2.0.json", "model.json", fraud, "Class")
    yield one(boosted, "2.1, pickle, get_dummies", "churn-xgboost-2.1.pkl", "churn.pkl", churn,
        "Churn").then(ENCODE, sample=ready).then(COLUMNS, sample=ready)  # fmt: skip
    data = table("wine")
    regressor = xgboost.XGBRegressor(n_estimators=20, max_depth=3).fit(
        data.drop(columns="quality"), data["quality"]
    )
    yield project("today's, booster as JSON, numbers", saved(regressor.get_booster().save_model,
        "booster.json"), csv(data, "winequality-red.csv", sep=";"), "quality",
        regressor.score(data.drop(columns="quality"), data["quality"]), kind=boosted)  # fmt: skip
    yield one("LightGBM", "3.3, pickle", "heart-lightgbm-3.3.pkl", "lgbm.pkl", heart, "target", uses=columns)


def _networks(made: dict[str, bytes], truth: dict[str, float]) -> Iterator[Case]:
    bank, iris = csv(table("bank"), "Churn_Modelling.csv"), csv(table("iris"), "Iris.csv")
    scaler = File("scaler.pkl", made["bank-keras-scaler.pkl"])
    install, kind = r"pip install [^.]*keras", "Keras"
    h5 = File("model.h5", made["bank-keras.h5"])
    yield project("model.h5 of TensorFlow 2.11, scaler beside it", h5, bank, "Exited",
        truth["bank-keras.h5"], beside=(scaler,), kind=kind).told(install)  # fmt: skip
    yield project("model.h5 of Keras 3", File("iris.h5", made["iris-keras.h5"]), iris, "Species",
        truth["iris-keras.h5"], kind=kind).told(install)  # fmt: skip
    yield project("iris.keras", File("iris.keras", made["iris-keras.keras"]), iris, "Species",
        truth["iris-keras.keras"], kind=kind).told(install)  # fmt: skip
    yield project("weights alone", File("weights.h5", made["bank-weights.h5"]), bank, "Exited", None,
        kind=kind).then(r"weights", model=h5, beside=(scaler,))  # fmt: skip
    yield project("a Keras model in a pickle", File("model.pkl", made["bank-keras.pkl"]), bank, "Exited",
        None, kind=kind).then(r"model\.save\(.*scales|scales.*joblib", model=h5,
            beside=(scaler,))  # fmt: skip
    layers = {"class_name": "Sequential", "config": {"name": "sequential", "layers": [{"class_name": "Dense",
        "config": {"units": 1, "activation": "sigmoid", "batch_input_shape": [None, 7]}}]},
        "keras_version": "2.11.0", "backend": "tensorflow"}  # fmt: skip
    yield project("model.json, the layers alone", File("model.json", json.dumps(layers).encode()), bank,
        "Exited", None, kind=kind).then(
        r"keras.*model\.save\(|weights", model=h5, beside=(scaler,))  # fmt: skip
    yield Case("PyTorch", "model.pth, a state_dict", Post(_state_dict(), iris,
        "Species")).told(r"state_dict|weights.*(torch\.jit|torch\.export|onnx)")  # fmt: skip


def _state_dict() -> File:
    """What `torch.save(net.state_dict(), 'model.pth')` writes, without torch."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")

    def rebuild(*_: Any) -> None: ...

    rebuild.__name__ = rebuild.__qualname__ = "_rebuild_tensor_v2"
    rebuild.__module__ = "torch._utils"
    utils._rebuild_tensor_v2 = rebuild  # type: ignore[attr-defined]
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})  # type: ignore[attr-defined]
    shapes = {"fc1.weight": (8, 4), "fc1.bias": (8,), "fc2.weight": (3, 8), "fc2.bias": (3,)}

    class Stored:
        def __init__(self, key: str, size: int) -> None:
            self.key, self.size = key, size

    class Tensor:
        def __init__(self, key: str, shape: tuple[int, ...]) -> None:
            self.key, self.shape = key, shape

        def __reduce__(self) -> Any:
            strides = (self.shape[1], 1) if len(self.shape) == 2 else (1,)
            stored = Stored(self.key, int(np.prod(self.shape)))
            return rebuild, (stored, 0, self.shape, strides, False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            if isinstance(obj, Stored):
                return ("storage", torch.FloatStorage, obj.key, "cpu", obj.size)
            return None

    buffer, known = io.BytesIO(), {"torch": torch, "torch._utils": utils}
    before = {name: sys.modules.get(name) for name in known}
    sys.modules.update(known)
    try:
        values = OrderedDict((name, Tensor(str(i), shape)) for i, (name, shape) in enumerate(shapes.items()))
        Pickler(buffer, 2).dump(values)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    files = {"model/data.pkl": buffer.getvalue(), "model/byteorder": b"little", "model/version": b"3\n"}
    for i, shape in enumerate(shapes.values()):
        files[f"model/data/{i}"] = np.zeros(shape, np.float32).tobytes()
    return zipped(files, "model.pth")


def _libraries() -> Iterator[Case]:
    data = table("heart")
    x, y = data.drop(columns=["Unnamed: 0", "target"]), data["target"]
    heart = csv(data, "heart.csv")
    light = LGBMClassifier(n_estimators=15, num_leaves=7, verbose=-1).fit(x, y)
    yield project("text of save_model", saved(light.booster_.save_model, "lgb.txt"), heart, "target",
        light.score(x, y), uses=x, kind="LightGBM")  # fmt: skip
    quiet: dict[str, Any] = {
        "iterations": 15,
        "depth": 3,
        "verbose": 0,
        "allow_writing_files": False,
        "random_seed": 0,
    }
    cat = CatBoostClassifier(**quiet).fit(x.values, y)
    yield project("cbm of a model on arrays", saved(cat.save_model, "model.cbm"), heart, "target",
        cat.score(x.values, y), uses=x, kind="CatBoost")  # fmt: skip
    data = table("titanic")
    raw = data[["Pclass", "Sex", "Age", "Fare", "Embarked"]].assign(Embarked=data["Embarked"].fillna("S"))
    words = CatBoostClassifier(cat_features=["Sex", "Embarked"], **quiet).fit(raw, data["Survived"])
    titanic = csv(data, "train.csv")
    truth = words.score(raw, data["Survived"])
    yield project("cbm with words, titanic", saved(words.save_model, "catboost.cbm"), titanic, "Survived",
        truth, kind="CatBoost", uses=raw)  # fmt: skip
    yield project(
        "pickle with words, titanic",
        pickled(words, "catboost.pkl"),
        titanic,
        "Survived",
        truth,
        kind="CatBoost",
        uses=raw,
    )
    data = table("iris")
    x, y = data.iloc[:, 1:5], data["Species"]
    iris = csv(data, "Iris.csv")
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(x.values, y)
    graph = to_onnx(scaled, x.values[:1].astype(np.float32), options={id(scaled): {"zipmap": False}})
    yield project("iris, scaler and logistic regression", File("iris.onnx", graph.SerializeToString()), iris,
        "Species", scaled.score(x.values, y), kind="ONNX", uses=x)  # fmt: skip
    forest = RandomForestClassifier(**FOREST).fit(x, y)
    yield project(
        "iris, forest",
        File("model.skops", skops.io.dumps(forest)),
        iris,
        "Species",
        forest.score(x, y),
        kind="skops",
        uses=x,
    )


MLMODEL = """artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.{flavor}
{path}    predict_fn: predict
    python_version: 3.11.7
  {flavor}:
    code: null
{own}
mlflow_version: 2.22.0
model_size_bytes: 2459
model_uuid: ef119950ed5a449384e15c5bae92b3d0
run_id: 5f0d8a2c9ab44e5f8f2f0b8c1e1c2d3e
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  type: dataframe
signature:
  inputs: '{inputs}'
  outputs: '[{{"type": "long", "required": true}}]'
  params: null
utc_time_created: '2025-03-01 12:00:00.000000'
"""
ENVIRONMENT = {
    "conda.yaml": b"channels:\n- conda-forge\ndependencies:\n- python=3.11.7\n- pip:\n  - mlflow==2.22.0\n",
    "python_env.yaml": b"python: 3.11.7\ndependencies:\n- -r requirements.txt\n",
    "requirements.txt": b"mlflow==2.22.0\ncloudpickle==3.1.1\n",
}


def mlflow_files(folder: str, flavor: str, own: str, file: tuple[str, bytes], x: Any) -> dict[str, bytes]:
    """The folder that `mlflow.FLAVOR.save_model` writes, as the releases 2.x lay it out."""
    inputs = json.dumps([{"type": "double", "name": n, "required": True} for n in x.columns])
    path = f"    {'data' if flavor == 'xgboost' else 'model_path'}: {file[0]}\n"
    page = MLMODEL.format(flavor=flavor, own=own, path=path, inputs=inputs)
    example = x.head(5).to_json(orient="split", index=False)
    files = {
        "MLmodel": page.encode(),
        file[0]: file[1],
        "input_example.json": example.encode(),
        **ENVIRONMENT,
    }
    return {folder + name: data for name, data in files.items()}


def _mlflow() -> Iterator[Case]:
    data = table("heart")
    x, y = data.drop(columns=["Unnamed: 0", "target"]).astype(float), data["target"]
    heart, kind = csv(data, "heart.csv"), "MLflow"
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    own = "    pickled_model: model.pkl\n    serialization_format: cloudpickle\n    sklearn_version: 1.9.1"
    files = mlflow_files("model/", "sklearn", own, ("model.pkl", cloudpickle.dumps(pipe)), x)
    truth = pipe.score(x, y)
    yield project(
        "zip of the folder, scikit-learn",
        zipped(files, "model.zip"),
        heart,
        "target",
        truth,
        kind=kind,
        uses=x,
    )
    yield project("zip of the folder, no table", zipped(files, "model.zip"), None, None, None, kind=kind)
    flat = {name.removeprefix("model/"): content for name, content in files.items()}
    yield project(
        "zip of what is in the folder",
        zipped(flat, "artifacts.zip"),
        heart,
        "target",
        truth,
        kind=kind,
        uses=x,
    )
    own = own.replace("model.pkl", "model.skops").replace("cloudpickle", "skops")
    files_skops = mlflow_files("model/", "sklearn", own, ("model.skops", skops.io.dumps(pipe)), x)
    yield project(
        "zip of the folder, skops inside",
        zipped(files_skops, "model.zip"),
        heart,
        "target",
        truth,
        kind=kind,
        uses=x,
    )
    boosted = xgboost.XGBClassifier(n_estimators=15, max_depth=3).fit(x, y)
    own = "    data: model.ubj\n    model_class: xgboost.sklearn.XGBClassifier\n    model_format: ubj"
    ubj = ("model.ubj", saved(boosted.save_model, "model.ubj").data)
    tar = tarred(mlflow_files("mlruns/0/5f0d/artifacts/model/", "xgboost", own, ubj, x), "model.tar.gz")
    yield project(
        "tar.gz of a run's folder, XGBoost", tar, heart, "target", boosted.score(x, y), kind=kind, uses=x
    )
    yield project("the file MLmodel alone", File("MLmodel", files["model/MLmodel"]), heart, "target", truth,
        kind=kind, uses=x).then(r"zip|folder", model=zipped(files, "model.zip"))  # fmt: skip
    pyfunc = {"MLmodel": b"flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n"
              b"    python_model: "
              b"python_model.pkl\n    python_version: 3.11.7\nmlflow_version: 2.22.0\n",
              "python_model.pkl": cloudpickle.dumps(own_class(pipe)), **ENVIRONMENT}  # fmt: skip
    yield project("a python_function of one's own code", zipped(pyfunc, "model.zip"), heart, "target",
        truth, kind=kind, uses=x).then(
        r"own (code|class)|python_function|contained", model=joblibbed(pipe))  # fmt: skip
