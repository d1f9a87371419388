"""Files that only older releases can write, in the shapes people have; made once, by those releases.

Run `python -m scripts.people_fixtures ENVIRONMENTS`: a folder with an environment for each letter of `BY`
and the releases named there (`uv venv --python 3.9 ENVIRONMENTS/c`, then `uv pip install` of them). Writes
tests/people/fixtures.tar.xz: the files, and how well each model's own release answered the table. It is run
by each of those interpreters, from 3.7 on, and imports nothing of the project there.
"""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["FOLDER", "main", "read"]

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "people"
ARCHIVE = FOLDER / "fixtures.tar.xz"
BY = {
    "g": "scikit-learn 0.19.2, pandas 0.25, xgboost 1.0.2",
    "a": "scikit-learn 0.22.2, pandas 1.0, xgboost 0.90",
    "b": "scikit-learn 0.24.2, pandas 1.2, xgboost 1.3.3",
    "c": "scikit-learn 1.0.2, pandas 1.4, xgboost 1.5.2, lightgbm 3.3.5",
    "d": "scikit-learn 1.2.2, pandas 1.5, xgboost 1.7.6, tensorflow-cpu 2.11.1",
    "e": "scikit-learn 1.3.2, pandas 2.1, xgboost 2.0.3, imbalanced-learn 0.11, category-encoders 2.6, dill",
    "f": "scikit-learn 1.6.1, pandas 2.2, xgboost 2.1.4, keras 3.8",
}
TABLES = ("bank", "cars", "crops", "diabetes", "fraud", "heart", "iris", "laptops", "sms", "telco", "titanic")
FEW: dict[str, Any] = {"n_estimators": 12, "max_depth": 4}


def read() -> dict[str, bytes]:
    """The files by name, and "truth.json"."""
    with tarfile.open(ARCHIVE) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]


class Maker:
    """In one environment: the tables as CSV files lie in `given`, files and truths go to `made`."""

    def __init__(self, given: Path, made: Path) -> None:
        self.given, self.made = given, made
        self.truth: dict[str, float] = {}

    def table(self, name: str) -> Any:
        return pd.read_csv(str(self.given / (name + ".csv")))

    def keep(self, name: str, data: Any, score: Any = None) -> None:
        content = data if isinstance(data, bytes) else pickle.dumps(data, 4)
        (self.made / name).write_bytes(content)
        if score is not None:
            self.truth[name] = round(float(score), 4)

    def keep_as(self, name: str, save: Any, score: Any) -> None:
        """What the library's own `save` writes."""
        save(str(self.made / name))
        self.truth[name] = round(float(score), 4)


def _heart(m: Maker) -> Any:
    table = m.table("heart")
    return table.drop(columns=["Unnamed: 0", "target"]), table["target"]


def _diabetes(m: Maker) -> Any:
    table = m.table("diabetes")
    return table.iloc[:, :-1].values, table["Outcome"].values


def _fraud(m: Maker) -> Any:
    table = m.table("fraud")
    return table.drop(columns=["Class"]), table["Class"]


def _churn(m: Maker) -> Any:
    table = m.table("telco").drop(columns=["customerID"])
    table["TotalCharges"] = pd.to_numeric(table["TotalCharges"], errors="coerce").fillna(0)
    y = (table.pop("Churn") == "Yes").astype(int)
    return pd.get_dummies(table, drop_first=True).astype(float), y


def _boosted(**options: Any) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(random_state=0, **{**FEW, "max_depth": 3, **options})


def make_a(m: Maker) -> None:
    from sklearn.ensemble import RandomForestClassifier

    x, y = _heart(m)
    forest = RandomForestClassifier(random_state=0, **FEW).fit(x, y)
    m.keep("heart-0.22.pkl", forest, forest.score(x, y))
    x, y = _diabetes(m)
    boosted = _boosted().fit(x, y)
    m.keep("diabetes-xgboost-0.90.pkl", boosted, boosted.score(x, y))
    old = pickle.loads((m.made / "iris-0.19.pkl").read_bytes())  # what 0.19's owner is told to do
    table = m.table("iris")
    m.keep("iris-0.19-saved-again.pkl", old, old.score(table.iloc[:, 1:5], table["Species"]))


def make_b(m: Maker) -> None:
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, y = _diabetes(m)
    scaler = StandardScaler().fit(x)
    svm = SVC(kernel="linear").fit(scaler.transform(x), y)
    m.keep("diabetes-0.24.pkl", svm, svm.score(scaler.transform(x), y))
    m.keep("diabetes-0.24-scaler.pkl", scaler)
    x, y = _churn(m)
    boosted = _boosted(use_label_encoder=False, eval_metric="logloss").fit(x, y)
    m.keep("churn-xgboost-1.3.pkl", boosted, boosted.score(x, y))


def make_c(m: Maker) -> None:
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import RandomForestRegressor

    table = m.table("cars")
    y = table.pop("Selling_Price")
    x = pd.get_dummies(table.drop(columns=["Car_Name"]), drop_first=True)
    forest = RandomForestRegressor(random_state=0, **{**FEW, "max_depth": 6}).fit(x, y)
    m.keep("cars-1.0.pkl", forest, forest.score(x, y))
    x, y = _fraud(m)
    boosted = _boosted(use_label_encoder=False, eval_metric="logloss").fit(x, y)
    m.keep_as("fraud-xgboost-1.5.json", boosted.save_model, boosted.score(x, y))
    x, y = _heart(m)
    light = LGBMClassifier(n_estimators=12, num_leaves=7).fit(x, y)
    m.keep("heart-lightgbm-3.3.pkl", light, light.score(x, y))


def make_d(m: Maker) -> None:
    import tensorflow as tf
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = m.table("laptops")
    y = table.pop("Price")
    words = [i for i, name in enumerate(table.columns) if table[name].dtype == object]
    one_hot = OneHotEncoder(sparse=False, drop="first")
    columns = ColumnTransformer([("col_tnf", one_hot, words)], remainder="passthrough")
    forest = RandomForestRegressor(random_state=3, **{**FEW, "max_depth": 7})
    pipe = Pipeline([("step1", columns), ("step2", forest)]).fit(table, y)
    m.keep("laptops-1.2.pkl", pipe, pipe.score(table, y))
    x, y = _heart(m)
    boosted = _boosted().fit(x, y)
    m.keep_as("heart-xgboost-1.7.ubj", boosted.save_model, boosted.score(x, y))
    m.keep("heart-xgboost-1.7.pkl", boosted, boosted.score(x, y))
    table = m.table("bank")
    x = table[["CreditScore", "Age", "Tenure", "Balance", "NumOfProducts", "HasCrCard", "IsActiveMember"]]
    y, scaler = table["Exited"], StandardScaler().fit(x)
    tf.random.set_seed(0)
    network = tf.keras.Sequential([
        tf.keras.layers.Dense(8, activation="relu", input_shape=(x.shape[1],)),
        tf.keras.layers.Dropout(0.1), tf.keras.layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    network.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    network.fit(scaler.transform(x), y, epochs=60, verbose=0)
    answered = network.predict(scaler.transform(x), verbose=0)[:, 0] > 0.5
    m.keep_as("bank-keras.h5", network.save, (answered == y).mean())
    m.keep_as("bank-weights.h5", network.save_weights, (answered == y).mean())
    m.keep("bank-keras-scaler.pkl", scaler)
    m.keep("bank-keras.pkl", network, (answered == y).mean())


def make_e(m: Maker) -> None:
    import category_encoders
    import dill
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import Pipeline as SamplingPipeline
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    table = m.table("crops")
    y = table.pop("label")
    forest = RandomForestClassifier(random_state=0, **FEW).fit(table, y)
    m.keep("crops-1.3.pkl", forest, forest.score(table, y))
    x, y = _fraud(m)
    boosted = _boosted().fit(x, y)
    m.keep_as("fraud-xgboost-2.0.json", boosted.save_model, boosted.score(x, y))
    steps = [("scaler", StandardScaler()), ("smote", SMOTE(random_state=0)), ("model", LogisticRegression())]
    sampled = SamplingPipeline(steps).fit(x, y)
    m.keep("fraud-imblearn.pkl", sampled, sampled.score(x, y))
    table = m.table("cars")
    y = table.pop("Selling_Price") > 4
    encoded = make_pipeline(category_encoders.OrdinalEncoder(), RandomForestClassifier(random_state=0, **FEW))
    encoded.fit(table, y)
    m.keep("cars-category-encoders.pkl", encoded, encoded.score(table, y))
    x, y = _diabetes(m)
    logged = make_pipeline(FunctionTransformer(lambda v: np.log1p(v)), LogisticRegression(max_iter=500))
    logged.fit(x, y)
    m.keep("diabetes-dill.pkl", dill.dumps(logged), logged.score(x, y))


def make_f(m: Maker) -> None:
    import keras
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline

    table = m.table("sms")
    spam = make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(table["v2"], table["v1"])
    m.keep("sms-1.6.pkl", spam, spam.score(table["v2"], table["v1"]))
    x, y = _churn(m)
    boosted = _boosted().fit(x, y)
    m.keep("churn-xgboost-2.1.pkl", boosted, boosted.score(x, y))
    table = m.table("iris")
    x, y = table.iloc[:, 1:5].values, table["Species"].astype("category").cat.codes.values
    # The numpy backend answers and saves, but does not train: the weights are another network's.
    trained = MLPClassifier((8,), max_iter=2000, random_state=0).fit(x, y)
    network = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3,
            activation="softmax"),
    ])  # fmt: skip
    network.set_weights([a for pair in zip(trained.coefs_, trained.intercepts_, strict=True) for a in pair])
    answered = np.asarray(network.predict(x, verbose=0)).argmax(axis=1)
    m.keep_as("iris-keras.keras", network.save, (answered == y).mean())
    m.keep_as("iris-keras.h5", network.save, (answered == y).mean())


def make_g(m: Maker) -> None:
    from sklearn.linear_model import LogisticRegression

    table = m.table("iris")
    x, y = table.iloc[:, 1:5], table["Species"]
    model = LogisticRegression().fit(x, y)
    m.keep("iris-0.19.pkl", model, model.score(x, y))
    x, y = _diabetes(m)
    boosted = _boosted().fit(x, y)
    m.keep_as("diabetes-xgboost-1.0.model", boosted.save_model, boosted.score(x, y))
    m.keep_as("diabetes-xgboost-1.0.json", boosted.save_model, boosted.score(x, y))


def main() -> int:
    from scripts.people_tables import table

    environments = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given", Path(folder) / "made"
        given.mkdir()
        made.mkdir()
        for name in TABLES:
            table(name).to_csv(given / f"{name}.csv", index=False)
        for letter in BY:
            python = environments / letter / "bin" / "python"
            subprocess.run([python, "-W", "ignore", __file__, "--make", letter, given, made], check=True)
        truth = {}
        for path in sorted(made.glob("truth-*")):
            truth.update(json.loads(path.read_text()))
            path.unlink()
        (made / "truth.json").write_text(json.dumps(truth, indent=1, sort_keys=True))
        FOLDER.mkdir(exist_ok=True)
        with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
            for path in sorted(made.iterdir()):
                member = tarfile.TarInfo(path.name)
                member.size = path.stat().st_size
                archive.addfile(member, io.BytesIO(path.read_bytes()))
    print(json.dumps(truth, indent=1), ARCHIVE.stat().st_size, "bytes")
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        warnings.simplefilter("ignore")
        maker = Maker(Path(sys.argv[3]), Path(sys.argv[4]))
        globals()["make_" + sys.argv[2]](maker)
        (maker.made / ("truth-" + sys.argv[2])).write_text(json.dumps(maker.truth))
    else:
        sys.exit(main())
