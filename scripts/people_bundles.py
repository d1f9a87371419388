"""Models with what belongs to them: companions in files of their own, bundles in one file, and text.

A scaler, encoders or a vectorizer beside the model; a dict, tuple or list that holds it; words before it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    LabelEncoder,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from scripts.people_files import Case
from scripts.people_projects import (
    CHOOSE,
    ENCODE,
    FOREST,
    LABELS,
    SCALER,
    csv,
    dummies,
    encoded,
    joblibbed,
    pickled,
    project,
)
from scripts.people_tables import table

__all__ = ["cases"]


def cases() -> Iterator[Case]:
    yield from _companions()
    yield from _bundles()
    yield from _texts()


def _companions() -> Iterator[Case]:
    kind = "companions"
    data = table("crops")
    codes = {"rice": 1, "maize": 2, "jute": 3, "cotton": 4, "coconut": 5, "papaya": 6}
    x, y = data.drop(columns="label"), data["label"].map(codes)
    first, second = MinMaxScaler().fit(x), None
    second = StandardScaler().fit(first.transform(x))
    ready = second.transform(first.transform(x))
    forest = RandomForestClassifier(**FOREST).fit(ready, y)
    scalers = (pickled(first, "minmaxscaler.pkl"), pickled(second, "standscaler.pkl"))
    sample = csv(data, "Crop_recommendation.csv")
    mapping = {name: str(code) for name, code in codes.items()}
    yield project("crops, two scalers, crops by numbers of the author's own", pickled(forest), sample,
        "label", forest.score(ready, y), beside=scalers, kind=kind).then(LABELS,
        config={"target_map": mapping})  # fmt: skip
    data = table("students")
    x, y = data.drop(columns="math score"), data["math score"]
    words = list(x.columns[:5])
    prepare = ColumnTransformer([("num", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        list(x.columns[5:])), ("cat", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(),
        StandardScaler(with_mean=False)), words),]).fit(x)  # fmt: skip
    linear = LinearRegression().fit(prepare.transform(x), y)
    sample = csv(data, "StudentsPerformance.csv")
    yield project("student performance, preprocessor.pkl", pickled(linear), sample, "math score",
                  linear.score(prepare.transform(x), y), beside=(pickled(prepare, "preprocessor.pkl"),),
                      kind=kind)  # fmt: skip
    yield project("student performance, the preprocessor forgotten", pickled(linear), sample, "math score",
        linear.score(prepare.transform(x), y)).then(ENCODE + "|" + SCALER, beside=(pickled(prepare,
        "preprocessor.pkl"),))  # fmt: skip
    data = table("salaries")
    poly = PolynomialFeatures(degree=3).fit(data[["YearsExperience"]].values)
    ready = poly.transform(data[["YearsExperience"]].values)
    linear = LinearRegression().fit(ready, data["Salary"])
    yield project("salaries, poly.pkl before the model", pickled(linear), csv(data, "Salary_Data.csv"),
        "Salary",
                  linear.score(ready, data["Salary"]), beside=(pickled(poly, "poly.pkl"),),
                      kind=kind)  # fmt: skip
    data = table("bank")
    x, y = data.drop(columns=["RowNumber", "CustomerId", "Surname", "Exited"]), data["Exited"]
    gender, land = LabelEncoder().fit(x["Gender"]), OneHotEncoder().fit(x[["Geography"]])
    places = pd.DataFrame(
        land.transform(x[["Geography"]]).toarray(), columns=land.get_feature_names_out(["Geography"])
    )
    wide = pd.concat(
        [x.drop(columns="Geography").assign(Gender=gender.transform(x["Gender"])), places], axis=1
    )
    scaler = StandardScaler().fit(wide)
    forest = RandomForestClassifier(**FOREST).fit(scaler.transform(wide), y)
    files = (
        pickled(gender, "label_encoder_gender.pkl"),
        pickled(land, "onehot_encoder_geo.pkl"),
        pickled(scaler, "scaler.pkl"),
    )
    yield project("bank churn, three companions", pickled(forest), csv(data, "Churn_Modelling.csv"),
        "Exited", forest.score(scaler.transform(wide), y), beside=files, kind=kind, uses=x)  # fmt: skip
    data = table("iris")
    x, names = data.iloc[:, 1:5], LabelEncoder().fit(data["Species"])
    y = names.transform(data["Species"])
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(x, y)
    yield project("iris, label_encoder.pkl of the species", pickled(tree), csv(data, "Iris.csv"), "Species",
        tree.score(x, y), beside=(pickled(names, "label_encoder.pkl"),), kind=kind, uses=x)  # fmt: skip
    data = table("titanic")
    kept = data[["Pclass", "Sex", "Fare"]]
    one_hot = dummies(kept)
    forest = RandomForestClassifier(**FOREST).fit(one_hot.values, data["Survived"])
    yield project("titanic, model_columns.pkl beside a model on arrays", joblibbed(forest, "model.pkl"),
        csv(data, "train.csv"), "Survived", forest.score(one_hot.values, data["Survived"]),
        beside=(joblibbed(list(one_hot.columns), "model_columns.pkl"),), kind=kind, uses=kept)  # fmt: skip


def _bundles() -> Iterator[Case]:
    kind = "bundle"
    data = table("crops")
    x, names = data.drop(columns="label"), LabelEncoder().fit(data["label"])
    y = names.transform(data["label"])
    forest = RandomForestClassifier(**FOREST).fit(x.values, y)
    sample = csv(data, "crop.csv")
    bundle = {"model": forest, "label_encoder": names, "features": list(x.columns)}
    yield project("crops, a dict of model, label_encoder and features", joblibbed(bundle,
        "crop_model.joblib"), sample,
                  "label", forest.score(x.values, y), kind=kind, inner=forest)  # fmt: skip
    data = table("loans").dropna()
    numbers, encoders = encoded(data.drop(columns=["Loan_ID", "Loan_Status"]))
    y = (data["Loan_Status"] == "Y").astype(int)
    scaler = StandardScaler().fit(numbers)
    svm = SVC(kernel="linear").fit(scaler.transform(numbers), y)
    bundle = {
        "model": svm,
        "encoders": encoders,
        "scaler": scaler,
        "features": list(numbers.columns),
        "accuracy": 0.81,
    }
    yield project("loan approval, a dict of model, encoders, scaler and features",
        pickled(bundle, "loan_model.pkl"), csv(data, "loan_data.csv"), "Loan_Status",
        svm.score(scaler.transform(numbers), y), kind=kind)  # fmt: skip
    data = table("heart")
    x, y = data.drop(columns=["Unnamed: 0", "target"]), data["target"]
    sample = csv(data, "heart.csv")
    logistic = LogisticRegression(solver="liblinear").fit(x, y)
    forest = RandomForestClassifier(**FOREST).fit(x, y)
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    meta = {
        "pipeline": pipe,
        "feature_names": list(x.columns),
        "metadata": {"created_at": "2025-03-01", "auc": 0.9},
    }
    yield project("heart, a dict of pipeline, feature_names and metadata", joblibbed(meta), sample, "target",
        pipe.score(x, y), kind=kind, inner=pipe, uses=x)  # fmt: skip
    yield project("heart, a tuple of model and column names", joblibbed((forest, list(x.columns)),
        "model.pkl"), sample, "target", forest.score(x, y), kind=kind, inner=forest, uses=x)  # fmt: skip
    yield project(
        "heart, a list with one model",
        pickled([forest]),
        sample,
        "target",
        forest.score(x, y),
        kind=kind,
        inner=forest,
        uses=x,
    )
    yield project("heart, a dict of two models", pickled({"Logistic Regression": logistic,
        "Random Forest": forest}, "models.pkl"), sample, "target", forest.score(x, y), kind=kind,
        inner=forest, uses=x).then(CHOOSE, config={"entry": "Random Forest"})  # fmt: skip
    yield project("heart, a list of two models", pickled([logistic, forest], "models.pkl"), sample, "target",
        forest.score(x, y), kind=kind, inner=forest, uses=x).then(CHOOSE, config={"entry": "1"})  # fmt: skip
    scaled = StandardScaler().fit(x)
    near = KNeighborsClassifier().fit(scaled.transform(x), y)
    yield project("heart, a dict of model and scaler", pickled({"model": near, "scaler": scaled}), sample,
        "target", near.score(scaled.transform(x), y), kind=kind)  # fmt: skip
    chosen = {
        "model": forest,
        "threshold": 0.4,
        "feature_names": list(x.columns),
        "model_name": "RandomForest",
    }
    yield project("heart, a dict with a threshold", joblibbed(chosen, "churn_model.joblib"), sample,
        "target", forest.score(x, y), kind=kind, inner=forest, uses=x)  # fmt: skip
    deep = {
        "best": {"estimator": forest, "params": {"max_depth": 5}},
        "scores": [0.8, 0.82],
        "columns": x.columns,
    }
    yield project(
        "heart, a dict in a dict",
        pickled(deep, "results.pkl"),
        sample,
        "target",
        forest.score(x, y),
        kind=kind,
        inner=forest,
        uses=x,
    )
    data = table("fraud")
    x = data.drop(columns="Class")
    scaler = StandardScaler().fit(x)
    found = IsolationForest(n_estimators=20, random_state=0).fit(scaler.transform(x))
    bundle = {"model": found, "scaler": scaler, "features": list(x.columns), "contamination": 0.06}
    yield project("card fraud, isolation forest and scaler in a dict", joblibbed(bundle),
        csv(data, "creditcard.csv"), None, None, kind="bundle")  # fmt: skip


def _texts() -> Iterator[Case]:
    kind = "text"
    data = table("sms")
    sample = csv(data, "spam.csv", encoding="latin-1")
    pipe = make_pipeline(TfidfVectorizer(stop_words="english"), MultinomialNB()).fit(data["v2"], data["v1"])
    yield project("spam, pipeline, a table in latin-1", pickled(pipe, "spam.pkl"), sample, "v1",
        pipe.score(data["v2"], data["v1"]), kind=kind, uses=["v2"])  # fmt: skip
    y = (data["v1"] == "spam").astype(int)
    words = TfidfVectorizer(max_features=300).fit(data["v2"])
    bayes = MultinomialNB().fit(words.transform(data["v2"]), y)
    truth = bayes.score(words.transform(data["v2"]), y)
    vectorizer = pickled(words, "vectorizer.pkl")
    clean = csv(data[["v1", "v2"]].set_axis(["label", "message"], axis=1), "spam.csv")
    yield project("spam, vectorizer.pkl beside model.pkl", pickled(bayes), clean, "label", truth,
        beside=(vectorizer,), kind="companions").then(LABELS, config={"target_map": {"ham": "0",
        "spam": "1"}})  # fmt: skip
    yield project("spam, the vectorizer forgotten", pickled(bayes), clean, "label", truth,
        kind=kind).then(r"vectori[sz]er", beside=(vectorizer,))  # fmt: skip
    data = table("movies")
    x, y = data["review"], data["sentiment"]
    pipe = Pipeline([("vect", CountVectorizer()), ("clf", LogisticRegression(max_iter=500))]).fit(x, y)
    sample = csv(data, "IMDB Dataset.csv")
    yield project("film reviews, counts and logistic regression", joblibbed(pipe, "sentiment.joblib"),
        sample, "sentiment", pipe.score(x, y), kind=kind)  # fmt: skip
    counts = CountVectorizer().fit(x)
    logistic = LogisticRegression(max_iter=500).fit(counts.transform(x), y)
    both = {"model": logistic, "vectorizer": counts}
    yield project("film reviews, a dict of model and vectorizer", joblibbed(both), sample, "sentiment",
        logistic.score(counts.transform(x), y), kind=kind)  # fmt: skip
    data = table("news")
    x, y = data["text"], data["label"]
    words = TfidfVectorizer(stop_words="english", max_df=0.7).fit(x)
    sgd = SGDClassifier(random_state=0).fit(words.transform(x), y)
    yield project("fake news, a tuple of model and vectorizer", pickled((sgd, words)), csv(data, "news.csv"),
        "label", sgd.score(words.transform(x), y), kind=kind)  # fmt: skip
    both_columns = ColumnTransformer(
        [("t", TfidfVectorizer(), "title"), ("x", TfidfVectorizer(max_features=200), "text")]
    )
    pipe = make_pipeline(both_columns, LogisticRegression()).fit(data.drop(columns="label"), y)
    yield project("fake news, two columns of text", joblibbed(pipe, "news.joblib"), csv(data, "news.csv"),
        "label", pipe.score(data, y), kind=kind, uses=["title", "text"])  # fmt: skip
    pipe = make_pipeline(HashingVectorizer(n_features=256), SGDClassifier(random_state=0)).fit(x, y)
    yield project(
        "fake news, a hashing vectorizer",
        pickled(pipe),
        csv(data, "news.csv"),
        "label",
        pipe.score(x, y),
        kind=kind,
        uses=["text"],
    )
    yield project("fake news, no table", pickled(pipe, "pipeline.pkl"), None, None, None, kind=kind)
