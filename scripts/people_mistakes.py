"""Code of one's own in a model, and what is sent in its place: a scaler alone, a table, a web page."""

from __future__ import annotations

import io
import json
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import cloudpickle
import joblib
import numpy as np
import shap
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from scripts import people_fixtures
from scripts.people_files import Case, File, own_class, zipped
from scripts.people_projects import (
    FOREST,
    csv,
    encoded,
    joblibbed,
    pickled,
    project,
)
from scripts.people_tables import table

__all__ = ["cases"]


def cases() -> Iterator[Case]:
    made = people_fixtures.read()
    yield from _own_code(made, json.loads(made["truth.json"]))
    yield from _parts()
    yield from _mistakes()


def _own_code(made: dict[str, bytes], truth: dict[str, float]) -> Iterator[Case]:
    kind = "own code"
    data = table("heart")
    x, y = data.drop(columns=["Unnamed: 0", "target"]), data["target"]
    heart = csv(data, "heart.csv")
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    ours = own_class(pipe)
    main = sys.modules["__main__"]
    main.ChurnModel = type(ours)  # type: ignore[attr-defined]
    try:
        plain = pickle.dumps(ours)
    finally:
        del main.ChurnModel
    yield project("a class of the training script", File("model.pkl", plain), heart, "target",
        pipe.score(x, y), kind=kind, uses=x).then(r"__main__.*(inside|itself|without)|save the",
        model=joblibbed(pipe))  # fmt: skip
    yield project("cloudpickle of a class of the notebook", File("model.pkl", cloudpickle.dumps(ours)),
        heart, "target", pipe.score(x, y), kind=kind, uses=x).then(r"inside of it, by itself",
        model=joblibbed(pipe))  # fmt: skip
    data = table("diabetes")
    x, y = data.iloc[:, :-1].values, data["Outcome"]
    logged = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(max_iter=500)).fit(x, y)
    yield project("dill, a lambda in the pipeline", File("model.pkl", made["diabetes-dill.pkl"]),
        csv(data, "diabetes.csv"), "Outcome", truth["diabetes-dill.pkl"],
        kind=kind).then(r"dill.*joblib\.dump|joblib\.dump.*dill", model=joblibbed(logged))  # fmt: skip
    prices = table("cars")
    dear = csv(prices.assign(Dear=prices.pop("Selling_Price") > 4), "cars_dear.csv")
    for name, file, sample, target in (
        ("imbalanced-learn, SMOTE in the pipeline", "fraud-imblearn.pkl", "fraud", "Class"),
        ("category_encoders in the pipeline", "cars-category-encoders.pkl", "cars", "Selling_Price"),
    ):
        yield project(name, File("model.pkl", made[file]), csv(table(sample), f"{sample}.csv"), target,
            truth[file],
                      kind="companion library").told(
            r"pip install (imbalanced-learn|category[-_]encoders)").then(
            r"no class of the model|none of|not the model's classes", sample=dear, target="Dear")  # fmt: skip
    data = table("heart")
    x = data.drop(columns=["Unnamed: 0", "target"])
    forest = RandomForestClassifier(**FOREST).fit(x, data["target"])
    yield project("a SHAP explainer", joblibbed(shap.TreeExplainer(forest), "explainer.pkl"), heart,
        "target", forest.score(x, data["target"]), kind="not a model").then(r"explainer",
        model=pickled(forest))  # fmt: skip


IN_PIPELINE = r"put it into a pipeline"


def _parts() -> Iterator[Case]:
    """One of the files beside a model, sent alone; what to do is to send the model as well."""
    data = table("diabetes")
    sample, x, y = csv(data, "diabetes.csv"), data.iloc[:, :-1], data["Outcome"]
    scaler = StandardScaler().fit(x)
    model = pickled(LogisticRegression().fit(scaler.transform(x), y))
    truth = LogisticRegression().fit(scaler.transform(x), y).score(scaler.transform(x), y)
    kind, beside = "not a model", r"send the model|model.*beside|beside.*model"

    def alone(name: str, file: File, truth: float, **then: Any) -> Case:
        return project(name, file, sample, "Outcome", truth, kind=kind).then(beside, **then)

    scaled = pickled(scaler, "scaler.pkl")
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    yield alone("a scaler alone", scaled, truth, model=model, beside=(scaled,)).then(
        IN_PIPELINE, model=pickled(pipe))  # fmt: skip
    data = table("sms")
    words = TfidfVectorizer(max_features=200).fit(data["v2"])
    forest = LogisticRegression().fit(words.transform(data["v2"]), data["v1"])
    spam = csv(data, "spam.csv", encoding="latin-1")
    vectorizer = pickled(words, "vectorizer.pkl")
    yield project("a vectorizer alone", vectorizer, spam, "v1", forest.score(words.transform(data["v2"]),
        data["v1"]), kind=kind).then(beside, model=pickled(forest), beside=(vectorizer,)).then(
        IN_PIPELINE, model=pickled(make_pipeline(words, forest)))  # fmt: skip
    data = table("heart_failure")
    numbers, encoders = encoded(data.drop(columns="HeartDisease"))
    forest = RandomForestClassifier(**FOREST).fit(numbers, data["HeartDisease"])
    heart, truth = csv(data, "heart.csv"), forest.score(numbers, data["HeartDisease"])
    for name, file in (
        ("a LabelEncoder alone", pickled(encoders["Sex"], "label_encoder.pkl")),
        ("a dict of encoders alone", pickled(encoders, "encoders.pkl")),
        ("a list of column names alone", pickled(list(numbers.columns), "columns.pkl")),
    ):
        yield project(name, file, heart, "HeartDisease", truth, kind=kind).then(beside,
            model=pickled(forest), beside=(pickled(encoders, "encoders.pkl"),))  # fmt: skip


def _mistakes() -> Iterator[Case]:
    data = table("iris")
    x, y = data.iloc[:, 1:5], data["Species"]
    forest = RandomForestClassifier(**FOREST).fit(x, y)
    model, sample, truth = pickled(forest), csv(data, "Iris.csv"), forest.score(x, y)
    cells = [
        {
            "cell_type": "code",
            "execution_count": 1,
            "metadata": {},
            "outputs": [],
            "source": ["import pandas as pd\n"],
        }
    ]
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": {"name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    page = (b"<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>model.pkl at main</title></head>\n"
            b"<body><p>You can't perform that action at this time.</p></body>\n</html>\n")  # fmt: skip
    pointer = (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a2146" * 8 + b"\nsize 132735\n"
    )
    app = b"import pickle\nfrom flask import Flask\n\nmodel = pickle.load(open('model.pkl', 'rb'))\n"
    inside = {"project/app.py": app, "project/model.pkl": model.data, "project/Iris.csv": sample.data,
              "project/requirements.txt": b"flask\nscikit-learn\n",
              "project/templates/index.html": page}  # fmt: skip
    send = r"joblib\.dump|pickle|model's (own )?file|file (that holds|with) the model"
    for name, file, says in (
        ("a CSV sent as the model", File("iris.csv", sample.data), r"\b(csv|table)\b"),
        ("a notebook", File("iris.ipynb", json.dumps(notebook, indent=1).encode()), r"notebook"),
        ("a web page saved as model.pkl", File("model.pkl", page), r"web page|html"),
        ("a Git LFS pointer", File("model.pkl", pointer), r"git lfs"),
        ("an empty file", File("model.pkl", b""), r"empty"),
        ("a zip of the whole project", zipped(inside, "iris-flask-main.zip"), r"model\.pkl"),
        ("requirements.txt", File("requirements.txt", b"flask==2.0\nscikit-learn\npandas\n"),
        r"\btext\b"),
        ("app.py", File("app.py", app), r"\b(python|text|script|source)\b"),
        ("a model cut off while it was loaded up", File("model.pkl", model.data[: len(model.data) // 2]),
         r"cut|incomplete|truncated|ends"),
        ("df.pkl, the table in a pickle", pickled(data, "df.pkl"), r"table|DataFrame"),
        ("y_pred.pkl, the answers in a pickle", pickled(forest.predict(x), "y_pred.pkl"),
        r"array|ndarray"),
        ("a dict of scores", pickled({"accuracy": 0.93, "f1": 0.92}, "metrics.pkl"), r"dict"),
        ("a picture", File("model.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(60)),
        r"picture|png|image"),
    ):  # fmt: skip
        found = project(name, file, sample, "Species", truth, kind="not a model", uses=x)
        follow = found.then(says + "|" + send if name == "app.py" else says, model=model)
        yield follow
    buffer = io.BytesIO()
    joblib.dump(forest, buffer, compress=("gzip", 3))
    yield project(
        "iris, joblib with gzip", File("model.pkl.gz", buffer.getvalue()), sample, "Species", truth, uses=x
    )
