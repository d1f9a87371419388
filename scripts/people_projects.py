"""What student projects and small deployments hold: a model as they save it, and their own raw table.

Each case is made as such a project does it: `pd.get_dummies`, words mapped by hand, arrays. The truth is what
the author's own code measures on the same rows.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    LabelEncoder,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from scripts.people_files import Case, File, Post
from scripts.people_tables import table

__all__ = ["cases", "csv", "joblibbed", "pickled"]

FOREST: dict[str, Any] = {"n_estimators": 15, "max_depth": 5, "random_state": 0}
# What a sentence may say that leads a person on; each case names the ones that help it.
ENCODE = r"hold text|encoded table|encoder"
SCALER = r"scaler|scaled"
CHOOSE = r'"entry"|`entry`|which (one|of them)'
LABELS = r"target_map"
COLUMNS = (
    r"columns?\b.*(lack|miss|no column|does not have|not in)|takes \d+ (columns|features)|features?, but"
    r"|leave the others out|exactly the columns|does not take"
)
INNER = r"save the model|the model itself|holds an? (dict|tuple|list)"


def pickled(model: Any, name: str = "model.pkl") -> File:
    """As `pickle.dump(model, open(name, 'wb'))` writes it."""
    return File(name, pickle.dumps(model))


def joblibbed(model: Any, name: str = "model.joblib") -> File:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return File(name, buffer.getvalue())


def csv(frame: Any, name: str = "data.csv", encoding: str = "utf-8", **options: Any) -> File:
    return File(name, frame.to_csv(index=False, **options).encode(encoding))


def encoded(frame: Any) -> tuple[Any, dict[str, LabelEncoder]]:
    """Every column of text as the number that a LabelEncoder of its own gives it, and the encoders."""
    found, encoders = frame.copy(), {}
    for name in frame.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]:
        encoders[name] = LabelEncoder().fit(found[name].astype(str))
        found[name] = encoders[name].transform(found[name].astype(str))
    return found, encoders


def dummies(frame: Any, **options: Any) -> Any:
    return pd.get_dummies(frame, **options)


def cases() -> Iterator[Case]:
    yield from _iris()
    yield from _titanic()
    yield from _churn()
    yield from _health()
    yield from _prices()
    yield from _tables()
    yield from _no_labels()


def project(name: str, model: File, sample: File | None, target: str | None, truth: Any, **more: Any) -> Case:
    """uses: the columns of the raw table that the model takes; who is told so sends only those.

    inner: the model in a wrapper, for who is told to save it by itself.
    """
    kind, uses, inner = more.pop("kind", "student project"), more.pop("uses", None), more.pop("inner", None)
    found = Case(
        kind, name, Post(model, sample, target, **more), None if truth is None else round(float(truth), 4)
    )
    if uses is not None and sample is not None:
        raw = pd.read_csv(io.BytesIO(sample.data), encoding="latin-1", keep_default_na=False)
        found = found.then(
            COLUMNS, sample=csv(raw[[*uses, *([target] if target else [])]], "fewer_columns.csv")
        )
    return found if inner is None else found.then(INNER, model=joblibbed(inner))


def _iris() -> Iterator[Case]:
    data = table("iris")
    sample, x, y = csv(data, "Iris.csv"), data.iloc[:, 1:5], data["Species"]
    model = LogisticRegression(max_iter=500).fit(x, y)
    yield project(
        "iris, logistic regression, species by name",
        pickled(model),
        sample,
        "Species",
        model.score(x, y),
        uses=x,
    )
    codes = LabelEncoder().fit_transform(y)
    near = KNeighborsClassifier().fit(x.values, codes)
    yield project(
        "iris, neighbours on arrays, species as 0, 1, 2", pickled(near, "iris.pkl"), sample, "Species",
        near.score(x.values, codes), uses=x,
    ).then(LABELS, config={"target_map": {"Iris-setosa": "0", "Iris-versicolor": "1",
        "Iris-virginica": "2"}})  # fmt: skip
    other = x.set_axis([f"{p} {q} (cm)" for p in ("sepal", "petal") for q in ("length", "width")], axis=1)
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(other, codes)
    yield project("iris, tree of scikit-learn's own iris, table of another site",
        joblibbed(tree, "iris_model.joblib"), sample, "Species", tree.score(other, codes),).then(COLUMNS,
        sample=csv(other.assign(target=codes), "iris.csv"), target="target")  # fmt: skip
    bunch = csv(other.assign(target=codes), "iris.csv")
    yield project("iris, Gaussian naive Bayes, numbers only", pickled(GaussianNB().fit(other, codes)), bunch,
        "target", GaussianNB().fit(other, codes).score(other, codes))  # fmt: skip


def _titanic() -> Iterator[Case]:
    data = table("titanic")
    sample, y = csv(data, "train.csv"), data["Survived"]
    kept = data[["Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked"]]
    filled = kept.assign(Age=kept["Age"].astype(float).fillna(28), Embarked=kept["Embarked"].fillna("S"))
    one_hot = dummies(filled, columns=["Sex", "Embarked"], drop_first=True)
    whole = kept["Age"].notna() & kept["Embarked"].notna()
    forest = RandomForestClassifier(**FOREST).fit(one_hot, y)
    ready = csv(one_hot.assign(Survived=y), "train_clean.csv")
    yield project("titanic, forest on get_dummies", pickled(forest, "titanic_model.pkl"), sample, "Survived",
        forest.score(one_hot, y)).then(ENCODE, sample=ready).then(COLUMNS, sample=ready)  # fmt: skip
    search = GridSearchCV(
        RandomForestClassifier(n_estimators=10, random_state=0), {"max_depth": [3, 5]}, cv=3
    )
    search.fit(one_hot, y)
    yield project("titanic, grid search over a forest", joblibbed(search, "titanic.sav"), sample, "Survived",
        search.score(one_hot, y)).then(ENCODE, sample=ready).then(COLUMNS, sample=ready)  # fmt: skip
    mapped = filled.assign(Sex=filled["Sex"].map({"male": 0, "female": 1}),
        Embarked=filled["Embarked"].map({"S": 0, "C": 1, "Q": 2}))  # fmt: skip
    logistic = LogisticRegression(solver="liblinear").fit(mapped, y)
    ready = csv(mapped.assign(Survived=y), "train_clean.csv")
    yield project("titanic, Sex and Embarked mapped by hand", pickled(logistic), sample, "Survived",
        logistic.score(mapped, y)).then(ENCODE, sample=ready)  # fmt: skip
    arrays = DecisionTreeClassifier(max_depth=4, random_state=0).fit(mapped.values, y.values)
    yield project("titanic, tree on arrays", pickled(arrays, "model.sav"), sample, "Survived",
        arrays.score(mapped.values, y)).then(ENCODE, sample=ready).then(COLUMNS, sample=ready)  # fmt: skip
    numbers, words = ["Pclass", "Age", "SibSp", "Parch", "Fare"], ["Sex", "Embarked"]
    columns = ColumnTransformer([("num", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        numbers), ("cat", make_pipeline(SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore")), words),])  # fmt: skip
    pipe = Pipeline([("prep", columns), ("clf", LogisticRegression(max_iter=500))])
    pipe.fit(data.drop(columns="Survived"), y)
    yield project("titanic, pipeline on the whole raw table", joblibbed(pipe, "titanic_pipeline.joblib"),
        sample, "Survived", pipe.score(data, y), uses=numbers + words)  # fmt: skip
    leaky = Pipeline(pipe.steps).fit(data, y)
    yield project("titanic, pipeline fitted with the label still in the table",
        joblibbed(leaky, "pipe.joblib"), sample, "Survived", leaky.score(data, y))  # fmt: skip
    vote = VotingClassifier([("lr", LogisticRegression(solver="liblinear")),
        ("rf", RandomForestClassifier(**FOREST))], voting="soft").fit(mapped, y)  # fmt: skip
    yield project(
        "titanic, voting, encoded table beside it", pickled(vote), ready, "Survived", vote.score(mapped, y)
    )
    few = filled.loc[whole, ["Pclass", "Fare"]]
    short = LogisticRegression().fit(few, y[whole])
    yield project(
        "titanic, two of twelve columns, no target named", pickled(short), sample, None, None, uses=few
    )


def _churn() -> Iterator[Case]:
    data = table("telco")
    sample = csv(data, "WA_Fn-UseC_-Telco-Customer-Churn.csv")
    clean = data.drop(columns="customerID")
    clean["TotalCharges"] = pd.to_numeric(clean["TotalCharges"], errors="coerce").fillna(0)
    words = clean.pop("Churn")
    y = (words == "Yes").astype(int)
    one_hot = dummies(clean)
    boosted = XGBClassifier(n_estimators=15, max_depth=3).fit(one_hot, y)
    ready = csv(one_hot.astype(float).assign(Churn=y), "churn_clean.csv")
    yield project("churn, XGBoost on get_dummies of all columns", pickled(boosted, "churn_model.pkl"),
        sample, "Churn",
                  boosted.score(one_hot, y)).then(ENCODE, sample=ready).then(COLUMNS,
                      sample=ready)  # fmt: skip
    numbers, encoders = encoded(clean)
    forest = RandomForestClassifier(**FOREST).fit(numbers, y)
    yield project("churn, encoders.pkl: a LabelEncoder for each column", pickled(forest,
        "customer_churn_model.pkl"), sample, "Churn", forest.score(numbers, y),
        beside=(pickled(encoders, "encoders.pkl"),), kind="companions", uses=clean,).then(LABELS,
        config={"target_map": {"No": "0", "Yes": "1"}})  # fmt: skip
    scaler = StandardScaler().fit(numbers)
    logistic = LogisticRegression(max_iter=500).fit(scaler.transform(numbers), y)
    files = (pickled(encoders, "label_encoders.pkl"), pickled(scaler, "scaler.pkl"),
        pickled(list(numbers.columns), "feature_columns.pkl"))  # fmt: skip
    yield project("churn, encoders, scaler and feature_columns.pkl", pickled(logistic), sample, "Churn",
        logistic.score(scaler.transform(numbers), y), beside=files, kind="companions",
        uses=clean)  # fmt: skip
    text = list(clean.columns[[not pd.api.types.is_numeric_dtype(t) for t in clean.dtypes]])
    pipe = make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"), text),
        remainder="passthrough"), GradientBoostingClassifier(n_estimators=15, random_state=0)).fit(clean,
        words)  # fmt: skip
    yield project("churn, pipeline that takes words and answers Yes or No", joblibbed(pipe, "churn.joblib"),
        sample, "Churn", pipe.score(clean, words), uses=clean)  # fmt: skip


def _health() -> Iterator[Case]:
    data = table("heart")
    x, y = data.drop(columns=["Unnamed: 0", "target"]), data["target"]
    model = LogisticRegression(solver="liblinear").fit(x, y)
    yield project("heart, table saved with its index", pickled(model, "heart_model.pkl"),
        csv(data, "heart.csv"), "target", model.score(x, y), uses=x)  # fmt: skip
    data = table("heart_failure")
    x, y = dummies(data.drop(columns="HeartDisease"), drop_first=True), data["HeartDisease"]
    forest = RandomForestClassifier(**FOREST).fit(x, y)
    ready = csv(x.astype(float).assign(HeartDisease=y), "heart_encoded.csv")
    yield project("heart failure, get_dummies with drop_first", joblibbed(forest), csv(data, "heart.csv"),
        "HeartDisease",
                  forest.score(x, y)).then(ENCODE, sample=ready).then(COLUMNS, sample=ready)  # fmt: skip
    data = table("diabetes")
    sample, x, y = csv(data, "diabetes.csv"), data.iloc[:, :-1], data["Outcome"]
    scaler = StandardScaler().fit(x.values)
    svm = SVC(kernel="linear").fit(scaler.transform(x.values), y)
    whole = make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(x.values, y)
    yield project("diabetes, scaler and SVM in one pipeline, arrays", pickled(whole, "trained_model.sav"),
        sample, "Outcome", whole.score(x.values, y))  # fmt: skip
    truth = svm.score(scaler.transform(x.values), y)
    yield project("diabetes, scaler.pkl beside the model", pickled(svm), sample, "Outcome", truth,
        beside=(pickled(scaler, "scaler.pkl"),), kind="companions")  # fmt: skip
    yield project(
        "diabetes, the scaler forgotten", pickled(svm, "diabetes.pkl"), sample, "Outcome", truth
    ).then(SCALER, beside=(pickled(scaler, "scaler.pkl"),))
    data = table("cancer")
    x, y = data.drop(columns=["id", "diagnosis", "Unnamed: 32"]), (data["diagnosis"] == "M").astype(int)
    logistic = LogisticRegression(solver="liblinear").fit(x, y)
    sample = csv(data, "data.csv")
    yield project("breast cancer, diagnosis M and B, an empty column", pickled(logistic), sample, "diagnosis",
                  logistic.score(x, y), uses=x).then(LABELS, config={"target_map": {"B": "0",
                      "M": "1"}})  # fmt: skip
    scaler = StandardScaler().fit(x.values)
    near = KNeighborsClassifier().fit(scaler.transform(x.values), y)
    yield project("breast cancer, a tuple of scaler and model", pickled((scaler, near), "cancer.pkl"),
        sample, "diagnosis", near.score(scaler.transform(x.values), y), kind="bundle").then(LABELS,
        config={"target_map": {"B": "0", "M": "1"}})  # fmt: skip
    data = table("stroke")
    data["bmi"] = pd.to_numeric(data["bmi"], errors="coerce")
    y = data["stroke"]
    numbers, _ = encoded(data.drop(columns=["id", "stroke"]).fillna({"bmi": 28}))
    boosted = GradientBoostingClassifier(n_estimators=15, random_state=0).fit(numbers, y)
    yield project("stroke, encoders not saved, N/A in a column of numbers", pickled(boosted, "stroke.pkl"),
                  csv(table("stroke"), "healthcare-dataset-stroke-data.csv"), "stroke",
                  boosted.score(numbers, y)).then(
        ENCODE, sample=csv(numbers.assign(stroke=y), "stroke_encoded.csv"))  # fmt: skip


def _prices() -> Iterator[Case]:
    data = table("housing")
    x, y = data.drop(columns=["Price", "Address"]), data["Price"]
    model = LinearRegression().fit(x, y)
    yield project("house prices, an address in the table", pickled(model, "house_price_model.pkl"),
        csv(data, "USA_Housing.csv"), "Price", model.score(x, y), uses=x)  # fmt: skip
    model = RandomForestRegressor(**FOREST).fit(x.values, y.values)
    yield project("house prices, forest on arrays, only numbers in the table",
        pickled(model, "regmodel.pkl"), csv(data.drop(columns="Address"), "housing.csv"), "Price",
        model.score(x.values, y))  # fmt: skip
    data = table("bengaluru")
    places = pd.get_dummies(data["location"])
    x, y = pd.concat([data[["total_sqft", "bath", "bhk"]], places.iloc[:, :-1]], axis=1), data["price"]
    model = LinearRegression().fit(x, y)
    ready = csv(x.astype(float).assign(price=y), "bhp_encoded.csv")
    yield project("house prices of Bengaluru, a column for each place", pickled(model,
        "banglore_home_prices_model.pickle"), csv(data, "bhp.csv"), "price", model.score(x, y)).then(ENCODE,
        sample=ready).then(COLUMNS, sample=ready)  # fmt: skip
    data = table("cars")
    y = data["Selling_Price"]
    x = data.drop(columns=["Car_Name", "Selling_Price", "Year"]).assign(no_year=2020 - data["Year"])
    x = dummies(x, drop_first=True)
    forest = RandomForestRegressor(**FOREST).fit(x, y)
    ready = csv(x.astype(float).assign(Selling_Price=y), "car_ready.csv")
    yield project("car prices, a column that the notebook computed", pickled(forest,
        "random_forest_regression_model.pkl"), csv(data, "car data.csv"), "Selling_Price",
        forest.score(x, y)).then(ENCODE, sample=ready).then(COLUMNS, sample=ready).then(r"no_year",
        sample=ready)  # fmt: skip
    x = data[["Car_Name", "Year", "Kms_Driven", "Fuel_Type"]]
    one_hot = OneHotEncoder().fit(x[["Car_Name", "Fuel_Type"]])
    pipe = make_pipeline(make_column_transformer((OneHotEncoder(categories=one_hot.categories_),
        ["Car_Name", "Fuel_Type"]), remainder="passthrough"), LinearRegression()).fit(x, y)  # fmt: skip
    yield project("car prices, LinearRegressionModel.pkl with its encoder inside",
        pickled(pipe, "LinearRegressionModel.pkl"), csv(data, "quikr_car.csv"), "Selling_Price",
        pipe.score(x, y), uses=x)  # fmt: skip
    data = table("laptops")
    x, y = data.drop(columns="Price"), np.log(data["Price"])
    words = [0, 1, 7, 10, 11]
    pipe = Pipeline([("step1", ColumnTransformer([("col_tnf", OneHotEncoder(sparse_output=False,
        drop="first"), words)], remainder="passthrough")), ("step2",
        RandomForestRegressor(**FOREST))]).fit(x, y)  # fmt: skip
    yield project("laptop prices, pipe.pkl with columns by position", pickled(pipe, "pipe.pkl"),
        csv(x.assign(Price=y), "df.csv"), "Price", pipe.score(x, y))  # fmt: skip
    raw = csv(table("laptops"), "laptop_data.csv")
    yield project("laptop prices, the logarithm learnt, prices in the table", pickled(pipe, "pipe.pkl"), raw,
        "Price", pipe.score(x, y)).then(r"logarithm", sample=csv(x.assign(Price=y), "df.csv"))  # fmt: skip
    data = table("insurance")
    x, y = data.drop(columns="charges"), data["charges"]
    pipe = make_pipeline(make_column_transformer((OneHotEncoder(), ["sex", "smoker", "region"]),
    remainder="passthrough"),
                         GradientBoostingRegressor(n_estimators=30, random_state=0)).fit(x, y)  # fmt: skip
    yield project("insurance, pipeline", joblibbed(pipe, "insurance.joblib"), csv(data, "insurance.csv"),
        "charges", pipe.score(x, y))  # fmt: skip
    replaced = x.assign(sex=x["sex"].map({"male": 0, "female": 1}), smoker=x["smoker"].map({"yes": 0,
        "no": 1}),
                        region=x["region"].map({"southeast": 0, "southwest": 1, "northeast": 2,
                            "northwest": 3}))  # fmt: skip
    linear = LinearRegression().fit(replaced, y)
    yield project("insurance, words replaced by numbers in the notebook", pickled(linear,
        "insurance_model.pkl"), csv(data, "insurance.csv"), "charges", linear.score(replaced,
        y)).then(ENCODE, sample=csv(replaced.assign(charges=y), "insurance_encoded.csv"))  # fmt: skip
    data = table("ipl")
    x = dummies(
        data.drop(columns=["mid", "date", "venue", "batsman", "total"]), columns=["bat_team", "bowl_team"]
    )
    ridge = Ridge().fit(x, data["total"])
    ready = csv(x.astype(float).assign(total=data["total"]), "ipl_encoded.csv")
    yield project("IPL score, a column for each team", pickled(ridge, "first-innings-score-lr-model.pkl"),
        csv(data, "ipl.csv"), "total", ridge.score(x, data["total"])).then(ENCODE,
        sample=ready).then(COLUMNS, sample=ready)  # fmt: skip


def _tables() -> Iterator[Case]:
    data = table("wine")
    x, y = data.drop(columns="quality"), data["quality"]
    forest = RandomForestRegressor(**FOREST).fit(x, y)
    yield project("wine quality, a table with semicolons", pickled(forest),
        csv(data, "winequality-red.csv", sep=";"), "quality", forest.score(x, y))  # fmt: skip
    good = (y >= 6).astype(int)
    classes = RandomForestClassifier(**FOREST).fit(x, good)
    ready = csv(x.assign(good=good), "wine_good.csv")
    yield project("wine, good or not, while the table holds marks", pickled(classes),
        csv(data, "winequality-red.csv"), "quality", classes.score(x, good)).then(r"label|class",
        sample=ready, target="good")  # fmt: skip
    data = table("marks")
    line = LinearRegression().fit(data[["Hours"]].values, data["Scores"].values)
    truth = line.score(data[["Hours"]].values, data["Scores"])
    yield project(
        "student marks, one column", pickled(line), csv(data, "student_scores.csv"), "Scores", truth
    )
    bom = File("scores.csv", b"\xef\xbb\xbf" + data.to_csv(index=False, sep=";").encode())
    yield project("student marks, saved by Excel", pickled(line, "marks.pkl"), bom, "Scores", truth)
    data = table("drugs")
    numbers, _ = encoded(data.drop(columns="Drug"))
    tree = DecisionTreeClassifier(criterion="entropy", max_depth=4, random_state=0).fit(
        numbers.values, data["Drug"]
    )
    yield project("drug200, encoders not saved, arrays", pickled(tree, "drug_model.pkl"),
        csv(data, "drug200.csv"), "Drug", tree.score(numbers.values, data["Drug"])).then(ENCODE,
        sample=csv(numbers.assign(Drug=data["Drug"]), "drug_encoded.csv"))  # fmt: skip
    data = table("loans").dropna()
    numbers, _ = encoded(data.drop(columns=["Loan_ID", "Loan_Status"]))
    y = (data["Loan_Status"] == "Y").astype(int)
    logistic = LogisticRegression(solver="liblinear").fit(numbers, y)
    yield project("loan approval, encoders not saved, blanks", pickled(logistic, "loan_status_predict"),
        csv(table("loans"), "train_u6lujuX_CVtuZ9i.csv"), "Loan_Status", logistic.score(numbers,
        y)).then(ENCODE, sample=csv(numbers.assign(Loan_Status=y), "loans_encoded.csv"))  # fmt: skip
    data = table("crops")
    x, y = data.drop(columns="label"), data["label"]
    forest = RandomForestClassifier(**FOREST).fit(x, y)
    yield project("crops, forest, names of crops", pickled(forest, "RandomForest.pkl"),
        csv(data, "Crop_recommendation.csv"), "label", forest.score(x, y))  # fmt: skip
    shouted = data.assign(label=[f" {v.title()} " for v in y])
    yield project("crops, labels with capitals and spaces", pickled(forest), csv(shouted, "crops.csv"),
        "label", forest.score(x, y)).then(LABELS,
        config={"target_map": {f" {v.title()} ": v for v in sorted(set(y))}})  # fmt: skip
    tag = csv(data.drop(columns="N"), "crops_without_N.csv")
    yield project("crops, a column missing in the table", pickled(forest), tag, "label",
        forest.score(x, y)).then(r"\bN\b", sample=csv(data, "Crop_recommendation.csv"))  # fmt: skip
    schema = pd.DataFrame({"name": x.columns, "type": "float", "min": x.min().values, "max": x.max().values})
    yield project(
        "crops, a table of name, type, min and max", pickled(forest), csv(schema, "schema.csv"), None, None
    )
    yield project("crops, another project's table", pickled(forest), csv(table("bank"),
        "Churn_Modelling.csv"), "Exited", None).then(r"not a table of this model|not the model's",
        sample=csv(data, "crops.csv"), target="label")  # fmt: skip
    data = table("fraud")
    x, y = data.drop(columns="Class"), data["Class"]
    boosted = XGBClassifier(n_estimators=15, max_depth=3).fit(x.values, y)
    yield project("card fraud, XGBoost on arrays", pickled(boosted, "fraud.pkl"),
        csv(data, "creditcard.csv"), "Class", boosted.score(x.values, y))  # fmt: skip


def _no_labels() -> Iterator[Case]:
    data = table("mall")
    x = data.iloc[:, 3:]
    groups = KMeans(5, random_state=0, n_init=3).fit(x.values)
    sample = csv(data, "Mall_Customers.csv")
    yield project("mall customers, k means on two of five columns", pickled(groups, "kmeans_model.pkl"),
        sample, None, None).then(COLUMNS + "|" + ENCODE, sample=csv(x, "mall_two_columns.csv"))  # fmt: skip
    yield project("mall customers, DBSCAN", pickled(DBSCAN().fit(x.values)), sample, None,
        None).told(r"can only label the rows it was fitted on")  # fmt: skip
