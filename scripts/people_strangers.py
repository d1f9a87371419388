"""More of what strangers have: other ways to save, searches, stacks, dates and marks in all kinds "
"of tables."""

from __future__ import annotations

import gzip
import io
import pickle
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pandas as pd
import xgboost
from lightgbm import LGBMRegressor
from scipy.stats import randint
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor, StackingRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import LabelBinarizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC, OneClassSVM

from scripts.people_files import Case, File
from scripts.people_formats import saved
from scripts.people_projects import FOREST, csv, joblibbed, pickled, project
from scripts.people_tables import table

__all__ = ["cases"]

CHOOSE = r'"entry"'


def cases() -> Iterator[Case]:
    yield from _ways_to_save()
    yield from _estimators()
    yield from _tables()
    yield from _parts()


def compressed(model: Any, name: str, compress: Any) -> File:
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=compress)
    return File(name, buffer.getvalue())


def _ways_to_save() -> Iterator[Case]:
    kind, data = "saved otherwise", table("diabetes")
    x, y, sample = data.iloc[:, :-1], data["Outcome"], csv(data, "diabetes.csv")
    forest = RandomForestClassifier(**FOREST).fit(x, y)
    truth = forest.score(x, y)
    for name, file in (
        ("joblib, compress=3", compressed(forest, "model.joblib", 3)),
        ("joblib, lzma", compressed(forest, "model.joblib.xz", ("xz", 3))),
        ("joblib, bz2, called .sav", compressed(forest, "finalized_model.sav", ("bz2", 3))),
        ("pickle of protocol 2", File("model.pickle", pickle.dumps(forest, 2))),
        ("pickle of protocol 0", File("model.p", pickle.dumps(forest, 0))),
        (
            "pickle in gzip, called .model",
            File("diabetes.model", gzip.compress(pickle.dumps(forest), mtime=0)),
        ),
    ):
        yield project(name, file, sample, "Outcome", truth, kind=kind)
    data = table("heart")
    x, y = data.drop(columns=["Unnamed: 0", "target"]), data["target"]
    folds = [RandomForestClassifier(5, max_depth=4, random_state=i).fit(x[i::3], y[i::3]) for i in range(3)]
    yield project("a list of three folds' models", joblibbed(folds, "models_cv.joblib"), csv(data,
        "heart.csv"),
        "target", folds[0].score(x, y), kind=kind).then(CHOOSE, config={"entry": "0"})  # fmt: skip
    boosted = xgboost.XGBClassifier(n_estimators=12, max_depth=3).fit(x, y)
    for name in ("xgb_model.json", "xgb_model.ubj"):
        yield project(f"XGBoost, names inside, {name}", saved(boosted.save_model, name), csv(data,
            "heart.csv"),
            "target", boosted.score(x, y), kind=kind)  # fmt: skip


def _estimators() -> Iterator[Case]:
    kind, data = "estimators", table("titanic")
    x, y = data[["Pclass", "Sex", "Age", "Fare", "Embarked"]].copy(), data["Survived"]
    x["Age"] = x["Age"].astype(float)
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
         ["Sex", "Embarked"]), (SimpleImputer(), ["Pclass", "Age", "Fare"]))  # fmt: skip
    search = RandomizedSearchCV(
        Pipeline([("prep", prepare), ("xgb", xgboost.XGBClassifier(n_estimators=15))]),
        {"xgb__max_depth": randint(2, 5)}, n_iter=3, cv=2, random_state=0).fit(x, y)  # fmt: skip
    titanic = csv(data, "train.csv")
    yield project("randomized search over a pipeline with XGBoost", joblibbed(search, "best_model.sav"),
        titanic, "Survived", search.score(x, y), kind=kind)  # fmt: skip
    data = table("wine")
    x, y, sample = data.drop(columns="quality"), data["quality"], csv(data, "winequality-red.csv", sep=";")
    stack = StackingRegressor([("rf", RandomForestRegressor(**FOREST)), ("ridge", Ridge())], cv=2).fit(x, y)
    yield project("stacking regressor", pickled(stack), sample, "quality", stack.score(x, y), kind=kind)
    light = LGBMRegressor(n_estimators=15, num_leaves=7, verbose=-1).fit(x, y)
    yield project("LightGBM booster's text", saved(light.booster_.save_model, "lgbm_model.txt"), sample,
        "quality", light.score(x, y), kind=kind)  # fmt: skip
    logged = TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1).fit(x, y)
    yield project("target on a logarithm, turned back", pickled(logged), sample, "quality",
        logged.score(x, y), kind=kind)  # fmt: skip
    data = table("diabetes")
    x, y, sample = data.iloc[:, :-1], data["Outcome"], csv(data, "diabetes.csv")
    calibrated = CalibratedClassifierCV(make_pipeline(StandardScaler(), LinearSVC()), cv=2).fit(x, y)
    yield project("calibrated linear SVM", pickled(calibrated), sample, "Outcome", calibrated.score(x, y),
        kind=kind)  # fmt: skip
    both = MultiOutputRegressor(Ridge()).fit(x[["Glucose", "BMI"]], data[["Age", "Insulin"]])
    yield project("two outputs", pickled(both), sample, None, None, kind=kind)
    odd = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(x)
    yield project("one-class SVM", joblibbed(odd), sample, None, None, kind=kind)
    found = IsolationForest(n_estimators=20, random_state=0).fit(x.values)
    yield project("isolation forest on arrays", pickled(found, "anomaly.pkl"), csv(x, "unlabelled.csv"), None,
        None, kind=kind)  # fmt: skip
    groups = KMeans(4, n_init=2, random_state=0).fit(x[["Glucose", "BMI"]])
    yield project("k means with names, alone", pickled(groups, "kmeans.pkl"), sample, None, None, kind=kind)
    near = NearestNeighbors(n_neighbors=6).fit(x)
    yield project("nearest neighbours, a recommender", pickled(near, "knn.pkl"), sample, None, None,
        kind=kind).told(r"no predict.*neighbours|NearestNeighbors")  # fmt: skip


def _tables() -> Iterator[Case]:
    kind, data = "dirty tables", table("heart_failure")
    x, y = data.drop(columns="HeartDisease"), data["HeartDisease"]
    words = x.columns[[not pd.api.types.is_numeric_dtype(t) for t in x.dtypes]]
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), list(words)),
        (SimpleImputer(), [name for name in x if name not in set(words)]), )  # fmt: skip
    pipe = make_pipeline(encode, RandomForestClassifier(**FOREST)).fit(x, y)
    truth, target = pipe.score(x, y), "HeartDisease"
    text = data.to_csv(index=False)
    marked = data.astype(object)
    gaps = {"?": "a question mark", "NA": "NA", "-": "a dash"}
    for mark, name in gaps.items():
        holes = marked.copy()
        holes.loc[::20, "Cholesterol"] = mark
        filled = x.assign(Cholesterol=pd.to_numeric(holes["Cholesterol"], errors="coerce"))
        yield project(f"{name} for what is missing", joblibbed(pipe), csv(holes, "heart.csv"), target,
            pipe.score(filled, y), kind=kind)  # fmt: skip
    yield project("semicolons and decimal commas", joblibbed(pipe), csv(data, "heart.csv", sep=";",
        decimal=","), target, truth, kind=kind)  # fmt: skip
    yield project("a byte order mark", joblibbed(pipe), File("heart.csv", text.encode("utf-8-sig")), target,
        truth, kind=kind)  # fmt: skip
    yield project("the index as a column", joblibbed(pipe), File("heart.csv", data.to_csv().encode()),
        target, truth, kind=kind)  # fmt: skip
    yield project("tabs between", joblibbed(pipe), csv(data, "heart.tsv", sep="\t"), target, truth, kind=kind)
    new = marked.copy()
    new.loc[::25, "ST_Slope"] = "Sideways"
    yield project("a word that no encoder knows", joblibbed(pipe), csv(new, "heart.csv"), target,
        pipe.score(new.drop(columns=target).infer_objects(), y), kind=kind)  # fmt: skip
    twice = "Age," + text.partition("\n")[0] + "\n"
    twice += "".join(f"{i},{line}\n" for i, line in enumerate(text.splitlines()[1:]))
    yield project("a name twice in the head", joblibbed(pipe), File("heart.csv", twice.encode()), target,
        truth, kind=kind).then(r"more than one column", sample=csv(data))  # fmt: skip
    yield project("an Excel file beside it", joblibbed(pipe), File("heart.xlsx", b"PK\x03\x04" + bytes(400)),
        target, truth, kind=kind).then(r"csv|excel", sample=csv(data))  # fmt: skip
    days = pd.DataFrame({"Date": pd.date_range("2023-01-01", periods=400).strftime("%d/%m/%Y")})
    when = pd.to_datetime(days["Date"], format="%d/%m/%Y")
    parts = pd.DataFrame({"year": when.dt.year, "month": when.dt.month, "day": when.dt.day})
    sales = parts["month"] * 3.0 + parts["day"]
    model = RandomForestRegressor(**FOREST).fit(parts, sales)
    dated = csv(days.assign(sales=sales), "sales.csv")
    yield project("dates as texts, parsed by hand", pickled(model), dated, "sales",
        model.score(parts, sales), kind=kind).then(r"takes 'year'|lacks|does not have",
        sample=csv(parts.assign(sales=sales)))  # fmt: skip
    data = table("wine")
    x, y = data.drop(columns="quality"), data["quality"] * 1000
    model = RandomForestRegressor(**FOREST).fit(x, y)
    money = csv(x.assign(price=[f"$ {value:,.2f}" for value in y]), "prices.csv")
    yield project("prices with their currency", pickled(model), money, "price", model.score(x, y),
        kind=kind).then(r"not numbers", sample=csv(x.assign(price=y)))  # fmt: skip


def _parts() -> Iterator[Case]:
    kind, data = "parts", table("diabetes")
    x, y, sample = data.iloc[:, :-1], data["Outcome"], csv(data, "diabetes.csv")
    scaler = StandardScaler().fit(x)
    turned = PCA(5).fit(scaler.transform(x))
    model = KNeighborsClassifier().fit(turned.transform(scaler.transform(x)), y)
    yield project("scaler, PCA and model in three files", pickled(model), sample, "Outcome",
        model.score(turned.transform(scaler.transform(x)), y),
        beside=(pickled(turned, "pca.pkl"), pickled(scaler, "scaler.pkl")), kind=kind)  # fmt: skip
    data = table("iris")
    x, names = data.iloc[:, 1:5], LabelBinarizer().fit(data["Species"])
    codes = names.transform(data["Species"]).argmax(1)
    logistic = LogisticRegression(max_iter=500).fit(x, codes)
    yield project("a LabelBinarizer of the species", pickled(logistic), csv(data, "Iris.csv"), "Species",
        logistic.score(x, codes), beside=(pickled(names, "lb.pkl"),), kind=kind)  # fmt: skip
    data = table("sms")
    spam = csv(data, "spam.csv", encoding="latin-1")
    words = TfidfVectorizer().fit(data["v2"])
    bayes = MultinomialNB().fit(words.transform(data["v2"]), data["v1"])
    truth = bayes.score(words.transform(data["v2"]), data["v1"])
    yield project("spam, tfidf and naive Bayes, ham and spam, latin-1", pickled(bayes, "clf.pkl"), spam, "v1",
        truth, beside=(pickled(words, "tfidf.pkl"),), kind=kind)  # fmt: skip
    counts = CountVectorizer().fit(data["v2"])
    bayes = MultinomialNB().fit(counts.transform(data["v2"]), data["v1"])
    vocabulary = {word: int(i) for word, i in counts.vocabulary_.items()}
    yield project("the vocabulary alone, as a dict", pickled(bayes), spam, "v1",
        bayes.score(counts.transform(data["v2"]), data["v1"]), beside=(pickled(vocabulary, "vocab.pkl"),),
        kind=kind).then(r"vectori[sz]er", beside=(pickled(counts, "vectorizer.pkl"),))  # fmt: skip
    data = table("titanic")
    x = data[["Pclass", "Sex", "Fare"]].assign(Pclass=data["Pclass"].astype(str))
    rows = x.to_dict("records")
    vector = DictVectorizer(sparse=False).fit(rows)
    tree = RandomForestClassifier(**FOREST).fit(vector.transform(rows), data["Survived"])
    yield project("(dv, model), of a course", pickled((vector, tree), "model.bin"), csv(data, "train.csv"),
        "Survived", tree.score(vector.transform(rows), data["Survived"]), kind=kind).then(
        r"encoder made the columns", sample=csv(pd.DataFrame(vector.transform(rows),
            columns=vector.get_feature_names_out()).assign(Survived=data["Survived"])))  # fmt: skip
    pmml = b'<?xml version="1.0"?>\n<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/></PMML>'
    yield project("a PMML file", File("model.pmml", pmml), csv(table("iris"), "Iris.csv"), "Species", None,
        kind=kind).then(r"PMML|XML", model=pickled(LogisticRegression(max_iter=500).fit(
            table("iris").iloc[:, 1:5], table("iris")["Species"])))  # fmt: skip
