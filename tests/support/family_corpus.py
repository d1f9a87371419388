"""Model files of every family that is read, fitted on scikit-learn's small real data.

Promises: each comes with the rows it was fitted on and, where the library can say so itself, the answers that
it should give for them. A family whose library is not installed is left out. Used by the conformance tests
and by `scripts/conformance.py`.
"""

import importlib.util
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import numpy as np
import pandas as pd

__all__ = ["FAMILIES", "Family", "ModelFile"]


@dataclass(frozen=True)
class ModelFile:
    """One file. rows: what it was fitted on. answers: what the library itself answers for them, or None.

    policy: "contained" for a file that strict policy refuses with good reason.
    """

    label: str
    name: str
    data: bytes
    rows: pd.DataFrame
    answers: Any
    policy: str | None = None


@dataclass(frozen=True)
class Family:
    """libraries: what must be importable to make the family's files and to read them."""

    name: str
    libraries: tuple[str, ...]
    make: Callable[[], Iterator[ModelFile]]

    @property
    def missing(self) -> tuple[str, ...]:
        """The libraries that are not installed here."""
        return tuple(name for name in self.libraries if importlib.util.find_spec(name) is None)


@cache
def iris() -> tuple[pd.DataFrame, Any]:
    from sklearn.datasets import load_iris

    rows, target = load_iris(return_X_y=True, as_frame=True)
    return rows, target.to_numpy()


@cache
def diabetes() -> tuple[pd.DataFrame, Any]:
    from sklearn.datasets import load_diabetes

    rows, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    return rows, target.to_numpy()


@cache
def wine_with_text() -> tuple[pd.DataFrame, Any]:
    """Wine, with two of its columns told in words as people's tables have them."""
    from sklearn.datasets import load_wine

    rows, target = load_wine(return_X_y=True, as_frame=True)
    rows = rows[["alcohol", "malic_acid", "color_intensity", "proline"]].copy()
    rows["colour"] = np.where(rows.pop("color_intensity") > 5, "dark", "light")
    rows["size"] = pd.cut(rows.pop("proline"), 3, labels=["small", "middle", "large"]).astype(object)
    return rows, target.to_numpy()


def _pickled(label: str, model: Any, rows: pd.DataFrame) -> ModelFile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ModelFile(label, "model.pkl", pickle.dumps(model), rows, model.predict(rows))


def _scikit_learn() -> Iterator[ModelFile]:
    from sklearn import cluster, ensemble, linear_model, neighbors, neural_network, svm, tree
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.model_selection import GridSearchCV
    from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    rows, target = iris()
    numbers, amounts = diabetes()
    words, kinds = wine_with_text()
    two = np.column_stack([target, target > 0])
    parts = [
        ("tree", tree.DecisionTreeClassifier(max_depth=3)),
        ("lines", linear_model.LogisticRegression(max_iter=500)),
    ]
    encode = make_column_transformer(
        (StandardScaler(), ["alcohol", "malic_acid"]),
        (OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        (OrdinalEncoder(), ["size"]),
    )
    for label, model, x, y in (
        ("pipeline", make_pipeline(StandardScaler(), linear_model.LogisticRegression()), rows, target),
        (
            "column transformer",
            make_pipeline(encode, ensemble.RandomForestClassifier(20, random_state=0)),
            words,
            kinds,
        ),
        ("search", GridSearchCV(svm.SVC(), {"C": [0.1, 1.0]}, cv=2), rows, target),
        ("stacking", ensemble.StackingClassifier(parts, cv=2), rows, target),
        ("voting", ensemble.VotingClassifier(parts, voting="soft"), rows, target),
        ("calibrated", CalibratedClassifierCV(svm.LinearSVC(), cv=2), rows, target),
        ("multi-output classes", MultiOutputClassifier(parts[0][1]), rows, two),
        (
            "multi-output numbers",
            MultiOutputRegressor(linear_model.Ridge()),
            numbers,
            np.column_stack([amounts, -amounts]),
        ),
        ("outlier detector", ensemble.IsolationForest(n_estimators=20, random_state=0), rows, None),
        ("clusters", cluster.KMeans(3, n_init=1, random_state=0), rows, None),
        ("neighbours", neighbors.KNeighborsRegressor(), numbers, amounts),
        ("hist gradient boosting", ensemble.HistGradientBoostingRegressor(max_iter=20), numbers, amounts),
        ("network", neural_network.MLPClassifier((8,), max_iter=50, random_state=0), rows, target),
    ):
        yield _pickled(label, model.fit(x, y), x)
    buffer = io.BytesIO()
    forest = ensemble.RandomForestClassifier(20, random_state=0).fit(rows, target)
    joblib.dump(forest, buffer, compress=3)
    yield ModelFile("joblib, compressed", "model.joblib", buffer.getvalue(), rows, forest.predict(rows))


def _xgboost() -> Iterator[ModelFile]:
    import xgboost

    rows, target = iris()
    numbers, amounts = diabetes()
    words, kinds = wine_with_text()
    words = words.astype({"colour": "category", "size": "category"})
    small: dict[str, Any] = {"n_estimators": 20, "max_depth": 3, "n_jobs": 1}
    classifier = xgboost.XGBClassifier(**small).fit(rows, target)
    yield _pickled("classifier", classifier, rows)
    yield _pickled("regressor", xgboost.XGBRegressor(**small).fit(numbers, amounts), numbers)
    yield _pickled("random forest", xgboost.XGBRFClassifier(**small).fit(rows, target > 0), rows)
    yield _pickled(
        "categories", xgboost.XGBClassifier(**small, enable_categorical=True).fit(words, kinds), words
    )
    ranker = xgboost.XGBRanker(**small).fit(rows, target, group=[50, 50, 50])
    yield _pickled("ranker", ranker, rows)
    booster = classifier.get_booster()
    answers = classifier.predict(rows)
    yield ModelFile("booster", "model.pkl", pickle.dumps(booster), rows, answers)
    for suffix in ("json", "ubj"):
        yield ModelFile(suffix.upper(), f"model.{suffix}", bytes(booster.save_raw(suffix)), rows, answers)
    with TemporaryDirectory() as folder:  # saved by the wrapper, which adds what kind of model it is
        path = Path(folder) / "model.json"
        classifier.save_model(path)
        yield ModelFile("JSON of a classifier", "model.json", path.read_bytes(), rows, answers)
    trained = xgboost.train(
        {"objective": "reg:squarederror", "nthread": 1}, xgboost.DMatrix(numbers, label=amounts), 20
    )
    expected = trained.predict(xgboost.DMatrix(numbers))
    yield ModelFile("JSON of a booster", "model.json", bytes(trained.save_raw("json")), numbers, expected)


def _lightgbm() -> Iterator[ModelFile]:
    import lightgbm

    rows, target = iris()
    rows = rows.rename(columns=lambda name: name.replace(" ", "_"))
    numbers, amounts = diabetes()
    words, kinds = wine_with_text()
    words = words.astype({"colour": "category", "size": "category"})
    small: dict[str, Any] = {"n_estimators": 20, "num_leaves": 7, "n_jobs": 1, "verbose": -1}
    classifier = lightgbm.LGBMClassifier(**small).fit(rows, target)
    regressor = lightgbm.LGBMRegressor(**small).fit(numbers, amounts)
    yield _pickled("classifier", classifier, rows)
    yield _pickled("regressor", regressor, numbers)
    yield _pickled("categories", lightgbm.LGBMClassifier(**small).fit(words, kinds), words)
    answers = classifier.predict(rows)
    yield ModelFile("booster", "model.pkl", pickle.dumps(classifier.booster_), rows, answers)
    for label, model, x in (("text", classifier, rows), ("text of a regressor", regressor, numbers)):
        text = model.booster_.model_to_string().encode()
        yield ModelFile(label, "model.txt", text, x, model.predict(x))


def _catboost() -> Iterator[ModelFile]:
    import catboost

    rows, target = iris()
    numbers, amounts = diabetes()
    words, kinds = wine_with_text()
    small: dict[str, Any] = {
        "iterations": 20,
        "depth": 3,
        "thread_count": 1,
        "verbose": False,
        "allow_writing_files": False,
    }
    classifier = catboost.CatBoostClassifier(**small).fit(rows, target)
    regressor = catboost.CatBoostRegressor(**small).fit(numbers, amounts)
    texts = catboost.CatBoostClassifier(**small, cat_features=["colour", "size"]).fit(words, kinds)
    for label, model, x in (
        ("classifier", classifier, rows),
        ("regressor", regressor, numbers),
        ("categories", texts, words),
    ):
        answers = np.asarray(model.predict(x)).reshape(-1)
        yield ModelFile(label, "model.pkl", pickle.dumps(model), x, answers)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.cbm"
            model.save_model(str(path))
            yield ModelFile(
                f"cbm of a {label}" if label != "categories" else "cbm with categories",
                "model.cbm",
                path.read_bytes(),
                x,
                answers,
            )


def _skops() -> Iterator[ModelFile]:
    from sklearn import ensemble, linear_model, neighbors
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from skops.io import dumps

    rows, target = iris()
    numbers, amounts = diabetes()
    for label, model, x, y in (
        ("pipeline", make_pipeline(StandardScaler(), linear_model.LogisticRegression()), rows, target),
        ("forest", ensemble.RandomForestClassifier(10, random_state=0), rows, target),
        ("gradient boosting", ensemble.GradientBoostingRegressor(n_estimators=10), numbers, amounts),
        ("hist gradient boosting", ensemble.HistGradientBoostingClassifier(max_iter=10), rows, target),
        ("neighbours", neighbors.KNeighborsClassifier(), rows, target),
    ):
        fitted = model.fit(x, y)
        yield ModelFile(label, "model.skops", dumps(fitted), x, fitted.predict(x))


def _onnx() -> Iterator[ModelFile]:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn import ensemble, linear_model, neighbors
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rows, target = iris()
    numbers, amounts = diabetes()
    words, kinds = wine_with_text()
    # On numbers as ONNX knows them: a threshold between two doubles may fall on the other side of a float.
    single, amounts32 = rows.astype(np.float32), numbers.astype(np.float32)
    for label, model, x, y in (
        (
            "linear classifier",
            make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
            single,
            target,
        ),
        (
            "two classes",
            linear_model.LogisticRegression(max_iter=500),
            single,
            np.where(target > 0, "yes", "no"),
        ),
        ("forest", ensemble.RandomForestClassifier(10, random_state=0), single, target),
        ("linear regressor", linear_model.Ridge(), amounts32, amounts),
        ("boosting regressor", ensemble.GradientBoostingRegressor(n_estimators=10), amounts32, amounts),
        ("neighbours", neighbors.KNeighborsClassifier(3), single, target),
        ("outlier detector", ensemble.IsolationForest(n_estimators=10, random_state=0), single, None),
    ):
        fitted = model.fit(x.to_numpy(), y)
        opsets = {"": 17, "ai.onnx.ml": 3}
        data = to_onnx(fitted, x[:1].to_numpy(), target_opset=opsets).SerializeToString()
        yield ModelFile(label, "model.onnx", data, x.astype(np.float64), fitted.predict(x.to_numpy()))
    encode = make_column_transformer(
        (StandardScaler(), ["alcohol", "malic_acid"]), (OneHotEncoder(), ["colour", "size"])
    )
    pipeline = make_pipeline(encode, linear_model.LogisticRegression(max_iter=500)).fit(words, kinds)
    kinds_of = {"alcohol": FloatTensorType, "malic_acid": FloatTensorType}
    types = [(name, kinds_of.get(name, StringTensorType)([None, 1])) for name in words.columns]
    data = to_onnx(pipeline, initial_types=types, target_opset={"": 17, "ai.onnx.ml": 3}).SerializeToString()
    yield ModelFile("columns of numbers and text", "model.onnx", data, words, pipeline.predict(words))
    yield _onnx_network()


def _onnx_network() -> ModelFile:
    """A network as PyTorch and TensorFlow export it: one input, one output of scores, a fixed batch of 8."""
    from onnx import TensorProto, helper, numpy_helper

    rows, _ = iris()
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 8), (8,), (8, 3), (3,))]
    names = ("w1", "b1", "w2", "b2")
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["input", "w1", "b1"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("Gemm", ["active", "w2", "b2"], ["scores"]),
        ],
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [8, 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [8, 3])],
        [numpy_helper.from_array(w, name) for w, name in zip(weights, names, strict=True)],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
        producer_name="by hand",
        producer_version="1",
    )
    hidden = np.maximum(rows.to_numpy(dtype=np.float32) @ weights[0] + weights[1], 0)
    answers = (hidden @ weights[2] + weights[3]).argmax(axis=1)
    return ModelFile("network with a fixed batch", "model.onnx", model.SerializeToString(), rows, answers)


def _pytorch() -> Iterator[ModelFile]:
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows, _ = iris()
    numbers, _ = diabetes()
    classifier = torch.nn.Sequential(
        torch.nn.BatchNorm1d(4),
        torch.nn.Linear(4, 8),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 3),
        torch.nn.Softmax(1),
    )
    regressor = torch.nn.Sequential(torch.nn.BatchNorm1d(10), torch.nn.Linear(10, 1))
    table, amounts = (torch.tensor(x.to_numpy(dtype=np.float32)) for x in (rows, numbers))
    for model, x in ((classifier, table), (regressor, amounts)):
        with torch.no_grad():
            for _ in range(50):  # only the normalisation learns here: enough to tell mean and variance
                model.train()(x)
        model.eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch deprecates what people still have
        classes = classifier(table).numpy().argmax(axis=1)
        values = regressor(amounts).numpy().reshape(-1)
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.script(classifier), buffer)
        yield ModelFile("TorchScript, scripted", "model.pt", buffer.getvalue(), rows, classes)
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.trace(regressor, amounts[:2]), buffer)
        yield ModelFile("TorchScript, traced", "model.pt", buffer.getvalue(), numbers, values)
        buffer = io.BytesIO()
        program = torch.export.export(
            classifier, (table[:2],), dynamic_shapes=({0: torch.export.Dim("rows", min=1, max=100_000)},)
        )
        torch.export.save(program, buffer)
        yield ModelFile("torch.export", "model.pt2", buffer.getvalue(), rows, classes, "contained")


def _keras() -> Iterator[ModelFile]:
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    rows, _ = iris()
    words, _ = wine_with_text()
    numeric = words[["alcohol", "malic_acid"]]
    scale = keras.layers.Normalization()
    scale.adapt(rows.to_numpy(dtype=np.float32))
    chain = keras.Sequential(
        [keras.layers.Input((4,)), scale, keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")]
    )
    inputs = [keras.layers.Input((1,), name=name) for name in numeric.columns]
    joined = keras.layers.Concatenate()(inputs)
    several = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(4, "relu")(joined)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        chain.save(path)
        answers = keras.ops.convert_to_numpy(chain(rows.to_numpy(dtype=np.float32))).argmax(axis=1)
        yield ModelFile("sequential", "model.keras", path.read_bytes(), rows, answers)
        several.save(path)
        given = [numeric[[name]].to_numpy(dtype=np.float32) for name in numeric.columns]
        values = keras.ops.convert_to_numpy(several(given)).reshape(-1)
        yield ModelFile("several inputs", "model.keras", path.read_bytes(), numeric, values)


def _anything() -> Iterator[ModelFile]:
    """A class of the user's own, with its code in the file: cloudpickle keeps what __main__ defines."""
    import cloudpickle

    rows, _ = iris()
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(OWN_CLASS, space)
    model = space["Own"](list(rows.columns))
    yield ModelFile(
        "own class (cloudpickle)",
        "model.pkl",
        cloudpickle.dumps(model),
        rows,
        model.predict(rows),
        "contained",
    )


OWN_CLASS = """
class Own:
    def __init__(self, names):
        self.feature_names_in_ = names
        self.n_features_in_ = len(names)

    def predict(self, frame):
        return frame[self.feature_names_in_].sum(axis=1).to_numpy()
"""

FAMILIES = (
    Family("scikit-learn", ("sklearn",), _scikit_learn),
    Family("XGBoost", ("xgboost",), _xgboost),
    Family("LightGBM", ("lightgbm",), _lightgbm),
    Family("CatBoost", ("catboost",), _catboost),
    Family("skops", ("skops",), _skops),
    Family("ONNX", ("onnxruntime", "onnx", "skl2onnx"), _onnx),
    Family("PyTorch", ("torch",), _pytorch),
    Family("Keras", ("keras", "torch"), _keras),
    Family("anything with predict", (), _anything),
)
